//! From gradients to updates of parameters. Not here: layers and models (`nn`, `models`).

mod adam;
pub mod schedule;

pub use adam::{Adam, clip_scale, gradient_norm};
