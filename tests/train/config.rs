use crate::common::preset;
use stcn::train::Config;

fn set(assignment: &str) -> stcn::Result<Config> {
    let mut config = Config::default();
    config.set(assignment)?;
    Ok(config)
}

fn invalid(assignment: &str) -> String {
    set(assignment).unwrap().validate().unwrap_err().to_string()
}

#[test]
fn off_is_spelt_zero_and_can_always_be_set() {
    assert_eq!(set("data.crop=0").unwrap().data.crop, 0);
    set("train.grad_clip=0").unwrap().validate().unwrap();
    set("train.kl_anneal=0").unwrap().validate().unwrap();
    set("train.steps=0").unwrap().validate().unwrap();
}

#[test]
fn settings_that_cannot_train_are_refused_with_the_cure() {
    for (assignment, wanted) in [
        (
            "data.rate=999",
            "data.rate is 999: choose samples of sound per second from 1000 to 768000, or 0 if that is unknown",
        ),
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
            "train.min_gain is -1: choose a fraction such as 0.0025, or 0 for any decrease",
        ),
        (
            "train.patience=0",
            "train.patience is 0: choose 1 or more checks, or turn off train.early_stop",
        ),
        (
            "train.weight_decay=-1",
            "train.weight_decay is -1: choose 0 for none, or a number such as 0.01, below 1/train.lr",
        ),
        (
            "train.weight_decay=1e6",
            "train.weight_decay is 1000000: choose 0 for none, or a number such as 0.01, below 1/train.lr",
        ),
        (
            "data.transpose=6",
            "data.transpose is 6, and data of the task ink have no keys to move: set it to 0",
        ),
        ("train.keep=1", "train.keep is 1: choose a number from 2 to 1024, or 0 for none"),
        ("train.keep=1025", "train.keep is 1025: choose a number from 2 to 1024, or 0 for none"),
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
fn the_text_in_a_checkpoint_does_not_say_where_the_data_lies() {
    let here = set("data.path=/here/iam.npz").unwrap();
    let there = set("data.path=/there/iam.npz").unwrap();
    assert_eq!(here.portable_toml(), there.portable_toml());
    assert_ne!(here.to_toml(), there.to_toml());
    let other = set("data.fingerprint=abc").unwrap();
    assert_ne!(here.portable_toml(), other.portable_toml());
}

#[test]
fn music_takes_no_noise() {
    let mut config = preset("music-small", None, None).unwrap();
    config.set("data.dequantise=true").unwrap();
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "data.dequantise is true, but music has binary keys, which have probabilities, not densities: \
         set it to false"
    );
}

#[test]
fn where_samples_are_held_and_what_is_kept_and_drawn_are_no_part_of_a_checkpoint() {
    for other in ["data.in_memory=0", "train.keep=7", "train.sample_every=7"] {
        let here = set(other).unwrap();
        assert_ne!(here.to_toml(), Config::default().to_toml());
        assert_eq!(here.portable_toml(), Config::default().portable_toml());
    }
    // Where it is unknown, the sampling rate is no part of it either.
    let text = Config::default().portable_toml();
    assert!(
        !text.contains("rate = 0") && text.contains("\nin_memory = 1024\n\n[model]\n"),
        "{text}"
    );
    let text = set("data.rate=8000").unwrap().portable_toml();
    assert!(text.contains("\nin_memory = 1024\nrate = 8000\n\n[model]\n"), "{text}");
    let text = Config::default().portable_toml();
    assert!(text.ends_with("\nafter_step = 200\n"), "{text}");
    set("data.in_memory=9223372036854775807").unwrap().validate().unwrap();
}
