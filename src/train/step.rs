//! One update: loss, gradient, clip, Adam.
//!
//! Not here: the loss itself (`objective`), the state of a run (`trainer`), who computes what (`ranks`, `shards`).

use super::bounds::Sums;
use super::config::TrainConfig;
use super::diagnostics::{Diagnostics, Rectifiers};
use super::objective::{self, Pass};
use super::ranks::{self, Crew, Others};
use crate::data::Batch;
use crate::error::{ErrorKind, Result};
use crate::models::SequenceModel;
use crate::noise::Noise;
use crate::optim::schedule::{kl_weight, lr};
use crate::optim::{Adam, clip_scale, gradient_norm};
use crate::tape::{Grads, Keep, Tape, Var};
use crate::tensor::Real;
use serde::{Deserialize, Serialize};

/// The statistics of one update. Values are means over the batch's sequences, in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Updates made, this one included.
    pub step: u64,
    /// The loss in the training reduction, with the KL weight of this step.
    pub loss: f64,
    /// `ln p(x | z)`; `None` when training on FIVO, whose resampled particles are not draws from q.
    pub log_px: Option<f64>,
    /// One KL per latent, z^1 first; a Monte Carlo estimate when training on IWAE.
    pub kl: Vec<f64>,
    /// The weight of the KL in the loss.
    pub kl_weight: f64,
    /// Learning rate.
    pub lr: f64,
    /// Norm of the gradient before the clip.
    pub grad_norm: f64,
    /// More of it, if it was asked for.
    pub diagnostics: Option<Diagnostics>,
}

impl Report {
    /// Σ_l KL_l
    pub fn kl_sum(&self) -> Option<f64> {
        self.log_px.map(|_| self.kl.iter().fold(0., |sum, kl| sum + kl))
    }

    /// The ELBO, whichever bound is trained on.
    pub fn elbo(&self) -> Option<f64> {
        Some(self.log_px? - self.kl_sum()?)
    }
}

/// The largest gradient norm whose square Adam can hold in f32.
const LARGEST_NORM: f64 = 1e18;

/// What else an update does than update, and with whom.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called with the tape of every shard before anything is recorded, for profiling.
    pub tape: &'a (dyn Fn(&mut Tape) + Sync),
    /// Whether to report [`Diagnostics`].
    pub diagnose: bool,
    /// Who computes it together with this process.
    pub others: Others<'a>,
}

impl Watch<'_> {
    /// Nothing else, on this process alone.
    pub const NOTHING: Self = Self { tape: &|_| (), diagnose: false, others: Others::NONE };
}

/// What all who compute an update have to know of it besides the parameters and their sequences.
#[derive(Serialize, Deserialize)]
pub(super) struct OfUpdate {
    /// The lengths of all sequences of the batch.
    lengths: Vec<usize>,
    train: TrainConfig,
    seed: u64,
    step: u64,
    diagnose: bool,
}

impl ranks::Sum for OfUpdate {
    const NAME: &'static str = "update";
    /// The objective of every sequence, the terms of the bound, and the rectifiers.
    type Answer = (Vec<f64>, Option<Sums>, Rectifiers);

    fn run(
        &self,
        model: &dyn SequenceModel,
        sequences: &Batch,
        watch: &(dyn Fn(&mut Tape) + Sync),
    ) -> (Self::Answer, Grads) {
        let mut tape = Tape::new();
        watch(&mut tape);
        let Self { lengths, train, seed, step, diagnose } = self;
        let Pass { loss, objectives, sums } =
            pass(model, &tape, sequences, lengths, train, *seed, *step);
        let rectifiers = if *diagnose { Rectifiers::of(&tape) } else { Rectifiers::default() };
        ((objectives, sums, rectifiers), tape.backward(loss, Keep::Leaves))
    }
}

/// The first node with a value that is not finite, else the first with such a gradient in the backward pass from
/// `loss`; with the ranges of its inputs.
fn first_wrong(tape: &Tape, loss: Var) -> String {
    if let Some(node) = tape.first_non_finite() {
        return node.ranges();
    }
    let grads = tape.backward(loss, Keep::All);
    let node = tape.first_non_finite_gradient(&grads);
    node.map_or(
        "no single node: each gradient is finite, but their norm is too large".into(),
        |node| node.gradient_ranges(&grads),
    )
}

/// Update number `step` (from 1) of `model`, with noise from `seed` and `step`. If the loss or a gradient is not
/// finite, or their norm is too large for Adam in f32, returns an error and changes nothing.
pub fn update(
    model: &mut dyn SequenceModel,
    adam: &mut Adam,
    batch: &Batch,
    train: &TrainConfig,
    seed: u64,
    step: u64,
) -> Result<Report> {
    update_watched(model, adam, batch, train, seed, step, Watch::NOTHING)
}

/// The same, watched. Watching changes no bit.
pub fn update_watched(
    model: &mut dyn SequenceModel,
    adam: &mut Adam,
    batch: &Batch,
    train: &TrainConfig,
    seed: u64,
    step: u64,
    watch: Watch,
) -> Result<Report> {
    let Descent { loss, terms, grads, norm, rectifiers } =
        descent(model, batch, train, seed, step, watch)?;
    let rate = lr(train.schedule(), train.lr, step);
    adam.update(model, &grads, clip_scale(norm, train.grad_clip) as Real, rate, step);
    let (log_px, kl) = terms.map_or((None, vec![]), |(log_px, kl)| (Some(log_px), kl));
    let kl_weight = kl_weight(train.kl_anneal, step);
    let diagnose = || Diagnostics::new(model, adam, &grads, (rate, step), &rectifiers);
    let diagnostics = watch.diagnose.then(diagnose);
    Ok(Report { step, loss, log_px, kl, kl_weight, lr: rate, grad_norm: norm, diagnostics })
}

/// Whether update number `step` would be made: the error is the one with which it would be refused. Nothing changes.
pub(super) fn try_update(
    others: Others,
    model: &dyn SequenceModel,
    batch: &Batch,
    train: &TrainConfig,
    seed: u64,
    step: u64,
) -> Result<()> {
    descent(model, batch, train, seed, step, Watch { others, ..Watch::NOTHING }).map(drop)
}

/// Loss and gradient of a batch.
struct Descent {
    loss: f64,
    terms: Option<(f64, Vec<f64>)>,
    grads: Grads,
    norm: f64,
    rectifiers: Rectifiers,
}

/// Loss and gradient of update number `step`; refused if they are not finite or the norm is too large.
fn descent(
    model: &dyn SequenceModel,
    batch: &Batch,
    train: &TrainConfig,
    seed: u64,
    step: u64,
    watch: Watch,
) -> Result<Descent> {
    objective::check(model, train.objective)?;
    let job = OfUpdate {
        lengths: batch.lengths.clone(),
        train: train.clone(),
        seed,
        step,
        diagnose: watch.diagnose,
    };
    let (answers, grads) = Crew::new(watch.others, model).sum(batch, &job, watch.tape);
    let (mut objectives, mut sums) = (vec![], Some(Sums::default()));
    let mut rectifiers = Rectifiers::default();
    for (some, more, of_rectifiers) in answers {
        objectives.extend(some);
        sums = sums.zip(more).map(|(mut sums, more)| {
            sums.extend(more);
            sums
        });
        rectifiers.add(of_rectifiers);
    }
    let loss = objective::reduce(&objectives, &batch.lengths, train.reduction);
    let mean = |of: &Vec<f64>| of.iter().fold(0., |sum, x| sum + x) / of.len() as f64;
    let terms = sums.map(|sums| (mean(&sums.log_px), sums.kl.iter().map(mean).collect()));
    let refused = |what: String| {
        let tape = Tape::new();
        let first =
            first_wrong(&tape, pass(model, &tape, batch, &batch.lengths, train, seed, step).loss);
        Err(ErrorKind::Diverged(format!("step {step}: {what}, first in {first}")).into())
    };
    if !loss.is_finite() {
        return refused(format!("the loss is {loss}"));
    }
    let norm = gradient_norm(model, &grads);
    if !norm.is_finite() || norm * clip_scale(norm, train.grad_clip) > LARGEST_NORM {
        return refused(format!("the norm of the gradient is {norm}"));
    }
    Ok(Descent { loss, terms, grads, norm, rectifiers })
}

/// The forward pass of update number `step` over some sequences of a batch, of `all` these lengths.
pub fn pass<'t>(
    model: &dyn SequenceModel,
    tape: &'t Tape,
    batch: &Batch,
    all: &[usize],
    train: &TrainConfig,
    seed: u64,
    step: u64,
) -> Pass<'t> {
    let noise = Noise::new(seed, "train").at(step);
    let weight = kl_weight(train.kl_anneal, step);
    objective::forward(model, tape, batch, all, &noise, weight, train)
}
