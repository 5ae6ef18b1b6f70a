//! The training objective: from a batch to its loss on the tape.
//!
//! The ELBO, or IWAE or FIVO with K rows on the tape for every sequence. Gradients flow through the weights and the
//! draws, not through the choice of ancestors (Maddison et al. 2017, §3.3). Not here: those bounds as numbers
//! (`bounds`), the gradient and the update (`step`).

use super::bounds::{has_weights_per_step, increments, per_sequence};
use super::config::{Objective, Reduction, TrainConfig};
use super::particles::{Ancestors, Particles, Resample, tiled};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::models::{Elbo, Kl, SequenceModel};
use crate::noise::Noise;
use crate::ops::{concat, log_mean_exp, sum_masked};
use crate::tape::{Tape, Var};
use crate::tensor::Real;

/// The result of a forward pass.
pub struct Pass<'t> {
    /// The loss to minimise, in the training reduction.
    pub loss: Var<'t>,
    /// `ln p(x | z)` and one KL per latent, summed over time, means over sequences; for IWAE also means over draws,
    /// with a Monte Carlo KL. Their difference is the ELBO. `None` for FIVO, whose resampled particles are not draws
    /// from q.
    pub terms: Option<(f64, Vec<f64>)>,
}

/// Refuses an objective that `model` does not support; the error names the cure.
pub fn check(model: &dyn SequenceModel, objective: Objective) -> Result<()> {
    if objective == Objective::Fivo && model.steps().is_none() {
        return Err(Error::usage(
            "train.objective is fivo, but this model cannot be run by a particle filter (it has no step-by-step form, or \
             draws a latent more than once, as with model.draws=fresh): choose elbo or iwae",
        ));
    }
    Ok(())
}

/// `−Σ_i c_i Σ_t m_t (ln p(x_t | ·) − w Σ_l KL^l_t + auxiliary terms)`, where c_i depends on the reduction.
pub fn loss<'t>(elbo: &Elbo<'t>, lengths: &[usize], weight: f64, reduction: Reduction) -> Var<'t> {
    let (maximised, weighted) =
        (scaled(-1., lengths, reduction), scaled(weight, lengths, reduction));
    let nll = sum_masked(elbo.log_px, lengths, &maximised);
    let loss = elbo.kl.iter().fold(nll, |loss, &kl| loss + sum_masked(kl, lengths, &weighted));
    let add = |loss, &term: &Var<'t>| loss + sum_masked(term, lengths, &maximised);
    elbo.auxiliary.iter().fold(loss, add).named("loss")
}

/// The weight of the loss of some sequences in the loss of all.
pub fn share(some: &[usize], all: &[usize], reduction: Reduction) -> f64 {
    counted(some, reduction) / counted(all, reduction)
}

/// The number of steps or sequences that the loss is averaged over.
fn counted(lengths: &[usize], reduction: Reduction) -> f64 {
    match reduction {
        Reduction::MeanStep | Reduction::MeanSequence => lengths.len() as f64,
        Reduction::PerStep => lengths.iter().sum::<usize>() as f64,
    }
}

/// c_i: the factor of each sequence's objective in the loss.
fn shares(lengths: &[usize], reduction: Reduction) -> Vec<f64> {
    let count = counted(lengths, reduction);
    let share = |&length: &usize| match reduction {
        Reduction::MeanStep => 1. / (count * length as f64),
        Reduction::MeanSequence | Reduction::PerStep => 1. / count,
    };
    lengths.iter().map(share).collect()
}

/// k c_i
fn scaled(k: f64, lengths: &[usize], reduction: Reduction) -> Vec<Real> {
    shares(lengths, reduction).into_iter().map(|c| (k * c) as Real).collect()
}

/// `−Σ_i c_i J_i` from the objectives of sequences.
pub fn reduce(objectives: &[f64], lengths: &[usize], reduction: Reduction) -> f64 {
    let terms = objectives.iter().zip(shares(lengths, reduction));
    terms.fold(0., |sum, (objective, share)| sum - objective * share)
}

/// The forward pass of one update; `weight` is the KL weight. Of `train` it reads only objective, particles and
/// reduction.
///
/// # Panics
/// Where [`check`] refuses.
pub fn forward<'t>(
    model: &dyn SequenceModel,
    tape: &'t Tape,
    batch: &Batch,
    noise: &Noise,
    weight: f64,
    train: &TrainConfig,
) -> Pass<'t> {
    let lengths = &batch.lengths;
    let of_bound = |a: Var<'t>, ends: &[Vec<usize>]| {
        let bound = log_mean_exp(a, train.particles, ends).named("bound");
        sum_masked(bound, &vec![1; lengths.len()], &scaled(-1., lengths, train.reduction))
    };
    match train.objective {
        Objective::Elbo => {
            let elbo = model.elbo(tape, batch, noise, Kl::Analytic);
            let terms = Some(terms(elbo.log_px, &elbo.kl, lengths));
            Pass { loss: loss(&elbo, lengths, weight, train.reduction), terms }
        }
        Objective::Iwae => {
            let tiled = tiled(batch, train.particles);
            let elbo = model.elbo(tape, &tiled, noise, Kl::Sampled);
            let per_step = has_weights_per_step(model, batch.x.cols());
            let ends = |&n: &usize| if per_step { (1..=n).collect() } else { vec![n] };
            let ends: Vec<Vec<usize>> = lengths.iter().map(ends).collect();
            let loss = of_bound(increments(&elbo, weight), &ends).named("loss");
            Pass { loss, terms: Some(terms(elbo.log_px, &elbo.kl, &tiled.lengths)) }
        }
        Objective::Fivo => {
            let steps = model.steps().expect("checked before");
            let how = (Resample::Ess, Ancestors::Multinomial);
            let mut particles = Particles::new(batch, noise, train.particles, how);
            let x = tape.constant(batch.x.clone()).named("x");
            let context = steps.context(x, lengths);
            let start = steps.start(particles.rows());
            let mut state: Vec<Var> = start.into_iter().map(|s| tape.constant(s)).collect();
            let mut a = vec![];
            for t in 0..batch.x.shape()[1] {
                let (of_step, next) = particles.step(steps, &context, x, &state, t, weight);
                a.push(of_step);
                state = next;
            }
            Pass { loss: of_bound(concat(&a), &particles.filter.ends).named("loss"), terms: None }
        }
    }
}

/// Sums over time, means over rows.
fn terms(log_px: Var, kl: &[Var], lengths: &[usize]) -> (f64, Vec<f64>) {
    let mean = |x: Var| {
        let sums = per_sequence(&x.value(), lengths);
        sums.iter().fold(0., |sum, x| sum + x) / sums.len() as f64
    };
    (mean(log_px), kl.iter().map(|&kl| mean(kl)).collect())
}
