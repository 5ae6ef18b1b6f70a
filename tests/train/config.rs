use crate::common::mutations;
use crate::common::preset;
use proptest::prelude::*;
use stcn::data::Normalise;
use stcn::models;
use stcn::models::Registry;
use stcn::models::config::*;
use stcn::models::stcn::{Config as Stcn, Draws};
use stcn::train::Overrides;
use stcn::train::config::{Config, ScheduleKind};
use std::path::Path;
use tempfile::TempDir;

fn set(assignment: &str) -> stcn::Result<Config> {
    let mut config = Config::default();
    config.set(assignment)?;
    Ok(config)
}

fn complaint(assignment: &str) -> String {
    set(assignment).unwrap_err().to_string()
}

fn invalid(assignment: &str) -> String {
    set(assignment).unwrap().validate().unwrap_err().to_string()
}

/// The default model's own config after `--set`.
fn own(assignment: &str) -> Stcn {
    set(assignment).unwrap().model.own()
}

/// A config file's error, without the directory in front.
fn file_complaint(text: &str) -> String {
    Config::from_toml(text, Path::new("my.toml"), &Registry::default()).unwrap_err().to_string()
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
fn off_is_spelt_zero_and_can_always_be_set() {
    assert_eq!(set("data.crop=0").unwrap().data.crop, 0);
    set("train.grad_clip=0").unwrap().validate().unwrap();
    set("train.kl_anneal=0").unwrap().validate().unwrap();
    set("train.steps=0").unwrap().validate().unwrap();
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
fn settings_that_cannot_train_are_refused_with_the_cure() {
    for (assignment, wanted) in [
        ("train.batch=0", "train.batch is 0: choose a number from 1 to 1048576"),
        ("train.eval_every=0", "train.eval_every is 0: choose 1 or more updates"),
        ("train.lr=0", "train.lr is 0: choose a number above 0, such as 0.001"),
        ("train.lr=nan", "train.lr is NaN: choose a number above 0, such as 0.001"),
        (
            "train.lr=1e-5",
            "train.lr_floor is 0.0001: choose a number from 0 to train.lr, which is 0.00001",
        ),
        ("train.lr_steps=0", "train.lr_steps is 0: choose 1 or more updates"),
        ("train.beta1=1", "train.beta1 is 1: choose a number from 0 to below 1"),
        ("train.beta2=-0.5", "train.beta2 is -0.5: choose a number from 0 to below 1"),
        ("train.eps=0", "train.eps is 0: choose a number from 1e-30 to 1, such as 1e-8"),
        ("train.eps=2", "train.eps is 2: choose a number from 1e-30 to 1, such as 1e-8"),
        (
            "train.grad_clip=-1",
            "train.grad_clip is -1: choose a norm above 0, or 0 for no clipping",
        ),
        (
            "train.grad_clip=inf",
            "train.grad_clip is inf: choose a norm above 0, or 0 for no clipping",
        ),
        (
            "train.min_gain=-1",
            "train.min_gain is -1: choose a share such as 0.0025, or 0 for any fall",
        ),
        (
            "train.patience=0",
            "train.patience is 0: choose 1 or more checks, or turn off train.early_stop",
        ),
        ("model.channels=0", "model.channels is 0: choose a number from 1 to 65536"),
    ] {
        assert_eq!(invalid(assignment), wanted);
    }
    let mut config = preset("ink", None, None).unwrap();
    config.set("train.lr_rate=1.5").unwrap();
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "train.lr_rate is 1.5: choose a number above 0, at most 1"
    );
}

#[test]
fn a_seed_that_no_file_can_hold_is_refused() {
    let config = Config { seed: u64::MAX, ..Config::default() };
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "seed is 18446744073709551615: choose one up to 9223372036854775807"
    );
}

#[cfg(unix)]
#[test]
fn a_data_path_that_no_file_can_hold_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let mut config = Config::default();
    config.data.path = std::ffi::OsStr::from_bytes(b"a\xff.npz").into();
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "data.path a\u{fffd}.npz is not UTF-8: rename the file"
    );
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
fn an_error_in_a_file_names_file_line_and_column() {
    assert_eq!(
        file_complaint("seed = 1\n[model]\n  chanels = 3\n"),
        "my.toml: line 3, column 3: stcn-dense has no key `model.chanels`: did you mean `model.channels`? \
         (`stcn list --model stcn-dense` shows all)"
    );
    assert_eq!(
        file_complaint("seed = 1\n[model]\nchannels = 'é'\n"),
        "my.toml: line 3, column 1: model.channels is \"é\", want a whole number, 0 or more"
    );
    assert_eq!(
        file_complaint("[model]\nkind = 'stcnn'\n"),
        "my.toml: line 2, column 1: unknown model `stcnn`: did you mean `stcn` \
         (of stcn, stcn-dense, wavenet, wavenet-dense, rnn, vrnn, srnn, srnn-filter, z-forcing, var-bilstm, ladder-rnn, ladder-rnn-dense, swavenet, dmm)?"
    );
    assert_eq!(
        file_complaint("preset = 3"),
        "my.toml: line 1, column 1: preset is 3, want text in quotes"
    );
    assert!(
        file_complaint("preset = 'in'")
            .starts_with("my.toml: line 1, column 1: unknown preset `in`")
    );
    assert!(
        file_complaint("[modle]\n").starts_with("my.toml: line 1, column 2: unknown key `modle`")
    );
    assert!(
        file_complaint("model = 3\n").starts_with("my.toml: line 1, column 1: unknown key `model`")
    );
    assert_eq!(
        file_complaint("[model]\ndraws = 'frsh'\n"),
        "my.toml: line 2, column 1: model.draws: unknown kind of draws `frsh`: did you mean `fresh` \
         (of shared, fresh)?"
    );
    assert_eq!(
        file_complaint("[train]\nbatch = 0\n"),
        "my.toml: train.batch is 0: choose a number from 1 to 1048576"
    );
}

#[test]
fn text_that_is_not_toml_is_refused_in_one_line_with_its_place() {
    let complaint = file_complaint("seed = 1\nmodel.channels == 3\n");
    assert!(complaint.starts_with("my.toml: line 2, column 17: "), "{complaint}");
    assert!(!complaint.contains('\n'), "{complaint}");
    let twice = file_complaint("seed = 1\nseed = 2\n");
    assert!(twice.starts_with("my.toml: line 2, column 1: "), "{twice}");
}

#[test]
fn text_nested_without_end_is_refused_with_its_place() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let deep = |n| format!("data = {}{}", open.repeat(n), close.repeat(n));
        let complaint = file_complaint(&deep(10_000));
        assert!(complaint.starts_with("my.toml: line 1, column "), "{complaint}");
    }
    for deep in ["a.".repeat(20_000) + "a = 1", "[".to_string() + &"a.".repeat(20_000) + "a]"] {
        let complaint = file_complaint(&deep);
        assert!(complaint.starts_with("my.toml: line 1, column "), "{complaint}");
    }
}

#[test]
fn a_config_longer_than_any_is_not_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("my.toml");
    let long = "#".repeat((1 << 16) + 1);
    assert_eq!(file_complaint(&long), "my.toml: has a config of 65537 bytes: want 65536 at most");
    assert!(Config::from_toml(&long[1..], Path::new("my.toml"), &Registry::default()).is_ok());
    std::fs::write(&path, long).unwrap();
    let read = |path: &Path| {
        Config::resolve(
            &Overrides { file: Some(path), ..Overrides::default() },
            &Registry::default(),
        )
    };
    let error = read(&path).unwrap_err().to_string();
    let wanted =
        "has 65537 bytes, more than any such file (65536): want a config such as config.toml";
    assert_eq!(error, format!("{}: {wanted}", path.display()));
    std::fs::write(&path, b"seed = 1 # \xff").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("my.toml: is not text in UTF-8: want TOML such as config.toml of a run")
    );
    assert!(read(dir.path()).unwrap_err().to_string().contains(": is not a file, want a config"));
}

#[test]
fn a_missing_config_file_is_named() {
    let file = Some(Path::new("/nowhere/my.toml"));
    let error = Config::resolve(&Overrides { file, ..Overrides::default() }, &Registry::default())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read /nowhere/my.toml: No such file or directory (os error 2)"
    );
    assert_eq!(error.exit_code(), 2);
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
fn the_text_in_a_checkpoint_does_not_say_where_the_data_lies() {
    let here = set("data.path=/here/iam.npz").unwrap();
    let there = set("data.path=/there/iam.npz").unwrap();
    assert_eq!(here.portable_toml(), there.portable_toml());
    assert_ne!(here.to_toml(), there.to_toml());
    let other = set("data.fingerprint=abc").unwrap();
    assert_ne!(here.portable_toml(), other.portable_toml());
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

#[test]
fn music_takes_no_noise() {
    let mut config = preset("music-small", None, None).unwrap();
    config.set("data.dequantise=true").unwrap();
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "data.dequantise is true, but music has keys that are 0 or 1, whose probabilities are no densities: \
         set it to false"
    );
}

#[test]
fn where_samples_are_held_is_no_part_of_a_checkpoint() {
    let here = set("data.in_memory=0").unwrap();
    assert_ne!(here.to_toml(), Config::default().to_toml());
    assert_eq!(here.portable_toml(), Config::default().portable_toml());
    set("data.in_memory=9223372036854775807").unwrap().validate().unwrap();
}
