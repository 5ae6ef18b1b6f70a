//! What may change when a run is resumed, and what has changed.
//!
//! The config inside the checkpoint takes precedence, since its parameters, moments and step depend on it. Not here: the
//! state itself (`trainer`), and where the data lies, which a checkpoint does not know.

use super::config::Config;
use crate::error::{Error, Result};
use std::fmt;

/// The keys that may change when a run is resumed: how far it goes, how it is checked, and how it learns from there
/// on. Not Adam's decays, since the moments in the checkpoint were summed with them.
pub const MAY_CHANGE: [&str; 24] = [
    "train.steps",
    "train.epochs",
    "train.eval_every",
    "train.valid_sequences",
    "train.early_stop",
    "train.patience",
    "train.min_gain",
    "train.after_step",
    "train.lr",
    "train.schedule",
    "train.lr_rate",
    "train.lr_floor",
    "train.lr_steps",
    "train.eps",
    "train.weight_decay",
    "train.grad_clip",
    "train.kl_anneal",
    "train.objective",
    "train.particles",
    "train.reduction",
    "train.batch",
    "data.crop",
    "data.transpose",
    "data.dequantise",
];

/// A key whose value is not the one in the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Such as `train.lr`.
    pub key: String,
    /// In the checkpoint, as TOML; empty if there is no such key.
    pub old: String,
    /// Now, likewise.
    pub new: String,
}

impl Change {
    /// Whether a run may be resumed with it.
    pub fn is_allowed(&self) -> bool {
        MAY_CHANGE.contains(&self.key.as_str())
    }
}

/// `train.lr 0.001 → 0.0005`
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {} → {}", self.key, self.old, self.new)
    }
}

/// The keys that differ between the config in a checkpoint and the one to go on with, by name. The path of the data
/// is not compared; its fingerprint and its sampling rate are, if known.
pub fn changes(before: &Config, now: &Config) -> Vec<Change> {
    let (before, mut now) = (before.portable(), now.portable());
    if now.data.fingerprint.is_empty() {
        now.data.fingerprint.clone_from(&before.data.fingerprint);
    }
    if now.data.rate == 0 {
        now.data.rate = before.data.rate;
    }
    let (old, new) = (before.values(), now.values());
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let change = |key: &String| {
        let text = |value: Option<&toml::Value>| value.map_or(String::new(), |x| x.to_string());
        Change { key: key.clone(), old: text(old.get(key)), new: text(new.get(key)) }
    };
    keys.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

/// Refuses the first of `changes` that is not allowed.
pub fn check(changes: &[Change]) -> Result<()> {
    let Some(Change { key, old, new }) = changes.iter().find(|change| !change.is_allowed()) else {
        return Ok(());
    };
    Err(Error::usage(format!(
        "{key} is {old} in this run and cannot become {new} (`stcn train --help` lists what may change): leave it \
         out, or begin another run with --out DIR"
    )))
}
