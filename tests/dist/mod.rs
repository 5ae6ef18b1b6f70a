//! Distributions: densities that integrate to one, draws that follow them.

mod autoregressive;
mod normal;
mod observation;
