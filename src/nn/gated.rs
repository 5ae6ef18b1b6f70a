//! Gated residual blocks.

use super::{CausalConv1d, Init, Linear, Past, module};
use crate::ops::{causal_conv1d, concat_time, gated_conv, gated_tanh, slice_time, tanh};
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;

/// `u = W₁(tanh(W_f ∗ x) ⊙ σ(W_g ∗ x))`, `y = u + x`; x is projected if the widths differ.
///
/// x: (B, T, in) → u, y: (B, T, out). Source: van den Oord et al. 2016, fig. 4.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{GatedBlock, Init}};
/// let block = GatedBlock::new(&mut Init::new(1), 1, 1, 2, 4); // 2 taps, 4 steps apart
/// let tape = Tape::inference();
/// let x = tape.constant(Tensor::new(&[1, 3, 1], vec![1., 2., 3.]));
/// let (u, y) = block.forward_skip(x);
/// assert_eq!(y.value(), (u + x).value());
/// ```
pub struct GatedBlock {
    filter: CausalConv1d,
    gate: CausalConv1d,
    mix: Linear,
    project: Option<Linear>,
}
module!(GatedBlock: filter, gate, mix, project);

impl GatedBlock {
    /// Both convolutions have `kernel_size` taps, `dilation` steps apart.
    pub fn new(
        init: &mut Init,
        in_channels: usize,
        out_channels: usize,
        kernel_size: usize,
        dilation: usize,
    ) -> Self {
        let (i, o) = (in_channels, out_channels);
        let conv = |init: &mut Init| CausalConv1d::new(init, i, o, kernel_size, dilation);
        Self {
            filter: init.scope("filter", conv),
            gate: init.scope("gate", conv),
            mix: init.scope("mix", |init| Linear::new(init, o, o)),
            project: (i != o).then(|| init.scope("project", |init| Linear::new(init, i, o))),
        }
    }

    /// The output y.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.mix.forward_residual(self.unit(x), self.residual(x))
    }

    /// The skip output u and the output y.
    #[track_caller]
    pub fn forward_skip<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let u = self.mix.forward(self.unit(x));
        (u, u + self.residual(x))
    }

    fn unit<'t>(&self, x: Var<'t>) -> Var<'t> {
        gated_conv(x, self.filter.on(x), self.gate.on(x), self.filter.dilation())
    }

    fn residual<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.project.as_ref().map_or(x, |project| project.forward(x))
    }

    /// The past before the first step: zeros.
    pub fn past(&self, batch: usize) -> Past {
        self.filter.past(batch)
    }

    /// One step: (u_t, y_t), (B, 1, out) each, from x_t: (B, 1, in). The same bits as row t of
    /// [`forward_skip`](Self::forward_skip).
    pub fn step(&self, x: &Tensor, past: &mut Past) -> (Tensor, Tensor) {
        past.push(x.clone()); // shared by filter and gate
        let tape = Tape::inference();
        let both = CausalConv1d::steps([&self.filter, &self.gate], past);
        let [filter, gate] = both.map(|sums| tape.constant(sums));
        let u = self.mix.forward(gated_tanh(filter, gate));
        let y = u + self.residual(tape.constant(x.clone()));
        (u.value(), y.value())
    }
}

/// `y_t = tanh(W_f ∗ x)_t ⊙ σ(W_g ∗ x)_t + (x_t W + b)`: SWaveNet's block. It has two taps, projects the residual,
/// and has no layer between the gated unit and the sum.
///
/// x, y: (B, T, channels). Source: Lai et al. 2018.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, ProjectedBlock}, ops::slice_time};
/// let block = ProjectedBlock::new(&mut Init::new(1), 1, 2); // taps 2 steps apart
/// let tape = Tape::inference();
/// let x = tape.constant(Tensor::new(&[1, 3, 1], vec![1., 2., 3.]));
/// let [first, third] = [0, 2].map(|t| slice_time(x, t, 1));
/// assert_eq!(block.step(first, third).value(), slice_time(block.forward(x), 2, 1).value());
/// ```
pub struct ProjectedBlock {
    filter: CausalConv1d,
    gate: CausalConv1d,
    project: Linear,
    linear: bool,
}
module!(ProjectedBlock: filter, gate, project);

impl ProjectedBlock {
    /// Two taps, `dilation` steps apart.
    pub fn new(init: &mut Init, channels: usize, dilation: usize) -> Self {
        let conv = |init: &mut Init| CausalConv1d::new(init, channels, channels, 2, dilation);
        Self {
            filter: init.scope("filter", conv),
            gate: init.scope("gate", conv),
            project: init.scope("project", |init| Linear::new(init, channels, channels)),
            linear: false,
        }
    }

    /// Whether the gate is linear, `W_g ∗ x` without σ, as in the released code.
    pub fn with_linear_gate(mut self, linear: bool) -> Self {
        self.linear = linear;
        self
    }

    /// How far back the first tap looks, in steps.
    pub fn dilation(&self) -> usize {
        self.filter.dilation()
    }

    /// The whole sequence at once.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.project.forward_residual(x, self.unit(x, self.dilation()))
    }

    /// One step from x_{t−δ} and x_t, (B, 1, channels) each: the same bits as row t of [`forward`](Self::forward).
    #[track_caller]
    pub fn step<'t>(&self, before: Var<'t>, x: Var<'t>) -> Var<'t> {
        let unit = self.unit(concat_time(&[before, x]), 1); // the two taps, now one step apart
        self.project.forward_residual(x, slice_time(unit, 1, 1))
    }

    fn unit<'t>(&self, x: Var<'t>, dilation: usize) -> Var<'t> {
        let (filter, gate) = (self.filter.on(x), self.gate.on(x));
        if self.linear {
            let [filter, gate] = [filter, gate].map(|(w, b)| causal_conv1d(x, w, b, dilation));
            return tanh(filter) * gate;
        }
        gated_conv(x, filter, gate, dilation)
    }
}
