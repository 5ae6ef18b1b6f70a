use crate::common::{mutations, preset};
use proptest::prelude::*;
use stcn::data::Normalise;
use stcn::models::Task;
use stcn::models::stcn::{Config as Stcn, Draws};
use stcn::models::{self, Registry};
use stcn::train::ScheduleKind;
use stcn::train::{Config, Overrides};
use std::path::Path;
use tempfile::TempDir;

fn set(assignment: &str) -> stcn::Result<Config> {
    let mut config = Config::default();
    config.set(assignment)?;
    Ok(config)
}

/// The default model's own config after `--set`.
fn own(assignment: &str) -> Stcn {
    set(assignment).unwrap().model.own()
}

fn complaint(assignment: &str) -> String {
    set(assignment).unwrap_err().to_string()
}

#[test]
fn set_reads_numbers_words_lists_and_truths() {
    assert_eq!(own("model.channels=64").channels, 64);
    assert_eq!(own(" model.channels = 64 ").channels, 64);
    assert_eq!(set("train.lr=1").unwrap().train.lr, 1.);
    assert_eq!(set("train.lr=2e-4").unwrap().train.lr, 2e-4);
    assert_eq!(own("model.draws=fresh").draws, Draws::Fresh);
    assert_eq!(set("data.normalise=none").unwrap().data.normalise, Normalise::None);
    assert_eq!(set("data.normalise='scalar'").unwrap().data.normalise, Normalise::Scalar);
    assert_eq!(own("model.latents=[8, 4]").latents, [8, 4]);
    assert_eq!(own("model.latents=8,4").latents, [8, 4]);
    assert!(!set("train.early_stop=false").unwrap().train.early_stop);
    assert_eq!(set("train.schedule=constant").unwrap().train.schedule, ScheduleKind::Constant);
    assert_eq!(set("seed=7").unwrap().seed, 7);
}

#[test]
fn a_path_that_looks_like_a_number_is_still_text() {
    assert_eq!(set("data.path=1").unwrap().data.path, Path::new("1"));
    assert_eq!(set("data.path=a=b.npz").unwrap().data.path, Path::new("a=b.npz"));
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    assert_eq!(
        complaint("model.chanels=64"),
        "stcn-dense has no key `model.chanels`: did you mean `model.channels`? (`stcn list --model stcn-dense` \
         shows all)"
    );
    assert_eq!(complaint("channels=64"), "unknown key `channels`: did you mean `model.channels`?");
    assert_eq!(complaint("sed=64"), "unknown key `sed`: did you mean `seed`?");
    assert_eq!(complaint("train.rl=64"), "unknown key `train.rl`: did you mean `train.lr`?");
    assert!(complaint("model=3").starts_with("unknown key `model`"));
    assert!(complaint("seed.x=3").starts_with("unknown key `seed.x`"));
    assert!(complaint("model.latents.0=3").starts_with("stcn-dense has no key `model.latents.0`"));
}

#[test]
fn a_value_of_another_kind_is_refused_with_what_was_wanted() {
    assert_eq!(
        complaint("model.channels=many"),
        "model.channels is \"many\", want a whole number, 0 or more"
    );
    assert_eq!(
        complaint("model.channels=-1"),
        "model.channels is -1, want a whole number, 0 or more"
    );
    assert_eq!(
        complaint("model.channels=1.5"),
        "model.channels is 1.5, want a whole number, 0 or more"
    );
    assert_eq!(complaint("train.lr=fast"), "train.lr is \"fast\", want a number");
    assert_eq!(complaint("train.lr="), "train.lr is \"\", want a number");
    assert_eq!(complaint("train.early_stop=1"), "train.early_stop is 1, want true or false");
    assert_eq!(
        complaint("model.latents=[8, x]"),
        "model.latents is \"[8, x]\", want a list of whole numbers, such as [32, 16, 8, 4, 2]"
    );
    assert_eq!(
        complaint("model.latents=[8, -4]"),
        "model.latents is [8, -4], want a list of whole numbers, such as [32, 16, 8, 4, 2]"
    );
    assert_eq!(
        complaint("model.draws=shard"),
        "model.draws: unknown kind of draws `shard`: did you mean `shared` (of shared, fresh)?"
    );
}

#[test]
fn an_assignment_without_an_equals_sign_is_refused() {
    assert_eq!(
        complaint("model.channels"),
        "`model.channels`: want key=value, such as train.batch=8"
    );
}

#[test]
fn every_key_can_be_set_to_what_it_is() {
    let config = Config::default();
    for key in config.keys() {
        let table: toml::Table = config.to_toml().parse().unwrap();
        let value =
            key.split('.').fold(toml::Value::Table(table), |table, name| table[name].clone());
        let mut again = config.clone();
        again.set(&format!("{key}={value}")).unwrap_or_else(|e| panic!("{key}: {e}"));
        assert_eq!(again, config, "{key}");
    }
    assert!(config.keys().contains(&"data.path".to_string()));
}

#[test]
fn a_file_changes_what_it_names_and_takes_the_rest_from_its_preset() {
    let text =
        "preset = 'ink-small'\n[model]\nkind = 'wavenet'\nchannels = 40\n[train]\nlr = 5e-4\n";
    let config = Config::from_toml(text, Path::new("my.toml"), &Registry::default()).unwrap();
    let mut wanted = preset("ink-small", Some("wavenet"), None).unwrap();
    wanted.set("model.channels=40").unwrap();
    wanted.train.lr = 5e-4;
    assert_eq!(config, wanted);
    assert_eq!(
        Config::from_toml("", Path::new("my.toml"), &Registry::default()).unwrap(),
        Config::default()
    );
    let dotted =
        Config::from_toml("model.channels = 40", Path::new("my.toml"), &Registry::default())
            .unwrap();
    assert_eq!(dotted.model.own::<Stcn>().channels, 40);
}

#[test]
fn set_goes_over_words_go_over_file_goes_over_preset() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("my.toml");
    let text =
        "preset = 'ink-small'\n[model]\nkind = 'wavenet'\nmixtures = 3\n[train]\nbatch = 7\n";
    std::fs::write(&path, text).unwrap();
    let sets = ["train.batch=9".to_string(), "model.head=normal".to_string()];
    let overrides = Overrides {
        model: Some("stcn"),
        head: Some("bigmm"),
        file: Some(&path),
        set: &sets,
        ..Overrides::default()
    };
    let config = Config::resolve(&overrides, &Registry::default()).unwrap();
    // The sizes are those of the model that was typed, not of the file's.
    let mut wanted = preset("ink-small", Some("stcn"), Some("normal")).unwrap();
    (wanted.model.obs.mixtures, wanted.train.batch) = (3, 9);
    assert_eq!(config, wanted);
}

#[test]
fn choosing_a_model_by_set_brings_its_sizes() {
    let sets = ["model.kind=wavenet".to_string(), "preset=ink-small".to_string()];
    let config =
        Config::resolve(&Overrides { set: &sets, ..Overrides::default() }, &Registry::default())
            .unwrap();
    assert_eq!(config, preset("ink-small", Some("wavenet"), None).unwrap());
}

#[test]
fn resolve_checks_the_whole() {
    let sets = ["model.task=speech".to_string(), "model.input=5".to_string()];
    let config =
        Config::resolve(&Overrides { set: &sets, ..Overrides::default() }, &Registry::default())
            .unwrap();
    assert_eq!((config.model.obs.task, config.model.obs.input), (Task::Speech, 5));
    let error = Config::resolve(
        &Overrides { set: &sets[1..], ..Overrides::default() },
        &Registry::default(),
    )
    .unwrap_err();
    assert!(error.to_string().starts_with("model.input is 5 but ink has 3 channels"));
}

#[test]
fn a_release_is_chosen_under_the_file_and_the_sets() {
    let sets = ["model.precision=product".to_string()];
    let overrides = Overrides { released: true, set: &sets, ..Overrides::default() };
    let config = Config::resolve(&overrides, &Registry::default()).unwrap();
    let own: Stcn = config.model.own();
    assert_eq!((own.draws, own.precision), (Draws::Fresh, stcn::models::stcn::Precision::Product));
    assert_eq!(config.train.after_step, 0);
    let mut wanted = Config::default().as_released();
    wanted.set(&sets[0]).unwrap();
    assert_eq!(config, wanted);
}

/// Files whose keys are known and whose values are anything.
fn settings() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (0..70_i64).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}").to_lowercase()),
        prop::collection::vec(0..70_i64, 0..4).prop_map(|list| format!("{list:?}")),
        prop::sample::select(vec!["true", "[[1]]", "{}", "'fractions:0.1,nan,1'", "'music-small'"])
            .prop_map(String::from),
        prop::sample::select(vec!["gmm", "bernoulli", "speech", "wavenet", "music", "cosine", "é"])
            .prop_map(|word| format!("{word:?}")),
    ];
    let line = (prop::sample::select(Config::default().keys()), value)
        .prop_map(|(k, v)| format!("{k} = {v}\n"));
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in "\\PC{0,80}",
        toml in "[\\[\\]{}=.,\"'\\n a-e0-9_+-]{0,80}",
        settings in settings(),
        mutated in mutations(Config::default().to_toml().into_bytes()),
    ) {
        for text in [text, toml, settings, String::from_utf8_lossy(&mutated).into_owned()] {
            if let Ok(config) = Config::from_toml(&text, Path::new("my.toml"), &Registry::default()) {
                // What is taken can be written and says the same again; and its model can be counted.
                let again = Config::from_toml(&config.to_toml(), Path::new("again.toml"), &Registry::default());
                prop_assert_eq!(again.map_err(|e| e.to_string()), Ok(config.clone()));
                prop_assert!(models::count(&config.model).is_ok());
            }
        }
    }
}
