//! An LSTM layer.

use super::{Init, Linear, module};
use crate::ops::{linear_onto, lstm, lstm_cell, reverse_time, slice_channels};
use crate::tape::{Param, Var};
use crate::tensor::{Real, Tensor};

/// `c_t = f ⊙ c_{t−1} + i ⊙ g`, `h_t = o ⊙ tanh c_t`, gates i, f, g, o of `x_t W + b + h_{t−1} U`.
///
/// x: (B, T, in) → h: (B, T, units), from h_0 = c_0 = 0
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, Lstm}, ops::slice_time};
/// let lstm = Lstm::new(&mut Init::new(1), 1, 3, 1.);
/// let tape = Tape::inference();
/// let x = tape.constant(Tensor::new(&[1, 2, 1], vec![1., 2.]));
/// let mut state = lstm.start(1).map(|zeros| tape.constant(zeros));
/// for t in 0..2 {
///     state = lstm.step(slice_time(x, t, 1), state);
/// }
/// assert_eq!(state[0].value(), slice_time(lstm.forward(x), 1, 1).value()); // h_2
/// ```
pub struct Lstm {
    input: Linear,    // (in, 4 units)
    recurrent: Param, // (units, 4 units)
}
module!(Lstm: input, recurrent);

impl Lstm {
    /// Glorot input weights, orthogonal recurrent weights, and zero biases except `forget_bias` for f.
    pub fn new(init: &mut Init, in_channels: usize, units: usize, forget_bias: Real) -> Self {
        let input = init.scope("input", |init| {
            Linear::with_bias(init, in_channels, 4 * units, |bias| {
                bias[units..2 * units].fill(forget_bias);
            })
        });
        Self { input, recurrent: init.recurrent(units, 4) }
    }

    /// The whole sequence at once.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        lstm(self.input.forward(x), x.tape().param(&self.recurrent))
    }

    /// The same backwards, from the last step of each sequence to its first: h_t has read x_T … x_t.
    /// lengths: steps of each sequence without padding
    #[track_caller]
    pub fn forward_reversed<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Var<'t> {
        reverse_time(self.forward(reverse_time(x, lengths)), lengths)
    }

    /// h_0 and c_0: zeros, (batch, 1, units) each.
    pub fn start(&self, batch: usize) -> [Tensor; 2] {
        let zeros = Tensor::zeros(&[batch, 1, self.recurrent.value.shape()[0]]);
        [zeros.clone(), zeros]
    }

    /// One step from (h_{t−1}, c_{t−1}) to (h_t, c_t), with the same bits as [`forward`](Self::forward).
    /// x: (B, 1, in), h, c: (B, 1, units)
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t>, [h, c]: [Var<'t>; 2]) -> [Var<'t>; 2] {
        let u = x.tape().param(&self.recurrent);
        let state = lstm_cell(linear_onto(h, u, self.input.forward(x)), c);
        let units = c.value().cols();
        [slice_channels(state, units, units), slice_channels(state, 0, units)]
    }
}
