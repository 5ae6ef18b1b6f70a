//! Diagonal normals from nets that output the logarithm of a variance, as in Z-forcing.

use super::{Init, Linear, module};
use crate::dist::Normal;
use crate::ops::{affine, clip, exp, leaky_relu};
use crate::tape::Var;

/// `y = clip(leaky_relu(x, ⅓), −3, 3)`: the activation of these models' hidden layers.   x, y: same shape
///
/// ```
/// # use stcn::{Tape, Tensor, nn::clipped_leaky_relu};
/// # let tape = Tape::inference();
/// let x = tape.constant(Tensor::new(&[4], vec![2., 4., -3., -12.]));
/// assert_eq!(clipped_leaky_relu(x).value().data(), [2., 3., -1., -3.]);
/// ```
pub fn clipped_leaky_relu(x: Var) -> Var {
    clip(leaky_relu(x, 1. / 3.), -3., 3.)
}

/// Features → a diagonal normal, μ and s from the same hidden layer: `σ = exp(½ clip(s, −8, 8))`.
///
/// Source: Goyal et al. 2017; their code clips the mean too.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, LogVarLayers}};
/// let net = LogVarLayers::new(&mut Init::new(1), 3, 16, 2);
/// let tape = Tape::inference();
/// let p = net.forward(tape.constant(Tensor::zeros(&[1, 4, 3])));
/// assert_eq!(p.mean.value().shape(), [1, 4, 2]);
/// assert_eq!(p.std.value().data(), [1.; 8]); // s = 0
/// ```
pub struct LogVarLayers {
    hidden: Linear,
    mean: Linear,
    log_var: Linear,
}
module!(LogVarLayers: hidden, mean, log_var);

impl LogVarLayers {
    /// A hidden layer of `width`. Paths: `1`, `mean`, `log_var`.
    pub fn new(init: &mut Init, inputs: usize, width: usize, outputs: usize) -> Self {
        let mut layer = |name: &str, inputs, outputs| {
            init.scope(name, |init| Linear::new(init, inputs, outputs))
        };
        Self {
            hidden: layer("1", inputs, width),
            mean: layer("mean", width, outputs),
            log_var: layer("log_var", width, outputs),
        }
    }

    /// x: (B, T, inputs) → a normal over (B, T, outputs)
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Normal<'t> {
        let h = clipped_leaky_relu(self.hidden.forward(x));
        let log_var = clip(self.log_var.forward(h), -8., 8.);
        Normal { mean: self.mean.forward(h), std: exp(affine(log_var, 0.5, 0.)) }
    }
}
