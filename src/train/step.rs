//! One update: from a batch to the loss, back, and on.

use super::config::Config;
use super::objective;
use crate::data::Batch;
use crate::error::{ErrorKind, Result};
use crate::models::SequenceModel;
use crate::noise::Noise;
use crate::optim::schedule::{kl_weight, lr};
use crate::optim::{Adam, clip_scale, gradient_norm};
use crate::tape::{Keep, Tape, Var};
use crate::tensor::Real;

/// What one update saw. Values are means over the batch's sequences, in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Updates made, this one included.
    pub step: u64,
    /// In the training reduction, with the KL weight of this step.
    pub loss: f64,
    /// `ln p(x | z)`; none where a filter is learnt from, whose particles are no draws of q.
    pub log_px: Option<f64>,
    /// One per latent, z^1 first; of the draws themselves where IWAE is learnt from.
    pub kl: Vec<f64>,
    /// The weight of the KL in the loss.
    pub kl_weight: f64,
    /// Learning rate.
    pub lr: f64,
    /// Norm of the gradient before the clip.
    pub grad_norm: f64,
}

impl Report {
    /// Σ_l KL_l
    pub fn kl_sum(&self) -> Option<f64> {
        self.log_px.map(|_| self.kl.iter().fold(0., |sum, kl| sum + kl))
    }

    /// The ELBO, whichever bound is learnt from.
    pub fn elbo(&self) -> Option<f64> {
        Some(self.log_px? - self.kl_sum()?)
    }
}

/// The norm beyond which Adam's squares would no longer be finite in f32.
const LARGEST_NORM: f64 = 1e18;

/// The node where a number first went wrong, forwards or else on the way back from `loss`, with the ranges
/// it went wrong from.
fn first_wrong(tape: &Tape, loss: Var) -> String {
    if let Some(node) = tape.first_non_finite() {
        return node.ranges();
    }
    let grads = tape.backward(loss, Keep::All);
    let node = tape.first_non_finite_gradient(&grads);
    node.map_or("no single node: the gradients are finite and too large".into(), |node| {
        node.gradient_ranges(&grads)
    })
}

/// Update number `step` (from 1) of `model`: refused, and nothing changed, if loss or gradient is not finite;
/// the pass is then still on the tape, to look at.
pub fn update(
    model: &mut dyn SequenceModel,
    adam: &mut Adam,
    tape: &mut Tape,
    batch: &Batch,
    config: &Config,
    step: u64,
) -> Result<Report> {
    let train = &config.train;
    let weight = kl_weight(train.kl_anneal, step);
    let rate = lr(train.schedule(), train.lr, step);
    let noise = Noise::new(config.seed, "train").at(step);
    objective::check(model, train.objective)?;
    tape.reset();
    let objective::Pass { loss, terms } =
        objective::forward(model, tape, batch, &noise, weight, train);
    let (log_px, kl) = terms.map_or((None, vec![]), |(log_px, kl)| (Some(log_px), kl));
    let value = loss.value().item() as f64;
    let refused = |what: String, tape: &Tape, loss: Var| {
        let what = format!("step {step}: {what}, first in {}", first_wrong(tape, loss));
        Err(ErrorKind::Diverged(what).into())
    };
    if !value.is_finite() {
        return refused(format!("the loss is {value}"), tape, loss);
    }
    let grads = tape.backward(loss, Keep::Leaves);
    let norm = gradient_norm(model, &grads);
    let scale = clip_scale(norm, train.grad_clip);
    if !norm.is_finite() || norm * scale > LARGEST_NORM {
        return refused(format!("the norm of the gradient is {norm}"), tape, loss);
    }
    tape.reset(); // before the update, or each parameter is copied on write
    adam.update(model, &grads, scale as Real, rate, step);
    Ok(Report { step, loss: value, log_px, kl, kl_weight: weight, lr: rate, grad_norm: norm })
}
