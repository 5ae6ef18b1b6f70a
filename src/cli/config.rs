//! The arguments that choose a config, shared by `train` and `bench`.

use crate::error::Result;
use crate::train::config::{Choice, Config};
use std::path::Path;

/// The choice of a config: the preset first, then the file, then --model and --head, then --set.
#[derive(clap::Args)]
pub(super) struct ConfigArgs {
    /// A model from `stcn list` [default: stcn-dense]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// The output distribution: normal, gmm, bigmm or bernoulli [default: the one for the preset's data]
    #[arg(long, value_name = "H")]
    head: Option<String>,
    /// Sizes and training settings; `stcn list` shows all presets [default: ink-tiny]
    #[arg(long, value_name = "P")]
    preset: Option<String>,
    /// Set one key of the config, such as `model.channels=64`; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigArgs {
    /// The config that these arguments and `file` (of `--config`) choose.
    pub fn resolve(&self, file: Option<&Path>) -> Result<Config> {
        Config::resolve(&Choice {
            preset: self.preset.as_deref(),
            model: self.model.as_deref(),
            head: self.head.as_deref(),
            file,
            set: &self.set,
        })
    }
}
