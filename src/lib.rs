//! Stochastic temporal convolutional networks on a CPU.
#![warn(missing_docs)]

pub mod error;
pub mod kernel;
pub mod models;
pub mod noise;
pub mod optim;
pub mod parallel;
pub mod tensor;
pub mod train;

pub use error::{Error, Result};
pub use tensor::{Real, Tensor};
