//! The gates of SWaveNet, a rectifier and one or two linear layers, and normals computed by them.

use super::{Init, Linear, module};
use crate::dist::Normal;
use crate::ops::{affine, clip, exp, relu, slice_channels};
use crate::tape::Var;

/// `y = W₂ max(W₁ x + b₁, 0) + b₂`, or without a hidden layer `y = W max(x, 0) + b`, to which all negative x are
/// alike.   x: (B, T, in) → y: (B, T, out)
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Gate, Init}};
/// let gate = Gate::new(&mut Init::new(1), 2, None, 3);
/// let run = |x| gate.forward(Tape::inference().constant(Tensor::new(&[1, 1, 2], x))).value();
/// assert_eq!(run(vec![1., -1.]).shape(), [1, 1, 3]);
/// assert_eq!(run(vec![1., -1.]), run(vec![1., -5.]));
/// ```
pub struct Gate {
    hidden: Option<Linear>,
    output: Linear,
}
module!(Gate: hidden, output);

impl Gate {
    /// `hidden`: the width of the hidden layer; `None`: no hidden layer.
    pub fn new(init: &mut Init, inputs: usize, hidden: Option<usize>, outputs: usize) -> Self {
        let layer = |init: &mut Init, name: &str, inputs, outputs| {
            init.scope(name, |init| Linear::new(init, inputs, outputs))
        };
        Self {
            hidden: hidden.map(|width| layer(init, "hidden", inputs, width)),
            output: layer(init, "output", hidden.unwrap_or(inputs), outputs),
        }
    }

    /// Step by step, so that x may be a whole sequence or any part of it.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let rectified = match &self.hidden {
            Some(hidden) => hidden.forward_relu(x),
            None => relu(x),
        };
        self.output.forward(rectified)
    }
}

/// Features → a diagonal normal: a gate gives `[μ; s]`, and `σ = exp(½ clip(s, −8, 8))`.
///
/// Source: Lai et al. 2018; their code clips the mean too.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, NormalGate}};
/// let gate = NormalGate::new(&mut Init::new(1), 2, Some(8), 3);
/// let tape = Tape::inference();
/// let p = gate.forward(tape.constant(Tensor::zeros(&[1, 4, 2])));
/// assert_eq!(p.mean.value().shape(), [1, 4, 3]);
/// assert_eq!(p.std.value().data(), [1.; 12]); // s = 0
/// ```
pub struct NormalGate {
    gate: Gate,
}
module!(NormalGate: gate);

impl NormalGate {
    /// `hidden`: as in [`Gate::new`].
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
