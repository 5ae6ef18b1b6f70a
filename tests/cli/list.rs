//! `stcn list`: everything there is to choose from.

use super::{numbers, texts};
use crate::common::{Lab, says};
use stcn::models::{ALL, VRNN};
use stcn::models::{HeadKind, Preset};
use stcn::train::Config;

#[test]
fn every_model_head_and_preset_is_listed() {
    let lab = Lab::new();
    let said = lab.ok("list");
    says(&said, &Preset::ALL.iter().map(|preset| preset.name()).collect::<Vec<_>>());
    says(&said, &ALL.map(|kind| kind.name()));
    says(&said, &HeadKind::ALL.iter().map(|head| head.name()).collect::<Vec<_>>());
    let lines = lab.json("list");
    assert_eq!(lines.len(), Preset::ALL.len() * ALL.len());
    for line in &lines {
        texts(line, &["preset", "model", "head", "about"]);
        numbers(line, &["params"]);
    }
    let tiny = lines.iter().filter(|line| line["preset"] == "ink-tiny");
    assert!(tiny.clone().all(|line| line["params"].as_u64().unwrap().abs_diff(110_000) < 10_000));
}

#[test]
fn every_key_of_a_model_is_listed_with_its_meaning_and_its_presets() {
    let lab = Lab::new();
    let said = lab.ok("list --model vrnn");
    says(
        &said,
        &["model.hidden_size\n      Units of the LSTM.\n", "316 ", "ink-small, music-small"],
    );
    says(&said, &["model.head", "one of normal, gmm, bigmm, bernoulli, ar", "20 "]);
    says(
        &said,
        &["  train.batch\n      Sequences per update.\n", "  data.path\n", "\"\" in every preset"],
    );
    let lines = lab.json("list --model vrnn");
    let [data, model, train] = Config::preset(Preset::InkTiny, VRNN, None).unwrap().sections();
    let keys = [model, data, train].into_iter().flat_map(|(section, keys)| {
        keys.into_iter().map(move |(key, value)| (format!("{section}.{}", key.name), key, value))
    });
    assert_eq!(lines.len(), keys.clone().count());
    for (line, (name, key, value)) in lines.iter().zip(keys) {
        assert_eq!(line["key"], name);
        assert_eq!(line["about"], key.about);
        assert_eq!(line["presets"]["ink-tiny"], serde_json::json!(value));
    }
    let refused = lab.refused("list --model vrn");
    says(&refused, &["unknown model `vrn`: did you mean `vrnn`"]);
}
