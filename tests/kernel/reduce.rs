//! Sums over rows and columns.

use crate::ops::numbers;
use stcn::internals::kernel::reduce::{channel_sums, log_mean, queue_add_columns, scale_rows};
use stcn::internals::parallel::Work;
use stcn::{Real, Tensor};

#[test]
fn columns_are_added_in_partials_of_256_rows() {
    for (rows, columns) in [(0, 3), (1, 1), (255, 4), (256, 3), (257, 5), (1000, 37), (600, 130)] {
        let x = numbers(&[rows * columns], 1);
        let before = numbers(&[columns], 2);
        let mut want = before.data().to_vec();
        for partial in x.data().chunks(256 * columns) {
            for (c, want) in want.iter_mut().enumerate() {
                let column = partial.iter().skip(c).step_by(columns);
                *want += column.fold(0., |sum, x| sum + x);
            }
        }
        let mut found = before.data().to_vec();
        let mut work = Work::new();
        queue_add_columns(&mut work, x.data(), &mut found);
        work.run();
        assert_eq!(found, want, "{rows} rows of {columns}");
    }
}

#[test]
fn no_columns_are_no_work() {
    let mut work = Work::new();
    queue_add_columns(&mut work, &[], &mut []);
    work.run();
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
