//! Sums over rows and columns, in an order that shapes decide.

use super::math::{exp_f64, ln_f64};
use super::simd::vectorised;
use crate::parallel::{self, PIECE, Work};
use crate::tensor::{Real, Tensor};

/// Rows of one partial sum.
const ROWS: usize = 256;
/// Columns of one task.
const COLUMNS: usize = 32;

/// Queues `sums[c] += Σ_r x[r, c]`: the gradient of a bias.   x: (rows, columns), columns = sums.len()
///
/// Partials of 256 rows, each summed in row order, are added in order.
pub fn queue_add_columns<'a>(work: &mut Work<'a>, x: &'a [Real], sums: &'a mut [Real]) {
    let total = sums.len();
    for (i, sums) in sums.chunks_mut(COLUMNS).enumerate() {
        work.add(move || add_columns(x, total, i * COLUMNS, sums));
    }
}

vectorised! {
    /// Columns `first .. first + sums.len()` of x, whose rows have `total`.
    fn add_columns(x: &[Real], total: usize, first: usize, sums: &mut [Real]) {
        for rows in x.chunks(ROWS * total) {
            let mut partial = [0.; COLUMNS];
            let rows = rows.chunks_exact(total).map(|row| &row[first..]);
            if sums.len() == COLUMNS {
                // The compiler knows this length, so the partial sums stay in registers.
                for row in rows.filter_map(|row| row.first_chunk::<COLUMNS>()) {
                    partial.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                }
            } else {
                for row in rows {
                    partial.iter_mut().zip(&row[..sums.len()]).for_each(|(sum, x)| *sum += x);
                }
            }
            sums.iter_mut().zip(partial).for_each(|(sum, x)| *sum += x);
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

/// `ln (1/K) Σ_k e^{x_k}` of K numbers, shifted by the largest; −∞ where all are.
pub fn log_mean(x: &[f64]) -> f64 {
    let top = x.iter().fold(f64::NEG_INFINITY, |top, &x| if x > top { x } else { top });
    if x.iter().all(|&x| x == f64::NEG_INFINITY) {
        return top;
    }
    let sum = x.iter().fold(0., |sum, x| sum + exp_f64(x - top));
    top + ln_f64(sum / x.len() as f64)
}
