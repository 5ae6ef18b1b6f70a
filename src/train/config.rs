//! The config of a run: typed, complete, and the same text in a file, in a checkpoint and on a screen.
//!
//! No key may be absent: 0 or "" means off or none, as each key's page says.
//! Not here: how one is put together from a preset, a file and `--set` (`resolve`), the presets' values
//! (`presets`), sizes and switches of the models (`models`).

use crate::choice::choice;
use crate::data::{DataSet, MissingSplit, Normalise};
use crate::error::{Error, Result};
use crate::models::ModelKind;
use crate::models::config::{Limits, ModelConfig, Preset, Task};
use crate::optim::schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::Table;

choice! {
    /// How the objectives J_i of a batch's B sequences become one loss (stcn.md §6, rivals.md §9).
    Reduction, "reduction":
    /// `−(1/B) Σ J_i / len_i`: the mean over sequences of per-step means; ink as released.
    MeanStep = "mean-step",
    /// `−(1/B) Σ J_i`: the mean over sequences; speech as released, and every reported number.
    MeanSequence = "mean-sequence",
    /// `−Σ J_i / Σ len_i`: every step of the batch weighs the same; the small presets.
    PerStep = "per-step",
}

choice! {
    /// The bound that is maximised. With `iwae`, `ln p(x | z)` and KL of an update are means over the K draws, the KL
    /// estimated by them, even for K = 1; with `fivo` they are not defined. Checks on the validation part use the
    /// same bound, and show the ELBO too. Auxiliary terms of a paper are part of the ELBO objective alone.
    Objective, "objective":
    /// `ln p(x | z) − KL` of one draw, the divergence as an integral.
    Elbo = "elbo",
    /// The logarithm of the mean importance weight of `particles` draws: per step where steps are independent,
    /// else of whole sequences (Burda et al. 2016).
    Iwae = "iwae",
    /// The estimate of a particle filter of `particles` particles, as `evaluate --fivo` (Maddison et al. 2017).
    Fivo = "fivo",
}

choice! {
    /// The course of the learning rate; its numbers are `lr_rate`, `lr_floor` and `lr_steps`.
    ScheduleKind, "schedule":
    /// `lr` throughout.
    Constant = "constant",
    /// `lr · lr_rate^(step / 1000)`.
    Exponential = "exponential",
    /// Half a cosine from `lr` to `lr_floor` over `lr_steps` updates.
    Cosine = "cosine",
}

/// Everything that decides a run's bits, and where the data is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Seed of every stream of noise; at most 2⁶³ − 1, the largest number of a TOML file.
    pub seed: u64,
    /// The preset that the sizes came from.
    pub preset: Preset,
    /// `[data]`: the data set, and how it is brought to the model.
    pub data: DataConfig,
    /// `[model]`: the model, its sizes and switches.
    pub model: ModelConfig,
    /// `[train]`: how it is trained.
    pub train: TrainConfig,
}

/// The data set, and how it is brought to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data set; empty: the embedded handwriting.
    pub path: PathBuf,
    /// SHA-256 of the data set, filled in when it is loaded; empty until then.
    pub fingerprint: String,
    /// What to do if the data set has no split of its own: `all-train`, `all-test` or
    /// `fractions:VALID,TEST,SEED`; empty: refuse it.
    pub split: String,
    /// How real channels are brought to unit scale.
    pub normalise: Normalise,
    /// Longest piece of a sequence to train on, cut at random; 0: whole sequences.
    pub crop: usize,
    /// Whether U(−½, ½) is added to every real value, in raw units, so that bounds are those of whole numbers:
    /// fresh in every update, fixed where a model is evaluated.
    pub dequantise: bool,
    /// MiB of samples that are held in memory; a stored file with more stays on the disk and is read as
    /// needed, to the same bits.
    pub in_memory: u64,
}

/// How it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Sequences per update.
    pub batch: usize,
    /// Updates after which the run is done; 0: no limit.
    pub steps: u64,
    /// Passes over the data after which the run is done; 0: no limit.
    pub epochs: u64,
    /// Updates between two checks on the validation part.
    pub eval_every: u64,
    /// Learning rate of Adam at step 0.
    pub lr: f64,
    /// Its course.
    pub schedule: ScheduleKind,
    /// `exponential`: what is left of the rate after 1000 updates.
    pub lr_rate: f64,
    /// `cosine`: where it ends.
    pub lr_floor: f64,
    /// `cosine`: after how many updates.
    pub lr_steps: u64,
    /// Adam's decay of the mean.
    pub beta1: f64,
    /// Adam's decay of the mean square.
    pub beta2: f64,
    /// Adam's ε, beside √v.
    pub eps: f64,
    /// Largest norm of the gradient over all parameters; 0: not clipped.
    pub grad_clip: f64,
    /// Updates over which the weight of the KL rises to 1; 0: always 1.
    pub kl_anneal: u64,
    /// The bound that is maximised.
    pub objective: Objective,
    /// `iwae`, `fivo`: K, draws of the latents of each sequence, at most 256; memory and time grow by it.
    pub particles: usize,
    /// How the objectives of a batch become one loss.
    pub reduction: Reduction,
    /// Whether checks without progress end the run.
    pub early_stop: bool,
    /// So many in a row.
    pub patience: u64,
    /// Progress is a fall of the loss by more than this share of the best.
    pub min_gain: f64,
    /// Checks up to this step do not count against `patience`; the release counted from 0.
    pub after_step: u64,
}

impl TrainConfig {
    /// Draws of the latents of each sequence: K, or 1 of the ELBO.
    pub fn draws(&self) -> usize {
        match self.objective {
            Objective::Elbo => 1,
            Objective::Iwae | Objective::Fivo => self.particles,
        }
    }
}

impl Config {
    /// As TOML.
    pub(super) fn table(&self) -> Table {
        Table::try_from(self).expect("numbers, text and lists are TOML, as `validate` sees to")
    }

    /// What [`table`](Self::table) gives, back again, of a config for the model `kind`.
    pub(super) fn from_table(mut table: Table, kind: ModelKind) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Others {
            seed: u64,
            preset: Preset,
            data: DataConfig,
            train: TrainConfig,
        }
        let model = match table.remove("model") {
            Some(toml::Value::Table(model)) => ModelConfig::from_table(kind, model)?,
            _ => return Err(Error::usage("[model] is missing")),
        };
        let others = table.try_into().map_err(|e: toml::de::Error| Error::usage(e.message()))?;
        let Others { seed, preset, data, train } = others;
        Ok(Self { seed, preset, data, model, train })
    }

    /// As TOML text, every key present. Panics on what [`validate`](Self::validate) refuses: a seed above
    /// 2⁶³ − 1, a path that is not UTF-8.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers, text and lists are TOML, as `validate` sees to")
    }

    /// The text that goes into a checkpoint: without the data's path, since the same data elsewhere (the
    /// fingerprint knows it) has to give the same bytes, and without where its samples are held.
    pub fn portable_toml(&self) -> String {
        self.portable().to_toml()
    }

    /// The config without what [`portable_toml`](Self::portable_toml) leaves out.
    pub(super) fn portable(&self) -> Self {
        let mut config = self.clone();
        config.data.path = PathBuf::new();
        config.data.in_memory = DataSet::IN_MEMORY >> 20;
        config
    }

    /// Every switch on its released value and the training as the release had it: stopping counted from
    /// step 0, and WaveNet with its own batch and learning rate.
    pub fn as_released(mut self) -> Self {
        let training = self.model.kind.released_training(self.preset);
        self.model = self.model.as_released();
        self.train.after_step = 0;
        self.train.batch = training.batch.unwrap_or(self.train.batch);
        self.train.lr_rate = training.lr_rate.unwrap_or(self.train.lr_rate);
        self
    }

    /// Whether a run can be made of this; the error says which key and the cure.
    pub fn validate(&self) -> Result<()> {
        // TOML has no larger numbers, and these two come from words of their own, which have.
        for (key, value) in [("seed", self.seed), ("train.steps", self.train.steps)] {
            if i64::try_from(value).is_err() {
                let most = i64::MAX;
                return Err(Error::usage(format!("{key} is {value}: choose one up to {most}")));
            }
        }
        if self.data.path.to_str().is_none() {
            let path = self.data.path.display();
            return Err(Error::usage(format!("data.path {path} is not UTF-8: rename the file")));
        }
        if !self.data.split.is_empty() {
            self.data.split.parse::<MissingSplit>()?;
        }
        if self.data.dequantise && self.model.obs.task == Task::Music {
            return Err(Error::usage(
                "data.dequantise is true, but music has keys that are 0 or 1, whose probabilities are no \
                 densities: set it to false",
            ));
        }
        self.model.validate()?;
        let (objective, kind) = (self.train.objective, self.model.kind);
        if objective != Objective::Elbo && !kind.has_latents() {
            return Err(Error::usage(format!(
                "train.objective is {objective}, but {kind} has no latents, and what it learns from is the \
                 likelihood itself: set it to elbo"
            )));
        }
        self.train.validate()
    }
}

impl TrainConfig {
    /// The course of the learning rate with its numbers.
    pub fn schedule(&self) -> Schedule {
        match self.schedule {
            ScheduleKind::Constant => Schedule::Constant,
            ScheduleKind::Exponential => Schedule::Exponential { rate: self.lr_rate },
            ScheduleKind::Cosine => Schedule::Cosine { floor: self.lr_floor, steps: self.lr_steps },
        }
    }

    fn validate(&self) -> Result<()> {
        (1..=1 << 20).check("train.batch", &self.batch)?;
        (1..=256).check("train.particles", &self.particles)?;
        let want = |key: &str, value: &dyn std::fmt::Display, holds: bool, wanted: &str| {
            let message = || Error::usage(format!("train.{key} is {value}: {wanted}"));
            if holds { Ok(()) } else { Err(message()) }
        };
        // `holds` is written so that NaN fails it.
        let share = |x: f64| (0. ..1.).contains(&x);
        let positive = |x: f64| x > 0. && x.is_finite();
        let at_least_0 = |x: f64| x >= 0. && x.is_finite();
        want("eval_every", &self.eval_every, self.eval_every > 0, "choose 1 or more updates")?;
        want("lr", &self.lr, positive(self.lr), "choose a number above 0, such as 0.001")?;
        want("beta1", &self.beta1, share(self.beta1), "choose a number from 0 to below 1")?;
        want("beta2", &self.beta2, share(self.beta2), "choose a number from 0 to below 1")?;
        let eps = (1e-30..=1.).contains(&self.eps); // below, it is 0 beside √v in f32
        want("eps", &self.eps, eps, "choose a number from 1e-30 to 1, such as 1e-8")?;
        let clip = at_least_0(self.grad_clip);
        want("grad_clip", &self.grad_clip, clip, "choose a norm above 0, or 0 for no clipping")?;
        let gain = at_least_0(self.min_gain);
        want("min_gain", &self.min_gain, gain, "choose a share such as 0.0025, or 0 for any fall")?;
        let patience = self.patience > 0 || !self.early_stop;
        let cure = "choose 1 or more checks, or turn off train.early_stop";
        want("patience", &self.patience, patience, cure)?;
        match self.schedule {
            ScheduleKind::Constant => Ok(()),
            ScheduleKind::Exponential => {
                let holds = positive(self.lr_rate) && self.lr_rate <= 1.;
                want("lr_rate", &self.lr_rate, holds, "choose a number above 0, at most 1")
            }
            ScheduleKind::Cosine => {
                let holds = at_least_0(self.lr_floor) && self.lr_floor <= self.lr;
                let wanted = format!("choose a number from 0 to train.lr, which is {}", self.lr);
                want("lr_floor", &self.lr_floor, holds, &wanted)?;
                want("lr_steps", &self.lr_steps, self.lr_steps > 0, "choose 1 or more updates")
            }
        }
    }
}
