//! Lower bounds of `ln p(x)` by K draws of the latents, as numbers: IWAE and FIVO.
//!
//! The log-weight of a draw is `Σ_t a_t`, `a_t = ln p(x_t, z_t | ·) − ln q(z_t | ·)`. IWAE is the logarithm
//! of the mean of K weights (Burda et al. 2016); FIVO is the likelihood that a particle filter estimates, which
//! resamples the draws on the way (Maddison et al. 2017). Choices of ours: decision 0019. Not here: the filter
//! itself (`particles`), the ELBO and standard errors (`evaluate`), training on a bound (`objective`).

use super::particles::{Ancestors, Particles, Resample, addresses};
use crate::data::Batch;
use crate::kernel::reduce::log_mean;
use crate::models::{Context, Elbo, Kl, Latents, SequenceModel, StepModel, of_draws};
use crate::noise::Noise;
use crate::ops::affine;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};
use serde::{Deserialize, Serialize};

/// `Σ_{t < len} x_{b,t}` of every sequence, in f64 over time.   x: (B, T)
pub fn per_sequence(x: &Tensor, lengths: &[usize]) -> Vec<f64> {
    let rows = x.data().chunks_exact(x.cols()).zip(lengths);
    rows.map(|(row, &len)| row[..len].iter().fold(0., |sum, &x| sum + x as f64)).collect()
}

/// The terms of the ELBO of every sequence, summed over its steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// `ln p(x | z)`
    pub log_px: Vec<f64>,
    /// One KL for each latent, z^1 first.
    pub kl: Vec<Vec<f64>>,
}

impl Sums {
    /// Of the rows of a pass.
    pub fn new(elbo: &Elbo, lengths: &[usize]) -> Self {
        let sums = |x: Var| per_sequence(&x.value(), lengths);
        Self { log_px: sums(elbo.log_px), kl: elbo.kl.iter().map(|&kl| sums(kl)).collect() }
    }

    /// Means over the draws of each sequence, from rows k·B + b.
    pub fn mean_of_draws(self, draws: usize) -> Self {
        let mean = |rows: Vec<f64>| {
            let sequences = rows.len() / draws;
            let of = |b| rows.iter().skip(b).step_by(sequences).fold(0., |sum, x| sum + x);
            (0..sequences).map(|b| of(b) / draws as f64).collect()
        };
        Self { log_px: mean(self.log_px), kl: self.kl.into_iter().map(mean).collect() }
    }

    /// Appends the sequences of the next part of the batch.
    pub fn extend(&mut self, next: Self) {
        self.log_px.extend(next.log_px);
        self.kl.resize(next.kl.len(), vec![]);
        self.kl.iter_mut().zip(next.kl).for_each(|(kl, next)| kl.extend(next));
    }
}

/// `ln p(x_t | ·) − w Σ_l KL_l`: a_t if w = 1 and the KL terms are [`Kl::Sampled`].   (B, T)
pub fn increments<'t>(elbo: &Elbo<'t>, weight: f64) -> Var<'t> {
    let Some((&first, others)) = elbo.kl.split_first() else { return elbo.log_px };
    let kl = others.iter().fold(first, |sum, &kl| sum + kl);
    elbo.log_px - affine(kl, weight as Real, 0.)
}

/// Whether the model has a separate importance weight for every step, because no later step depends on z_t.
pub fn has_weights_per_step(model: &dyn SequenceModel, channels: usize) -> bool {
    let (one, noise) = probe(channels);
    model.importance_weights(&one, &noise, 0).is_some()
}

/// Whether the model has [likelihoods](crate::models::SequenceModel::likelihoods) under other latents.
pub fn has_controls(model: &dyn SequenceModel, channels: usize) -> bool {
    let (one, noise) = probe(channels);
    model.likelihoods(&one, &noise, 0, Latents::Prior).is_some()
}

/// One sequence of one step, to ask a model what it has, and noise.
fn probe(channels: usize) -> (Batch, Noise) {
    let x = Tensor::zeros(&[1, 1, channels]);
    (Batch { x, lengths: vec![1], samples: vec![0] }, Noise::new(0, "probe"))
}

/// `Σ_t ln 1/K Σ_k w_t^k` of every sequence, from `ln w_t^k`, (B, T) for each k.
pub fn log_means(weights: &[Tensor], lengths: &[usize]) -> Vec<f64> {
    let mut means = Tensor::zeros(weights[0].shape());
    for (i, mean) in means.data_mut().iter_mut().enumerate() {
        let of_step: Vec<f64> = weights.iter().map(|w| f64::from(w.data()[i])).collect();
        *mean = log_mean(&of_step) as Real;
    }
    per_sequence(&means, lengths)
}

/// IWAE-K of every sequence, and whether the mean over draws was taken at each step rather than over whole
/// sequences: tighter, and possible only where the model has
/// [weights for each step](crate::models::SequenceModel::importance_weights).
pub fn iwae(
    model: &dyn SequenceModel,
    batch: &Batch,
    noise: &Noise,
    particles: usize,
) -> (Vec<f64>, bool) {
    if let Some(weights) = model.importance_weights(batch, noise, particles) {
        return (log_means(&weights, &batch.lengths), true);
    }
    let sequences = batch.lengths.len();
    let rows = addresses(&batch.samples, particles);
    let draws: Vec<_> = rows.chunks(sequences).map(|samples| (*noise, samples.to_vec())).collect();
    let weights = of_draws(model, batch, Kl::Sampled, &draws, |elbo| {
        per_sequence(&increments(elbo, 1.).value(), &batch.lengths)
    });
    let of = |b: usize| weights.iter().map(|of_particle| of_particle[b]).collect::<Vec<_>>();
    ((0..sequences).map(|b| log_mean(&of(b))).collect(), false)
}

/// FIVO-K of every sequence. Each step is one pass of all particles; only their states are kept between steps.
pub fn fivo(
    model: &dyn StepModel,
    batch: &Batch,
    noise: &Noise,
    particles: usize,
    how: (Resample, Ancestors),
) -> Vec<f64> {
    let mut particles = Particles::new(batch, noise, particles, how);
    let context = Context::values(&batch.x, |x| model.context(x, &batch.lengths));
    let mut state = model.start(particles.rows());
    for t in 0..batch.x.shape()[1] {
        let tape = Tape::inference();
        let on_tape = |x: &Tensor| tape.constant(x.clone());
        let (x, context) = (on_tape(&batch.x), context.map(on_tape));
        let state_here: Vec<Var> = state.iter().map(on_tape).collect();
        let (_, next) = particles.step(model, &context, x, &state_here, t, 1.);
        state = next.into_iter().map(Var::value).collect();
    }
    particles.filter.values
}
