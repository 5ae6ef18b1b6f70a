//! The arguments that choose a config, shared by `train` and `bench`.

use crate::error::Result;
use crate::models::Registry;
use crate::train::{Config, Overrides};
use std::path::Path;

/// The arguments that choose a config. Applied in order: preset (with --model and --head), --released, file, --set.
#[derive(clap::Args)]
pub(super) struct ConfigArgs {
    /// A model from `stcn list` [default: stcn-dense]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// The output distribution: normal, gmm, bigmm, bernoulli or ar [default: the one for the preset's data]
    #[arg(long, value_name = "H")]
    head: Option<String>,
    /// Sizes and training settings; `stcn list` shows all presets [default: ink-tiny]
    #[arg(long, value_name = "P")]
    preset: Option<String>,
    /// Where the model's paper and its released code differ, do as the code does
    #[arg(long)]
    released: bool,
    /// Set one key of the config, such as `model.channels=64`; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigArgs {
    /// The config chosen by these arguments and `file` (`--config`); its model must be in `registry`.
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
