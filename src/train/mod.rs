//! Training: everything about a run besides the model.
//!
//! Here: the config and its presets, the training loop, evaluation, checkpoints, the run directory, metrics and
//! TensorBoard events. Not here: the command line (`cli`), the models' equations (`models`).

pub(crate) mod bounds;
pub(crate) mod checkpoint;
pub(crate) mod config;
pub(crate) mod data;
mod document;
pub(crate) mod evaluate;
pub(crate) mod events;
pub(crate) mod fit;
pub(crate) mod gradients;
mod kept;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod objective;
pub(crate) mod particles;
pub(crate) mod presets;
mod resolve;
mod restore;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod safetensors;
pub(crate) mod shards;
pub(crate) mod step;
pub(crate) mod trained;
pub(crate) mod trainer;

pub use bounds::{fivo, iwae};
pub use checkpoint::{ARITHMETIC, Checkpoint, FORMAT, Header, Named};
pub use config::{Config, DataConfig, Objective, Reduction, ScheduleKind, TrainConfig};
pub use evaluate::{Copies, Evaluation, Plan, Weighted, evaluate};
pub use fit::{Control, End, Observer, fit};
pub use kept::Kept;
pub use particles::{Ancestors, Resample};
pub use resolve::Overrides;
pub use run::{Lock, RunDir};
pub use step::Report;
pub use trained::Trained;
pub use trainer::{Checked, Progress, Trainer};
