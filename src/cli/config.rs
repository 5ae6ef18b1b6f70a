//! The arguments that choose a config, common to several commands.

use crate::error::Result;
use crate::models::Registry;
use crate::train::{Config, Overrides};
use std::path::Path;

/// What to build and how to train it: preset, then --released, then file, then flags, then --set.
#[derive(clap::Args)]
pub(super) struct ConfigArgs {
    /// One of those that `stcn list` names [default: stcn-dense]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// normal, gmm, bigmm, bernoulli [default: the one that suits the preset's data]
    #[arg(long, value_name = "H")]
    head: Option<String>,
    /// Sizes and training settings; `stcn list` shows all [default: ink-tiny]
    #[arg(long, value_name = "P")]
    preset: Option<String>,
    /// Every switch between the model's paper and its release as released
    #[arg(long)]
    released: bool,
    /// Change one key of the config, as `model.channels=64`; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigArgs {
    /// The config that they and `file` ask for.
    pub fn resolve(&self, file: Option<&Path>, registry: &Registry) -> Result<Config> {
        let overrides = Overrides {
            preset: self.preset.as_deref(),
            model: self.model.as_deref(),
            head: self.head.as_deref(),
            released: self.released,
            file,
            set: &self.set,
        };
        Config::resolve(&overrides, registry)
    }
}
