//! Sums over rows and columns, in an order that shapes decide.

use super::math::{exp_f64, ln_f64};
use super::simd::vectorised;
use super::weight_grad::rows_of;
use crate::parallel::{self, PIECE, Work, halves};
use crate::tensor::{Real, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Rows of one partial sum.
const ROWS: usize = 256;
/// Columns of one task.
const COLUMNS: usize = 32;

/// Terms of the gradient of a bias: x, (batch, time, columns), whose row r belongs to sequence r mod `sequences`.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Rows<'a> {
    pub x: &'a [Real],
    pub batch: usize,
    pub time: usize,
    pub sequences: usize,
}

/// Queues `sums[c] += Σ x[·, ·, c]` over all `terms`: the gradient of a bias.   sums: (columns)
///
/// Each sequence is added up by itself: partials of 256 rows, each summed in order, are added in order. The sums of
/// the sequences are added along the tree of [`halves`].
pub fn queue_add_columns<'a>(work: &mut Work<'a>, terms: Vec<Rows<'a>>, sums: &'a mut [Real]) {
    let total = sums.len();
    let terms: Arc<[Rows]> = terms.into();
    for (i, sums) in sums.chunks_mut(COLUMNS).enumerate() {
        let terms = terms.clone();
        work.add(move || {
            let columns = Columns { terms, total, first: i * COLUMNS };
            let sum = columns.branch(0..columns.terms[0].sequences);
            sums.iter_mut().zip(sum).for_each(|(sum, x)| *sum += x);
        });
    }
}

/// Some columns of all terms.
struct Columns<'a> {
    terms: Arc<[Rows<'a>]>,
    /// Columns of x, and the first of those meant.
    total: usize,
    first: usize,
}

impl Columns<'_> {
    fn branch(&self, sequences: Range<usize>) -> [Real; COLUMNS] {
        let [left, right] = halves(sequences.clone());
        if left.is_empty() {
            return self.sequence(sequences.start);
        }
        let (mut sum, other) = (self.branch(left), self.branch(right));
        sum.iter_mut().zip(other).for_each(|(sum, x)| *sum += x);
        sum
    }

    fn sequence(&self, b: usize) -> [Real; COLUMNS] {
        let (mut sum, mut partial, mut rows) = ([0.; COLUMNS], [0.; COLUMNS], 0);
        let mut close = |partial: &mut [Real; COLUMNS], rows: &mut usize| {
            sum.iter_mut().zip(&*partial).for_each(|(sum, x)| *sum += x);
            (*partial, *rows) = ([0.; COLUMNS], 0);
        };
        for term in &*self.terms {
            for row in rows_of(b, term.batch, term.sequences) {
                let x = &term.x[row * term.time * self.total..][..term.time * self.total];
                for x in x.chunks(ROWS * self.total) {
                    add_rows(x, self.total, self.first, &mut partial);
                    rows += x.len() / self.total;
                    // Of single steps, a partial takes 256. Of longer terms, it ends with the term, wherever padding ends.
                    if term.time > 1 || rows == ROWS {
                        close(&mut partial, &mut rows);
                    }
                }
            }
        }
        close(&mut partial, &mut rows);
        sum
    }
}

vectorised! {
    /// Adds every row of x, of `total` columns, from column `first`.
    fn add_rows(x: &[Real], total: usize, first: usize, sums: &mut [Real; COLUMNS]) {
        let rows = x.chunks_exact(total).map(|row| &row[first..]);
        if total - first >= COLUMNS {
            // The compiler knows this length, so the sums stay in registers.
            for row in rows.filter_map(|row| row.first_chunk::<COLUMNS>()) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        } else {
            rows.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        }
    }
}

/// Sums of the last axis, in order.   x: (B, T, C), result: (B, T)
#[track_caller]
pub fn channel_sums(x: &Tensor) -> Tensor {
    let (b, t, c) = x.btc("sum over channels");
    let mut y = Tensor::scratch(&[b, t]);
    parallel::rows([y.data_mut()], [1], (PIECE / c.max(1)).max(1), |range, [y]| {
        let rows = x.data()[range.start * c..].chunks_exact(c);
        y.iter_mut().zip(rows).for_each(|(y, row)| *y = row.iter().fold(0., |sum, x| sum + x));
    });
    y
}

/// `x_{r,c} · k g_r`: row r of x times k and g_r.
pub fn scale_rows(mut x: Tensor, g: &Tensor, k: Real) -> Tensor {
    let c = x.cols();
    parallel::rows([x.data_mut()], [c], (PIECE / c.max(1)).max(1), |range, [x]| {
        let rows = x.chunks_exact_mut(c).zip(&g.data()[range]);
        rows.for_each(|(row, g)| row.iter_mut().for_each(|x| *x *= k * g));
    });
    x
}

/// The least and the greatest of some numbers, NaN left out; of none, ∞ and −∞.
pub fn ends(x: impl Iterator<Item = f64>) -> [f64; 2] {
    x.fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], x| {
        [if x < least { x } else { least }, if x > most { x } else { most }]
    })
}

/// `ln (1/K) Σ_k e^{x_k}` of K numbers, shifted by the largest; −∞ where all are.
pub fn log_mean(x: &[f64]) -> f64 {
    let top = x.iter().fold(f64::NEG_INFINITY, |top, &x| if x > top { x } else { top });
    if x.iter().all(|&x| x == f64::NEG_INFINITY) {
        return top;
    }
    let sum = x.iter().fold(0., |sum, x| sum + exp_f64(x - top));
    top + ln_f64(sum / x.len() as f64)
}
