//! Orthonormal rows: initial weights of recurrent layers.

use super::gemm::{Mat, Right, mul_add};
use crate::tensor::Real;

/// Rows of a block, which are made orthogonal to all rows before them at once.
const ROWS: usize = 32;

/// Makes the rows of a square matrix orthonormal, in order. `rows`: (n, n), linearly independent.
///
/// By block Gram–Schmidt: products subtract from a block its projections onto the rows before it, a loop does the
/// same within the block. Both twice, since rounding leaves a remainder the first time.
pub fn orthonormalise(rows: &mut [Real], n: usize) {
    for first in (0..n).step_by(ROWS) {
        let (before, rest) = rows.split_at_mut(first * n);
        let block = &mut rest[..ROWS.min(n - first) * n];
        for _ in 0..2 {
            let count = block.len() / n;
            let mut projections = vec![0.; count * first];
            let (q, rows) = (Mat::new(before, first, n), block.to_vec());
            let transposed: Vec<Real> =
                (0..n * first).map(|i| before[i % first * n + i / first]).collect();
            mul_add(
                Mat::new(&rows, count, n),
                Right::Rows(Mat::new(&transposed, n, first)),
                &mut projections,
            );
            projections.iter_mut().for_each(|x| *x = -*x);
            mul_add(Mat::new(&projections, count, first), Right::Rows(q), block);
            within(block, n);
        }
    }
}

/// Gram–Schmidt within a block, row by row, in f64.
fn within(block: &mut [Real], n: usize) {
    for i in 0..block.len() / n {
        let (before, rest) = block.split_at_mut(i * n);
        let row = &mut rest[..n];
        for other in before.chunks_exact(n) {
            let projection = dot(row, other);
            row.iter_mut()
                .zip(other)
                .for_each(|(x, y)| *x = (f64::from(*x) - projection * f64::from(*y)) as Real);
        }
        let length = dot(row, row).sqrt();
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as Real);
    }
}

fn dot(x: &[Real], y: &[Real]) -> f64 {
    x.iter().zip(y).fold(0., |sum, (x, y)| sum + f64::from(*x) * f64::from(*y))
}
