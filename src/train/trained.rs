//! A model with the parameters of a checkpoint, to evaluate and to sample from.
//!
//! Not here: continuing its training (`trainer`).

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::data::open_data;
use super::restore::{check, fill};
use super::run::RunDir;
use crate::data::{DataSet, Normalisation};
use crate::error::{Error, Result};
use crate::models::{self, Registry, SequenceModel};
use crate::nn::Init;
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};

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
}

impl Trained {
    /// The best checkpoint of a run directory, or the latest if there is no best yet, or a checkpoint file; its
    /// model is looked up in `registry`.
    pub fn open(path: &Path, registry: &Registry) -> Result<Self> {
        if path.is_file() {
            return Self::load(path, None, registry);
        }
        let run = RunDir::open(path)?;
        let file = if run.best().exists() { run.best() } else { run.latest() };
        Self::load(&file, Some(run.read_config(registry)?), registry)
    }

    fn load(path: &Path, config: Option<Config>, registry: &Registry) -> Result<Self> {
        let mut trained = Self::from_checkpoint(Checkpoint::load(path)?, path, registry)?;
        // The sizes come from the checkpoint, but the data's path is only in the run directory.
        let data = &mut trained.config.data;
        (data.path, data.in_memory) = match config {
            Some(config) => (config.data.path, config.data.in_memory),
            None => (PathBuf::new(), data.in_memory),
        };
        Ok(trained)
    }

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
        Ok(Self { config, model, normalisation, step: header.step })
    }

    /// Opens the data that the run was trained on, or `other`.
    pub fn open_data(&mut self, other: Option<PathBuf>) -> Result<DataSet> {
        let wanted = self.config.data.fingerprint.clone();
        let data = &mut self.config.data;
        data.path = other.unwrap_or_else(|| data.path.clone());
        let embedded = data.path.as_os_str().is_empty();
        let set = open_data(&mut self.config)?;
        // Checkpoints and exports hold no data path, and an empty path means the embedded data.
        if embedded && !wanted.is_empty() && wanted != set.fingerprint() {
            return Err(Error::usage(format!(
                "this model was trained on data with fingerprint {}…, which is not the embedded \
                 handwriting, and its path is not known: give it with --data FILE.npz",
                wanted.get(..12).unwrap_or(&wanted)
            )));
        }
        Ok(set)
    }

    /// Undoes the normalisation of rows that the model drew.   x: (B, T, D), result: one flat (T, D) per sequence
    pub fn raw(&self, x: &Tensor) -> Vec<Vec<f32>> {
        let (_, t, d) = x.btc("raw");
        let undo = |rows: &[crate::Real]| {
            let rows: Vec<f32> = rows.iter().map(|&x| x as f32).collect();
            let mut raw = vec![0.; rows.len()];
            self.normalisation.undo(&rows, &mut raw);
            raw
        };
        x.data().chunks_exact((t * d).max(1)).map(undo).collect()
    }
}
