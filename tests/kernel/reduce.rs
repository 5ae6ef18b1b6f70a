//! Sums over rows and columns.

use crate::ops::numbers;
use stcn::internals::kernel::reduce::{
    Rows, channel_sums, ends, log_mean, queue_add_columns, scale_rows,
};
use stcn::internals::kernel::weight_grad::rows_of;
use stcn::internals::parallel::{Work, halves};
use stcn::{Real, Tensor};
use std::ops::Range;

/// Column sums of the rows of some sequences, in partials of 256 steps; sequences by the tree.
fn plain(terms: &[Rows], columns: usize, sequences: Range<usize>) -> Vec<Real> {
    let [left, right] = halves(sequences.clone());
    let add =
        |sum: &mut Vec<Real>, x: &[Real]| sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    if !left.is_empty() {
        let mut sum = plain(terms, columns, left);
        add(&mut sum, &plain(terms, columns, right));
        return sum;
    }
    let mut sum = vec![0.; columns];
    let row = |term: &Rows, row: usize| {
        term.x[row * term.time * columns..][..term.time * columns].to_vec()
    };
    let rows = |term: &Rows| -> Vec<Vec<Real>> {
        rows_of(sequences.start, term.batch, term.sequences).map(|r| row(term, r)).collect()
    };
    // Single steps, one below another, make long partials.
    let parts: Vec<Vec<Real>> = match terms.iter().all(|term| term.time == 1) {
        true => vec![terms.iter().flat_map(rows).flatten().collect()],
        false => terms.iter().flat_map(rows).collect(),
    };
    for partial in parts.iter().flat_map(|part| part.chunks(256 * columns)) {
        let mut total = vec![0.; columns];
        partial.chunks_exact(columns).for_each(|x| add(&mut total, x));
        add(&mut sum, &total);
    }
    sum
}

#[test]
fn columns_are_added_in_partials_of_256_rows_and_sequences_along_the_tree() {
    for (batch, time, columns, sequences, uses) in [
        (0, 3, 3, 1, 1),
        (1, 1, 1, 1, 1),
        (1, 255, 4, 1, 1),
        (1, 257, 5, 1, 2),
        (3, 300, 37, 3, 1),
        (10, 20, 130, 5, 2),
        (6, 1, 33, 3, 300),
        (4, 1, 2, 3, 2), // cannot be shared out
    ] {
        let shape = [batch * time * columns];
        let x: Vec<Tensor> = (0..uses).map(|i| numbers(&shape, i)).collect();
        let rows = x.iter().map(|x| Rows { x: x.data(), batch, time, sequences });
        let terms: Vec<Rows> = rows.collect();
        let before = numbers(&[columns], 2);
        let mut want = before.data().to_vec();
        let sum = plain(&terms, columns, 0..sequences);
        want.iter_mut().zip(sum).for_each(|(want, sum)| *want += sum);
        let mut found = before.data().to_vec();
        let mut work = Work::new();
        queue_add_columns(&mut work, terms, &mut found);
        work.run();
        assert_eq!(found, want, "{batch} × {time} rows of {columns}");
    }
}

#[test]
fn a_mean_of_numbers_given_by_their_logarithms() {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b.abs().max(1.), "{a} and {b}");
    close(log_mean(&[2_f64.ln(), 4_f64.ln(), 9_f64.ln()]), 5_f64.ln());
    close(log_mean(&[-2000., -2001.]), -2000. + (0.5 * (1. + f64::exp(-1.))).ln());
    close(log_mean(&[f64::NEG_INFINITY, 0.]), -2_f64.ln());
    assert_eq!(log_mean(&[f64::NEG_INFINITY; 2]), f64::NEG_INFINITY);
    assert!(log_mean(&[f64::NAN; 2]).is_nan() && log_mean(&[f64::NAN, 0.]).is_nan());
}

#[test]
fn channels_are_summed_in_order_and_rows_are_scaled() {
    for shape @ [b, t, c] in [[1, 1, 1], [2, 3, 7], [1, 300, 130]] {
        let (x, g) = (numbers(&shape, 1), numbers(&[b, t], 2));
        let rows = |f: &dyn Fn(usize) -> Real| (0..b * t).map(f).collect();
        let at = |r: usize, c_: usize| x.data()[r * c + c_];
        let want = rows(&|r| (0..c).fold(0., |sum, c| sum + at(r, c)));
        assert_eq!(channel_sums(&x), Tensor::new(&[b, t], want));
        let scaled = scale_rows(x.clone(), &g, -2.);
        for (i, (found, x)) in scaled.data().iter().zip(x.data()).enumerate() {
            assert_eq!(*found, x * (-2. * g.data()[i / c]));
        }
    }
}

#[test]
fn the_ends_of_numbers_are_the_least_and_the_greatest() {
    assert_eq!(ends([2., -3., f64::NAN, 0.5].into_iter()), [-3., 2.]);
    assert_eq!(ends([].into_iter()), [f64::INFINITY, f64::NEG_INFINITY]);
}
