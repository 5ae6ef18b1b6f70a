//! Products against their definition, to the bit; in f64, which promises no bits, against a plain loop.

use crate::ops::numbers;
use stcn::Real;
use stcn::internals::kernel::gemm::{
    Mat, Onto, Packed, Right, fill, mul_add, mul_add_each, mul_add_onto,
};

/// `C += A·B` by every way that A and B may lie in memory. A: (m, k), B: (k, n), both row-major.
fn every_way(
    (m, n, k): (usize, usize, usize),
    a: &[Real],
    b: &[Real],
    c: &[Real],
) -> Vec<(&'static str, Vec<Real>)> {
    let transpose = |x: &[Real], rows: usize, cols: usize| -> Vec<Real> {
        (0..cols).flat_map(|j| (0..rows).map(move |i| x[i * cols + j])).collect()
    };
    // The same matrix inside a wider one, whose other columns would spoil any sum.
    let widen = |x: &[Real], cols: usize| -> Vec<Real> {
        let rows = x.chunks(cols);
        rows.flat_map(|row| [&[Real::NAN; 3], row, &[Real::NAN; 2]].concat()).collect()
    };
    let (across_a, wide_a) = (transpose(a, m, k), widen(a, k));
    let (across_b, wide_b) = (transpose(b, k, n), widen(b, n));
    let wide_across_a = widen(&across_a, m);
    let lefts = [
        ("A", Mat::new(a, m, k)),
        ("Aᵀ", Mat::new(&across_a, k, m).transposed()),
        ("A.columns", Mat::new(&wide_a, m, k + 5).columns(3..3 + k)),
        ("A.columnsᵀ", Mat::new(&wide_across_a, k, m + 5).columns(3..3 + m).transposed()),
    ];
    let packed = [
        Packed::new(Mat::new(b, k, n)),
        Packed::new(Mat::new(&across_b, n, k).transposed()),
        Packed::new(Mat::new(&wide_b, k, n + 5).columns(3..3 + n)),
    ];
    let rights = [
        Right::Rows(Mat::new(b, k, n)),
        Right::Rows(Mat::new(&wide_b, k, n + 5).columns(3..3 + n)),
        Right::Packed(&packed[0]),
        Right::Packed(&packed[1]),
        Right::Packed(&packed[2]),
    ];
    let mut found = vec![];
    for (name, left) in lefts {
        for right in rights {
            let mut c = c.to_vec();
            mul_add(left, right, &mut c);
            found.push((name, c));
            // Onto a row or zeros: what C held, junk here, is not read. As if it had been filled before.
            let row: Vec<Real> = (0..n).map(|j| 0.1 * j as Real - 1.).collect();
            for (name, onto) in [("a row", Onto::Row(&row)), ("zeros", Onto::Zero)] {
                let (mut filled, mut fresh) = (vec![0.; m * n], vec![Real::NAN; m * n]);
                fill(onto, &mut filled);
                mul_add(left, right, &mut filled);
                mul_add_onto(left, right, onto, &mut fresh);
                assert!(same(&fresh, &filled), "onto {name}: {m} × {n}, k = {k}");
            }
        }
    }
    found
}

fn same(a: &[Real], b: &[Real]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// m × n around the widths of the kernels' strips and panels, and k around the panels of the sum.
fn shapes() -> Vec<(usize, usize, usize)> {
    let faces = [
        (1, 1),
        (1, 33),
        (1, 300),
        (8, 16),
        (12, 31),
        (13, 32),
        (16, 33),
        (25, 8),
        (31, 12),
        (33, 13),
        (257, 1),
        (5, 257),
    ];
    faces.into_iter().flat_map(|(m, n)| [1, 8, 31, 256, 257, 513].map(|k| (m, n, k))).collect()
}

fn matrices((m, n, k): (usize, usize, usize)) -> [Vec<Real>; 3] {
    let seed = (m * 1000 + n * 10 + k) as u64;
    [(m * k, 1), (k * n, 2), (m * n, 3)].map(|(len, i)| numbers(&[len], seed + i).data().to_vec())
}

#[cfg(not(feature = "f64"))]
mod single {
    use super::*;
    use proptest::prelude::*;
    use stcn::internals::kernel::{gemm::CHAIN, math::soft_fma};

    /// One element of `C += A·B`: the definition that every kernel meets, to the bit.
    fn element(c: f32, k: usize, a: impl Fn(usize) -> f32, b: impl Fn(usize) -> f32) -> f32 {
        let chain =
            |terms: std::ops::Range<usize>| terms.fold(0., |sum, i| soft_fma(a(i), b(i), sum));
        (0..k).step_by(CHAIN).fold(c, |c, start| c + chain(start..k.min(start + CHAIN)))
    }

    /// What the definition says.
    fn defined((m, n, k): (usize, usize, usize), a: &[f32], b: &[f32], c: &[f32]) -> Vec<f32> {
        let at = |i: usize| {
            let (row, col) = (i / n, i % n);
            element(c[i], k, |k_| a[row * k + k_], |k_| b[k_ * n + col])
        };
        (0..m * n).map(at).collect()
    }

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn every_element_is_the_defined_chain() {
        for shape in shapes() {
            let [a, b, c] = matrices(shape);
            let want = bits(&defined(shape, &a, &b, &c));
            for (i, (left, found)) in every_way(shape, &a, &b, &c).iter().enumerate() {
                assert_eq!(
                    bits(found),
                    want,
                    "m, n, k = {shape:?}, {left}, B laid out way {}",
                    i % 5
                );
            }
        }
    }

    #[test]
    fn the_definition_rounds_once_a_term_and_once_a_panel() {
        // (1 + 2⁻¹²)² − 1 in one rounding keeps 2⁻²⁴; with the product rounded first it is lost.
        let x = 1. + f32::EPSILON * 2048.;
        let (a, b) = ([1., x], [-1., x]);
        let fused = element(0., 2, |i| a[i], |i| b[i]);
        assert_eq!(fused, f32::EPSILON * 4096. + f32::EPSILON / 2.);
        // 2²⁴ + 1 is no f32: 256 ones after it vanish one by one, but not as a panel of their own.
        let a = |i| if i == 0 { 16_777_216. } else { f32::from(i >= CHAIN) };
        assert_eq!(element(0., 2 * CHAIN, a, |_| 1.), 16_777_216. + 256.);
    }

    #[test]
    fn matrixmultiply_makes_the_same_bits() {
        for shape @ (m, n, k) in shapes() {
            let [a, b, mut c] = matrices(shape);
            let want = defined(shape, &a, &b, &c);
            // SAFETY: row-major matrices of these very sizes.
            #[allow(unsafe_code)]
            unsafe {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                let (ks, ns) = (k as isize, n as isize);
                matrixmultiply::sgemm(m, k, n, 1., a, ks, 1, b, ns, 1, 1., c, ns, 1);
            }
            assert_eq!(bits(&c), bits(&want), "m, n, k = {shape:?}");
        }
    }

    #[test]
    fn cutting_rows_or_columns_changes_no_bit() {
        let shape @ (m, n, k) = (37, 71, 300);
        let [a, b, c] = matrices(shape);
        let want = bits(&defined(shape, &a, &b, &c));
        for rows in [1, 5, 12, 30] {
            let mut found = c.clone();
            for (i, c) in found.chunks_mut(rows * n).enumerate() {
                let a = Mat::new(&a[i * rows * k..], c.len() / n, k);
                mul_add(a, Right::Rows(Mat::new(&b, k, n)), c);
            }
            assert_eq!(bits(&found), want, "{rows} rows at a time");
        }
        for width in [1, 7, 16, 33] {
            let mut found = c.clone();
            for start in (0..n).step_by(width) {
                let columns = start..n.min(start + width);
                let cut = |row: &[f32]| row[columns.clone()].to_vec();
                let mut part: Vec<f32> = c.chunks(n).flat_map(cut).collect();
                let b = Mat::new(&b, k, n).columns(columns.clone());
                mul_add(Mat::new(&a, m, k), Right::Rows(b), &mut part);
                for (row, part) in found.chunks_mut(n).zip(part.chunks(columns.len())) {
                    row[columns.clone()].copy_from_slice(part);
                }
            }
            assert_eq!(bits(&found), want, "{width} columns at a time");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]
        #[test]
        fn any_shape_is_the_defined_chain(m in 1..40usize, n in 1..70usize, k in 0..530usize) {
            let shape = (m, n, k);
            let [a, b, c] = matrices(shape);
            let want = bits(&defined(shape, &a, &b, &c));
            for (left, found) in every_way_but_empty(shape, &a, &b, &c) {
                prop_assert_eq!(bits(&found), want.clone(), "m, n, k = {:?}, {}", shape, left);
            }
        }
    }

    /// A sum without terms has no rows to widen.
    fn every_way_but_empty(
        shape @ (m, n, k): (usize, usize, usize),
        a: &[f32],
        b: &[f32],
        c: &[f32],
    ) -> Vec<(&'static str, Vec<f32>)> {
        if k > 0 {
            return every_way(shape, a, b, c);
        }
        let mut found = c.to_vec();
        mul_add(Mat::new(a, m, 0), Right::Packed(&Packed::new(Mat::new(b, 0, n))), &mut found);
        vec![("k = 0", found)]
    }
}

/// The f64 build sums in the same panels; up to 513 terms of at most 4 in any order err by less than
/// 513² · 4 · 2⁻⁵³ ≈ 1.2e-10.
#[cfg(feature = "f64")]
#[test]
fn products_in_double_are_the_plain_sums() {
    for shape @ (m, n, k) in shapes() {
        let [a, b, c] = matrices(shape);
        for (left, found) in every_way(shape, &a, &b, &c) {
            for i in 0..m * n {
                let terms = (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]);
                let want = c[i] + terms.sum::<f64>();
                assert!((found[i] - want).abs() < 1.2e-10, "m, n, k = {shape:?}, {left}");
            }
        }
    }
}

#[test]
fn a_sum_of_products_is_one_after_the_other() {
    for shape @ (m, n, k) in shapes() {
        let [a, b, c] = matrices(shape);
        let across: Vec<Real> =
            (0..k).flat_map(|j| a.chunks(k).map(move |row| row[j]).collect::<Vec<_>>()).collect();
        // Also without terms, and with a term that has none.
        for cut in [0, 1, k / 3, k] {
            let term = |from: usize, to: usize, i: usize| {
                let left = match i % 2 {
                    0 => Mat::new(&across[from * m..], to - from, m).transposed(),
                    _ => Mat::new(&a, m, k).columns(from..to),
                };
                (left, Right::Rows(Mat::new(&b[from * n..], to - from, n)))
            };
            let terms = || [(0, cut), (cut, k), (0, 0)].into_iter().enumerate();
            for (name, onto) in [("C", Onto::C), ("0", Onto::Zero), ("row", Onto::Row(&c[..n]))] {
                let (mut want, mut found) = (c.clone(), c.clone());
                fill(onto, &mut want);
                terms().for_each(|(i, (from, to))| {
                    let (left, right) = term(from, to, i);
                    mul_add(left, right, &mut want);
                });
                let terms = terms().map(|(i, (from, to))| term(from, to, i));
                // What comes after the last is a hint, which changes nothing: none, another shape, empty.
                let then = [None, Some(term(0, k, 1)), Some(term(0, 0, 0))][cut % 3];
                mul_add_each(terms, then, onto, &mut found);
                assert!(same(&found, &want), "m, n, k = {shape:?}, cut at {cut}, onto {name}");
            }
        }
    }
    let mut c = [1., 2.];
    mul_add_each(std::iter::empty(), None, Onto::C, &mut c);
    assert_eq!(c, [1., 2.]);
    mul_add_each(std::iter::empty(), None, Onto::Zero, &mut c);
    assert_eq!(c, [0., 0.]);
}

#[test]
#[should_panic(expected = "product: a row of 2 under 3 columns")]
fn a_sum_of_products_onto_a_row_of_another_length_is_refused() {
    let x = [0.; 3];
    let term = (Mat::new(&x, 1, 1), Right::Rows(Mat::new(&x, 1, 3)));
    mul_add_each(std::iter::once(term), None, Onto::Row(&[0.; 2]), &mut [0.; 3]);
}

#[test]
#[should_panic(expected = "Mat: 2 × 3 in 5 numbers")]
fn a_matrix_larger_than_its_slice_is_refused() {
    Mat::new(&[0.; 5], 2, 3);
}

#[test]
#[should_panic(expected = "Mat: 4611686018427387905 × 4 in 4 numbers")]
fn a_matrix_whose_size_is_no_number_is_refused() {
    Mat::new(&[0.; 4], (1 << 62) + 1, 4);
}

#[test]
#[should_panic(expected = "product: terms of different shapes")]
fn a_sum_of_products_of_different_shapes_is_refused() {
    let x = [0.; 6];
    let term = |m: usize, n: usize| (Mat::new(&x, m, 1), Right::Rows(Mat::new(&x, 1, n)));
    mul_add_each([term(2, 3), term(3, 2)].into_iter(), None, Onto::C, &mut [0.; 6]);
}

#[test]
#[should_panic(expected = "Mat: columns 2..4 of 3")]
fn columns_that_are_not_there_are_refused() {
    let _ = Mat::new(&[0.; 6], 2, 3).columns(2..4);
}

#[test]
#[should_panic(expected = "product: A is 2 × 3, B is 2 × 2")]
fn factors_that_do_not_fit_are_refused() {
    let x = [0.; 6];
    mul_add(Mat::new(&x, 2, 3), Right::Rows(Mat::new(&x, 2, 2)), &mut [0.; 4]);
}

#[test]
#[should_panic(expected = "product: C holds 5, want 2 × 2")]
fn a_product_of_another_size_is_refused() {
    let x = [0.; 6];
    mul_add(Mat::new(&x, 2, 3), Right::Rows(Mat::new(&x, 3, 2)), &mut [0.; 5]);
}

#[test]
#[should_panic(expected = "a right-hand side read in place is row-major")]
fn a_transposed_right_hand_side_must_be_packed() {
    let x = [0.; 6];
    mul_add(Mat::new(&x, 2, 3), Right::Rows(Mat::new(&x, 2, 3).transposed()), &mut [0.; 4]);
}
