//! The layers of an autoregressive head: a masked network over the channels of a step.

use super::{Init, Linear, module};
use crate::dist::Autoregressive;
use crate::tape::{Param, Var};
use crate::tensor::{Real, Tensor};

/// Features h → [`Autoregressive`], whose doc has the equations.   h: (B, T, width)
///
/// There are as many hidden units as features. Unit j sees the first m_j channels of the order, and only parameters of later
/// channels see it; m_j is spread evenly over 1 … D − 1.
pub(super) struct Made {
    output: Linear,
    earlier: Option<Earlier>,
    sizes: [usize; 3],
}
module!(Made: output, earlier);

/// What the channels before one tell of it.
struct Earlier {
    hidden: Linear,
    masked_hidden: Param, // (D, H)
    masked_output: Param, // (D + H, 3 M real + bits)
    /// 1 where a weight counts, else 0.
    masks: [Tensor; 2],
}
module!(Earlier: hidden, masked_hidden, masked_output);

impl Made {
    /// For `real` channels, each a mixture of M `components`, and `bits` channels of 0 or 1 behind them.
    pub(super) fn new(init: &mut Init, width: usize, sizes: [usize; 3]) -> Self {
        let [real, bits, components] = sizes;
        let outputs = 3 * real * components + bits;
        let output = init.scope("output", |init| Linear::new(init, width, outputs));
        let earlier = (real + bits > 1).then(|| Earlier::new(init, width, sizes, outputs));
        Self { output, earlier, sizes }
    }

    /// `std`: bounds of a standard deviation.
    #[track_caller]
    pub(super) fn forward<'t>(&self, h: Var<'t>, std: (Real, Real)) -> Autoregressive<'t> {
        Autoregressive {
            features: self.output.forward(h),
            earlier: self.earlier.as_ref().map(|earlier| earlier.forward(h)),
            sizes: self.sizes,
            std,
            name: String::new(),
        }
    }
}

impl Earlier {
    fn new(init: &mut Init, width: usize, sizes: [usize; 3], outputs: usize) -> Self {
        let [real, bits, components] = sizes;
        let (channels, units) = (real + bits, width);
        let place = |channel: usize| Autoregressive::place(channel, real, bits);
        let seen = |unit: usize| 1 + unit * (channels - 1) / units;
        // The channel of a parameter: real channels thrice, for logits, means and deviations; then bits.
        let channel = |output: usize| match output.checked_sub(3 * real * components) {
            None => output / components % real,
            Some(bit) => real + bit,
        };
        let mask = |rows: usize, columns: usize, counts: &dyn Fn(usize, usize) -> bool| {
            let of = |i: usize| Real::from(u8::from(counts(i / columns, i % columns)));
            Tensor::new(&[rows, columns], (0..rows * columns).map(of).collect())
        };
        let masks = [
            mask(channels, units, &|from, unit| place(from) < seen(unit)),
            mask(channels + units, outputs, &|from, to| match from.checked_sub(channels) {
                None => place(from) < place(channel(to)),
                Some(unit) => seen(unit) <= place(channel(to)),
            }),
        ];
        let hidden = init.scope("hidden", |init| Linear::new(init, width, units));
        let mut weight = |name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| init.weight(&[inputs, outputs], inputs, outputs))
        };
        let masked_hidden = weight("masked_hidden", channels, units);
        let masked_output = weight("masked_output", channels + units, outputs);
        Self { hidden, masked_hidden, masked_output, masks }
    }

    #[track_caller]
    fn forward<'t>(&self, h: Var<'t>) -> [Var<'t>; 3] {
        let tape = h.tape();
        let masked =
            |weight: &Param, mask: &Tensor| tape.param(weight) * tape.constant(mask.clone());
        let [inner, outer] = &self.masks;
        [
            self.hidden.forward(h),
            masked(&self.masked_hidden, inner),
            masked(&self.masked_output, outer),
        ]
    }
}
