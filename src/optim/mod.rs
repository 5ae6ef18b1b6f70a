//! What turns gradients into steps. Not here: whose gradients they are (`nn`, `models`).

mod adam;
pub mod schedule;

pub use adam::{Adam, clip_scale, gradient_norm};
