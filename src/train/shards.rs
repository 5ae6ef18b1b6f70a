//! The shards of a batch, computed in parallel, each on a tape of its own (decision 0021).
//!
//! They are branches of the tree along which the gradients of sequences are added, so that no bit depends on their
//! number: as many as there are threads, where that is faster. Not here: threads (`parallel`), combining the shards'
//! results (`step`, `evaluate`).

use crate::data::Batch;
use crate::models::SequenceModel;
use crate::parallel::{self, halves};
use std::ops::Range;

/// The most parameters of a model whose batches are cut; larger models keep all threads busy with one layer.
const SMALL: usize = 1 << 20;

/// The fewest sequences of a shard of a recurrent model: with fewer, reading the weights takes longer than computing. The second
/// is for so many threads that a shard of four would have more than two, which would mostly wait for each other.
const RECURRENT: [usize; 2] = [4, 2];

/// The rows of each shard of a batch of `sequences`, in order: all branches at one depth of the tree.
pub fn shards(model: &dyn SequenceModel, sequences: usize) -> Vec<Range<usize>> {
    let threads = if model.parameter_count() > SMALL { 1 } else { parallel::threads() };
    let least = match model.is_recurrent() {
        true => RECURRENT[usize::from(threads > sequences / 2)],
        false => 1,
    };
    let most = threads.min(sequences / least).max(1);
    branches(0..sequences, most.ilog2())
}

/// The branches of the tree at a depth, and single sequences above it.
pub(super) fn branches(sequences: Range<usize>, depth: u32) -> Vec<Range<usize>> {
    match depth {
        0 => vec![sequences],
        _ if sequences.len() < 2 => vec![sequences],
        _ => halves(sequences).into_iter().flat_map(|half| branches(half, depth - 1)).collect(),
    }
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
