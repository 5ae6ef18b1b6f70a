//! Orthonormal rows, for the weights of recurrent layers at their start.

use super::gemm::{Mat, Right, mul_add};
use crate::tensor::Real;

/// Rows that are made orthogonal to all before them at once.
const ROWS: usize = 32;

/// Makes the rows of a square matrix orthonormal, in order. `rows`: (n, n), linearly independent.
///
/// Blocks of rows lose what they have of the rows before by products, twice, for once leaves roundings;
/// within a block by Gram and Schmidt's loop, twice likewise.
pub fn orthonormalise(rows: &mut [Real], n: usize) {
    for first in (0..n).step_by(ROWS) {
        let (before, rest) = rows.split_at_mut(first * n);
        let block = &mut rest[..ROWS.min(n - first) * n];
        for _ in 0..2 {
            let count = block.len() / n;
            let mut shares = vec![0.; count * first];
            // What the block's rows have of each row before, and off it.
            let (q, rows) = (Mat::new(before, first, n), block.to_vec());
            let transposed: Vec<Real> =
                (0..n * first).map(|i| before[i % first * n + i / first]).collect();
            mul_add(
                Mat::new(&rows, count, n),
                Right::Rows(Mat::new(&transposed, n, first)),
                &mut shares,
            );
            shares.iter_mut().for_each(|share| *share = -*share);
            mul_add(Mat::new(&shares, count, first), Right::Rows(q), block);
            within(block, n);
        }
    }
}

/// The same within a block, row by row, in f64.
fn within(block: &mut [Real], n: usize) {
    for i in 0..block.len() / n {
        let (before, rest) = block.split_at_mut(i * n);
        let row = &mut rest[..n];
        for other in before.chunks_exact(n) {
            let share = dot(row, other);
            row.iter_mut()
                .zip(other)
                .for_each(|(x, y)| *x = (f64::from(*x) - share * f64::from(*y)) as Real);
        }
        let length = dot(row, row).sqrt();
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as Real);
    }
}

fn dot(x: &[Real], y: &[Real]) -> f64 {
    x.iter().zip(y).fold(0., |sum, (x, y)| sum + f64::from(*x) * f64::from(*y))
}
