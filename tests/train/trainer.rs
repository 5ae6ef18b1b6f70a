use super::{config, untrained};
use stcn::models::Registry;
use stcn::train::Trainer;
use std::path::Path;

#[test]
fn data_of_other_bytes_is_refused_on_resume() {
    let mut other = config(&[]);
    other.data.fingerprint = "0".repeat(64);
    let e = Trainer::resume(other, untrained(), Path::new("x.stcn"), &Registry::default())
        .err()
        .expect("refused");
    assert!(e.to_string().contains("is not the data this run began with"), "{e}");
}

#[test]
fn a_fingerprint_that_is_none_is_shown_whole() {
    let mut other = config(&[]);
    other.data.fingerprint = "a".to_string() + &"é".repeat(8); // no character ends at byte 12
    let said = Trainer::again(other).err().expect("refused").to_string();
    assert!(said.contains("want aéééééééé…"), "{said}");
}

#[test]
fn the_best_of_a_run_is_kept_unless_checks_measure_something_else_now() {
    let mut checkpoint = untrained();
    (checkpoint.header.best, checkpoint.header.best_elbo) = (Some(2.), Some(-2.));
    let resumed = |set: &str| {
        let config = config(&[set]);
        let trainer =
            Trainer::resume(config, checkpoint.clone(), Path::new("x.stcn"), &Registry::default());
        trainer.unwrap().progress().best
    };
    for same in ["train.lr=0.1", "train.particles=7", "train.patience=9"] {
        assert_eq!(resumed(same), Some(2.), "{same}");
    }
    let other = ["train.reduction=mean-sequence", "train.objective=iwae", "data.dequantise=true"];
    for other in other {
        assert_eq!(resumed(other), None, "{other}");
    }
}

#[test]
fn epochs_without_end_are_as_many_steps_as_there_are_numbers() {
    let trainer = Trainer::new(config(&["train.epochs=9223372036854775807", "train.steps=0"]));
    assert_eq!(trainer.unwrap().last_step(), Some(u64::MAX));
}
