//! Training: everything about a run besides the model.
//!
//! Here: the config and its presets, the training loop, evaluation, checkpoints, the run directory, metrics and
//! TensorBoard events. Not here: the command line (`cli`), the models' equations (`models`).

pub mod bounds;
pub mod checkpoint;
pub mod config;
pub mod data;
mod document;
pub mod evaluate;
pub mod events;
pub mod fit;
pub mod gradients;
pub mod memory;
pub mod metrics;
pub mod objective;
pub mod particles;
pub mod presets;
mod resolve;
mod restore;
pub mod resume;
pub mod run;
pub mod safetensors;
pub mod shards;
pub mod step;
pub mod trained;
pub mod trainer;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use fit::fit;
pub use resolve::Overrides;
pub use run::RunDir;
pub use trained::Trained;
pub use trainer::Trainer;
