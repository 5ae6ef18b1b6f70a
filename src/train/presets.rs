//! Presets: sizes and training settings that belong together, with sizes for every model.
//!
//! Within a preset all models have the same batch, learning rate and stopping, and within a small one about the
//! same number of parameters, so that any two can be compared by changing one word; `ink` and `speech` have the
//! sizes of each model's paper. Sources: stcn.md §8, rivals.md §9.

use super::config::{Config, DataConfig, Objective, Reduction, ScheduleKind, TrainConfig};
use crate::choice::unknown;
use crate::data::{DataSet, Normalise};
use crate::error::Result;
use crate::models::config::{Decoder, GateKind, HeadKind, ModelConfig, ModelKind, Task};
use std::path::PathBuf;

/// The preset of a bare `stcn train`.
pub const DEFAULT: &str = "ink-tiny";

/// A preset's name and what it is for, as `stcn list` prints them.
pub const PRESETS: [(&str, &str); 7] = [
    ("ink-tiny", "the embedded handwriting, about 110 k parameters, learns in minutes"),
    ("ink-small", "ink on a small machine, 600 k parameters"),
    ("ink", "IAM-OnDB and DeepWriting as in the paper"),
    ("speech-small", "speech on a small machine, 900 k parameters"),
    ("speech", "TIMIT and Blizzard as in the paper"),
    ("speech-large", "the paper's STCN-dense-large, 512 channels"),
    ("music-small", "polyphonic music, 88 keys, 600 k parameters"),
];

/// Whether `name` is a preset; the error names the nearest one and all others.
pub(super) fn check(name: &str) -> Result<()> {
    let names = PRESETS.map(|(name, _)| name);
    if names.contains(&name) { Ok(()) } else { Err(unknown("preset", name, &names)) }
}

/// The preset as it is, before anyone has changed or checked it.
pub(super) fn build(name: &str, model: Option<&str>, head: Option<&str>) -> Result<Config> {
    check(name)?;
    let kind = model.map_or(Ok(ModelKind::StcnDense), ModelKind::parse)?;
    let music = name == "music-small";
    let usual = if music { HeadKind::Bernoulli } else { HeadKind::Gmm };
    let head = head.map_or(Ok(usual), HeadKind::parse)?;

    let model = ModelConfig { kind, head, ..model_of(name, kind, head) };
    let crop = match name {
        "ink-small" | "music-small" => 256,
        "speech-small" | "speech" | "speech-large" => 40,
        _ => 0,
    };
    let normalise = match model.task {
        Task::Ink => Normalise::PerChannel,
        Task::Speech => Normalise::Scalar, // as every paper has it
        Task::Music => Normalise::None,
    };
    let (path, fingerprint, split) = (PathBuf::new(), String::new(), String::new());
    let (dequantise, in_memory) = (false, DataSet::IN_MEMORY >> 20);
    let data = DataConfig { path, fingerprint, split, normalise, crop, dequantise, in_memory };
    Ok(Config { seed: 1, preset: name.to_string(), data, model, train: train_of(name) })
}

/// What the small presets change, by which every model comes to about the same number of parameters: filters
/// or units in `ink-tiny`, in `ink-small` and `music-small`, in `speech-small`.
const SMALL: [(ModelKind, [usize; 3]); 13] = [
    (ModelKind::Stcn, [32, 54, 60]),
    (ModelKind::StcnDense, [32, 54, 59]),
    (ModelKind::Wavenet, [37, 62, 75]),
    (ModelKind::WavenetDense, [37, 61, 74]),
    (ModelKind::Rnn, [146, 346, 358]),
    (ModelKind::Vrnn, [130, 316, 312]),
    (ModelKind::Srnn, [91, 218, 218]),
    (ModelKind::SrnnFilter, [131, 316, 311]),
    (ModelKind::ZForcing, [83, 204, 182]),
    (ModelKind::VarBilstm, [74, 180, 176]),
    (ModelKind::LadderRnn, [55, 103, 108]),
    (ModelKind::LadderRnnDense, [55, 103, 108]),
    (ModelKind::Swavenet, [46, 110, 84]),
];

/// Sizes of one model in one preset.
fn model_of(preset: &str, kind: ModelKind, head: HeadKind) -> ModelConfig {
    let paper = ModelConfig::default();
    let task = match preset {
        "music-small" => ModelConfig { task: Task::Music, input: 88, ..paper },
        "ink-tiny" => ModelConfig { latents: vec![16, 8, 4], blocks_per_latent: 5, ..paper },
        "speech-small" => {
            ModelConfig { latents: vec![64, 32, 16, 8, 4], mixtures: 5, ..speech(256) }
        }
        "speech" => speech(256),
        "speech-large" => speech(512),
        _ => paper,
    };
    let sizes = if kind.is_ladder() {
        ladder(preset, task)
    } else if kind == ModelKind::Swavenet {
        swavenet(preset, task)
    } else if kind.is_recurrent() {
        let of_paper = || recurrent_of_paper(kind, head, task.clone());
        recurrent_small(preset, task.clone()).unwrap_or_else(of_paper)
    } else {
        let latent = kind.has_latents();
        let gated = latent && task.task == Task::Speech;
        ModelConfig {
            output_layers: if latent { 5 } else { 2 },
            decoder: if gated { Decoder::Gated } else { Decoder::Pointwise },
            ..task
        }
    };
    let column = match preset {
        "ink-tiny" => 0,
        "ink-small" | "music-small" => 1,
        "speech-small" => 2,
        _ => return sizes,
    };
    let (_, widths) = SMALL.into_iter().find(|row| row.0 == kind).expect("a row for every model");
    ModelConfig { channels: widths[column], ..sizes }
}

fn speech(channels: usize) -> ModelConfig {
    ModelConfig {
        task: Task::Speech,
        input: 200,
        channels,
        latents: vec![256, 128, 64, 32, 16],
        blocks_per_latent: 5,
        ..ModelConfig::default()
    }
}

/// LSTM cells in the place of STCN's blocks: 25 of 256 units as published; in the small presets one a level,
/// before nets as wide as STCN's. On music the cells read 88 keys, and the nets pay for it.
fn ladder(preset: &str, task: ModelConfig) -> ModelConfig {
    let (blocks_per_latent, width) = match preset {
        "ink-tiny" => (1, 32),
        "ink-small" => (1, 54),
        "music-small" => (1, 48),
        "speech-small" => (1, 60),
        _ => (5, 256),
    };
    ModelConfig { channels: 256, blocks_per_latent, embedding: width, latent_hidden: width, ..task }
}

/// Layers as the paper has them: on speech four with latents (as run; the text says five), on ink one behind
/// five without.
fn swavenet(preset: &str, task: ModelConfig) -> ModelConfig {
    let speech = task.task == Task::Speech;
    let (pre_layers, layers) = if speech { (0, 4) } else { (5, 1) };
    let channels = if speech { 1024 } else { 200 };
    // z, the gates' m, and the width below the head.
    let (latent, latent_hidden, embedding) = match preset {
        "ink-tiny" => (8, 32, 32),
        "ink-small" | "music-small" => (16, 64, 64),
        "speech-small" => (32, 96, 96),
        "ink" => (200, 200, 200),
        _ => (512, 512, 1024),
    };
    let gate_kind = if preset == "ink" { GateKind::PreReluLinear } else { GateKind::TwoLayer };
    let latents = vec![latent; layers];
    ModelConfig { channels, embedding, latents, latent_hidden, pre_layers, gate_kind, ..task }
}

/// What all recurrent models of a small preset have in common; none where the preset is a paper's.
fn recurrent_small(preset: &str, task: ModelConfig) -> Option<ModelConfig> {
    // The layers before and behind the units, φ_z, the nets of the latent, and the latent itself.
    let (embedding, latent_embedding, latent_hidden, latent) = match preset {
        "ink-tiny" => (32, 16, 32, 8),
        "ink-small" | "music-small" => (64, 32, 64, 16),
        "speech-small" => (96, 48, 96, 32),
        _ => return None,
    };
    let latents = vec![latent];
    let output_layers = 1;
    Some(ModelConfig { embedding, latent_embedding, latent_hidden, latents, output_layers, ..task })
}

/// The sizes of the papers; in speech Chung's of Blizzard, as TIMIT's are not known for sure, and the others' of
/// TIMIT. These were never run on ink: SRNN has the sizes it had on music, Z-forcing and Bi-LSTM Chung's layers,
/// and units to make them as large as VRNN.
fn recurrent_of_paper(kind: ModelKind, head: HeadKind, task: ModelConfig) -> ModelConfig {
    let (speech, normal) = (task.task == Task::Speech, head == HeadKind::Normal);
    if matches!(kind, ModelKind::Srnn | ModelKind::SrnnFilter) {
        let (channels, embedding, latent, output_layers) =
            if speech { (1024, 512, 256, 2) } else { (300, 500, 100, 1) };
        let (latent_hidden, latents) = (embedding, vec![latent]);
        return ModelConfig { channels, embedding, latent_hidden, latents, output_layers, ..task };
    }
    let chung = if speech {
        ModelConfig {
            channels: 4000,
            embedding: if normal { 600 } else { 500 },
            latent_embedding: 500,
            latent_hidden: 500,
            latents: vec![200],
            output_layers: 4,
            ..task
        }
    } else {
        ModelConfig {
            channels: 1200,
            embedding: 250,
            latent_embedding: 150,
            latent_hidden: 150,
            latents: vec![50],
            output_layers: 1,
            ..task
        }
    };
    match kind {
        ModelKind::Rnn => {
            let embedding = match (speech, normal) {
                (true, true) => 800,
                (true, false) => 700,
                (false, true) => 340,
                (false, false) => 300,
            };
            ModelConfig { embedding, ..chung }
        }
        ModelKind::ZForcing if speech => ModelConfig {
            channels: 1024,
            embedding: 512,
            latent_hidden: 512,
            latents: vec![256],
            ..chung
        },
        ModelKind::ZForcing => ModelConfig { channels: 816, ..chung },
        ModelKind::VarBilstm if speech => ModelConfig {
            channels: 2048,
            embedding: 1024,
            latent_hidden: 1024,
            latents: vec![128],
            ..chung
        },
        ModelKind::VarBilstm => ModelConfig { channels: 704, ..chung },
        _ => chung,
    }
}

/// How a preset is trained, whatever the model: a fair comparison changes nothing here.
fn train_of(preset: &str) -> TrainConfig {
    let ink = TrainConfig {
        batch: 20,
        steps: 0,
        epochs: 80,
        eval_every: 500,
        lr: 5e-4,
        schedule: ScheduleKind::Exponential,
        lr_rate: 0.92,
        lr_floor: 0.,
        lr_steps: 0,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        grad_clip: 1.,
        kl_anneal: 10_000,
        objective: Objective::Elbo,
        particles: 8,
        reduction: Reduction::MeanStep,
        early_stop: true,
        patience: 10,
        min_gain: 0.0025,
        after_step: 10_000,
    };
    let small = TrainConfig {
        batch: 16,
        steps: 5000,
        epochs: 0,
        eval_every: 250,
        lr: 1e-3,
        schedule: ScheduleKind::Cosine,
        lr_rate: 1.,
        lr_floor: 1e-4,
        lr_steps: 5000,
        kl_anneal: 1000,
        reduction: Reduction::PerStep,
        after_step: 1000,
        ..ink
    };
    match preset {
        "ink-tiny" => TrainConfig {
            steps: 2500,
            eval_every: 250,
            lr: 2e-3,
            lr_floor: 1e-4,
            lr_steps: 2500,
            kl_anneal: 200,
            after_step: 200,
            ..small
        },
        "ink-small" | "speech-small" => small,
        // a few hundred pieces are known by heart after some hundred updates
        "music-small" => TrainConfig { eval_every: 50, patience: 20, ..small },
        "speech" | "speech-large" => TrainConfig {
            epochs: 100,
            eval_every: 1000,
            lr: 1e-3,
            lr_rate: 0.98,
            reduction: Reduction::MeanSequence,
            ..ink
        },
        _ => ink,
    }
}
