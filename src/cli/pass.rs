//! One pass of a trained model with every gradient, as `inspect` and `explain` look at it.

use super::trained::RunArgs;
use crate::data::{Batch, Split, Window};
use crate::error::{Error, Result};
use crate::models::Registry;
use crate::noise::Noise;
use crate::tape::{Grads, Keep, Tape};
use crate::train::Trained;
use crate::train::data::dequantise;
use crate::train::memory::{Estimate, available};
use crate::train::objective::forward;
use std::path::PathBuf;

/// Which pass of which run.
#[derive(clap::Args)]
pub(super) struct PassArgs {
    #[command(flatten)]
    run: RunArgs,
    /// A data set to use instead of the run's own
    #[arg(long, value_name = "FILE.npz")]
    data: Option<PathBuf>,
    /// Sequences in the pass [default: 4, and 1 for a page]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Use at most this many time steps of each
    #[arg(long, default_value_t = 64, value_name = "T")]
    steps: usize,
}

/// A pass that is over.
pub(super) struct Made {
    pub trained: Trained,
    pub batch: Batch,
    pub noise: Noise,
    pub tape: Tape,
    /// Of every node.
    pub grads: Grads,
    /// The weight of the KL in the loss.
    pub weight: f64,
    pub loss: f64,
}

impl Made {
    /// Which checkpoint, and how many sequences the loss is of: the same number of another batch is another number.
    pub fn about(&self) -> String {
        let sequences = match self.batch.lengths.len() {
            1 => "1 sequence".into(),
            n => format!("{n} sequences (a page of `inspect --html` has 1: --batch 1)"),
        };
        format!("{}, the loss of {sequences}", self.trained.origin())
    }
}

impl PassArgs {
    /// Sequences in a pass, unless the user says otherwise.
    pub const SEQUENCES: usize = 4;

    /// Runs the pass, over `usual` sequences unless the user says otherwise.
    pub fn make(self, usual: usize, registry: &Registry) -> Result<Made> {
        let batch = self.batch.unwrap_or(usual);
        if batch == 0 || self.steps == 0 {
            return Err(Error::usage("--batch and --steps take 1 or more"));
        }
        let mut trained = self.run.open(registry)?;
        let set = trained.open_data(self.data)?;
        let window = |i| {
            let whole = Window::whole(&set, i);
            Window { steps: whole.steps.min(self.steps), ..whole }
        };
        let samples = set.split(Split::Train).iter().copied().take(batch);
        let windows: Vec<Window> = samples.map(window).collect();
        if windows.is_empty() {
            let what =
                "has no sequence in split train, wanted one to look at: name other data by --data";
            return Err(Error::invalid(set.name(), what));
        }
        let config = &trained.config;
        let longest = windows.iter().map(|window| window.steps).max().unwrap_or(0);
        let estimate = Estimate::of_batch(config, &*trained.model, (windows.len(), longest));
        estimate.check_with("lower --batch or --steps", available())?;
        let dequantise = dequantise(config, trained.step);
        let batch = Batch::new(&set, &trained.normalisation, &windows, dequantise)?;
        let weight = trained.kl_weight();
        let tape = Tape::new();
        let noise = Noise::new(config.seed, "train").at(trained.step);
        let loss =
            forward(&*trained.model, &tape, &batch, &batch.lengths, &noise, weight, &config.train)
                .loss;
        let grads = tape.backward(loss, Keep::All);
        let loss = f64::from(loss.value().item());
        Ok(Made { trained, batch, noise, tape, grads, weight, loss })
    }
}
