//! A run from its first update to its last: checks, checkpoints, metrics, and when to stop.
//!
//! Not here: the state of training (`trainer`), output (`cli`).

use super::events::Events;
use super::metrics::{Metrics, now};
use super::run::RunDir;
use super::step::Report;
use super::trainer::{Checked, Trainer};
use crate::error::Result;

/// What the run should do next, as decided by an [`Observer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Train on.
    Continue,
    /// Save a checkpoint now, and train on.
    Save,
    /// End as if the last step were reached.
    Stop,
    /// Save a checkpoint and end at once.
    Interrupt,
}

/// Receives the reports of a run and may save or end it.
pub trait Observer {
    /// Called after every update.
    fn updated(&mut self, report: &Report, trainer: &Trainer);
    /// Called after every check on the validation split.
    fn checked(&mut self, checked: &Checked, trainer: &Trainer);
    /// Called after every update, and after its check if there was one.
    fn control(&mut self) -> Control;
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The last step or the time limit was reached.
    Done,
    /// `train.patience` checks in a row brought no progress.
    EarlyStop,
    /// The observer interrupted the run; the state is saved.
    Interrupted,
}

/// Updates between two rows of `metrics.csv`.
const REPORT: u64 = 10;

/// The columns of `metrics.csv` after `step`.
const COLUMNS: [&str; 11] = [
    "epoch",
    "seconds",
    "loss",
    "elbo_seq",
    "log_px_seq",
    "kl_seq",
    "kl_weight",
    "lr",
    "grad_norm",
    "valid_elbo_seq",
    "valid_loss",
];

/// Trains to the end; returns why it ended and the SHA-256 of the last checkpoint.
pub fn fit(
    trainer: &mut Trainer,
    run: &RunDir,
    observer: &mut dyn Observer,
) -> Result<(End, String)> {
    let start = now();
    let first = trainer.progress().step;
    let mut metrics = Metrics::resume(&run.metrics(), &COLUMNS, first)?;
    let mut events = Events::create(run.root(), start)?;
    let last = trainer.last_step();
    let mut saved = if first == 0 {
        trainer.checkpoint().save(&run.latest())? // a run killed from here on can be resumed
    } else {
        events.restart(start, first + 1)?;
        String::new()
    };
    let end = loop {
        if last.is_some_and(|last| trainer.progress().step >= last) {
            break End::Done;
        }
        let report = trainer.step()?; // if refused, the last checkpoint stays the one to resume from
        observer.updated(&report, trainer);
        let step = report.step;
        let check_due = step.is_multiple_of(trainer.config().train.eval_every);
        let checked = if check_due { trainer.check()? } else { None };
        if checked.is_some() || step.is_multiple_of(REPORT) {
            let row = [
                Some(trainer.epoch() as f64),
                Some(now() - start),
                Some(report.loss),
                report.elbo(),
                report.log_px,
                report.kl_sum(),
                Some(report.kl_weight),
                Some(report.lr),
                Some(report.grad_norm),
                checked.as_ref().map(|checked| checked.value.elbo_seq),
                checked.as_ref().map(|checked| checked.loss),
            ];
            metrics.row(step, &row)?;
            let names = COLUMNS.iter().zip(row).filter_map(|(name, x)| Some((*name, x?)));
            let kl = report.kl.iter().enumerate().map(|(l, kl)| (format!("kl/z.{}", l + 1), *kl));
            let tags = names.map(|(name, x)| (format!("train/{name}"), x)).chain(kl);
            let tags: Vec<(String, f64)> = tags.collect();
            let tags: Vec<(&str, f64)> = tags.iter().map(|(name, x)| (name.as_str(), *x)).collect();
            events.scalars(now(), step, &tags)?;
        }
        // The best checkpoint first: a run killed between the two saves resumes before this check and repeats it.
        if checked.as_ref().is_some_and(|checked| checked.best) {
            trainer.checkpoint().save(&run.best())?;
        }
        if check_due {
            saved = trainer.checkpoint().save(&run.latest())?; // with or without a validation split
        }
        if let Some(checked) = &checked {
            observer.checked(checked, trainer);
            if checked.stop {
                break End::EarlyStop;
            }
        }
        match observer.control() {
            Control::Continue => (),
            Control::Save => saved = trainer.checkpoint().save(&run.latest())?,
            Control::Stop => break End::Done,
            Control::Interrupt => {
                saved = trainer.checkpoint().save(&run.latest())?;
                return Ok((End::Interrupted, saved));
            }
        }
    };
    let progress = trainer.progress();
    if saved.is_empty() || !progress.step.is_multiple_of(trainer.config().train.eval_every) {
        saved = trainer.checkpoint().save(&run.latest())?;
        // A check off the schedule is not counted, so that a resumed run equals an uninterrupted one.
        if let Some(checked) = trainer.uncounted_check()? {
            observer.checked(&checked, trainer);
        }
    }
    if progress.best.is_none() {
        trainer.checkpoint().save(&run.best())?; // no scheduled check yet: the last state is the best known
    }
    Ok((end, saved))
}
