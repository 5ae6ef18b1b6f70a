//! A run from its first update to its last: checks, checkpoints, metrics, and when to stop.
//!
//! Not here: the state of training (`trainer`), output (`cli`).

use super::checkpoint::sha256_of;
use super::columns::{Columns, OF_CHECK};
use super::events::Events;
use super::kept::Kept;
use super::metrics::{Metrics, now};
use super::run::RunDir;
use super::samples;
use super::step::Report;
use super::trainer::{Checked, Trainer};
use crate::error::{Error, Result};
use crate::file::write_whole;
use std::fs;
use std::io::Write;

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
    /// Called after every update, before its check if one is due.
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

/// Trains to the end; returns why it ended and the SHA-256 of the last checkpoint. Checks are due every
/// `train.eval_every` updates and after the last.
pub fn fit(
    trainer: &mut Trainer,
    run: &RunDir,
    observer: &mut dyn Observer,
) -> Result<(End, String)> {
    let start = now();
    let first = trainer.progress().step;
    let last = trainer.last_step();
    let is_last = |step| last.is_some_and(|last| step >= last);
    // By the state alone, before an update: a run resumed where it had ended ends there again.
    let ended = |trainer: &Trainer| match trainer.out_of_patience() {
        true => Some(End::EarlyStop),
        false => is_last(trainer.progress().step).then_some(End::Done),
    };
    let columns = Columns::new(trainer.model(), trainer.config().model.obs.input);
    let mut metrics = match trainer.progress().end {
        Some(_) if ended(trainer).is_none() => metrics_beyond_end(run, &columns, first)?,
        _ => Metrics::resume(&run.metrics(), columns.names(), first)?,
    };
    let mut events = Events::create(run.root(), start)?;
    let kept = Kept::begin(run.kept(), trainer.config().train.keep, first)?;
    if first == 0 {
        if kept.is_due(0) {
            kept.save(trainer.checkpoint())?;
        }
        trainer.checkpoint().save(&run.latest())?; // a run killed from here on can be resumed
    } else {
        events.restart(start, first + 1)?;
    }
    let end = loop {
        if let Some(end) = ended(trainer) {
            break end;
        }
        let step = trainer.progress().step + 1;
        let scheduled = step.is_multiple_of(trainer.config().train.eval_every);
        let reported = step.is_multiple_of(REPORT) || scheduled || is_last(step);
        let report = trainer.step_watched(reported)?; // if refused, the last checkpoint stays the one to resume from
        observer.updated(&report, trainer);
        let control = observer.control();
        let ends = is_last(step) || control == Control::Stop;
        // What is kept is saved as the latest too: not before may another one be removed.
        let save = scheduled || ends || kept.is_due(step) || control != Control::Continue;
        if save {
            // Only what a run can go on from: numbers may be finite, and yet too large for any further update.
            trainer.try_step()?;
        }
        let checked = match (scheduled, ends) {
            (true, _) => trainer.check()?,
            (_, true) => trainer.check_end()?,
            _ => None,
        };
        if checked.is_some() || step.is_multiple_of(REPORT) {
            let row = columns.row(trainer, now() - start, &report, checked.as_ref());
            metrics.row(step, &row)?;
            events.scalars(now(), step, &columns.tags(&row))?;
        }
        // Before a checkpoint of this step: a run killed in between draws the picture again.
        let every = trainer.config().train.sample_every;
        if every > 0
            && step.is_multiple_of(every)
            && let Some(svg) = samples::picture(trainer)
        {
            let directory = run.samples();
            fs::create_dir_all(&directory).map_err(Error::write(&directory))?;
            let path = directory.join(samples::name(step));
            write_whole(path, |file| file.write_all(svg.as_bytes()))?;
        }
        // The best checkpoint first: a run killed between the two saves resumes before this check and repeats it.
        let best = scheduled && checked.as_ref().is_some_and(|checked| checked.best);
        if best || ends && trainer.progress().best.is_none() {
            trainer.checkpoint().save(&run.best())?; // without a check on schedule, the last state is the best known
        }
        if kept.is_due(step) {
            kept.save(trainer.checkpoint())?;
        }
        if save {
            trainer.checkpoint().save(&run.latest())?;
            kept.thin_out(step)?;
        }
        if let Some(checked) = &checked {
            observer.checked(checked, trainer);
        }
        match control {
            Control::Stop => break End::Done,
            Control::Interrupt => break End::Interrupted,
            Control::Continue | Control::Save => (),
        }
    };
    Ok((end, sha256_of(&run.latest())?))
}

/// The metrics of a run that continues after it ended at a step without a scheduled check. Removes the results of the
/// check made at that end, so that the file is the one of a run that never stopped.
fn metrics_beyond_end(run: &RunDir, columns: &Columns, end: u64) -> Result<Metrics> {
    let path = run.metrics();
    if !end.is_multiple_of(REPORT) {
        return Metrics::resume(&path, columns.names(), end - 1);
    }
    drop(Metrics::resume(&path, columns.names(), end)?);
    Metrics::empty(&path, end, OF_CHECK.len())?;
    Metrics::resume(&path, columns.names(), end)
}
