//! Skinny products against those of many rows, to the bit.

use crate::ops::numbers;
use stcn::internals::kernel::gemm::{Mat, Onto, Right, mul_add_onto};
use stcn::internals::kernel::skinny_gemm::{Blocks, ReusedWeight};
use stcn::{Real, with_threads};

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

#[test]
fn a_weight_is_packed_from_its_second_use_on() {
    let (x, gy, w) = (numbers(&[2, 5], 1), numbers(&[2, 7], 2), numbers(&[5, 7], 3));
    let weight = ReusedWeight::new(w.clone());
    assert!(weight.packed().is_none());
    let product = |blocks: &Blocks, a: Mat, columns: usize| {
        let mut c = vec![0.; 2 * columns];
        blocks.product(a, Onto::Zero, &mut c, |_, _| ());
        c
    };
    let y = product(weight.packed().unwrap(), Mat::new(x.data(), 2, 5), 7);
    let gx = product(weight.transposed(), Mat::new(gy.data(), 2, 7), 5);
    let sum = |n: usize, f: &dyn Fn(usize) -> Real| (0..n).fold(0., |sum, i| sum + f(i));
    for (i, y) in y.iter().enumerate() {
        let want = sum(5, &|k| x.data()[i / 7 * 5 + k] * w.data()[k * 7 + i % 7]);
        assert!((y - want).abs() < 1e-5, "y {i}");
    }
    for (i, gx) in gx.iter().enumerate() {
        let want = sum(7, &|k| gy.data()[i / 5 * 7 + k] * w.data()[i % 5 * 7 + k]);
        assert!((gx - want).abs() < 1e-5, "x̄ {i}");
    }
}
