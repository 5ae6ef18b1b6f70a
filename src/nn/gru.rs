//! A GRU layer.

use super::{Init, Linear, module};
use crate::ops::{concat_time, gru, gru_cell, linear_onto, slice_time};
use crate::tape::{Param, Var};
use crate::tensor::Tensor;

/// `h_t = (1 − u) ⊙ h_{t−1} + u ⊙ c`, with `r, u = σ(x_t W + b + h_{t−1} U)` and
/// `c = tanh(x_t W + b + r ⊙ (h_{t−1} U))`; r, u and c each have their own columns of W, b and U.
///
/// x: (B, T, in) → h: (B, T, units), from h_0 = 0
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Gru, Init}, ops::{concat_time, slice_time}};
/// let gru = Gru::new(&mut Init::new(1), 1, 3);
/// let tape = Tape::inference();
/// let x = tape.constant(Tensor::new(&[1, 2, 1], vec![1., 2.]));
/// let first = gru.step(slice_time(x, 0, 1), tape.constant(gru.start(1)));
/// let second = gru.step(slice_time(x, 1, 1), first);
/// assert_eq!(gru.forward(x).value(), concat_time(&[first, second]).value());
/// ```
pub struct Gru {
    input: Linear,    // (in, 3 units)
    recurrent: Param, // (units, 3 units)
}
module!(Gru: input, recurrent);

impl Gru {
    /// Glorot input weights, orthogonal recurrent weights, zero biases.
    pub fn new(init: &mut Init, in_channels: usize, units: usize) -> Self {
        let input = init.scope("input", |init| Linear::new(init, in_channels, 3 * units));
        Self { input, recurrent: init.recurrent(units, 3) }
    }

    /// The whole sequence at once.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        gru(self.input.forward(x), x.tape().param(&self.recurrent))
    }

    /// [`forward`](Self::forward) from h_0 = `start`, one step after another; `None`: from zeros.
    /// start: (B, 1, units)
    #[track_caller]
    pub fn forward_from<'t>(&self, x: Var<'t>, start: Option<Var<'t>>) -> Var<'t> {
        let Some(mut h) = start else { return self.forward(x) };
        let step = |t| {
            h = self.step(slice_time(x, t, 1), h);
            h
        };
        concat_time(&(0..x.value().shape()[1]).map(step).collect::<Vec<_>>())
    }

    /// h_0: zeros, (batch, 1, units).
    pub fn start(&self, batch: usize) -> Tensor {
        Tensor::zeros(&[batch, 1, self.recurrent.value.shape()[0]])
    }

    /// One step from h_{t−1} to h_t, with the same bits as [`forward`](Self::forward).
    /// x: (B, 1, in), h: (B, 1, units)
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t>, h: Var<'t>) -> Var<'t> {
        let x = self.input.forward(x);
        let zeros = x.tape().constant(Tensor::zeros(x.value().shape()));
        gru_cell(x, linear_onto(h, h.tape().param(&self.recurrent), zeros), h)
    }
}
