//! The output network f^(o) of the latent models.

use super::{GatedBlock, Init, Mlp, Past, module};
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;

/// y → features of the head (Eq. 9): pointwise layers, or causal gated blocks that look back over y.
///
/// y: (B, T, in) → (B, T, width)
pub struct OutputNet {
    pointwise: Option<Mlp>,
    gated: Vec<GatedBlock>,
}
module!(OutputNet: pointwise, gated);

impl OutputNet {
    /// `layers` × (1×1 convolution, rectifier): x_t sees y_t alone (ink).
    pub fn pointwise(init: &mut Init, inputs: usize, width: usize, layers: usize) -> Self {
        Self { pointwise: Some(Mlp::new(init, inputs, width, layers)), gated: vec![] }
    }

    /// `layers` gated blocks of two taps, dilation 1: x_t sees y_{t−layers..t} (speech).
    pub fn gated(init: &mut Init, inputs: usize, width: usize, layers: usize) -> Self {
        let block = |init: &mut Init, i: usize| {
            let inputs = if i == 0 { inputs } else { width };
            init.scope(&(i + 1).to_string(), |init| GatedBlock::new(init, inputs, width, 2, 1))
        };
        Self { pointwise: None, gated: (0..layers).map(|i| block(init, i)).collect() }
    }

    /// The whole sequence at once.
    #[track_caller]
    pub fn forward<'t>(&self, y: Var<'t>) -> Var<'t> {
        let h = self.pointwise.as_ref().map_or(y, |net| net.forward(y));
        self.gated.iter().fold(h, |h, block| block.forward(h))
    }

    /// Whether x_t sees more than y_t, so that steps are coupled given the latents.
    pub fn looks_back(&self) -> bool {
        !self.gated.is_empty()
    }

    /// Zeros before the first row.
    pub fn past(&self, batch: usize) -> Vec<Past> {
        self.gated.iter().map(|block| block.past(batch)).collect()
    }

    /// One step.   y_t: (B, 1, in) → (B, 1, width)
    pub fn step(&self, y: &Tensor, past: &mut [Past]) -> Tensor {
        let tape = Tape::inference();
        let y = self
            .pointwise
            .as_ref()
            .map_or(y.clone(), |net| net.forward(tape.constant(y.clone())).value());
        self.gated.iter().zip(past).fold(y, |h, (block, past)| block.step(&h, past).1)
    }
}
