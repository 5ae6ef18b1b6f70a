//! Diagonal normals whose nets give the logarithm of a variance, as those of Z-forcing do.

use super::{Init, Linear, module};
use crate::dist::Normal;
use crate::ops::{affine, clip, exp, leaky_relu};
use crate::tape::Var;

/// `clip(y, −3, 3)`, `y = x` above 0 and `x/3` below: what stands behind these models' hidden layers.
pub fn clipped_leaky_relu(x: Var) -> Var {
    clip(leaky_relu(x, 1. / 3.), -3., 3.)
}

/// Features → a diagonal normal, by one hidden layer that mean and spread share: `σ = exp(½ clip(s, −8, 8))`.
///
/// Source: Goyal et al. 2017, whose release clips the mean too.
pub struct LogVarLayers {
    hidden: Linear,
    mean: Linear,
    log_var: Linear,
}
module!(LogVarLayers: hidden, mean, log_var);

impl LogVarLayers {
    /// A hidden layer of `width`; paths `1`, `mean`, `log_var`.
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
