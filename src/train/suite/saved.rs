//! The results of `stcn evaluate --save`, kept in the run directory: what a report is made of.

use crate::error::{Error, Result};
use crate::file::{read_whole, write_whole};
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The most bytes of such a file: three numbers for each of ten million sequences.
const LONGEST: u64 = 1 << 30;

/// An evaluation as it was saved.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Saved {
    /// `exact`, `lower`, `objective` (a latent is drawn more than once, its KL counted once) or `floored`.
    pub bound: String,
    /// Parameters.
    pub params: usize,
    /// The updates of the checkpoint.
    pub step: u64,
    /// The checkpoint's SHA-256.
    pub checkpoint_sha256: String,
    /// The fingerprint of the data.
    pub fingerprint: String,
    /// The part of the data.
    pub split: String,
    /// Draws of the latents.
    pub draws: usize,
    /// The seed of the draws.
    pub seed: u64,
    /// The ELBO, the log-likelihood, or an objective that is no bound: nats per sequence.
    pub elbo_seq: f64,
    /// Nats per step.
    pub elbo_step: f64,
    /// Bits per channel of a raw unit.
    pub bits_per_dim: f64,
    /// KL of every latent, z^1 first; nats per sequence.
    pub kl: Vec<f64>,
    /// Draws of IWAE, if it was computed.
    pub iwae_k: Option<usize>,
    /// Nats per sequence.
    pub iwae_seq: Option<f64>,
    /// Nats per step.
    pub iwae_step: Option<f64>,
    /// Particles of FIVO, if it was computed.
    pub fivo_k: Option<usize>,
    /// Nats per sequence.
    pub fivo_seq: Option<f64>,
    /// Nats per step.
    pub fivo_step: Option<f64>,
    /// Whether `--controls` was asked for.
    #[serde(default)]
    pub asked_for_controls: bool,
    /// What it measured, if the model has controls.
    pub controls: Option<SavedControls>,
    /// The same by sequence.
    pub per_sequence: PerSequence,
}

/// The values of every sequence, in the order of the data set.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct PerSequence {
    /// As [`Saved::elbo_seq`].
    pub elbo: Vec<f64>,
    /// As [`Saved::iwae_seq`].
    pub iwae: Vec<f64>,
    /// As [`Saved::fivo_seq`].
    pub fivo: Vec<f64>,
}

/// The controls of `stcn evaluate --controls`, in nats per sequence.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SavedControls {
    /// `E ln p(x | z)`, z from the posterior.
    pub posterior_log_px_seq: f64,
    /// The same, z from the prior.
    pub prior_log_px_seq: f64,
    /// Draws of the next.
    pub prior_k: usize,
    /// `Σ_t ln 1/K Σ_k p(x_t | z_t^k)`, z from the prior.
    pub prior_seq: f64,
    /// `E ln p(x | z)` with one latent from another step, z^1 first.
    pub shuffled_log_px_seq: Vec<f64>,
    /// The ELBO with one draw of each latent, where training made several.
    pub one_draw_elbo_seq: Option<f64>,
    /// IWAE likewise.
    pub one_draw_iwae_seq: Option<f64>,
}

/// A bound that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Held<'a> {
    /// `log-likelihood`, `ELBO`, `IWAE-16`, …
    pub name: String,
    /// Nats per sequence.
    pub seq: f64,
    /// Nats per step.
    pub step: f64,
    /// Nats of every sequence.
    pub per_sequence: &'a [f64],
}

impl Saved {
    /// Where the evaluation of a split lies in a run directory.
    pub fn path(root: &Path, split: &str) -> PathBuf {
        root.join(format!("evaluation-{split}.json"))
    }

    /// Reads an evaluation; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_whole(path, LONGEST, "an evaluation of `stcn evaluate --save`")?;
        let read = |e| {
            let what =
                format!("is no evaluation ({e}): write it again with `stcn evaluate RUN --save`");
            Error::invalid(path, what)
        };
        serde_json::from_slice(&bytes).map(Some).map_err(read)
    }

    /// Writes an evaluation, whole or not at all.
    pub fn write(path: &Path, value: &serde_json::Value) -> Result<()> {
        write_whole(path, |file| writeln!(file, "{value:#}"))
    }

    /// Every bound of it that holds; none if its probabilities are floored.
    pub fn bounds(&self) -> Vec<Held<'_>> {
        let own = match self.bound.as_str() {
            "exact" => Some("log-likelihood"),
            "lower" => Some("ELBO"),
            _ => None,
        };
        let own = own.map(|name| {
            (name.to_string(), Some(self.elbo_seq), Some(self.elbo_step), &self.per_sequence.elbo)
        });
        let of = |name: &str, k: Option<usize>| k.map(|k| format!("{name}-{k}"));
        let iwae = of("IWAE", self.iwae_k)
            .map(|name| (name, self.iwae_seq, self.iwae_step, &self.per_sequence.iwae));
        let fivo = of("FIVO", self.fivo_k)
            .map(|name| (name, self.fivo_seq, self.fivo_step, &self.per_sequence.fivo));
        let all = [own, iwae, fivo].into_iter().flatten();
        if self.bound == "floored" {
            return vec![];
        }
        all.filter_map(|(name, seq, step, values)| {
            Some(Held { name, seq: seq?, step: step?, per_sequence: values })
        })
        .collect()
    }

    /// Whether its own value is a bound.
    pub fn holds(&self) -> bool {
        ["exact", "lower"].contains(&self.bound.as_str())
    }
}
