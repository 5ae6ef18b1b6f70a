//! The vocabulary: differentiable functions on [`Var`](crate::tape::Var)s.
//!
//! An op is one function: formula, shapes and vjp in its doc, its [`Rule`](crate::tape::Rule), the
//! value, and the vjp beside it. A rule never draws noise (noise is an input) and never records. Fused
//! ops exist where a profile asked for them; their composed twins stand in the tests. Not here: loops
//! that need care for speed or bits (`kernel`).

mod arith;
mod bernoulli;
mod check;
mod conv;
mod gated;
mod gru;
mod linear;
mod lstm;
mod mixture;
mod normal;
mod particles;
mod reduce;
mod shape;
mod unary;

use crate::tensor::Tensor;

pub use arith::{affine, clip};
pub use bernoulli::bernoulli_log_prob;
pub use check::checks;
pub use conv::causal_conv1d;
pub use gated::{gated_conv, gated_tanh};
pub use gru::{gru, gru_cell};
pub use linear::{linear, linear_onto, linear_relu, linear_residual};
pub use lstm::{lstm, lstm_cell};
pub use mixture::{bivariate_mixture_log_prob, mixture_log_prob};
pub use normal::{Combine, combined_kl, combined_mean, combined_std, normal_log_prob, rsample};
pub use particles::{gather_rows, log_mean_exp};
pub use reduce::{sum, sum_channels, sum_masked};
pub use shape::{
    concat, concat_time, prepend_zero, reverse_time, slice_channels, slice_time, stop_gradient,
};
pub use unary::{
    clipped_softplus, exp, leaky_relu, ln, recip, relu, sigmoid, softplus, sqrt, square, tanh,
};

/// Panics in the op's name if its inputs differ in shape.
#[track_caller]
fn one_shape<const N: usize>(op: &str, inputs: [&Tensor; N]) {
    for x in inputs {
        assert_eq!(x.shape(), inputs[0].shape(), "{op}: shapes differ");
    }
}
