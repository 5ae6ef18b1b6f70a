//! The columns of `metrics.csv`, the numbers of an update that stand in them, and their names in TensorBoard.
//!
//! What they mean is in [`train`](crate::train).
//! Each is of the row's own update: a share since the last row would not survive a kill between two rows. Not here:
//! the file (`metrics`), the numbers themselves (`step`, `diagnostics`).

use super::diagnostics::{Diagnostics, Group, groups};
use super::step::Report;
use super::trainer::{Checked, Trainer};
use crate::data::Batch;
use crate::models::{Kl, SequenceModel};
use crate::noise::Noise;
use crate::optim::clip_scale;
use crate::tape::Tape;
use crate::tensor::Tensor;

/// The columns of one run.
pub struct Columns {
    names: Vec<String>,
    latents: usize,
    groups: Vec<String>,
}

/// The columns that every run has, behind `step`.
const FIRST: [&str; 9] = [
    "epoch",
    "seconds",
    "loss",
    "elbo_seq",
    "log_px_seq",
    "kl_seq",
    "kl_weight",
    "lr",
    "grad_norm",
];

/// What a check found, in the last columns.
pub const OF_CHECK: [&str; 2] = ["valid_elbo_seq", "valid_loss"];

impl Columns {
    /// Those of a model that reads so many channels.
    pub fn new(model: &dyn SequenceModel, channels: usize) -> Self {
        let (latents, groups) = (latents(model, channels), groups(model));
        let names = FIRST.map(String::from).into_iter();
        let names = names.chain((1..=latents).map(|l| format!("kl.{l}")));
        let names = names.chain(["clipped", "dead_rectifiers"].map(String::from));
        let names = names.chain(groups.iter().map(|group| format!("grad_norm.{group}")));
        let names = names.chain(groups.iter().map(|group| format!("update_ratio.{group}")));
        let names = names.chain(OF_CHECK.map(String::from)).collect();
        Self { names, latents, groups }
    }

    /// Their names, without `step`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The numbers of an update, and of the check after it if there was one.
    pub fn row(
        &self,
        trainer: &Trainer,
        seconds: f64,
        report: &Report,
        checked: Option<&Checked>,
    ) -> Vec<Option<f64>> {
        let clipped = clip_scale(report.grad_norm, trainer.config().train.grad_clip) < 1.;
        let known = report.diagnostics.as_ref();
        let of_groups = |value: fn(&Group) -> f64| {
            let value = move |i: usize| value(&known?.groups[i]).into();
            (0..self.groups.len()).map(value).collect::<Vec<Option<f64>>>()
        };
        let mut row = vec![
            Some(trainer.epoch() as f64),
            Some(seconds),
            Some(report.loss),
            report.elbo(),
            report.log_px,
            report.kl_sum(),
            Some(report.kl_weight),
            Some(report.lr),
            Some(report.grad_norm),
        ];
        row.extend((0..self.latents).map(|l| report.kl.get(l).copied()));
        row.extend([
            Some(f64::from(u8::from(clipped))),
            known.and_then(|Diagnostics { dead_rectifiers, .. }| *dead_rectifiers),
        ]);
        row.extend(of_groups(|group| group.grad_norm));
        row.extend(of_groups(|group| group.update_ratio));
        row.extend([checked.map(|x| x.value.elbo_seq), checked.map(|x| x.loss)]);
        // A group of zeros alone has no ratio.
        row.into_iter().map(|x| x.filter(|x| x.is_finite())).collect()
    }

    /// The numbers of a row that there are, under TensorBoard's names: `train/loss`, `kl/z.1`, `grad_norm/tcn`.
    pub fn tags(&self, row: &[Option<f64>]) -> Vec<(String, f64)> {
        let tag = |name: &str| match name.split_once('.') {
            Some(("kl", latent)) => format!("kl/z.{latent}"),
            Some((kind, group)) => format!("{kind}/{group}"),
            None => format!("train/{name}"),
        };
        self.names.iter().zip(row).filter_map(|(name, x)| Some((tag(name), (*x)?))).collect()
    }
}

/// How many KLs the model has, from a pass over one step of zeros.
fn latents(model: &dyn SequenceModel, channels: usize) -> usize {
    let batch = Batch { x: Tensor::zeros(&[1, 1, channels]), lengths: vec![1], samples: vec![0] };
    model.elbo(&Tape::inference(), &batch, &Noise::new(0, "columns"), Kl::Analytic).kl.len()
}
