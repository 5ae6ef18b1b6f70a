//! Differentiable functions on [`Var`](crate::tape::Var)s.
//!
//! An op is one function: its formulas, once, as a [`Rule`](crate::tape::Rule); shapes and source; the value; and
//! the vjp beside it. It never draws noise (noise is an input), and its vjp records nothing. Fused ops exist where
//! a profile asked for them; the tests compare them with their composed forms. Not here: loops over numbers
//! (`kernel`).
//!
//! An op of your own needs nothing from inside the crate:
//! ```
//! use stcn::{Tensor, Var, gradcheck, rule, zip};
//!
//! rule! { CUBE: "cube", forward: "y = x³", vjp: "x̄ = 3 ȳ x²" }
//!
//! /// x³, elementwise.
//! fn cube(x: Var) -> Var {
//!     let inputs = x.value();
//!     let y = inputs.map(|x| x * x * x);
//!     x.tape().record(&CUBE, [x], y, move |gy, [gx]| {
//!         gx.add(|| zip([&gy, &inputs], |[gy, x]| 3. * gy * x * x));
//!     })
//! }
//!
//! let x = Tensor::new(&[3], vec![-1., 0.5, 2.]);
//! let check = gradcheck(&[x], |_, x| cube(x[0]));
//! assert!(check.relative_error() < 1e-2); // against differences in f32; far below 1e-6 in f64
//! ```

mod bernoulli;
pub(crate) mod check;
mod conv;
mod elementwise;
mod gated;
mod gru;
mod linear;
mod lstm;
mod mixture;
mod normal;
mod particles;
mod reduce;
mod shape;

use crate::tensor::Tensor;

pub use bernoulli::bernoulli_log_prob;
pub use conv::causal_conv1d;
pub use elementwise::{
    affine, clip, clipped_softplus, exp, leaky_relu, ln, recip, relu, sigmoid, softplus, sqrt,
    square, tanh,
};
pub use gated::{gated_conv, gated_tanh};
pub use gru::{gru, gru_cell};
pub use linear::{linear, linear_onto, linear_relu, linear_residual};
pub use lstm::{lstm, lstm_cell};
pub use mixture::{bivariate_mixture_log_prob, mixture_log_prob};
pub use normal::{Combine, combined_kl, combined_mean, combined_std, normal_log_prob, rsample};
pub use particles::{gather_rows, log_mean_exp};
pub use reduce::{sum, sum_channels, sum_masked};
pub use shape::{
    concat, concat_time, prepend_zero, reshape, reverse_time, slice_channels, slice_time,
    stop_gradient,
};

/// Panics with the op's name if its inputs differ in shape.
#[track_caller]
fn one_shape<const N: usize>(op: &str, inputs: [&Tensor; N]) {
    for x in inputs {
        assert_eq!(x.shape(), inputs[0].shape(), "{op}: shapes differ");
    }
}
