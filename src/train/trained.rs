//! A model with the parameters of a checkpoint, to evaluate and to sample from.
//!
//! Not here: continuing its training (`trainer`).

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::data::open_data;
use super::restore::{check, copy, fill, mismatch};
#[cfg(feature = "files")]
use super::run::RunDir;
use crate::data::{DataSet, Normalisation};
use crate::error::{Error, Result};
use crate::models::{self, Registry, SequenceModel};
use crate::nn::Init;
use crate::optim::schedule::kl_weight;
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};

/// What the command line calls the weights of [`Trained::pretrained`].
pub(crate) const PRETRAINED: &str = "pretrained";

/// Preset `ink-tiny`, trained on the embedded handwriting; `make pretrained` makes the same bytes.
const INK_TINY: &[u8] = include_bytes!("../../data/pretrained/ink-tiny.stcn");

/// The model of a run, finished or not, ready to evaluate and to sample from.
pub struct Trained {
    /// The run's config.
    pub config: Config,
    /// Its model, with the parameters of the checkpoint.
    pub model: Box<dyn SequenceModel>,
    /// The normalisation it was trained under.
    pub normalisation: Normalisation,
    /// Updates made.
    pub step: u64,
    /// The checkpoint's file.
    pub checkpoint: PathBuf,
}

#[cfg(feature = "files")]
impl Trained {
    /// The best checkpoint of a run directory, or a checkpoint file; its model is looked up in `registry`.
    ///
    /// Best is best.stcn, or latest.stcn if a check at the end of the run, off the schedule, found that better, or if
    /// there is no other.
    pub fn open(path: &Path, registry: &Registry) -> Result<Self> {
        if path.is_file() {
            return Self::load(path, registry);
        }
        let run = RunDir::open(path)?;
        let (latest, best) = (run.latest(), run.best());
        if !best.exists() {
            return Self::load(&latest, registry);
        }
        let is_best = |Checkpoint { header, .. }: &Checkpoint| {
            header.best.is_some() && header.end.is_some_and(|end| end.beats(header.best))
        };
        // A damaged latest.stcn does not keep anyone from the best.
        match Checkpoint::load(&latest).ok().filter(is_best) {
            Some(checkpoint) => Self::in_run(checkpoint, &latest, registry),
            None => Self::load(&best, registry),
        }
    }

    /// The latest checkpoint of a run directory.
    pub fn open_latest(root: &Path, registry: &Registry) -> Result<Self> {
        Self::load(&RunDir::open(root)?.latest(), registry)
    }

    /// The weight of the KL in the loss of the update that made the checkpoint; before the first, in that of the first.
    pub fn kl_weight(&self) -> f64 {
        kl_weight(self.config.train.kl_anneal, self.step.max(1))
    }

    fn load(path: &Path, registry: &Registry) -> Result<Self> {
        Self::in_run(Checkpoint::load(path)?, path, registry)
    }

    /// The model of a checkpoint, with the data of the run that its file lies in.
    fn in_run(checkpoint: Checkpoint, path: &Path, registry: &Registry) -> Result<Self> {
        let mut trained = Self::from_checkpoint(checkpoint, path, registry)?;
        // The sizes come from the checkpoint, but the data's path is only in the run directory.
        let data = &mut trained.config.data;
        data.path = PathBuf::new();
        if let Some(run) = RunDir::of(path) {
            let config = run.read_config(registry)?;
            (data.path, data.in_memory) = (config.data.path, config.data.in_memory);
        }
        Ok(trained)
    }
}

impl Trained {
    /// The model of a checkpoint, one of `registry`; `path` is for the messages only.
    pub fn from_checkpoint(
        checkpoint: Checkpoint,
        path: &Path,
        registry: &Registry,
    ) -> Result<Self> {
        let config = Config::from_toml(&checkpoint.header.config_toml, path, registry)?;
        check(&config.model, &checkpoint, path)?;
        let Checkpoint { header, params, .. } = checkpoint;
        let mut model = models::build(&config.model, Init::unfilled())?;
        fill(&mut *model, params);
        let normalisation = Normalisation { mean: header.mean, std: header.std };
        let checkpoint = path.into();
        Ok(Self { config, model, normalisation, step: header.step, checkpoint })
    }

    /// A small STCN-dense that was trained on the embedded handwriting and comes with the crate. Anybody can train it
    /// again to the same bytes, by `make pretrained`.
    pub fn pretrained() -> Self {
        let checkpoint = Checkpoint::from_bytes(INK_TINY).expect("tested");
        Self::from_checkpoint(checkpoint, Path::new(PRETRAINED), &Registry::default())
            .expect("tested")
    }

    /// The same parameters under another value of a setting of the model, such as `draws`.
    ///
    /// # Errors
    /// If the model has no such setting, or its parameters depend on it.
    pub fn with(&self, key: &str, value: &str) -> Result<Self> {
        let mut config = self.config.clone();
        config.model = config.model.with(key, value)?;
        if let Some([found, wanted]) = mismatch(&*self.model, &config.model)? {
            let what =
                format!("model.{key} = {value} wants {wanted}, and the checkpoint has {found}");
            return Err(Error::usage(what));
        }
        let mut model = models::build(&config.model, Init::unfilled())?;
        copy(&mut *model, &*self.model);
        let (normalisation, checkpoint) = (self.normalisation.clone(), self.checkpoint.clone());
        Ok(Self { config, model, normalisation, step: self.step, checkpoint })
    }

    /// Which state of which run it is: `runs/ink/checkpoint/best.stcn of step 2500`.
    pub fn origin(&self) -> String {
        format!("{} of step {}", self.checkpoint.display(), self.step)
    }

    /// Opens the data that the run was trained on, or `other`.
    pub fn open_data(&mut self, other: Option<PathBuf>) -> Result<DataSet> {
        let wanted = self.config.data.fingerprint.clone();
        let (data, own) = (&mut self.config.data, other.is_none());
        data.path = other.unwrap_or_else(|| data.path.clone());
        let embedded = data.path.as_os_str().is_empty();
        let set = open_data(&mut self.config)?;
        if own && !wanted.is_empty() && wanted != set.fingerprint() {
            let wanted = wanted.get(..12).unwrap_or(&wanted);
            // Checkpoints and exports hold no data path, and an empty path means the embedded data.
            return Err(if embedded {
                Error::usage(format!(
                    "this model was trained on data with fingerprint {wanted}…, which is not the embedded \
                     handwriting, and its path is not known: give it with --data FILE.npz"
                ))
            } else {
                let what = format!(
                    "is not the data this model was trained on (fingerprint {}…, want {wanted}…): restore the \
                     file, or name the data to use with --data FILE.npz",
                    &set.fingerprint()[..12]
                );
                Error::invalid(set.name(), what)
            });
        }
        Ok(set)
    }

    /// Undoes the normalisation of rows that the model drew.   x: (B, T, D), result: one flat (T, D) per sequence
    pub fn raw(&self, x: &Tensor) -> Vec<Vec<f32>> {
        raw(&self.normalisation, x)
    }
}

/// As [`Trained::raw`].
pub(super) fn raw(normalisation: &Normalisation, x: &Tensor) -> Vec<Vec<f32>> {
    let (_, t, d) = x.btc("raw");
    let undo = |rows: &[crate::Real]| {
        let rows: Vec<f32> = rows.iter().map(|&x| x as f32).collect();
        let mut raw = vec![0.; rows.len()];
        normalisation.undo(&rows, &mut raw);
        raw
    };
    x.data().chunks_exact((t * d).max(1)).map(undo).collect()
}
