use super::{config, untrained};
use crate::common::{ink, preset};
use stcn::Tape;
use stcn::data::{DataSet, Split};
use stcn::models::Registry;
use stcn::train::{Plan, Trainer};
use std::path::Path;

#[test]
fn data_of_other_bytes_is_refused_on_resume() {
    let mut other = config(&[]);
    other.data.fingerprint = "0".repeat(64);
    let mut checkpoint = untrained();
    checkpoint.header.config_toml = other.portable_toml();
    for config in [config(&[]), other] {
        let checkpoint = checkpoint.clone();
        let e = Trainer::resume(config, checkpoint, Path::new("x.stcn"), &Registry::default());
        let said = e.err().expect("refused").to_string();
        assert!(said.contains("is not the data this run began with"), "{said}");
    }
}

#[test]
fn a_run_whose_config_has_lost_the_fingerprint_does_not_begin_again() {
    let said = Trainer::again(config(&[])).err().expect("refused").to_string();
    assert_eq!(
        said,
        "the config of this run has lost data.fingerprint: begin another run with --out DIR"
    );
}

#[test]
fn what_a_checkpoint_means_does_not_change_when_it_is_resumed() {
    for (set, said) in [
        ("model.kernel_size=3", "model.kernel_size is 2 in this run and cannot become 3 ("),
        ("seed=7", "seed is 1 in this run and cannot become 7 ("),
        (
            "data.normalise=none",
            "data.normalise is \"per-channel\" in this run and cannot become \"none\" (",
        ),
        ("train.beta2=0.9", "train.beta2 is 0.999 in this run and cannot become 0.9 ("),
    ] {
        let (path, models) = (Path::new("x.stcn"), Registry::default());
        let e = Trainer::resume(config(&[set]), untrained(), path, &models).err();
        let e = e.unwrap_or_else(|| panic!("{set} was taken")).to_string();
        assert!(e.starts_with(said) && e.ends_with("begin another run with --out DIR"), "{e}");
    }
}

#[test]
fn the_check_at_an_end_off_the_schedule_is_not_counted_and_forgotten_by_the_next_update() {
    let mut trainer = Trainer::new(config(&[])).unwrap();
    trainer.step().unwrap();
    let scheduled = trainer.check().unwrap().unwrap();
    trainer.step().unwrap();
    let before = trainer.progress();
    let checked = trainer.check_end().unwrap().unwrap();
    let after = trainer.progress();
    let end = after.end.unwrap();
    assert_eq!((end.loss, end.elbo), (checked.loss, checked.value.elbo_seq));
    assert_eq!(checked.best, checked.loss < scheduled.loss);
    assert_eq!(stcn::train::Progress { end: None, ..after }, before);
    let best = if checked.best { (2, end.elbo) } else { (1, scheduled.value.elbo_seq) };
    assert_eq!(after.best_check(), Some(best));
    trainer.try_step().unwrap();
    assert_eq!(trainer.progress(), after);
    trainer.step().unwrap();
    assert_eq!(trainer.progress().end, None);
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
    let other = [
        "train.reduction=mean-sequence",
        "train.objective=iwae",
        "train.valid_sequences=1",
        "data.dequantise=true",
    ];
    for other in other {
        assert_eq!(resumed(other), None, "{other}");
    }
}

#[test]
fn epochs_without_end_are_as_many_steps_as_there_are_numbers() {
    let trainer = Trainer::new(config(&["train.epochs=9223372036854775807", "train.steps=0"]));
    assert_eq!(trainer.unwrap().last_step(), Some(u64::MAX));
}

#[test]
fn the_loss_to_look_at_is_that_of_the_next_update_and_changes_nothing() {
    let mut trainer = Trainer::new(config(&[])).unwrap();
    trainer.step().unwrap();
    let (batch, before) = (trainer.batch().unwrap(), trainer.checkpoint());
    let tape = Tape::new();
    let loss = f64::from(trainer.loss(&tape, &batch).value().item());
    assert!(trainer.checkpoint() == before);
    // On the tape it is a sum in f32, in the report one in f64.
    let reported = trainer.step().unwrap().loss;
    assert!((reported - loss).abs() < 1e-5 * loss.abs().max(1.), "{reported}, {loss}");
}

#[test]
fn data_in_memory_are_trained_on_as_if_they_were_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ink.npz");
    ink(20).save(&path).unwrap();
    let trained = |mut trainer: Trainer| {
        (0..3).for_each(|_| drop(trainer.step().unwrap()));
        trainer.check().unwrap();
        let fingerprint = trainer.set().fingerprint().to_string();
        let mut checkpoint = trainer.checkpoint();
        checkpoint.header.config_toml =
            checkpoint.header.config_toml.replace(&fingerprint, "fingerprint");
        checkpoint.sha256()
    };
    let of_file = config(&[&format!("data.path={}", path.display())]);
    let in_memory = Trainer::with_data(config(&[]), ink(20)).unwrap();
    assert_eq!(trained(in_memory), trained(Trainer::new(of_file).unwrap()));
}

#[test]
fn series_in_memory_give_the_model_their_width_and_other_data_must_fit() {
    let wide = |channels: usize| {
        let rows = (0..20 * channels).map(|i| (i % 7) as f32).collect();
        DataSet::from_parts("sensors", channels, vec![rows], None).unwrap()
    };
    let trainer = Trainer::with_data(preset("series-tiny", None, None).unwrap(), wide(5)).unwrap();
    assert_eq!(trainer.config().model.obs.input, 5);
    let said = Trainer::with_data(config(&[]), wide(5)).err().expect("refused").to_string();
    assert!(said.starts_with("sensors: has D = 5 channels, "), "{said}");
}

#[test]
fn a_check_evaluates_the_same_few_sequences_each_time_and_the_config_without_has_its_old_bytes() {
    let config = config(&["train.valid_sequences=20"]);
    assert!(config.portable_toml().ends_with("\nvalid_sequences = 20\n"));
    let mut few = Trainer::new(config.clone()).unwrap();
    let mut all = Trainer::new(super::config(&[])).unwrap();
    assert!(!all.config().portable_toml().contains("valid_sequences"));
    let samples = Plan { sequences: 20, ..Plan::new(Split::Valid) }.samples(few.set());
    let (valid, set) = (few.set().split(Split::Valid).to_vec(), all.set());
    assert!(samples.is_sorted() && samples.iter().all(|sample| valid.contains(sample)));
    assert_ne!(samples, valid[..20], "not the first");
    let lengths: Vec<usize> = samples.iter().map(|&i| set.length(i)).collect();
    let of_all = all.check().unwrap().unwrap();
    let place = |sample| valid.iter().position(|x| x == sample).unwrap();
    let wanted: Vec<f64> = samples.iter().map(|i| of_all.value.per_sequence[place(i)]).collect();
    for _ in 0..2 {
        let checked = few.check().unwrap().unwrap();
        assert_eq!(checked.value.per_sequence, wanted);
        assert_eq!(checked.value.steps, lengths.iter().sum::<usize>());
        // Twenty numbers are divided and added in f64, in another order than here.
        let loss = -wanted.iter().sum::<f64>() / checked.value.steps as f64;
        assert!((checked.loss - loss).abs() < 40. * f64::EPSILON * loss.abs());
    }
}
