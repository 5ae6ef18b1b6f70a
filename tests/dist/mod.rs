//! Distributions: densities that integrate to one, draws that follow them.

mod normal;
mod observation;
