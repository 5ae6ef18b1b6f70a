//! Training: everything about a run besides the model.
//!
//! Here: the config and its presets, the training loop, evaluation, checkpoints, the run directory, metrics and
//! TensorBoard events. Not here: the command line (`cli`), the models' equations (`models`).
//!
//! # The columns of metrics.csv
//! A row for every tenth update and for every check. Where a number does not apply it is empty. TensorBoard has the same.
//!
//! | column | |
//! |---|---|
//! | `step` `epoch` `seconds` | the update, counted from 1; the pass over the data, from 0; seconds since the program began |
//! | `loss` | in the reduction that is trained on, with this step's KL weight |
//! | `elbo_seq` `log_px_seq` `kl_seq` | the bound and its two parts, nats per sequence |
//! | `kl_weight` `lr` | weight of the KL in the loss; learning rate |
//! | `grad_norm` | norm of the gradient over all parameters, before the clip |
//! | `kl.1` … | KL of each latent, nats per sequence |
//! | `clipped` | 1 if the gradient was longer than `train.grad_clip`, else 0; its mean over rows is the share of clipped updates |
//! | `dead_rectifiers` | share of rectifiers that are dead ([`Diagnostics::dead_rectifiers`]) |
//! | `grad_norm.tcn` … | norm of the gradient by group: the parameters whose paths begin with the same word |
//! | `update_ratio.tcn` … | norm of a group's update, relative to the norm of its weights |
//! | `valid_elbo_seq` `valid_loss` | ELBO and loss of the validation part, where it was checked |

pub(crate) mod allocator;
pub(crate) mod bounds;
pub(crate) mod checkpoint;
#[cfg(feature = "files")]
pub(crate) mod columns;
pub(crate) mod config;
pub(crate) mod controls;
#[cfg(feature = "files")]
pub(crate) mod curves;
pub(crate) mod data;
pub(crate) mod diagnostics;
mod document;
pub(crate) mod drawn;
pub(crate) mod evaluate;
#[cfg(feature = "files")]
pub(crate) mod events;
#[cfg(feature = "cli")]
pub(crate) mod exact;
#[cfg(feature = "files")]
pub(crate) mod fit;
pub(crate) mod follow;
pub(crate) mod gradients;
#[cfg(feature = "files")]
mod kept;
pub(crate) mod memory;
#[cfg(feature = "files")]
pub(crate) mod metrics;
pub(crate) mod objective;
pub(crate) mod particles;
pub(crate) mod presets;
pub(crate) mod ranks;
mod resolve;
mod restore;
pub(crate) mod resume;
#[cfg(feature = "files")]
pub(crate) mod run;
#[cfg(feature = "files")]
pub(crate) mod safetensors;
#[cfg(feature = "files")]
pub(crate) mod samples;
pub(crate) mod schema;
pub(crate) mod shards;
pub(crate) mod step;
#[cfg(feature = "files")]
pub(crate) mod suite;
pub(crate) mod trained;
pub(crate) mod trainer;

pub use bounds::{fivo, iwae};
pub use checkpoint::{ARITHMETIC, Checkpoint, FORMAT, Header, Named};
pub use config::{Config, DataConfig, Objective, Reduction, ScheduleKind, TrainConfig};
pub use controls::{Controls, controls};
pub use diagnostics::{Diagnostics, Group};
pub use evaluate::{Copies, Evaluation, Plan, Weighted, evaluate};
#[cfg(feature = "files")]
pub use fit::{Control, End, Observer, fit};
#[cfg(feature = "files")]
pub use kept::Kept;
pub use particles::{Ancestors, Resample};
pub use ranks::{Link, Ranks, Transfer};
pub use resolve::Overrides;
#[cfg(feature = "files")]
pub use run::{Lock, RunDir};
pub use step::Report;
pub use trained::Trained;
pub use trainer::{Checked, Progress, Trainer};
