//! The distribution of a step of data: a density of its real channels, probabilities of its bits.

use super::Normal;
use super::autoregressive::{Autoregressive, bit, pick};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};

/// The density of the real channels.
///
/// ```
/// # use stcn::{Tape, Tensor, dist::{Density, Normal, Observation}};
/// # let tape = Tape::new();
/// let var = |x: &[stcn::Real]| tape.input(Tensor::new(&[1, 1, x.len()], x.to_vec()), "");
/// let (mean, std, x) = (var(&[1.]), var(&[2.]), var(&[0.5]));
/// let log_prob = |density| {
///     Observation { density: Some(density), bits: None, floors: false, threshold: false }.log_prob(x).value()
/// };
/// let normal = log_prob(Density::Normal(Normal { mean, std }));
/// let mixture = log_prob(Density::Mixture { logits: var(&[0.]), mean, std }); // of one component
/// assert_eq!(mixture, normal);
/// ```
pub enum Density<'t> {
    /// One diagonal normal.
    Normal(Normal<'t>),
    /// A mixture of M diagonal normals, with one component index for all channels.
    ///
    /// logits: (B, T, M), mean, std: (B, T, D·M)
    Mixture {
        /// Unnormalised log-weights.
        logits: Var<'t>,
        /// Component fastest.
        mean: Var<'t>,
        /// Component fastest.
        std: Var<'t>,
    },
    /// A mixture of M bivariate normals with correlations; shapes as for `Mixture` with D = 2.
    Bivariate {
        /// Unnormalised log-weights.
        logits: Var<'t>,
        /// Component fastest.
        mean: Var<'t>,
        /// Component fastest.
        std: Var<'t>,
        /// Correlations, (B, T, M).
        rho: Var<'t>,
    },
    /// Of all channels, bits too, each given those before it.
    Autoregressive(Autoregressive<'t>),
}

/// `p(x_t | ·)`: a density of the first channels and independent bits in the last (the pen).
///
/// ```
/// # use stcn::{Noise, Tape, Tensor, dist::Observation};
/// # let tape = Tape::new();
/// let logits = tape.input(Tensor::new(&[1, 1, 2], vec![-1000., 1000.]), "logits"); // surely 0, surely 1
/// let px = Observation { density: None, bits: Some(logits), floors: false, threshold: false };
/// let x = px.sample(&Noise::new(1, "sample"), &[0], 0, 1.);
/// assert_eq!(x.data(), [0., 1.]);
/// assert_eq!(px.log_prob(tape.constant(x)).value().item(), 0.);
/// ```
pub struct Observation<'t> {
    /// The density of the real channels; `None` if every channel is a bit.
    pub density: Option<Density<'t>>,
    /// Logits of the bits, (B, T, bits); `None` if every channel is real.
    pub bits: Option<Var<'t>>,
    /// Whether π and θ have floors of 10⁻⁶ and 10⁻⁵ inside the logarithms, as in the released code.
    pub floors: bool,
    /// Whether a bit is set to `θ > ½` rather than drawn at random.
    pub threshold: bool,
}

impl<'t> Observation<'t> {
    /// Labels the nodes that it has: `<name>.logits`, `.mean`, `.std`, `.rho`, `.bits`.
    pub fn named(mut self, name: &str) -> Self {
        let label = |x: Var<'t>, what: &str| x.named(&format!("{name}.{what}"));
        if let Some(bits) = self.bits {
            label(bits, "bits");
        }
        let (logits, mean, std, rho) = match &mut self.density {
            None => return self,
            Some(Density::Normal(Normal { mean, std })) => (None, *mean, *std, None),
            Some(Density::Mixture { logits, mean, std }) => (Some(*logits), *mean, *std, None),
            Some(Density::Bivariate { logits, mean, std, rho }) => {
                (Some(*logits), *mean, *std, Some(*rho))
            }
            Some(Density::Autoregressive(density)) => {
                density.name = name.into(); // they depend on x, and so are no nodes yet
                return self;
            }
        };
        let parts = [("logits", logits), ("mean", Some(mean)), ("std", Some(std)), ("rho", rho)];
        for (what, x) in parts {
            if let Some(x) = x {
                label(x, what);
            }
        }
        self
    }

    /// `ln p(x_t)`.   x: (B, T, D), result: (B, T)
    #[track_caller]
    pub fn log_prob(&self, x: Var<'t>) -> Var<'t> {
        let channels = x.value().cols();
        let bits = self.bits.map_or(0, |bits| bits.value().cols());
        let (floor_weight, floor_bit) = if self.floors { (1e-6, 1e-5) } else { (0., 0.) };
        let real = self.density.as_ref().map(|density| {
            let x = if bits == 0 { x } else { slice_channels(x, 0, channels - bits) };
            match density {
                Density::Normal(normal) => normal.log_prob(x),
                &Density::Mixture { logits, mean, std } => {
                    mixture_log_prob(x, logits, mean, std, floor_weight)
                }
                &Density::Bivariate { logits, mean, std, rho } => {
                    bivariate_mixture_log_prob(x, logits, mean, std, rho, floor_weight)
                }
                Density::Autoregressive(density) => density.log_prob(x, (floor_weight, floor_bit)),
            }
        });
        let pen = self.bits.map(|logits| {
            let e = if bits == channels { x } else { slice_channels(x, channels - bits, bits) };
            bernoulli_log_prob(e, logits, floor_bit)
        });
        match (real, pen) {
            (Some(real), Some(pen)) => real + pen,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => panic!("log_prob: {EMPTY}"),
        }
    }

    /// Samples x, (B, T, D). Step t of sequence b gets the noise of (samples\[b\], first + t).
    ///
    /// `temperature` multiplies every σ and divides every logit; 1 is the model as trained.
    pub fn sample(
        &self,
        noise: &Noise,
        samples: &[u64],
        first: usize,
        temperature: Real,
    ) -> Tensor {
        let any = self.bits.or(self.density.as_ref().map(|d| match d {
            Density::Normal(normal) => normal.mean,
            Density::Mixture { logits, .. } | Density::Bivariate { logits, .. } => *logits,
            Density::Autoregressive(density) => density.features,
        }));
        let Some(any) = any else { panic!("sample: {EMPTY}") };
        let (_, steps, _) = any.value().btc("sample");
        let real = self
            .density
            .as_ref()
            .map(|d| draw_density(d, noise, samples, (first, steps), temperature, self.threshold));
        let bits =
            self.bits.map(|l| self.draw_bits(&l.value(), noise, samples, first, temperature));
        match (real, bits) {
            (Some(real), Some(bits)) => beside(&real, &bits),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => unreachable!("checked above"),
        }
    }

    fn draw_bits(
        &self,
        logits: &Tensor,
        noise: &Noise,
        samples: &[u64],
        first: usize,
        temperature: Real,
    ) -> Tensor {
        let (b, t, c) = logits.btc("sample");
        let mut chance = Tensor::zeros(&[b, t, c]);
        for (row, &sample) in chance.data_mut().chunks_exact_mut(t * c).zip(samples) {
            noise.uniforms("x.pen", sample, (first * c) as u64, row);
        }
        let threshold = self.threshold;
        crate::tensor::zip([logits, &chance], |[l, u]| bit(l, u, temperature, threshold))
    }
}

/// What is wrong with an observation of no channels.
const EMPTY: &str = "the observation has neither a density nor bits";

/// Picks a component by inverting the cumulative distribution of the weights, then samples from it.
fn draw_density(
    density: &Density<'_>,
    noise: &Noise,
    samples: &[u64],
    (first, steps): (usize, usize),
    temperature: Real,
    threshold: bool,
) -> Tensor {
    let (logits, mean, std, rho) = match density {
        Density::Normal(normal) => (None, normal.mean.value(), normal.std.value(), None),
        Density::Mixture { logits, mean, std } => {
            (Some(logits.value()), mean.value(), std.value(), None)
        }
        Density::Bivariate { logits, mean, std, rho } => {
            (Some(logits.value()), mean.value(), std.value(), Some(rho.value()))
        }
        Density::Autoregressive(density) => {
            return density.sample(noise, samples, first, temperature, threshold);
        }
    };
    let components = logits.as_ref().map_or(1, Tensor::cols);
    let dims = mean.cols() / components;
    let mut x = Tensor::zeros(&[samples.len(), steps, dims]);
    for (b, (x, &sample)) in x.data_mut().chunks_exact_mut(steps * dims).zip(samples).enumerate() {
        let mut chance = vec![0.; steps];
        noise.uniforms("x.component", sample, first as u64, &mut chance);
        noise.normals("x", sample, (first * dims) as u64, x);
        for (t, x) in x.chunks_exact_mut(dims).enumerate() {
            let row = b * steps + t;
            let k = logits.as_ref().map_or(0, |l| {
                pick(&l.data()[row * components..][..components], chance[t], temperature)
            });
            if let Some(rho) = &rho {
                let rho = rho.data()[row * components + k];
                x[1] = rho * x[0] + (1. - rho * rho).sqrt() * x[1]; // dy given dx
            }
            for (d, x) in x.iter_mut().enumerate() {
                let at = row * dims * components + d * components + k;
                *x = mean.data()[at] + temperature * std.data()[at] * *x;
            }
        }
    }
    x
}

/// Channels of `a`, then those of `b`.
fn beside(a: &Tensor, b: &Tensor) -> Tensor {
    let (batch, t, _) = a.btc("beside");
    let rows = a.data().chunks_exact(a.cols()).zip(b.data().chunks_exact(b.cols()));
    let data = rows.flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
    Tensor::new(&[batch, t, a.cols() + b.cols()], data)
}
