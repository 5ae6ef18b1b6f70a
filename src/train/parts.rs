//! The parts of a batch that are computed side by side, each on a tape of its own (decision 0021).
//!
//! How many is by shapes alone, since the order of sums follows from it. Not here: whose threads they are
//! (`parallel`), how what they leave is added up (`step`, `evaluate`).

use crate::data::Batch;
use crate::models::SequenceModel;
use crate::parallel;
use std::ops::Range;

/// Models of up to so many parameters go by halves of a batch: larger ones gain nothing.
const SMALL: usize = 1 << 20;

/// The parts of a batch of so many sequences, in order.
pub fn parts(model: &dyn SequenceModel, sequences: usize) -> Vec<Range<usize>> {
    let count = if model.parameter_count() > SMALL { 1 } else { 2.min(sequences.max(1)) };
    (0..count).map(|i| sequences * i / count..sequences * (i + 1) / count).collect()
}

/// `job` of every part of `batch`, in order; each is done by a team of threads.
pub fn of_parts<R: Send>(
    model: &dyn SequenceModel,
    batch: &Batch,
    job: impl Fn(&Batch) -> R + Sync,
) -> Vec<R> {
    let parts = parts(model, batch.lengths.len());
    parallel::teams(parts.len(), |i| job(&batch.part(parts[i].clone())))
}
