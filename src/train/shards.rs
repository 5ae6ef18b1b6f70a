//! The shards of a batch, computed in parallel, each on a tape of its own (decision 0021).
//!
//! Their number depends only on sizes, not on threads, since it determines the order of sums. Not here: threads
//! (`parallel`), combining the shards' results (`step`, `evaluate`).

use crate::data::Batch;
use crate::models::SequenceModel;
use crate::parallel;
use std::ops::Range;

/// The most parameters of a model whose batches are split in two; larger models do not get faster.
const SMALL: usize = 1 << 20;

/// The rows of each shard of a batch of `sequences`, in order.
pub fn shards(model: &dyn SequenceModel, sequences: usize) -> Vec<Range<usize>> {
    let count = if model.parameter_count() > SMALL { 1 } else { 2.min(sequences.max(1)) };
    (0..count).map(|i| sequences * i / count..sequences * (i + 1) / count).collect()
}

/// The results of `job` on every shard of `batch`, in order; each shard has its own team of threads.
pub fn map_shards<R: Send>(
    model: &dyn SequenceModel,
    batch: &Batch,
    job: impl Fn(&Batch) -> R + Sync,
) -> Vec<R> {
    let shards = shards(model, batch.lengths.len());
    parallel::teams(shards.len(), |i| job(&batch.slice(shards[i].clone())))
}
