use super::config;
use stcn::internals::resume::{Change, MAY_CHANGE, changes, check};

#[test]
fn what_may_change_are_keys_of_a_config() {
    let keys = config(&[]).keys();
    for key in MAY_CHANGE {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
}

#[test]
fn changes_are_told_old_and_new_and_where_the_data_lies_is_none() {
    let before = config(&["train.lr=0.25"]);
    let elsewhere =
        ["data.path=elsewhere.npz", "data.in_memory=7", "train.keep=7", "train.sample_every=7"];
    let same = config(&[&["train.lr=0.25"], &elsewhere[..]].concat());
    assert_eq!(changes(&before, &same), []);
    let now = config(&["train.lr=0.5", "train.steps=9", "data.normalise=none"]);
    let found: Vec<String> = changes(&before, &now).iter().map(Change::to_string).collect();
    let normalise = "data.normalise \"per-channel\" → \"none\"";
    assert_eq!(found, [normalise, "train.lr 0.25 → 0.5", "train.steps 4 → 9"]);
    check(&changes(&before, &config(&["train.lr=0.5", "train.steps=9"]))).unwrap();
    assert!(check(&changes(&before, &now)).unwrap_err().to_string().starts_with("data.normalise"));
}

#[test]
fn a_fingerprint_is_compared_once_it_is_known() {
    let (mut before, mut now) = (config(&[]), config(&[]));
    before.data.fingerprint = "a".into();
    assert_eq!(changes(&before, &now), []);
    now.data.fingerprint = "b".into();
    assert_eq!(changes(&before, &now)[0].key, "data.fingerprint");
    check(&changes(&before, &now)).unwrap_err();
}

#[test]
fn a_sampling_rate_is_compared_once_it_is_known() {
    let (mut before, mut now) = (config(&[]), config(&[]));
    before.data.rate = 8000;
    assert_eq!(changes(&before, &now), []);
    now.data.rate = 16_000;
    assert_eq!(changes(&before, &now)[0].to_string(), "data.rate 8000 → 16000");
    check(&changes(&before, &now)).unwrap_err();
}

#[test]
fn keys_of_another_model_are_changes() {
    let mut now = config(&[]);
    now.model = crate::common::preset("ink-tiny", Some("rnn"), None).unwrap().model;
    let changes = changes(&config(&[]), &now);
    let of = |key: &str| changes.iter().find(|change| change.key == key).unwrap();
    assert_eq!(of("model.kind").to_string(), "model.kind \"stcn-dense\" → \"rnn\"");
    assert_eq!(of("model.channels").new, "");
    check(&changes).unwrap_err();
}
