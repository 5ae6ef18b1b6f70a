//! Presets: data and training settings, the same for every model.
//!
//! Within a preset all models have the same batch size, learning rate and stopping rule, and within a small one about
//! the same number of parameters, so that they can be compared by changing only `--model`. Model sizes are in the
//! models' files.

use super::config::{Config, DataConfig, Objective, Reduction, ScheduleKind, TrainConfig};
use crate::data::{DataSet, Normalise};
use crate::error::Result;
use crate::models::config::{HeadKind, ModelConfig, Preset, Task};
use crate::models::{ModelKind, STCN_DENSE};
use std::path::PathBuf;

/// The default preset.
pub const DEFAULT: Preset = Preset::InkTiny;

/// The default model.
pub const DEFAULT_MODEL: ModelKind = STCN_DENSE;

impl Default for Config {
    /// The default preset, `ink-tiny`, with the default model, `stcn-dense`, and the head that suits its data.
    fn default() -> Self {
        Self::of_preset(DEFAULT, DEFAULT_MODEL, None)
    }
}

impl Config {
    /// A preset with its sizes for `model` and `head` (default: the one that suits its data), checked.
    pub fn preset(preset: Preset, model: ModelKind, head: Option<HeadKind>) -> Result<Self> {
        let config = Self::of_preset(preset, model, head);
        config.validate()?;
        Ok(config)
    }

    /// The same without the check.
    pub(crate) fn of_preset(preset: Preset, model: ModelKind, head: Option<HeadKind>) -> Self {
        let model = ModelConfig::preset(model, preset, head);
        let crop = match preset {
            Preset::InkSmall | Preset::MusicSmall => 256,
            Preset::SeriesTiny | Preset::SeriesSmall => 256, // of any length, on a laptop
            Preset::SpeechSmall | Preset::Speech | Preset::SpeechLarge => 40,
            Preset::InkTiny | Preset::Ink => 0,
        };
        let normalise = match model.obs.task {
            Task::Ink | Task::Series => Normalise::PerChannel,
            Task::Speech => Normalise::Scalar, // as every paper has it
            Task::Music => Normalise::None,
        };
        let (path, fingerprint, split) = (PathBuf::new(), String::new(), String::new());
        let (dequantise, in_memory) = (false, DataSet::IN_MEMORY >> 20);
        let (transpose, rate) = (0, 0);
        let data = DataConfig {
            path,
            fingerprint,
            split,
            normalise,
            crop,
            dequantise,
            in_memory,
            transpose,
            rate,
        };
        Self { seed: 1, preset, data, model, train: train_of(preset) }
    }
}

/// The training settings of a preset, the same for all models, for a fair comparison.
fn train_of(preset: Preset) -> TrainConfig {
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
        weight_decay: 0.,
        grad_clip: 1.,
        kl_anneal: 10_000,
        objective: Objective::Elbo,
        particles: 8,
        reduction: Reduction::MeanStep,
        early_stop: true,
        patience: 10,
        min_gain: 0.0025,
        after_step: 10_000,
        valid_sequences: 0,
        keep: 0,
        sample_every: 0,
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
        Preset::InkTiny | Preset::SeriesTiny => TrainConfig {
            steps: 2500,
            eval_every: 250,
            lr: 2e-3,
            lr_floor: 1e-4,
            lr_steps: 2500,
            kl_anneal: 200,
            after_step: 200,
            ..small
        },
        Preset::InkSmall | Preset::SpeechSmall | Preset::SeriesSmall => small,
        // a few hundred pieces are overfitted after some hundred updates
        Preset::MusicSmall => TrainConfig { eval_every: 50, patience: 20, ..small },
        Preset::Speech | Preset::SpeechLarge => TrainConfig {
            epochs: 100,
            eval_every: 1000,
            lr: 1e-3,
            lr_rate: 0.98,
            reduction: Reduction::MeanSequence,
            ..ink
        },
        Preset::Ink => ink,
    }
}
