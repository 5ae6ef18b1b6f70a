//! Particles: rows by index, and the logarithm of a mean weight.

use super::{ROUNDING, difference, numbers, pass, twins, value};
use stcn::Tensor;
use stcn::ops::*;

#[cfg(feature = "f64")]
#[test]
fn gradients_of_gather_rows_and_log_mean_exp() {
    use super::gradcheck;
    gradcheck(&[numbers(&[3, 2, 4], 1)], |x| gather_rows(x[0], &[2, 0, 2, 2]));
    gradcheck(&[numbers(&[3, 4], 1)], |x| gather_rows(x[0], &[1]));
    for ends in [[vec![5], vec![4]], [vec![1, 2, 3, 4, 5], vec![2]], [vec![2, 5], vec![1, 3]]] {
        gradcheck(&[numbers(&[6, 5], 1)], |x| log_mean_exp(x[0], 3, &ends));
    }
}

#[test]
fn rows_come_by_index_and_their_gradients_go_back_and_add_up() {
    let x = Tensor::new(&[3, 1, 2], vec![1., 2., 3., 4., 5., 6.]);
    let found = pass(std::slice::from_ref(&x), |x| gather_rows(x[0], &[2, 0, 2]));
    assert_eq!(found[0], Tensor::new(&[3, 1, 2], vec![5., 6., 1., 2., 5., 6.]));
    let v = numbers(&[3, 1, 2], 99); // what `pass` pulls back
    let (v, g) = (v.data(), found[1].data());
    assert_eq!(g, [v[2], v[3], 0., 0., v[0] + v[4], v[1] + v[5]]);
    // By identity nothing changes; rows of no steps stay so.
    twins(
        &[numbers(&[3, 2, 2], 1)],
        0.,
        |x| gather_rows(x[0], &[0, 1, 2]),
        |x| affine(x[0], 1., 0.),
    );
    assert_eq!(value(&[Tensor::zeros(&[2, 0, 3])], |x| gather_rows(x[0], &[1])).shape(), [1, 0, 3]);
}

#[test]
fn a_mean_of_weights_by_hand() {
    // Two sequences, two particles each; the second sequence has one step.
    let ln = |x: f64| x.ln() as stcn::Real;
    let a = Tensor::new(&[4, 2], vec![ln(2.), ln(3.), ln(5.), 9., ln(4.), ln(1.), ln(7.), -9.]);
    let whole = value(std::slice::from_ref(&a), |a| log_mean_exp(a[0], 2, &[vec![2], vec![1]]));
    let cut = value(std::slice::from_ref(&a), |a| log_mean_exp(a[0], 2, &[vec![1, 2], vec![1]]));
    let want = |values: [f64; 2]| Tensor::new(&[2, 1], values.map(ln).to_vec());
    assert!(difference(&whole, &want([(6. + 4.) / 2., 6.])) < ROUNDING);
    assert!(difference(&cut, &want([3. * 2., 6.])) < ROUNDING);
    // The gradient of each particle is its share of the weight; what is beyond the end has none.
    let g = pass(std::slice::from_ref(&a), |a| log_mean_exp(a[0], 2, &[vec![2], vec![1]]));
    let v = numbers(&[2, 1], 99);
    let share = |i: usize, share: f64| v.data()[i] * share as stcn::Real;
    let row = |i: usize, part: f64, beyond: bool| {
        [share(i, part), if beyond { 0. } else { share(i, part) }]
    };
    let rows =
        [row(0, 0.6, false), row(1, 5. / 12., true), row(0, 0.4, false), row(1, 7. / 12., true)];
    assert!(difference(&g[1], &Tensor::new(&[4, 2], rows.concat())) < ROUNDING);
}

#[test]
#[should_panic(expected = "gather_rows: row 2 of 2")]
fn gather_rows_refuses_a_row_that_is_not_there() {
    value(&[numbers(&[2, 3], 1)], |x| gather_rows(x[0], &[0, 2]));
}

#[test]
#[should_panic(expected = "log_mean_exp: steps 2..2 of 3")]
fn log_mean_exp_refuses_an_empty_segment() {
    value(&[numbers(&[2, 3], 1)], |x| log_mean_exp(x[0], 2, &[vec![2, 2]]));
}

#[test]
#[should_panic(expected = "log_mean_exp: 3 rows, want 2 for each of 2")]
fn log_mean_exp_wants_as_many_rows_of_every_sequence() {
    value(&[numbers(&[3, 3], 1)], |x| log_mean_exp(x[0], 2, &[vec![3], vec![3]]));
}
