//! Sums in an order that shapes decide.

use crate::parallel;
use crate::tensor::Real;
use crate::vectorised;

/// Rows of one partial sum.
const ROWS: usize = 256;

/// `sums[c] += Σ_r x[r, c]`: the gradient of a bias.   x: (rows, columns), columns = sums.len()
///
/// Partials of 256 rows, each summed in row order, are added in order.
pub fn add_columns(x: &[Real], sums: &mut [Real]) {
    let columns = sums.len();
    if columns == 0 {
        return;
    }
    let partials = parallel::map(x.len().div_ceil(ROWS * columns), |i| {
        let rows = &x[i * ROWS * columns..x.len().min((i + 1) * ROWS * columns)];
        let mut partial = vec![0.; columns];
        rows.chunks_exact(columns).for_each(|row| add(&mut partial, row));
        partial
    });
    partials.iter().for_each(|partial| add(sums, partial));
}

vectorised! {
    /// `sum += x`, elementwise, on the calling thread.
    pub fn add(sum: &mut [Real], x: &[Real]) {
        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    }
}
