//! Output heads: features → the distribution of one step of data.

use super::made::Made;
use super::{Init, Linear, module};
use crate::dist::{Density, Normal, Observation};
use crate::ops::{affine, clipped_softplus, tanh};
use crate::tape::Var;
use crate::tensor::Real;

/// A linear layer for each kind of parameter of an [`Observation`]; σ = clip(softplus(·), 10⁻³, 50).
///
/// h: (B, T, width). Outputs for M components over D real channels: logits M, mean and std D·M each (component
/// fastest), rho M; and a logit for each 0/1 channel.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Head, Init}};
/// let head = Head::new(&mut Init::new(1), 8, (2, 1), 5, true); // dx, dy under 5 bivariate normals; a pen
/// let tape = Tape::inference();
/// let px = head.forward(tape.constant(Tensor::zeros(&[1, 4, 8])));
/// let log_px = px.log_prob(tape.constant(Tensor::zeros(&[1, 4, 3]))).value();
/// assert_eq!(log_px.shape(), [1, 4]);
/// let ln_2 = 2f64.ln(); // features of zeros: μ = 0, σ = softplus(0) = ln 2, ρ = 0, and ½ for the pen
/// let want = -std::f64::consts::TAU.ln() - 2. * ln_2.ln() - ln_2;
/// assert!((f64::from(log_px.data()[0]) - want).abs() < 1e-5);
/// ```
pub struct Head {
    logits: Option<Linear>,
    mean: Option<Linear>,
    std: Option<Linear>,
    rho: Option<Linear>,
    bits: Option<Linear>,
    made: Option<Made>,
    floors: bool,
    threshold: bool,
}
module!(Head: logits, mean, std, rho, bits, made);

impl Head {
    /// Bounds of an output's standard deviation.
    pub const STD: (Real, Real) = (1e-3, 50.);
    /// The largest |ρ|: at 1 a component collapses to a line, and its density is unbounded.
    pub const RHO: Real = 1. - 1e-4;

    /// For `real` channels followed by `bits` channels of 0 or 1. The real ones get a mixture of `components`
    /// normals, with correlations if `correlated`; 0 components: a single normal.
    pub fn new(
        init: &mut Init,
        width: usize,
        (real, bits): (usize, usize),
        components: usize,
        correlated: bool,
    ) -> Self {
        let mut layer = |name: &str, outputs: usize| {
            (outputs > 0).then(|| init.scope(name, |init| Linear::new(init, width, outputs)))
        };
        Self {
            logits: layer("weight", components),
            mean: layer("mean", real * components.max(1)),
            std: layer("std", real * components.max(1)),
            rho: layer("rho", if correlated { components } else { 0 }),
            bits: layer("pen", bits),
            made: None,
            floors: false,
            threshold: false,
        }
    }

    /// For the same channels, each given those before it: the bits first, then the real ones, each a mixture of
    /// `components` normals. See [`Autoregressive`](crate::dist::Autoregressive).
    pub fn autoregressive(
        init: &mut Init,
        width: usize,
        (real, bits): (usize, usize),
        components: usize,
    ) -> Self {
        let made = Some(Made::new(init, width, [real, bits, components]));
        Self {
            logits: None,
            mean: None,
            std: None,
            rho: None,
            bits: None,
            made,
            floors: false,
            threshold: false,
        }
    }

    /// Switches of the released code: `floors` inside the logarithms, and bits drawn by `threshold`.
    pub fn with_released(mut self, floors: bool, threshold: bool) -> Self {
        (self.floors, self.threshold) = (floors, threshold);
        self
    }

    /// h: (B, T, width) → the distribution of (B, T, D)
    #[track_caller]
    pub fn forward<'t>(&self, h: Var<'t>) -> Observation<'t> {
        let (floors, threshold) = (self.floors, self.threshold);
        if let Some(made) = &self.made {
            let density = Some(Density::Autoregressive(made.forward(h, Self::STD)));
            return Observation { density, bits: None, floors, threshold };
        }
        let (low, high) = Self::STD;
        let density = self.mean.as_ref().zip(self.std.as_ref()).map(|(mean, std)| {
            let (mean, std) = (mean.forward(h), clipped_softplus(std.forward(h), low, high));
            let rho = self.rho.as_ref().map(|rho| affine(tanh(rho.forward(h)), Self::RHO, 0.));
            match (self.logits.as_ref().map(|l| l.forward(h)), rho) {
                (None, _) => Density::Normal(Normal { mean, std }),
                (Some(logits), None) => Density::Mixture { logits, mean, std },
                (Some(logits), Some(rho)) => Density::Bivariate { logits, mean, std, rho },
            }
        });
        let bits = self.bits.as_ref().map(|bits| bits.forward(h));
        Observation { density, bits, floors, threshold }
    }
}
