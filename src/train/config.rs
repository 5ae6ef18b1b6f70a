//! The config of a run: typed, complete, and the same text in files, checkpoints and output.
//!
//! Every key has a value; 0 or "" means off or none, as documented for each key. Not here: building a config from a
//! preset, a file and `--set` (`resolve`), the presets' values (`presets`), sizes and switches of the models
//! (`models`).

use crate::choice::choice;
use crate::data::{DataSet, MissingSplit, Normalise};
use crate::error::{Error, Result};
use crate::models::config::{Limits, ModelConfig, Preset, Task};
use crate::models::{Key, ModelKind, Settings};
use crate::optim::schedule::Schedule;
use crate::settings;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::Table;

choice! {
    /// How the objectives J_i of a batch's B sequences become one loss.
    Reduction, "reduction":
    /// `−(1/B) Σ J_i / len_i`: the mean over sequences of per-step means; ink as released.
    MeanStep = "mean-step",
    /// `−(1/B) Σ J_i`: the mean over sequences; speech as released, and every reported number.
    MeanSequence = "mean-sequence",
    /// `−Σ J_i / Σ len_i`: every step of the batch weighs the same; the small presets.
    PerStep = "per-step",
}

choice! {
    /// The bound that is maximised. With `iwae`, the reported `ln p(x | z)` and KL are means over the K draws, and
    /// the KL is a Monte Carlo estimate, even for K = 1; with `fivo` they are not defined. Validation uses the same
    /// bound and also shows the ELBO. Auxiliary terms of a paper are part of the ELBO objective only.
    Objective, "objective":
    /// `ln p(x | z) − KL` of one draw, with the analytic KL.
    Elbo = "elbo",
    /// The logarithm of the mean importance weight of `particles` draws: per step where steps are independent,
    /// else of whole sequences (Burda et al. 2016).
    Iwae = "iwae",
    /// The estimate of a particle filter of `particles` particles, as `evaluate --fivo` (Maddison et al. 2017).
    Fivo = "fivo",
}

choice! {
    /// The learning rate schedule; its parameters are `lr_rate`, `lr_floor` and `lr_steps`.
    ScheduleKind, "schedule":
    /// Always `lr`.
    Constant = "constant",
    /// `lr · lr_rate^(step / 1000)`.
    Exponential = "exponential",
    /// Half a cosine from `lr` to `lr_floor` over `lr_steps` updates.
    Cosine = "cosine",
}

/// Everything that determines the results of a run, and the location of its data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Seed of all noise; at most 2⁶³ − 1, the largest integer in TOML.
    pub seed: u64,
    /// The preset that the sizes came from.
    pub preset: Preset,
    /// `[data]`: the data set and its preprocessing.
    pub data: DataConfig,
    /// `[model]`: the model, its sizes and switches.
    pub model: ModelConfig,
    /// `[train]`: how it is trained.
    pub train: TrainConfig,
}

settings! {
    /// The data set and its preprocessing.
    pub struct DataConfig {
        /// The data set; empty: the embedded handwriting.
        pub path: PathBuf,
        /// SHA-256 of the data set, filled in when it is loaded; empty until then.
        pub fingerprint: String,
        /// How to split a data set without a `split`: `all-train`, `all-test` or
        /// `fractions:VALID,TEST,SEED`; empty: refuse it.
        pub split: String,
        /// How real channels are normalised.
        pub normalise: Normalise,
        /// Longer sequences are cropped to this length at a random start in training; 0: whole sequences.
        pub crop: usize,
        /// Whether to add U(−½, ½) to every real value, in raw units, so that bounds hold for integers: new noise in every
        /// update, fixed noise in evaluation.
        pub dequantise: bool,
        /// The most MiB of samples in memory; a larger uncompressed file is read from disk on demand, with the same
        /// results.
        pub in_memory: u64,
        /// n: in training, each piece of music is moved by −n to n semitones, by others in each epoch, as far as its keys stay on
        /// the keyboard; 0: none is.
        pub transpose: u32,
        /// Samples of sound per second, filled in from the data when they are loaded; 0: unknown, or not sound.
        pub rate: u32,
    }
}

settings! {
    /// How it is trained.
    pub struct TrainConfig {
        /// Sequences per update.
        pub batch: usize,
        /// Updates after which the run ends; 0: no limit.
        pub steps: u64,
        /// Epochs after which the run ends; 0: no limit.
        pub epochs: u64,
        /// Updates between two checks on the validation split.
        pub eval_every: u64,
        /// Learning rate of Adam at step 0.
        pub lr: f64,
        /// Learning rate schedule.
        pub schedule: ScheduleKind,
        /// `exponential`: factor of the learning rate per 1000 updates.
        pub lr_rate: f64,
        /// `cosine`: final learning rate.
        pub lr_floor: f64,
        /// `cosine`: updates until the final learning rate.
        pub lr_steps: u64,
        /// Adam's decay of the mean.
        pub beta1: f64,
        /// Adam's decay of the mean square.
        pub beta2: f64,
        /// Adam's ε, added to √v.
        pub eps: f64,
        /// λ of AdamW: every update takes the share lr·λ from all weights, not from biases; 0: none.
        pub weight_decay: f64,
        /// Maximum norm of the gradient over all parameters; 0: no clipping.
        pub grad_clip: f64,
        /// Updates over which the weight of the KL rises to 1; 0: always 1.
        pub kl_anneal: u64,
        /// The bound that is maximised.
        pub objective: Objective,
        /// `iwae`, `fivo`: K, the draws of the latents per sequence, at most 256; memory and time grow in proportion.
        pub particles: usize,
        /// How the objectives of a batch become one loss.
        pub reduction: Reduction,
        /// Whether to end the run after `patience` checks without progress.
        pub early_stop: bool,
        /// The number of checks in a row without progress after which `early_stop` ends the run.
        pub patience: u64,
        /// Progress means that the loss falls by more than this fraction of the best loss.
        pub min_gain: f64,
        /// Checks up to this step do not count against `patience`; the release counted from 0.
        pub after_step: u64,
        /// A check during training evaluates at most this many sequences of the validation part, the same each time, chosen by
        /// `seed`; 0: all. `stcn evaluate` always takes all.
        pub valid_sequences: usize,
        /// The most checkpoints that stay in `kept/` of the run's directory, evenly spread over its updates, for `stcn inspect
        /// --history`; 0: none.
        pub keep: u64,
        /// Updates between two pictures of six sequences that the model draws, `samples/step-000250.svg` and so on in the run's
        /// directory; 0: none. Numbers that are not finite, which a model may draw at first, make no picture.
        pub sample_every: u64,
    }
}

/// Keys that came later, with the values that change nothing: left out of checkpoints, which so have the bytes that they had
/// before.
const LATER: [&str; 7] = [
    "transpose = 0",
    "rate = 0",
    "weight_decay = 0.0",
    "valid_sequences = 0",
    "keep = 0",
    "sample_every = 0",
    "residual = false",
];

/// The largest `data.transpose`: an octave.
const MOST_TRANSPOSED: u32 = 12;

/// The largest `train.keep`.
const MOST_KEPT: u64 = 1024;

impl TrainConfig {
    /// Draws of the latents per sequence: K, or 1 for the ELBO.
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

    /// The config of the model `kind` from what [`table`](Self::table) returns.
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

    /// The sections `data`, `model` and `train`: every key with its documentation and its value.
    pub fn sections(&self) -> [(&'static str, Vec<(Key, toml::Value)>); 3] {
        let table = self.table();
        let of = |section: &'static str, keys: &[Key]| {
            let value = |key: &Key| (*key, table[section][key.name].clone());
            (section, keys.iter().map(value).collect())
        };
        let data = of("data", DataConfig::KEYS);
        [data, ("model", self.model.keys()), of("train", TrainConfig::KEYS)]
    }

    /// As TOML text, every key present. Panics on what [`validate`](Self::validate) refuses: a seed above
    /// 2⁶³ − 1, a path that is not UTF-8.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers, text and lists are TOML, as `validate` sees to")
    }

    /// The text for checkpoints: without the data's path, memory limit, `train.keep` and `train.sample_every`, so that the same
    /// data (by its fingerprint) in another place gives the same bytes, whatever is kept and drawn on the way.
    pub fn portable_toml(&self) -> String {
        let text = self.portable().to_toml();
        LATER.iter().fold(text, |text, line| text.replacen(&format!("\n{line}\n"), "\n", 1))
    }

    /// The config without what [`portable_toml`](Self::portable_toml) leaves out.
    pub(super) fn portable(&self) -> Self {
        let mut config = self.clone();
        config.data.path = PathBuf::new();
        config.data.in_memory = DataSet::IN_MEMORY >> 20;
        (config.train.keep, config.train.sample_every) = (0, 0);
        config
    }

    /// The config of the released code: its switches and its training, with early stopping counted from step 0, and
    /// WaveNet's own batch size and learning rate.
    pub fn as_released(mut self) -> Self {
        let training = self.model.kind.released_training(self.preset);
        self.model = self.model.as_released();
        self.train.after_step = 0;
        self.train.batch = training.batch.unwrap_or(self.train.batch);
        self.train.lr_rate = training.lr_rate.unwrap_or(self.train.lr_rate);
        self
    }

    /// Checks the config; an error names the key and the cure.
    pub fn validate(&self) -> Result<()> {
        // TOML has no larger integers, but the flags for these two keys accept them.
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
        let (rate, rates) = (self.data.rate, DataSet::RATES);
        if rate > 0 && !rates.contains(&rate) {
            let (least, most) = (rates.start(), rates.end());
            return Err(Error::usage(format!(
                "data.rate is {rate}: choose samples of sound per second from {least} to {most}, or 0 if that is unknown"
            )));
        }
        let (transpose, task) = (self.data.transpose, self.model.obs.task);
        if transpose > 0 && task != Task::Music {
            return Err(Error::usage(format!(
                "data.transpose is {transpose}, and data of the task {task} have no keys to move: set it to 0"
            )));
        }
        if transpose > MOST_TRANSPOSED {
            return Err(Error::usage(format!(
                "data.transpose is {transpose}: choose a number of semitones up to {MOST_TRANSPOSED}, or 0 for none"
            )));
        }
        if self.data.dequantise && self.model.obs.task == Task::Music {
            return Err(Error::usage(
                "data.dequantise is true, but music has binary keys, which have probabilities, not densities: \
                 set it to false",
            ));
        }
        self.model.validate()?;
        let (objective, kind) = (self.train.objective, self.model.kind);
        if objective != Objective::Elbo && !kind.has_latents() {
            return Err(Error::usage(format!(
                "train.objective is {objective}, but {kind} has no latents and learns from the exact \
                 likelihood: set it to elbo"
            )));
        }
        self.train.validate()
    }
}

impl TrainConfig {
    /// The learning rate schedule with its parameters.
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
        let eps = (1e-30..=1.).contains(&self.eps); // smaller values vanish next to √v in f32
        want("eps", &self.eps, eps, "choose a number from 1e-30 to 1, such as 1e-8")?;
        let decay = at_least_0(self.weight_decay) && self.weight_decay * self.lr < 1.;
        let cure = "choose 0 for none, or a number such as 0.01, below 1/train.lr";
        want("weight_decay", &self.weight_decay, decay, cure)?;
        let clip = at_least_0(self.grad_clip);
        want("grad_clip", &self.grad_clip, clip, "choose a norm above 0, or 0 for no clipping")?;
        let gain = at_least_0(self.min_gain);
        want(
            "min_gain",
            &self.min_gain,
            gain,
            "choose a fraction such as 0.0025, or 0 for any decrease",
        )?;
        let keep = self.keep == 0 || (2..=MOST_KEPT).contains(&self.keep);
        let cure = format!("choose a number from 2 to {MOST_KEPT}, or 0 for none");
        want("keep", &self.keep, keep, &cure)?;
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
