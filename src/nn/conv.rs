//! Dilated causal convolution.

use super::{Init, module};
use crate::kernel::causal_conv::CausalConv;
use crate::ops::causal_conv1d;
use crate::tape::{Param, Var};
use crate::tensor::Tensor;
use std::collections::VecDeque;

/// `y_t = b + Σⱼ x_{t−(K−1−j)δ} Wⱼ`, zeros before t = 0.   x: (B, T, in) → y: (B, T, out)
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

    /// The rows that must be remembered for [`step`](Self::step); all zeros.
    pub fn past(&self, batch: usize) -> Past {
        let &[k, i, _] = self.weight.value.shape() else { unreachable!("(K, in, out)") };
        let zeros = Tensor::zeros(&[batch, 1, i]);
        Past { rows: vec![zeros; (k - 1) * self.dilation + 1].into() }
    }

    /// One step of every sequence, `past` already holding x_t: the same bits as row t of `forward`.
    ///
    /// Result: (B, 1, out)
    pub fn step(&self, past: &Past) -> Tensor {
        let [y] = Self::steps([self], past);
        y
    }

    /// The same for several convolutions of one shape over one past.
    pub(super) fn steps<const N: usize>(layers: [&Self; N], past: &Past) -> [Tensor; N] {
        let &[taps, inputs, outputs] = layers[0].weight.value.shape() else {
            unreachable!("(K, in, out)")
        };
        let dilation = layers[0].dilation;
        let rows: Vec<_> = (0..taps).map(|j| past.rows[j * dilation].data()).collect();
        let batch = rows[0].len() / inputs;
        let conv = CausalConv { batch, time: 1, inputs, outputs, taps, dilation };
        let mut y = layers.map(|_| Tensor::scratch(&[batch, 1, outputs]));
        let layers = layers.map(|c| (c.weight.value.data(), c.bias.value.data()));
        conv.step(&rows, layers, y.each_mut().map(Tensor::data_mut));
        y
    }
}

/// The last rows of a layer's input, oldest first, the present one last.
pub struct Past {
    rows: VecDeque<Tensor>,
}

impl Past {
    /// Lets the present pass.   x_t: (B, 1, in)
    pub fn push(&mut self, x: Tensor) {
        self.rows.pop_front();
        self.rows.push_back(x);
    }
}
