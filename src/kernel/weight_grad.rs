//! Gradients of weights: each sequence of a batch by itself, then the sequences added along a tree.
//!
//! `w̄ⱼ = Σ_b w̄ⱼ^b`, and for sequence b `w̄ⱼ^b = Σ_t x_{t−rⱼ}ᵀ ȳ_t`, a sum of chains of up to 256 steps, in order. The
//! sum over b branches as [`halves`] says, so a part of a batch, on another thread or machine, gives the bits of its
//! branch (decision 0021). Source: arithmetic as decision 0005 has it.

use super::causal_conv::CausalConv;
use super::gemm::{CHAIN, Mat, Onto, PANEL_COLUMNS, Right, mul_add_each};
use super::pointwise;
use crate::parallel::{self, Work, halves};
use crate::tensor::{Real, Tensor};
use std::iter::StepBy;
use std::ops::Range;
use std::sync::Arc;

/// Most rows and columns of w̄ that one task computes: the sums of a branch stay in the second-level cache of a core.
const MOST: [usize; 2] = [256, 256];

/// One use of a weight: `y = x ∗ w`.
#[derive(Clone, Copy)]
pub struct Use<'a> {
    /// The sizes; those of w are the same for all uses of it.
    pub conv: CausalConv,
    /// (batch, time, inputs)
    pub x: &'a [Real],
    /// The gradient of y.   (batch, time, outputs)
    pub gy: &'a [Real],
}

/// The rows of sequence `b`, of `batch` rows of which row r belongs to sequence r mod `sequences`. Rows that cannot be
/// shared out so all belong to the first.
pub fn rows_of(b: usize, batch: usize, sequences: usize) -> StepBy<Range<usize>> {
    match batch.is_multiple_of(sequences) {
        true => (b..batch).step_by(sequences),
        false if b == 0 => (0..batch).step_by(1),
        false => (0..0).step_by(1),
    }
}

/// Queues `w̄ⱼ += Σ x_{t−rⱼ}ᵀ ȳ_t` over all `uses` of w: rectangles of w̄, each over all sequences. Stores instead of
/// adding if this is the `first` term of w̄.   w̄: (taps, inputs, outputs)
pub fn queue_grad_w<'a>(work: &mut Work<'a>, uses: Vec<Use<'a>>, gw: &'a mut [Real], first: bool) {
    let CausalConv { inputs, outputs, taps, .. } = uses[0].conv;
    let uses: Arc<[Use]> = uses.into();
    // Every rectangle reads all of its rows of x and columns of ȳ, so there are few. No bit depends on the cut, so it may
    // follow the number of threads.
    let [most_rows, most_columns] = MOST;
    let blocks = taps * outputs.div_ceil(most_columns);
    let rows = inputs.div_ceil(parallel::threads().div_ceil(blocks)).min(most_rows);
    for (tap, gw) in gw.chunks_mut(inputs * outputs).enumerate() {
        for (i, gw) in gw.chunks_mut(rows * outputs).enumerate() {
            let rows = i * rows..inputs.min((i + 1) * rows);
            let mut blocks: Vec<Vec<&mut [Real]>> = vec![];
            blocks.resize_with(outputs.div_ceil(most_columns), || Vec::with_capacity(rows.len()));
            for row in gw.chunks_mut(outputs) {
                let pieces = row.chunks_mut(most_columns);
                blocks.iter_mut().zip(pieces).for_each(|(block, piece)| block.push(piece));
            }
            for (i, block) in blocks.into_iter().enumerate() {
                let columns = i * most_columns..outputs.min((i + 1) * most_columns);
                let part = Part { uses: uses.clone(), tap, rows: rows.clone(), columns };
                work.add_long(move || part.add(block, first));
            }
        }
    }
}

/// A rectangle of w̄.
struct Part<'a> {
    uses: Arc<[Use<'a>]>,
    tap: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<'a> Part<'a> {
    fn add(&self, gw: Vec<&mut [Real]>, first: bool) {
        let sequences = self.uses[0].conv.sequences;
        let size = self.rows.len() * self.columns.len();
        let mut sums = Tensor::scratch(&[1 + self.spares(0..sequences), size]);
        let (sum, spare) = sums.data_mut().split_at_mut(size);
        self.branch(0..sequences, sum, spare);
        for (gw, sum) in gw.into_iter().zip(sum.chunks_exact(self.columns.len())) {
            match first {
                // −0 + 0 = +0: whether a sum of underflowed products is −0 or +0 depends on how far a batch is padded.
                true => gw.iter_mut().zip(sum).for_each(|(gw, sum)| *gw = sum + 0.),
                false => pointwise::add(gw, sum),
            }
        }
    }

    /// How many sums are held beside that of these sequences while it is computed.
    fn spares(&self, sequences: Range<usize>) -> usize {
        let [left, right] = halves(sequences);
        match (left.is_empty(), self.is_chain(right.clone())) {
            (true, _) => 0,
            (_, true) => self.spares(left),
            _ => self.spares(left).max(1 + self.spares(right)),
        }
    }

    /// Whether it is one sequence with a single chain, which can be added without a sum of its own.
    fn is_chain(&self, sequences: Range<usize>) -> bool {
        sequences.len() == 1 && self.chains(sequences.start).nth(1).is_none()
    }

    /// Fills `sum` with that of some sequences.
    fn branch(&self, sequences: Range<usize>, sum: &mut [Real], spare: &mut [Real]) {
        let [left, right] = halves(sequences.clone());
        if left.is_empty() {
            return self.sequence(sequences.start, Onto::Zero, sum);
        }
        if self.is_chain(left.clone()) && self.is_chain(right.clone()) {
            // In one call, so that the factors of the second are fetched while the first is computed.
            let both = self.chains(left.start).chain(self.chains(right.start));
            return mul_add_each(both, self.first_after(right), Onto::Zero, sum);
        }
        self.branch(left, sum, spare);
        if self.is_chain(right.clone()) {
            return self.sequence(right.start, Onto::C, sum);
        }
        let (other, spare) = spare.split_at_mut(sum.len());
        self.branch(right, other, spare);
        pointwise::add(sum, other);
    }

    fn sequence(&self, b: usize, onto: Onto, sum: &mut [Real]) {
        mul_add_each(self.chains(b), self.first_after(b..b + 1), onto, sum);
    }

    /// The factors that are wanted next: branches are computed in the order of their sequences.
    fn first_after(&self, sequences: Range<usize>) -> Option<(Mat<'a>, Right<'a>)> {
        let all = self.uses[0].conv.sequences;
        (sequences.end < all).then(|| self.chains(sequences.end).next()).flatten()
    }

    /// The factors of one chain of products after another.
    fn chains(&self, b: usize) -> impl Iterator<Item = (Mat<'a>, Right<'a>)> + '_ {
        self.uses.iter().flat_map(move |&Use { conv, x, gy }| {
            let (time, reach) = (conv.time, conv.reach(self.tap));
            let steps = time.saturating_sub(reach); // of x whose y is inside the sequence too
            rows_of(b, conv.batch, conv.sequences).flat_map(move |row| {
                (0..steps).step_by(CHAIN).map(move |t| {
                    let count = CHAIN.min(steps - t);
                    let x = Mat::new(&x[(row * time + t) * conv.inputs..], count, conv.inputs);
                    let gy = &gy[(row * time + t + reach) * conv.outputs..];
                    let gy = Mat::new(gy, count, conv.outputs).columns(self.columns.clone());
                    (x.columns(self.rows.clone()).transposed(), Right::Rows(gy))
                })
            })
        })
    }
}

const _: () = assert!(MOST[1].is_multiple_of(PANEL_COLUMNS), "no register half empty");
