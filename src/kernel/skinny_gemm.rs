//! Products of a skinny matrix, one of few rows, with a weight: one step of every sequence of a batch.
//!
//! A recurrent model multiplies the same weight at every step, so it is packed once, in blocks of columns that
//! threads share out. Not here: weights that are used once, which are read in place
//! ([`CausalConv::step`](super::causal_conv::CausalConv::step)), and many rows, whose tiles are shared out.

use super::gemm::{Mat, Onto, PANEL_COLUMNS, Packed, Right, mul_add_onto};
use crate::parallel;
use crate::tensor::{Real, Tensor};
use std::cell::{Cell, OnceCell};

/// Blocks for each thread: more than one, so that no thread waits long for the last.
const BLOCKS_PER_THREAD: usize = 2;

/// Matrices below this are multiplied by one thread: waking another takes longer.
const SMALL: usize = 1 << 14;

/// The right-hand side of skinny products, packed in blocks of columns.
pub struct Blocks {
    columns: usize,
    width: usize,
    packed: Vec<Packed>,
}

impl Blocks {
    /// Packs a matrix (k, n). No bit of a product depends on the cut, so it may follow the number of threads.
    pub fn new(b: Mat<'_>) -> Self {
        let (rows, columns) = b.shape();
        let blocks =
            if rows * columns < SMALL { 1 } else { BLOCKS_PER_THREAD * parallel::threads() };
        let width = columns.div_ceil(blocks).next_multiple_of(PANEL_COLUMNS);
        let starts: Vec<usize> = (0..columns).step_by(width).collect();
        let block = |n: usize| Packed::new(b.columns(starts[n]..columns.min(starts[n] + width)));
        Self { columns, width, packed: parallel::map(starts.len(), block) }
    }

    /// `C = onto + A·B`, the bits of [`mul_add_onto`]; then `finish(at, piece)` on every piece of C, which
    /// begins at element `at`.   A: (m, k), c: m × n, row-major
    pub fn product(
        &self,
        a: Mat<'_>,
        onto: Onto<'_>,
        c: &mut [Real],
        finish: impl Fn(usize, &mut [Real]) + Sync,
    ) {
        let mut blocks: Vec<Vec<&mut [Real]>> = self.packed.iter().map(|_| vec![]).collect();
        for row in c.chunks_exact_mut(self.columns) {
            let pieces = row.chunks_mut(self.width);
            blocks.iter_mut().zip(pieces).for_each(|(block, piece)| block.push(piece));
        }
        parallel::each(self.packed.iter().zip(blocks).enumerate().collect(), |(n, (b, pieces))| {
            let first = n * self.width;
            let width = self.width.min(self.columns - first);
            let mut sums = vec![0.; pieces.len() * width];
            let onto = match onto {
                Onto::C => {
                    let rows = sums.chunks_exact_mut(width).zip(&pieces);
                    rows.for_each(|(sums, piece)| sums.copy_from_slice(piece));
                    Onto::C
                }
                Onto::Row(row) => Onto::Row(&row[first..first + width]),
                Onto::Zero => Onto::Zero,
            };
            mul_add_onto(a, Right::Packed(b), onto, &mut sums);
            for (i, (piece, sums)) in pieces.into_iter().zip(sums.chunks_exact(width)).enumerate() {
                piece.copy_from_slice(sums);
                finish(i * self.columns + first, piece);
            }
        });
    }
}

/// A weight that is packed when it is used again.   w: (I, O)
pub struct ReusedWeight {
    w: Tensor,
    used: Cell<bool>,
    packed: OnceCell<Blocks>,
    transposed: OnceCell<Blocks>,
}

impl ReusedWeight {
    /// Packs nothing yet.
    pub fn new(w: Tensor) -> Self {
        let (packed, transposed) = (OnceCell::new(), OnceCell::new());
        Self { w, used: Cell::new(false), packed, transposed }
    }

    /// W for `x W`, `None` at the first call: packing a weight that is used once, as in generation, takes longer
    /// than reading it in place.
    pub fn packed(&self) -> Option<&Blocks> {
        let again = self.used.replace(true);
        again.then(|| self.packed.get_or_init(|| Blocks::new(self.matrix())))
    }

    /// Wᵀ for `ȳ Wᵀ`.
    pub fn transposed(&self) -> &Blocks {
        self.transposed.get_or_init(|| Blocks::new(self.matrix().transposed()))
    }

    fn matrix(&self) -> Mat<'_> {
        Mat::new(self.w.data(), self.w.rows(), self.w.cols())
    }
}
