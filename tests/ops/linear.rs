//! Linear layers.

use super::{numbers, pass, twins};
use stcn::Tensor;
use stcn::ops::*;

/// Multiples of ½ and a bias of ⅛, so that no sum is nearer to the kink than ⅛, and all are exact.
#[cfg(feature = "f64")]
fn inputs(rows: &[usize], i: usize, o: usize) -> [Tensor; 3] {
    let shape: Vec<usize> = rows.iter().copied().chain([i]).collect();
    [super::halves(&shape, 1), super::halves(&[i, o], 2), Tensor::new(&[o], vec![0.125; o])]
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_linear_layers() {
    let shapes: [(&[usize], usize, usize); 4] =
        [(&[2, 3], 4, 5), (&[1, 1], 1, 1), (&[2, 50], 3, 2), (&[4], 3, 2)];
    for (rows, i, o) in shapes {
        super::gradcheck(&inputs(rows, i, o), |x| linear(x[0], x[1], x[2]));
        super::gradcheck(&inputs(rows, i, o), |x| linear_relu(x[0], x[1], x[2]));
        let h: Vec<usize> = rows.iter().copied().chain([o]).collect();
        let [x, w, b] = inputs(rows, i, o);
        let all = [x, w, b, super::halves(&h, 4)];
        super::gradcheck(&all, |x| linear_residual(x[0], x[1], x[2], x[3]));
    }
}

#[test]
fn a_linear_layer_by_hand() {
    let x = Tensor::new(&[1, 2, 2], vec![1., 2., 3., 4.]);
    let w = Tensor::new(&[2, 3], vec![1., 0., 2., 0., 1., -1.]);
    let found = pass(&[x, w, Tensor::new(&[3], vec![10., 20., 30.])], |x| linear(x[0], x[1], x[2]));
    assert_eq!(found[0], Tensor::new(&[1, 2, 3], vec![11., 22., 30., 13., 24., 32.]));
}

#[test]
fn linear_relu_is_relu_of_linear_to_the_bit() {
    // 2·3 rows go by columns, 2·200 by tiles.
    for t in [3, 200] {
        let inputs = [numbers(&[2, t, 7], 1), numbers(&[7, 70], 2), numbers(&[70], 3)];
        twins(&inputs, 0., |x| linear_relu(x[0], x[1], x[2]), |x| relu(linear(x[0], x[1], x[2])));
    }
}

#[test]
fn linear_residual_is_a_sum_with_linear_to_the_bit() {
    for t in [3, 200] {
        let inputs = [
            numbers(&[2, t, 7], 1),
            numbers(&[7, 70], 2),
            numbers(&[70], 3),
            numbers(&[2, t, 70], 4),
        ];
        twins(
            &inputs,
            0.,
            |x| linear_residual(x[0], x[1], x[2], x[3]),
            |x| linear(x[0], x[1], x[2]) + x[3],
        );
    }
}

#[test]
#[should_panic(expected = "linear_residual: h is [2, 3, 4], y (6, 5)")]
fn a_residual_has_the_shape_of_the_value() {
    let inputs =
        [numbers(&[2, 3, 7], 1), numbers(&[7, 5], 2), numbers(&[5], 3), numbers(&[2, 3, 4], 4)];
    pass(&inputs, |x| linear_residual(x[0], x[1], x[2], x[3]));
}

#[test]
fn a_row_alone_is_that_row_of_many_to_the_bit() {
    let inputs = [numbers(&[1, 300, 33], 1), numbers(&[33, 70], 2), numbers(&[70], 3)];
    let many = pass(&inputs, |x| linear(x[0], x[1], x[2]));
    for t in [0, 150, 299] {
        let x = Tensor::new(&[1, 1, 33], inputs[0].data()[t * 33..][..33].to_vec());
        let one = pass(&[x, inputs[1].clone(), inputs[2].clone()], |x| linear(x[0], x[1], x[2]));
        let row = Tensor::new(&[1, 1, 70], many[0].data()[t * 70..][..70].to_vec());
        let tolerance = if cfg!(feature = "f64") { 1e-13 } else { 0. }; // f64 promises no bits
        assert!(super::difference(&one[0], &row) <= tolerance, "row {t}");
    }
}

macro_rules! refused {
    ($($name:ident $sentence:literal $op:ident $x:expr, $w:expr, $bias:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            pass(&[numbers(&$x, 1), numbers(&$w, 2), numbers(&$bias, 3)], |x| $op(x[0], x[1], x[2]));
        }
    )* };
}
refused! {
    channels_must_fit "linear: x has 3 channels, w takes 2" linear [1, 4, 3], [2, 5], [5];
    bias_must_fit "linear: w gives 5 channels, bias has [4]" linear [1, 4, 3], [3, 5], [4];
    w_has_two_axes "linear: want w of (I, O), got [1, 3, 5]" linear [1, 4, 3], [1, 3, 5], [5];
    channels_must_fit_before_relu "linear_relu: x has 3 channels, w takes 2" linear_relu [1, 4, 3], [2, 5], [5];
}
