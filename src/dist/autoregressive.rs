//! A density of a step whose channels depend on each other: each given those before it.

use crate::kernel::math::{exp, sigmoid};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// `p(x_t | h) = Π_c p(x_c | x_{<c}, h)`, by a masked network (MADE) over the channels of one step.
///
/// The bits come first, then the real channels, each a mixture of M normals:
///
/// ```text
/// u = tanh(h A + a + x (W ∘ mask))          x: (B, T, D), u: (B, T, H)
/// y = h C + c + (x, u) (V ∘ mask)           y: (B, T, 3 M real + bits): logits, means, stds, bits
/// ```
///
/// The masks leave a parameter of channel c nothing of x but the channels before c.
/// Sources: Germain et al. 2015 (MADE); Lai et al. 2019, for such a density over the latent models' outputs.
/// [`Head::autoregressive`](crate::nn::Head::autoregressive) makes it.
pub struct Autoregressive<'t> {
    /// What the features give: `h C + c`.
    pub(crate) features: Var<'t>,
    /// `h A + a`, (B, T, H), `W ∘ mask`, (D, H), and `V ∘ mask`, (D + H, 3 M real + bits); `None` where a step has one channel.
    pub(crate) earlier: Option<[Var<'t>; 3]>,
    /// Numbers of real channels, of bits, and of components M.
    pub(crate) sizes: [usize; 3],
    /// Bounds of a standard deviation.
    pub(crate) std: (Real, Real),
    /// Of the node's labels; empty: none.
    pub(crate) name: String,
}

/// Each of shape (B, T, ·), the component fastest; `None` if there are no channels of the kind.
struct Parameters<'t> {
    mixture: Option<[Var<'t>; 3]>,
    bits: Option<Var<'t>>,
}

impl<'t> Autoregressive<'t> {
    /// The place of a channel in the order: bits, which are the last channels, come first.
    pub(crate) fn place(channel: usize, real: usize, bits: usize) -> usize {
        if channel < real { bits + channel } else { channel - real }
    }

    /// Those of every channel, given the channels before it in `x`.
    fn parameters(&self, x: Var<'t>) -> Parameters<'t> {
        let y = self.earlier.map_or(self.features, |[hidden, inner, outer]| {
            let u = tanh(linear_onto(x, inner, hidden));
            linear_onto(concat(&[x, u]), outer, self.features)
        });
        let [real, bits, components] = self.sizes;
        let (wide, (low, high)) = (real * components, self.std);
        let part = |i: usize| slice_channels(y, i * wide, wide);
        let mixture = || {
            let std = clipped_softplus(part(2), low, high);
            [(part(0), "logits"), (part(1), "mean"), (std, "std")]
                .map(|(x, what)| self.named(x, what))
        };
        let of_bits = || self.named(slice_channels(y, 3 * wide, bits), "bits");
        Parameters { mixture: (real > 0).then(mixture), bits: (bits > 0).then(of_bits) }
    }

    fn named(&self, x: Var<'t>, what: &str) -> Var<'t> {
        match self.name.as_str() {
            "" => x,
            name => x.named(&format!("{name}.{what}")),
        }
    }

    /// `ln p(x_t)`, with floors under the weights of components and under probabilities of bits.
    /// x: (B, T, D), result: (B, T)
    #[track_caller]
    pub(super) fn log_prob(&self, x: Var<'t>, (weight, bit): (Real, Real)) -> Var<'t> {
        let (b, t, _) = x.value().btc("log_prob");
        let [real, bits, components] = self.sizes;
        let parameters = self.parameters(x);
        // Each real channel is a row of its own.
        let of_real = parameters.mixture.map(|mixture| {
            let [logits, mean, std] = mixture.map(|x| reshape(x, &[b, t * real, components]));
            let x = reshape(slice_channels(x, 0, real), &[b, t * real, 1]);
            let each = mixture_log_prob(x, logits, mean, std, weight);
            sum_channels(reshape(each, &[b, t, real]))
        });
        let of_bits = parameters
            .bits
            .map(|logits| bernoulli_log_prob(slice_channels(x, real, bits), logits, bit));
        match (of_real, of_bits) {
            (Some(real), Some(bits)) => real + bits,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => panic!("log_prob: a step has no channels"),
        }
    }

    /// Samples x, (B, T, D), one channel after another: D passes of the network. Noise and temperature as in
    /// [`Observation::sample`](super::Observation::sample).
    pub(super) fn sample(
        &self,
        noise: &Noise,
        samples: &[u64],
        first: usize,
        temperature: Real,
        threshold: bool,
    ) -> Tensor {
        let [real, bits, components] = self.sizes;
        let (b, t, _) = self.features.value().btc("sample");
        let (width, first) = (real + bits, first as u64);
        let drawn = |width: usize, fill: &dyn Fn(u64, u64, &mut [Real])| {
            let mut all = vec![0.; b * t * width];
            for (row, &sample) in all.chunks_exact_mut((t * width).max(1)).zip(samples) {
                fill(sample, first * width as u64, row);
            }
            all
        };
        let chances =
            drawn(real, &|sample, at, row| noise.uniforms("x.component", sample, at, row));
        let normals = drawn(real, &|sample, at, row| noise.normals("x", sample, at, row));
        let pens = drawn(bits, &|sample, at, row| noise.uniforms("x.pen", sample, at, row));
        let mut x = Tensor::zeros(&[b, t, width]);
        for channel in (real..width).chain(0..real) {
            let tape = Tape::inference();
            let parameters = self.on(&tape).parameters(tape.constant(x.clone()));
            let rows = x.data_mut().chunks_exact_mut(width).enumerate();
            match (channel < real, parameters) {
                (true, Parameters { mixture: Some(mixture), .. }) => {
                    let [logits, mean, std] = mixture.map(Var::value);
                    for (row, x) in rows {
                        let (place, at) =
                            (row * real + channel, (row * real + channel) * components);
                        let logits = &logits.data()[at..at + components];
                        let k = at + pick(logits, chances[place], temperature);
                        let spread = temperature * std.data()[k];
                        x[channel] = mean.data()[k] + spread * normals[place];
                    }
                }
                (false, Parameters { bits: Some(logits), .. }) => {
                    let logits = logits.value();
                    for (row, x) in rows {
                        let place = row * bits + channel - real;
                        x[channel] = bit(logits.data()[place], pens[place], temperature, threshold);
                    }
                }
                _ => unreachable!("a channel has parameters"),
            }
        }
        x
    }

    /// The same numbers on another tape, without labels.
    fn on<'u>(&self, tape: &'u Tape) -> Autoregressive<'u> {
        let on = |x: Var| tape.constant(x.value());
        let (features, earlier) = (on(self.features), self.earlier.map(|net| net.map(on)));
        let Self { sizes, std, .. } = *self;
        Autoregressive { features, earlier, sizes, std, name: String::new() }
    }
}

/// 1 where a bit is on: if its logit is above 0, by `threshold`, or else if `chance` is below its probability.
pub(super) fn bit(logit: Real, chance: Real, temperature: Real, threshold: bool) -> Real {
    let on = if threshold { logit > 0. } else { chance < sigmoid(logit / temperature) };
    if on { 1. } else { 0. }
}

/// The index at which the cumulative softmax of `logits / temperature` exceeds `chance`.
pub(super) fn pick(logits: &[Real], chance: Real, temperature: Real) -> usize {
    let top = logits.iter().fold(Real::NEG_INFINITY, |top, &l| if l > top { l } else { top });
    // At temperature 0 the most likely has weight 1 too, where (l − top)/0 is NaN.
    let weight = |&l: &Real| if l == top { 1. } else { exp((l - top) / temperature) };
    let weights: Vec<Real> = logits.iter().map(weight).collect();
    let mut left = chance * weights.iter().fold(0., |sum, w| sum + w);
    for (k, w) in weights.iter().enumerate() {
        left -= w;
        if left < 0. {
            return k;
        }
    }
    logits.len() - 1
}
