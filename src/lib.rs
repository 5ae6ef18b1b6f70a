//! Stochastic temporal convolutional networks on a CPU.
#![warn(missing_docs)]

pub mod data;
pub mod error;
pub mod inspect;
pub mod kernel;
pub mod noise;
pub mod parallel;
pub mod tensor;

pub use error::{Error, Result};
pub use tensor::{Real, Tensor};
