use stcn::models::Registry;
use stcn::train::{Config, Overrides};
use std::path::Path;
use tempfile::TempDir;

/// A config file's error, without the directory in front.
fn file_complaint(text: &str) -> String {
    Config::from_toml(text, Path::new("my.toml"), &Registry::default()).unwrap_err().to_string()
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
    assert_eq!(error.to_string(), "cannot read /nowhere/my.toml: there is no such file");
    assert_eq!(error.exit_code(), 2);
}
