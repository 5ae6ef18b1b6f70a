//! Sums in an order that shapes decide.

use crate::parallel::Work;
use crate::tensor::Real;
use crate::vectorised;

/// Rows of one partial sum.
const ROWS: usize = 256;
/// Columns of one task.
const COLUMNS: usize = 64;

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
        let mut partial = [0.; COLUMNS];
        let partial = &mut partial[..sums.len()];
        for rows in x.chunks(ROWS * total) {
            partial.fill(0.);
            for row in rows.chunks_exact(total) {
                let row = &row[first..first + partial.len()];
                partial.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            sums.iter_mut().zip(&*partial).for_each(|(sum, x)| *sum += x);
        }
    }
}

vectorised! {
    /// `sum += x`, elementwise, on the calling thread.
    pub fn add(sum: &mut [Real], x: &[Real]) {
        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    }
}
