//! The gated residual block.

use super::{CausalConv1d, Init, Linear, Past, module};
use crate::ops::{gated_conv, gated_tanh};
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;

/// `u = W₁(tanh(W_f ∗ x) ⊙ σ(W_g ∗ x))`, `y = u + x`; x is projected if the widths differ.
///
/// x: (B, T, in) → u, y: (B, T, out). Source: van den Oord et al. 2016, fig. 4.
pub struct GatedBlock {
    filter: CausalConv1d,
    gate: CausalConv1d,
    mix: Linear,
    project: Option<Linear>,
}
module!(GatedBlock: filter, gate, mix, project);

impl GatedBlock {
    /// Two convolutions of `kernel_size` taps `dilation` apart, and the layers over channels.
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

    /// y alone.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.mix.forward_residual(self.unit(x), self.residual(x))
    }

    /// u, the skip output before the residual, and y after it.
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

    /// Zeros: what [`step`](Self::step) needs before the first row.
    pub fn past(&self, batch: usize) -> Past {
        self.filter.past(batch)
    }

    /// One step: (u_t, y_t) from x_t, each (B, 1, out); filter and gate share one past.
    pub fn step(&self, x: &Tensor, past: &mut Past) -> (Tensor, Tensor) {
        past.push(x.clone());
        let tape = Tape::inference();
        let both = CausalConv1d::steps([&self.filter, &self.gate], past);
        let [filter, gate] = both.map(|sums| tape.constant(sums));
        let u = self.mix.forward(gated_tanh(filter, gate));
        let y = u + self.residual(tape.constant(x.clone()));
        (u.value(), y.value())
    }
}
