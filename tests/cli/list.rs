//! `stcn list`: everything there is to choose from.

use super::{numbers, texts};
use crate::common::{Lab, says};
use stcn::models::ModelKind;
use stcn::models::config::HeadKind;
use stcn::train::presets::PRESETS;

#[test]
fn every_model_head_and_preset_is_listed() {
    let lab = Lab::new();
    let said = lab.ok("list");
    let presets = PRESETS.map(|(name, _)| name);
    says(&said, &presets);
    says(&said, &ModelKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>());
    says(&said, &HeadKind::ALL.iter().map(|head| head.name()).collect::<Vec<_>>());
    let lines = lab.json("list");
    assert_eq!(lines.len(), PRESETS.len() * ModelKind::ALL.len());
    for line in &lines {
        texts(line, &["preset", "model", "head", "about"]);
        numbers(line, &["params"]);
    }
    let tiny = lines.iter().filter(|line| line["preset"] == "ink-tiny");
    assert!(tiny.clone().all(|line| line["params"].as_u64().unwrap().abs_diff(110_000) < 10_000));
}
