//! Practice: what a run is made of besides the model.
//!
//! Here: the config and its presets, the run directory, checkpoints, metrics and TensorBoard events.
//! Not here: words typed (`cli`), equations (`models`).

pub mod bounds;
pub mod checkpoint;
pub mod config;
mod document;
pub mod evaluate;
pub mod events;
pub mod exchange;
pub mod fit;
pub mod gradients;
pub mod memory;
pub mod metrics;
pub mod objective;
pub mod parts;
pub mod presets;
mod resolve;
pub mod run;
pub mod step;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use fit::{Trained, Trainer, fit};
pub use resolve::Overrides;
pub use run::RunDir;
