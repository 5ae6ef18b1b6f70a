//! Stochastic temporal convolutional networks on a CPU.
#![warn(missing_docs)]

pub mod choice;
pub mod cli;
pub mod data;
pub mod dist;
pub mod error;
pub mod inspect;
pub mod kernel;
pub mod models;
pub mod nn;
pub mod noise;
pub mod ops;
pub mod optim;
pub mod parallel;
pub mod tape;
pub mod tensor;
pub mod train;

pub use error::{Error, Result};
pub use tape::{Tape, Var};
pub use tensor::{Real, Tensor};
