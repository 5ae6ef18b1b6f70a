//! Orthonormal rows.

use stcn::internals::kernel::orthogonal::orthonormalise;
use stcn::{Noise, Real};

#[test]
fn rows_have_length_one_and_are_orthogonal_to_each_other() {
    for n in [1, 2, 31, 32, 33, 100] {
        let mut rows: Vec<Real> = vec![0.; n * n];
        Noise::new(3, "orthogonal").normals("rows", 0, 0, &mut rows);
        orthonormalise(&mut rows, n);
        for (i, a) in rows.chunks_exact(n).enumerate() {
            for (j, b) in rows.chunks_exact(n).enumerate() {
                let dot =
                    a.iter().zip(b).fold(0., |sum, (a, b)| sum + f64::from(*a) * f64::from(*b));
                let want = if i == j { 1. } else { 0. };
                // Numbers below 1, rounded once, n of them in quadrature, a few times over.
                assert!((dot - want).abs() < 4e-7 * (n as f64).sqrt(), "{n}: rows {i}, {j}: {dot}");
            }
        }
    }
}
