//! LSTM: all steps at once against the cell step by step, and values from another hand.

use super::{ROUNDING, numbers, twins, value};
use stcn::Tensor;
use stcn::ops::*;
use stcn::tape::Var;

/// The cell, one step after another, from zeros.
fn by_steps<'t>(x: Var<'t>, u: Var<'t>) -> Var<'t> {
    let (b, t, gates) = x.value().btc("by_steps");
    let n = gates / 4;
    let zeros = x.tape().constant(Tensor::zeros(&[b, 1, n]));
    let (mut h, mut c, mut all) = (zeros, zeros, vec![]);
    for t in 0..t {
        let state = lstm_cell(linear_onto(h, u, slice_time(x, t, 1)), c);
        (c, h) = (slice_channels(state, 0, n), slice_channels(state, n, n));
        all.push(h);
    }
    concat_time(&all)
}

#[test]
fn all_steps_at_once_are_the_cell_step_by_step() {
    for (b, t, n) in [(1, 1, 1), (3, 7, 5), (2, 12, 40), (5, 3, 70)] {
        let inputs = [numbers(&[b, t, 4 * n], 1), numbers(&[n, 4 * n], 2).map(|x| x / 4.)];
        // Sums of up to 280 terms in another order, through a few steps.
        twins(&inputs, 32. * ROUNDING, |x| lstm(x[0], x[1]), |x| by_steps(x[0], x[1]));
        assert_eq!(
            value(&inputs, |x| lstm(x[0], x[1])),
            value(&inputs, |x| by_steps(x[0], x[1])),
            "the values to the bit"
        );
    }
}

#[test]
fn a_scalar_cell_has_the_values_of_the_facts() {
    // rivals.md §11.1: x = .5, h = .2, c = −.1, gates g, i, f, o there, i, f, g, o here.
    let pre = |w: f64, u: f64, b: f64| (0.5 * w + 0.2 * u + b) as stcn::Real;
    let x = [pre(-0.2, 0.6, -0.1), pre(0.4, -0.7, 1.), pre(0.3, 0.5, 0.05), pre(0.1, 0.8, 0.)];
    let inputs = [Tensor::new(&[1, 4], x.to_vec()), Tensor::new(&[1, 1], vec![-0.1])];
    let y = value(&inputs, |x| lstm_cell(x[0], x[1]));
    let want = [0.06556410479362088, 0.03615977574179152];
    for (y, want) in y.data().iter().zip(want) {
        assert!((f64::from(*y) - want).abs() < 1e-8, "{y} {want}");
    }
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_lstm() {
    let inputs = [numbers(&[2, 5, 12], 1), numbers(&[3, 12], 2)];
    super::gradcheck(&inputs, |x| lstm(x[0], x[1]));
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_lstm_cell() {
    let inputs = [numbers(&[2, 5, 12], 1), numbers(&[2, 5, 3], 2)];
    super::gradcheck(&inputs, |x| lstm_cell(x[0], x[1]));
}

#[test]
#[should_panic(expected = "lstm: x has 7 channels, want 4 times the rows of u, [2, 8]")]
fn gates_of_another_width_are_refused() {
    value(&[numbers(&[1, 2, 7], 1), numbers(&[2, 8], 2)], |x| lstm(x[0], x[1]));
}

#[test]
#[should_panic(expected = "lstm_cell: x is [2, 8], c [2, 3]")]
fn a_cell_of_another_width_is_refused() {
    value(&[numbers(&[2, 8], 1), numbers(&[2, 3], 2)], |x| lstm_cell(x[0], x[1]));
}
