//! Products of few rows against those of many, to the bit.

use crate::ops::numbers;
use stcn::Real;
use stcn::kernel::few_rows::Blocks;
use stcn::kernel::gemm::{Mat, Onto, Right, mul_add_onto};
use stcn::parallel::with_threads;

/// One block and several, whole ones and parts; a sum of more than one panel.
const SHAPES: [(usize, usize, usize); 5] =
    [(1, 1, 1), (3, 5, 7), (20, 300, 333), (2, 513, 1000), (64, 129, 128)];

#[test]
fn blocks_of_columns_make_the_bits_of_the_whole_on_any_number_of_threads() {
    for (m, k, n) in SHAPES {
        let [a, b, c] = [[m, k], [k, n], [m, n]].map(|shape| numbers(&shape, shape[1] as u64));
        let across: Vec<Real> = (0..n * k).map(|at| b.data()[at % k * n + at / k]).collect();
        let row = numbers(&[n], 5);
        for onto in [Onto::C, Onto::Zero, Onto::Row(row.data())] {
            let a = Mat::new(a.data(), m, k);
            let mut want = c.clone();
            let whole = Right::Rows(Mat::new(b.data(), k, n));
            mul_add_onto(a, whole, onto, want.data_mut());
            for threads in [1, 2, 3, 8] {
                for b in [Mat::new(b.data(), k, n), Mat::new(&across, n, k).transposed()] {
                    let mut found = c.clone();
                    let product = || Blocks::new(b).product(a, onto, found.data_mut(), |_, _| ());
                    with_threads(threads, product).unwrap();
                    let same = crate::ops::difference(&found, &want);
                    let tolerance = if cfg!(feature = "f64") { 1e-13 } else { 0. };
                    assert!(same <= tolerance, "{m} × {k} × {n}, {threads} threads");
                }
            }
        }
    }
}

#[test]
fn every_piece_is_finished_once_and_knows_where_it_begins() {
    let (m, k, n) = (3, 200, 500);
    let (a, b) = (numbers(&[m, k], 1), numbers(&[k, n], 2));
    let (a, blocks) = (Mat::new(a.data(), m, k), Blocks::new(Mat::new(b.data(), k, n)));
    let (mut plain, mut finished) = (vec![0.; m * n], vec![0.; m * n]);
    blocks.product(a, Onto::Zero, &mut plain, |_, _| ());
    blocks.product(a, Onto::Zero, &mut finished, |at, piece| {
        piece.iter_mut().enumerate().for_each(|(i, x)| *x += (at + i) as Real);
    });
    plain.iter_mut().enumerate().for_each(|(i, x)| *x += i as Real);
    assert_eq!(plain, finished);
}
