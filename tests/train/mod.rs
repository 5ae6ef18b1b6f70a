mod allocator;
mod bounds;
mod checkpoint;
mod columns;
mod config;
mod controls;
mod curves;
mod data;
mod diagnostics;
mod document;
mod drawn;
mod evaluate;
mod events;
mod exact;
mod fit;
mod follow;
pub mod gradients;
mod kept;
mod memory;
mod metrics;
mod objective;
mod particles;
mod presets;
pub mod ranks;
mod resolve;
mod restore;
mod resume;
mod run;
mod safetensors;
mod samples;
mod schema;
mod shards;
mod step;
mod suite;
mod trained;
mod trainer;

use crate::common::preset;
use stcn::data::{Split, Writer};
use stcn::models::build;
use stcn::nn::Init;
use stcn::train::{Checkpoint, Config};
use stcn::train::{Header, Named};
use std::path::Path;

/// Few steps of a very small model on the embedded handwriting.
fn config(more: &[&str]) -> Config {
    let mut config = preset("ink-tiny", None, None).unwrap();
    let small = ["model.channels=4", "model.latents=[2,1]", "model.blocks_per_latent=1"];
    let short = ["data.crop=16", "train.batch=4", "train.steps=4", "train.eval_every=2"];
    for set in small.iter().chain(&short).chain(more) {
        config.set(set).unwrap();
    }
    config
}

/// The header of [`untrained`], with other settings.
fn small_header(more: &[&str]) -> Header {
    Header { mean: vec![0.; 3], std: vec![1.; 3], ..Header::new(config(more).portable_toml()) }
}

/// A checkpoint of a small model that was never trained.
fn untrained() -> Checkpoint {
    let model = build(&config(&[]).model, Init::new(1)).unwrap();
    let mut params = vec![];
    model.visit(&mut |p| params.push(Named { path: p.path().into(), value: p.value.clone() }));
    Checkpoint { header: small_header(&[]), params, adam_m: vec![], adam_v: vec![] }
}

/// Ink as `data prepare` writes it, whole numbers, 40 lines.
fn stored(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("ink.npz");
    let mut writer = Writer::create(&path, 3, &[]).unwrap();
    let ink = crate::common::ink(30);
    for i in 0..40 {
        let split = if i % 10 == 3 { Split::Valid } else { Split::Train };
        writer.push(&ink.sequence(i % 10).unwrap(), split, &[]).unwrap();
    }
    writer.finish().unwrap();
    path
}
