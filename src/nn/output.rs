//! The output network f^(o) of the latent models.

use super::{GatedBlock, Init, Mlp, Past, module};
use crate::tape::{Tape, Var};
use crate::tensor::Tensor;

/// y → features for the head (Eq. 9), by pointwise layers, or by causal gated blocks, which also see earlier y.
///
/// y: (B, T, in) → (B, T, width)
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, OutputNet}};
/// let ink = OutputNet::pointwise(&mut Init::new(1), 3, 8, 2);
/// let speech = OutputNet::gated(&mut Init::new(1), 3, 8, 2);
/// assert!(!ink.looks_back() && speech.looks_back());
/// for net in [ink, speech] {
///     let tape = Tape::inference();
///     let y = tape.constant(Tensor::zeros(&[1, 4, 3]));
///     assert_eq!(net.forward(y).value().shape(), [1, 4, 8]);
/// }
/// ```
pub struct OutputNet {
    pointwise: Option<Mlp>,
    gated: Vec<GatedBlock>,
}
module!(OutputNet: pointwise, gated);

impl OutputNet {
    /// `layers` × (1×1 convolution, rectifier): x_t depends on y_t alone (ink).
    pub fn pointwise(init: &mut Init, inputs: usize, width: usize, layers: usize) -> Self {
        Self { pointwise: Some(Mlp::new(init, inputs, width, layers)), gated: vec![] }
    }

    /// `layers` gated blocks of two taps, dilation 1: x_t depends on y_{t−layers..t} (speech).
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

    /// Whether x_t depends on earlier y too: then steps are not independent given the latents.
    pub fn looks_back(&self) -> bool {
        !self.gated.is_empty()
    }

    /// The past before the first step: zeros.
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
