//! Diagonal normals.

use crate::noise::Noise;
use crate::ops::*;
use crate::parallel;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};

/// A diagonal normal over the last axis.   mean, std: (B, T, C)
///
/// ```
/// # use stcn::{Tape, Tensor, dist::Normal};
/// # let tape = Tape::new();
/// let [zero, one] = [0., 1.].map(|x| tape.input(Tensor::new(&[1, 1, 2], vec![x; 2]), ""));
/// let p = Normal { mean: zero, std: one };
/// let q = Normal { mean: one, std: one };
/// assert_eq!(q.kl(p).value().item(), 1.); // ½ for each of two channels
/// ```
#[derive(Clone, Copy)]
pub struct Normal<'t> {
    /// μ
    pub mean: Var<'t>,
    /// σ, a standard deviation
    pub std: Var<'t>,
}

impl<'t> Normal<'t> {
    /// A reparameterised sample `z = μ + σ ⊙ ε`, where ε is the noise of (`name`, sample, t, channel). Labels z
    /// with `name` and ε with `noise.<name>`.
    pub fn rsample(self, noise: &Noise, name: &str, samples: &[u64]) -> Var<'t> {
        self.rsample_from(0, noise, name, samples, 1.)
    }

    /// The same for a part of a sequence that starts at step `first`, with `temperature · ε`: every step gets the
    /// noise that it has in a pass over the whole.
    pub fn rsample_from(
        self,
        first: usize,
        noise: &Noise,
        name: &str,
        samples: &[u64],
        temperature: Real,
    ) -> Var<'t> {
        let (_, t, c) = self.mean.value().btc("rsample");
        let mut epsilon = Tensor::scratch(&[samples.len(), t, c]);
        parallel::rows([epsilon.data_mut()], [t * c], 1, |range, [row]| {
            noise.normals(name, samples[range.start], (first * c) as u64, row);
            row.iter_mut().for_each(|e| *e *= temperature);
        });
        let epsilon = self.mean.tape().constant(epsilon).named(&format!("noise.{name}"));
        rsample(self.mean, self.std, epsilon).named(name)
    }

    /// Labels both nodes, `<name>.mean` and `<name>.std`.
    pub fn named(self, name: &str) -> Self {
        let of = |x: Var<'t>, what: &str| x.named(&format!("{name}.{what}"));
        Self { mean: of(self.mean, "mean"), std: of(self.std, "std") }
    }

    /// Joins normals in time.   (B, T_i, C) each → (B, Σ T_i, C)
    #[track_caller]
    pub fn concat_time(steps: &[Normal<'t>]) -> Self {
        let all =
            |of: fn(&Normal<'t>) -> Var<'t>| concat_time(&steps.iter().map(of).collect::<Vec<_>>());
        Self { mean: all(|step| step.mean), std: all(|step| step.std) }
    }

    /// `ln N(z; μ, σ²)`, summed over channels.   (B, T)
    pub fn log_prob(self, z: Var<'t>) -> Var<'t> {
        normal_log_prob(z, self.mean, self.std)
    }

    /// The posterior from the estimate `self` and the `prior`, weighted by their precisions (Eq. 11).
    pub fn combined(self, prior: Normal<'t>, how: Combine) -> Normal<'t> {
        Normal {
            mean: combined_mean((self.mean, self.std), (prior.mean, prior.std)),
            std: combined_std(self.std, prior.std, how),
        }
    }

    /// `KL(q ‖ p)` of `q = self.combined(prior, how)` against `p = prior`, summed over channels.   (B, T)
    pub fn combined_kl(self, prior: Normal<'t>, how: Combine) -> Var<'t> {
        combined_kl((self.mean, self.std), (prior.mean, prior.std), how)
    }

    /// `KL(q ‖ p) = Σ_c ln σ_p/σ_q + (σ_q² + (μ_q − μ_p)²)/2σ_p² − ½` with `q = self`.   (B, T)
    pub fn kl(self, p: Normal<'t>) -> Var<'t> {
        let q = self;
        let precision = recip(square(p.std));
        let spread = (square(q.std) + square(q.mean - p.mean)) * precision;
        let log_ratio = ln(p.std) - ln(q.std);
        sum_channels(affine(log_ratio + affine(spread, 0.5, 0.), 1., -0.5))
    }
}
