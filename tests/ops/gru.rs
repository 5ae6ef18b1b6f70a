//! GRU: all steps at once against the cell step by step, and a value from another hand.

use super::{ROUNDING, numbers, twins, value};
use stcn::Tensor;
use stcn::ops::*;
use stcn::tape::Var;

/// The cell, one step after another, from zeros.
fn by_steps<'t>(x: Var<'t>, u: Var<'t>) -> Var<'t> {
    let (b, t, gates) = x.value().btc("by_steps");
    let mut h = x.tape().constant(Tensor::zeros(&[b, 1, gates / 3]));
    let zeros = x.tape().constant(Tensor::zeros(&[b, 1, gates]));
    let mut all = vec![];
    for t in 0..t {
        h = gru_cell(slice_time(x, t, 1), linear_onto(h, u, zeros), h);
        all.push(h);
    }
    concat_time(&all)
}

#[test]
fn all_steps_at_once_are_the_cell_step_by_step() {
    for (b, t, n) in [(1, 1, 1), (3, 7, 5), (2, 12, 40), (5, 3, 70)] {
        let inputs = [numbers(&[b, t, 3 * n], 1), numbers(&[n, 3 * n], 2).map(|x| x / 4.)];
        // Sums of up to 210 terms in another order, through a few steps.
        twins(&inputs, 32. * ROUNDING, |x| gru(x[0], x[1]), |x| by_steps(x[0], x[1]));
        assert_eq!(
            value(&inputs, |x| gru(x[0], x[1])),
            value(&inputs, |x| by_steps(x[0], x[1])),
            "the values to the bit"
        );
    }
}

#[test]
fn a_scalar_cell_has_the_value_of_the_facts() {
    // rivals.md §11.1: x = .5, h = .2, w = (r .3, u −.2, c .4), U = (.5, .6, −.7), b = (.05, −.1, .2).
    let x = [0.5 * 0.3 + 0.05, 0.5 * -0.2 - 0.1, 0.5 * 0.4 + 0.2];
    let v = [0.2 * 0.5, 0.2 * 0.6, 0.2 * -0.7];
    let row = |x: [f64; 3]| Tensor::new(&[1, 3], x.map(|x| x as stcn::Real).to_vec());
    let inputs = [row(x), row(v), Tensor::new(&[1, 1], vec![0.2])];
    let h = value(&inputs, |x| gru_cell(x[0], x[1], x[2])).data()[0];
    assert!((f64::from(h) - 0.2523813263522957).abs() < 1e-7, "{h}");
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_gru() {
    let inputs = [numbers(&[2, 5, 9], 1), numbers(&[3, 9], 2)];
    super::gradcheck(&inputs, |x| gru(x[0], x[1]));
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_gru_cell() {
    let inputs = [numbers(&[2, 5, 9], 1), numbers(&[2, 5, 9], 2), numbers(&[2, 5, 3], 3)];
    super::gradcheck(&inputs, |x| gru_cell(x[0], x[1], x[2]));
}

#[test]
#[should_panic(expected = "gru: x has 8 channels, want 3 times the rows of u, [2, 6]")]
fn gates_of_another_width_are_refused() {
    value(&[numbers(&[1, 2, 8], 1), numbers(&[2, 6], 2)], |x| gru(x[0], x[1]));
}
