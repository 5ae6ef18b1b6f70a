//! Splits by name, and by rule where a file has none.

use super::{refusal, set::good};
use stcn::data::{DataSet, MissingSplit, Split};
use stcn::internals::npz::{self, Flat};

#[test]
fn a_missing_split_follows_the_rule_that_the_caller_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let sequences = 40;
    let flat = Flat {
        channels: 1,
        samples: vec![0.; sequences],
        lengths: vec![1; sequences],
        split: None,
        rate: None,
    };
    npz::write(&path, &flat).unwrap();
    let open = |rule: &str| DataSet::open(&path, Some(rule.parse().unwrap())).unwrap();
    let counts = |rule: &str| {
        let set = open(rule);
        Split::ALL.map(|split| set.split(split).len())
    };
    assert_eq!(counts("all-train"), [40, 0, 0]);
    assert_eq!(counts("all-test"), [0, 0, 40]);
    assert_eq!(counts("fractions:0.1,0.25,7"), [26, 4, 10]);
    let valid = |rule: &str| open(rule).split(Split::Valid).to_vec();
    assert_eq!(valid("fractions:0.5,0,7"), valid("fractions:0.5,0,7"));
    assert_ne!(valid("fractions:0.5,0,7"), valid("fractions:0.5,0,8"));
    // A set without a train split is saved without any, so that it can be opened again.
    DataSet::open(&path, Some(MissingSplit::AllTest)).unwrap().save(&path).unwrap();
    assert_eq!(counts("all-train"), [40, 0, 0]);
    // The file's own word counts where there is one.
    npz::write(&path, &good()).unwrap();
    assert_eq!(counts("all-train"), [1, 0, 1]);
    // Two sequences and nine tenths: nothing would be left.
    npz::write(&path, &Flat { split: None, ..good() }).unwrap();
    let rule = Some("fractions:0.5,0.49,1".parse().unwrap());
    let said = refusal(DataSet::open(&path, rule));
    assert!(
        said.contains("2 sequences, of which fractions:0.5,0.49,1 leaves none to train"),
        "{said}"
    );
}

#[test]
fn the_rule_for_a_missing_split_is_one_word_everywhere() {
    for word in ["all-train", "all-test", "fractions:0.1,0.05,18446744073709551615"] {
        let rule: MissingSplit = word.parse().unwrap();
        assert_eq!(rule.to_string(), word);
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(json, format!("\"{word}\""));
        assert_eq!(serde_json::from_str::<MissingSplit>(&json).unwrap(), rule);
    }
    for word in [
        "",
        "train",
        "fractions:0.5,0.5,1",
        "fractions:-1,0,1",
        "fractions:nan,0,1",
        "fractions:0.1,0.1",
        "fractions:0.1,0.1,1,1",
        "fractions:0.1,0.1,-1",
    ] {
        let said = refusal(word.parse::<MissingSplit>());
        assert!(
            said.starts_with(&format!("data.split cannot be `{word}`, wanted all-train,")),
            "{said}"
        );
        assert!(said.ends_with("such as fractions:0.1,0.1,1"), "{said}");
    }
}

#[test]
fn a_split_is_typed_by_name() {
    for split in Split::ALL {
        assert_eq!(split.to_string().parse::<Split>().unwrap(), split);
    }
    assert_eq!(
        refusal("tset".parse::<Split>()),
        "unknown split `tset`: did you mean `test` (of train, valid, test)?"
    );
}
