//! Distributions whose parameters are nodes of a tape: log-probability, samples, KL divergence.
//!
//! Not here: the networks that give the parameters (`nn`), the formulas' gradients (`ops`).

mod autoregressive;
mod normal;
mod observation;

pub use autoregressive::Autoregressive;
pub use normal::Normal;
pub use observation::{Density, Observation};
