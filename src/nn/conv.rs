//! Dilated causal convolution.

use super::{Init, module};
use crate::kernel::causal_conv::CausalConv;
use crate::ops::causal_conv1d;
use crate::tape::{Param, Var};
use crate::tensor::Tensor;
use std::collections::VecDeque;

/// `y_t = b + Σⱼ x_{t−(K−1−j)δ} Wⱼ`, zeros before t = 0.   x: (B, T, in) → y: (B, T, out)
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{CausalConv1d, Init}};
/// let conv = CausalConv1d::new(&mut Init::new(1), 1, 2, 2, 3); // 1 → 2 channels, 2 taps, 3 steps apart
/// let run = |x| conv.forward(Tape::inference().constant(Tensor::new(&[1, 5, 1], x))).value();
/// let [a, b] = [4., 9.].map(|fourth| run(vec![1., 2., 3., fourth, 5.]));
/// assert_eq!(a.data()[..6], b.data()[..6]); // the first three steps do not see the fourth
/// assert_ne!(a.data()[6..8], b.data()[6..8]);
/// ```
pub struct CausalConv1d {
    weight: Param, // (K, in, out)
    bias: Param,   // (out)
    dilation: usize,
}
module!(CausalConv1d: weight, bias);

impl CausalConv1d {
    /// Glorot weights, zero bias.
    pub fn new(
        init: &mut Init,
        in_channels: usize,
        out_channels: usize,
        kernel_size: usize,
        dilation: usize,
    ) -> Self {
        let (i, o, k) = (in_channels, out_channels, kernel_size);
        Self { weight: init.weight(&[k, i, o], k * i, k * o), bias: init.bias(o), dilation }
    }

    /// The whole sequence at once.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (w, b) = self.on(x);
        causal_conv1d(x, w, b, self.dilation)
    }

    /// Weight and bias on the tape of `x`.
    pub(super) fn on<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        (x.tape().param(&self.weight), x.tape().param(&self.bias))
    }

    pub(super) fn dilation(&self) -> usize {
        self.dilation
    }

    /// The past before the first step: zeros.
    pub fn past(&self, batch: usize) -> Past {
        let &[k, i, _] = self.weight.value.shape() else { unreachable!("(K, in, out)") };
        let zeros = Tensor::zeros(&[batch, 1, i]);
        Past { rows: vec![zeros; (k - 1) * self.dilation + 1].into() }
    }

    /// One step of every sequence, once x_t was pushed to `past`: the same bits as row t of
    /// [`forward`](Self::forward).
    ///
    /// Result: (B, 1, out)
    pub fn step(&self, past: &Past) -> Tensor {
        let [y] = Self::steps([self], past);
        y
    }

    /// [`step`](Self::step) of several convolutions of the same shape, which share one past.
    pub(super) fn steps<const N: usize>(layers: [&Self; N], past: &Past) -> [Tensor; N] {
        let &[taps, inputs, outputs] = layers[0].weight.value.shape() else {
            unreachable!("(K, in, out)")
        };
        let dilation = layers[0].dilation;
        let rows: Vec<_> = (0..taps).map(|j| past.rows[j * dilation].data()).collect();
        let batch = rows[0].len() / inputs;
        let conv = CausalConv { batch, time: 1, inputs, outputs, taps, dilation, sequences: 1 };
        let mut y = layers.map(|_| Tensor::scratch(&[batch, 1, outputs]));
        let layers = layers.map(|c| (c.weight.value.data(), c.bias.value.data()));
        conv.step(&rows, layers, y.each_mut().map(Tensor::data_mut));
        y
    }
}

/// The last inputs of a convolution, oldest first: all that its next step sees.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{CausalConv1d, Init}};
/// let conv = CausalConv1d::new(&mut Init::new(1), 1, 2, 2, 1);
/// let mut past = conv.past(1);
/// past.push(Tensor::new(&[1, 1, 1], vec![7.]));
/// past.push(Tensor::new(&[1, 1, 1], vec![8.]));
/// let all = conv.forward(Tape::inference().constant(Tensor::new(&[1, 2, 1], vec![7., 8.]))).value();
/// assert_eq!(conv.step(&past).data(), &all.data()[2..]); // the second step
/// ```
pub struct Past {
    rows: VecDeque<Tensor>,
}

impl Past {
    /// Appends x_t and drops the oldest row.   x: (B, 1, in)
    pub fn push(&mut self, x: Tensor) {
        self.rows.pop_front();
        self.rows.push_back(x);
    }
}
