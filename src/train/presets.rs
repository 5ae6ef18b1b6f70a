//! Presets: sizes and training settings that belong together, with sizes for every model.
//!
//! Within a preset all models have about the same number of parameters, the same batch, learning rate and
//! stopping, so that any two can be compared by changing one word. Sources: stcn.md §8, rivals.md §9.

use super::config::{Config, DataConfig, Reduction, ScheduleKind, TrainConfig};
use crate::choice::unknown;
use crate::data::{DataSet, Normalise};
use crate::error::Result;
use crate::models::config::{Decoder, HeadKind, ModelConfig, ModelKind, Task};
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

/// Sizes of one model in one preset.
fn model_of(preset: &str, kind: ModelKind, head: HeadKind) -> ModelConfig {
    let paper = ModelConfig::default();
    let speech =
        ModelConfig { task: Task::Speech, input: 200, blocks_per_latent: 5, ..paper.clone() };
    // Filters by which every model comes to the same number of parameters: (stcn, stcn-dense, wavenet,
    // wavenet-dense), and units and embedding of (rnn, vrnn). The paper's filters are 256 for all.
    let (widths, recurrent, sizes) = match preset {
        "ink-tiny" => (
            (32, 32, 37, 37),
            [(146, 32), (130, 32)],
            ModelConfig { latents: vec![16, 8, 4], blocks_per_latent: 5, ..paper },
        ),
        "ink-small" => ((54, 54, 62, 61), [(346, 64), (316, 64)], paper),
        "music-small" => (
            (54, 54, 62, 61),
            [(346, 64), (316, 64)],
            ModelConfig { task: Task::Music, input: 88, ..paper },
        ),
        "speech-small" => {
            let latents = vec![64, 32, 16, 8, 4];
            (
                (60, 59, 75, 74),
                [(358, 96), (312, 96)],
                ModelConfig { latents, mixtures: 5, ..speech },
            )
        }
        "speech" | "speech-large" => {
            let width = if preset == "speech" { 256 } else { 512 };
            let latents = vec![256, 128, 64, 32, 16];
            // Blizzard's; TIMIT's are not known for sure.
            let normal = head == HeadKind::Normal;
            let [rnn, vrnn] = if normal { [800, 600] } else { [700, 500] };
            let recurrent = [(4000, rnn), (4000, vrnn)];
            ((width, width, width, width), recurrent, ModelConfig { latents, ..speech })
        }
        _ => {
            let rnn = if head == HeadKind::Normal { 340 } else { 300 };
            ((256, 256, 256, 256), [(1200, rnn), (1200, 250)], paper)
        }
    };
    if kind.is_recurrent() {
        let small = preset.ends_with("-small") || preset == "ink-tiny";
        let speech = sizes.task == Task::Speech;
        let (channels, embedding) = recurrent[usize::from(kind == ModelKind::Vrnn)];
        // φ_z, the nets of the latent, and the latent itself.
        let (latent_embedding, latent_hidden, latent) = match (small, speech) {
            (true, false) if preset == "ink-tiny" => (16, 32, 8),
            (true, false) => (32, 64, 16),
            (true, true) => (48, 96, 32),
            (false, false) => (150, 150, 50),
            (false, true) => (500, 500, 200),
        };
        return ModelConfig {
            channels,
            embedding,
            latent_embedding,
            latent_hidden,
            latents: vec![latent],
            output_layers: if speech && !small { 4 } else { 1 },
            ..sizes
        };
    }
    let channels = match kind {
        ModelKind::Stcn => widths.0,
        ModelKind::StcnDense => widths.1,
        ModelKind::Wavenet => widths.2,
        ModelKind::WavenetDense | ModelKind::Rnn | ModelKind::Vrnn => widths.3,
    };
    let latent = kind.has_latents();
    let gated = latent && sizes.task == Task::Speech;
    ModelConfig {
        channels,
        output_layers: if latent { 5 } else { 2 },
        decoder: if gated { Decoder::Gated } else { Decoder::Pointwise },
        ..sizes
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
        "ink-small" | "speech-small" | "music-small" => small,
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
