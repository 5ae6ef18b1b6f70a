//! Optimisation: Adam, the clipping of gradients, schedules of learning rates and KL weights.
//!
//! Not here: whose gradients they are (`nn`, `models`).

mod adam;
pub(crate) mod schedule;

pub use adam::{Adam, clip_scale, gradient_norm};
pub use schedule::{Schedule, kl_weight, lr};
