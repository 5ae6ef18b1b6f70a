//! The training objective: from a batch to its loss on the tape.
//!
//! The ELBO, or IWAE or FIVO with K rows on the tape for every sequence. Gradients flow through the weights and the
//! draws, not through the choice of ancestors (Maddison et al. 2017, §3.3). Not here: those bounds as numbers
//! (`bounds`), the gradient and the update (`step`).

use super::bounds::{Sums, has_weights_per_step, increments, per_sequence};
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
    /// What these sequences add to the loss that is minimised, in the training reduction.
    pub loss: Var<'t>,
    /// J_i, the objective of each sequence: the loss of a batch is `−Σ_i c_i J_i`.
    pub objectives: Vec<f64>,
    /// Of each sequence; for IWAE means over draws, with a Monte Carlo KL. `None` for FIVO, whose resampled particles
    /// are not draws from q.
    pub sums: Option<Sums>,
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

/// `−Σ_i c_i J_i`, `J_i = Σ_t (ln p(x_t | ·) − w Σ_l KL^l_t + auxiliary terms)` over the steps of sequence i, where c_i
/// depends on the reduction. `lengths` are those of the rows of `elbo`, `batch` those of all sequences of the batch.
pub fn loss<'t>(
    elbo: &Elbo<'t>,
    lengths: &[usize],
    batch: &[usize],
    weight: f64,
    reduction: Reduction,
) -> Var<'t> {
    let scaled = |k| scaled(k, lengths, batch, reduction);
    let (maximised, weighted) = (scaled(-1.), scaled(weight));
    let nll = sum_masked(elbo.log_px, lengths, &maximised);
    let loss = elbo.kl.iter().fold(nll, |loss, &kl| loss + sum_masked(kl, lengths, &weighted));
    let add = |loss, &term: &Var<'t>| loss + sum_masked(term, lengths, &maximised);
    elbo.auxiliary.iter().fold(loss, add).named("loss")
}

/// c_i of some sequences of a batch: the factor of each one's objective in the loss.
fn shares(lengths: &[usize], batch: &[usize], reduction: Reduction) -> Vec<f64> {
    // The number of steps or sequences that the loss is averaged over.
    let count = match reduction {
        Reduction::MeanStep | Reduction::MeanSequence => batch.len(),
        Reduction::PerStep => batch.iter().sum::<usize>(),
    } as f64;
    let share = |&length: &usize| match reduction {
        Reduction::MeanStep => 1. / (count * length as f64),
        Reduction::MeanSequence | Reduction::PerStep => 1. / count,
    };
    lengths.iter().map(share).collect()
}

/// k c_i
fn scaled(k: f64, lengths: &[usize], batch: &[usize], reduction: Reduction) -> Vec<Real> {
    shares(lengths, batch, reduction).into_iter().map(|c| (k * c) as Real).collect()
}

/// `−Σ_i c_i J_i` from the objectives of sequences.
pub fn reduce(objectives: &[f64], lengths: &[usize], reduction: Reduction) -> f64 {
    let terms = objectives.iter().zip(shares(lengths, lengths, reduction));
    terms.fold(0., |sum, (objective, share)| sum - objective * share)
}

/// The forward pass of one update over some sequences of a batch, of `all` these lengths; `weight` is the KL weight. Of
/// `train` it reads only objective, particles and reduction.
///
/// # Panics
/// Where [`check`] refuses.
pub fn forward<'t>(
    model: &dyn SequenceModel,
    tape: &'t Tape,
    batch: &Batch,
    all: &[usize],
    noise: &Noise,
    weight: f64,
    train: &TrainConfig,
) -> Pass<'t> {
    let lengths = &batch.lengths;
    tape.set_sequences(lengths.len());
    let of_bound = |a: Var<'t>, ends: &[Vec<usize>], sums| {
        let bound = log_mean_exp(a, train.particles, ends).named("bound");
        let shares = scaled(-1., lengths, all, train.reduction);
        let loss = sum_masked(bound, &vec![1; lengths.len()], &shares).named("loss");
        let objectives = per_sequence(&bound.value(), &vec![1; lengths.len()]);
        Pass { loss, objectives, sums }
    };
    match train.objective {
        Objective::Elbo => {
            let elbo = model.elbo(tape, batch, noise, Kl::Analytic);
            let sums = Sums::new(&elbo, lengths);
            let auxiliary = elbo.auxiliary.iter().map(|term| per_sequence(&term.value(), lengths));
            let auxiliary: Vec<_> = auxiliary.collect();
            let objective = |i: usize| {
                let spent = sums.kl.iter().fold(0., |sum, kl| sum + kl[i]);
                let elbo = sums.log_px[i] - weight * spent;
                auxiliary.iter().fold(elbo, |sum, term| sum + term[i])
            };
            let objectives = (0..lengths.len()).map(objective).collect();
            let loss = loss(&elbo, lengths, all, weight, train.reduction);
            Pass { loss, objectives, sums: Some(sums) }
        }
        Objective::Iwae => {
            let tiled = tiled(batch, train.particles);
            let elbo = model.elbo(tape, &tiled, noise, Kl::Sampled);
            let per_step = has_weights_per_step(model, batch.x.cols());
            let ends = |&n: &usize| if per_step { (1..=n).collect() } else { vec![n] };
            let ends: Vec<Vec<usize>> = lengths.iter().map(ends).collect();
            let sums = Sums::new(&elbo, &tiled.lengths).mean_of_draws(train.particles);
            of_bound(increments(&elbo, weight), &ends, Some(sums))
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
            of_bound(concat(&a), &particles.filter.ends, None)
        }
    }
}
