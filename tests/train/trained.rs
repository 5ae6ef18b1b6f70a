use super::{config, untrained};
use crate::common::mutations;
use proptest::prelude::*;
use stcn::models::{Bound, Registry, parameters};
use stcn::train::Trained;
use std::path::Path;

#[test]
fn a_trained_model_gives_raw_units() {
    let mut checkpoint = untrained();
    (checkpoint.header.mean, checkpoint.header.std) = (vec![3., -5., 0.], vec![2., 0.5, 1.]);
    let trained =
        Trained::from_checkpoint(checkpoint, Path::new("x.stcn"), &Registry::default()).unwrap();
    let x = stcn::Tensor::new(&[1, 1, 3], vec![1., -1., 1.]);
    let raw = &trained.raw(&x)[0];
    let (mean, std) = (&trained.normalisation.mean, &trained.normalisation.std);
    // One rounding to f32.
    assert!((f64::from(raw[0]) - (mean[0] + std[0])).abs() < 1e-5);
    assert!((f64::from(raw[1]) - (mean[1] - std[1])).abs() < 1e-5);
    assert_eq!(raw[2], 1., "the pen stays as it is");
}

#[test]
fn another_setting_keeps_the_parameters_or_is_refused() {
    let trained =
        Trained::from_checkpoint(untrained(), Path::new("x.stcn"), &Registry::default()).unwrap();
    let fresh = trained.with("draws", "fresh").unwrap();
    assert_eq!(fresh.config.model.table()["draws"].as_str(), Some("fresh"));
    assert_eq!(parameters(&*fresh.model), parameters(&*trained.model));
    assert_eq!((fresh.model.bound(), trained.model.bound()), (Bound::Objective, Bound::Lower));
    let said = trained.with("draws", "frehs").err().unwrap().to_string();
    assert!(said.contains("did you mean `fresh`"), "{said}");
    let said = trained.with("decoder", "gated").err().unwrap().to_string();
    assert!(said.starts_with("model.decoder = gated wants "), "{said}");
}

#[test]
fn a_checkpoint_alone_does_not_say_where_the_data_lies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.stcn");
    let mut checkpoint = untrained();
    checkpoint.header.config_toml = config(&["data.path=/etc/passwd"]).to_toml();
    checkpoint.save(&path).unwrap();
    assert_eq!(Trained::open(&path, &Registry::default()).unwrap().config.data.path, Path::new(""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every checksum is good, so all that follows has to be looked at.
    #[test]
    fn no_config_in_a_checkpoint_makes_the_reader_panic(
        text in mutations(config(&[]).to_toml().into_bytes()),
    ) {
        let mut checkpoint = untrained();
        checkpoint.header.config_toml = String::from_utf8_lossy(&text).into_owned();
        let _ = Trained::from_checkpoint(checkpoint, Path::new("x.stcn"), &Registry::default());
    }
}
