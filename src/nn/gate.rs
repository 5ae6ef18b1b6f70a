//! What SWaveNet calls gates: a rectifier and one or two linear layers; and normals made by them.

use super::{Init, Linear, module};
use crate::dist::Normal;
use crate::ops::{affine, clip, exp, relu, slice_channels};
use crate::tape::Var;

/// `y = W₂ max(W₁ x + b₁, 0) + b₂`, or without a hidden layer `y = W max(x, 0) + b`, which does not see where x
/// is negative.   x: (B, T, in) → y: (B, T, out)
pub struct Gate {
    hidden: Option<Linear>,
    output: Linear,
}
module!(Gate: hidden, output);

impl Gate {
    /// With a hidden layer of so many units, or none.
    pub fn new(init: &mut Init, inputs: usize, hidden: Option<usize>, outputs: usize) -> Self {
        let layer = |init: &mut Init, name: &str, inputs, outputs| {
            init.scope(name, |init| Linear::new(init, inputs, outputs))
        };
        Self {
            hidden: hidden.map(|width| layer(init, "hidden", inputs, width)),
            output: layer(init, "output", hidden.unwrap_or(inputs), outputs),
        }
    }

    /// The whole sequence, or a part of it: each step by itself.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let rectified = match &self.hidden {
            Some(hidden) => hidden.forward_relu(x),
            None => relu(x),
        };
        self.output.forward(rectified)
    }
}

/// Features → a diagonal normal, by a gate to `[μ; s]`: `σ = exp(½ clip(s, −8, 8))`.
///
/// Source: Lai et al. 2018, whose release clips the mean too.
pub struct NormalGate {
    gate: Gate,
}
module!(NormalGate: gate);

impl NormalGate {
    /// A gate to twice `outputs`.
    pub fn new(init: &mut Init, inputs: usize, hidden: Option<usize>, outputs: usize) -> Self {
        Self { gate: Gate::new(init, inputs, hidden, 2 * outputs) }
    }

    /// x: (B, T, inputs) → a normal over (B, T, outputs)
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Normal<'t> {
        let y = self.gate.forward(x);
        let n = y.value().cols() / 2;
        let log_var = clip(slice_channels(y, n, n), -8., 8.);
        Normal { mean: slice_channels(y, 0, n), std: exp(affine(log_var, 0.5, 0.)) }
    }
}
