//! Causal convolution as an op; its sums are tested with the kernel.

use super::{ROUNDING, numbers, pass, twins};
use stcn::Tensor;
use stcn::ops::*;

fn inputs(b: usize, t: usize, i: usize, o: usize, k: usize) -> [Tensor; 3] {
    [numbers(&[b, t, i], 1), numbers(&[k, i, o], 2), numbers(&[o], 3)]
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_causal_conv1d() {
    for (b, t, i, o, k, dilation) in
        [(2, 5, 3, 4, 2, 1), (1, 1, 2, 3, 3, 2), (2, 9, 2, 2, 3, 4), (1, 4, 1, 1, 1, 1)]
    {
        super::gradcheck(&inputs(b, t, i, o, k), |x| causal_conv1d(x[0], x[1], x[2], dilation));
    }
}

#[test]
fn one_tap_is_a_linear_layer() {
    let [x, w, bias] = inputs(2, 90, 3, 5, 1);
    let flat = w.clone().reshape(&[3, 5]);
    let conv = pass(&[x.clone(), w, bias.clone()], |x| causal_conv1d(x[0], x[1], x[2], 1));
    let linear = pass(&[x, flat, bias], |x| linear(x[0], x[1], x[2]));
    assert_eq!(conv[0], linear[0]); // the same chains
    for (a, b) in conv.into_iter().zip(linear).skip(1) {
        let shape = b.shape().to_vec();
        assert!(super::difference(&a.reshape(&shape), &b) <= ROUNDING);
    }
}

#[test]
fn two_taps_are_two_linear_layers_of_shifted_steps() {
    let (t, [x, w, bias]) = (6, inputs(2, 6, 3, 4, 2));
    let [past, now] = [0, 1].map(|j| Tensor::new(&[3, 4], w.data()[12 * j..][..12].to_vec()));
    let inputs = [x, past, now, bias];
    let composed = pass(&inputs, |x| {
        let zero = x[0].tape().constant(Tensor::zeros(&[4]));
        let delayed = slice_time(prepend_zero(x[0]), 0, t);
        linear(delayed, x[1], zero) + linear(x[0], x[2], x[3])
    });
    let w = Tensor::new(&[2, 3, 4], [inputs[1].data(), inputs[2].data()].concat());
    let conv =
        pass(&[inputs[0].clone(), w, inputs[3].clone()], |x| causal_conv1d(x[0], x[1], x[2], 1));
    assert!(super::difference(&conv[0], &composed[0]) <= ROUNDING);
    assert!(super::difference(&conv[1], &composed[1]) <= ROUNDING);
    let taps = Tensor::new(&[2, 3, 4], [composed[2].data(), composed[3].data()].concat());
    assert!(super::difference(&conv[2], &taps) <= ROUNDING);
    assert!(super::difference(&conv[3], &composed[4]) <= ROUNDING);
}

#[test]
fn causal_conv_does_not_see_the_future() {
    let [x, w, bias] = inputs(2, 12, 3, 4, 3);
    let before =
        pass(&[x.clone(), w.clone(), bias.clone()], |x| causal_conv1d(x[0], x[1], x[2], 2));
    let mut moved = x;
    moved.data_mut()[7 * 3..][..3].fill(99.); // step 7 of sequence 0
    let after = pass(&[moved, w, bias], |x| causal_conv1d(x[0], x[1], x[2], 2));
    let changed = before[0].data().chunks(4).zip(after[0].data().chunks(4)).map(|(a, b)| a != b);
    let rows: Vec<usize> =
        changed.enumerate().filter_map(|(t, changed)| changed.then_some(t)).collect();
    assert_eq!(rows, [7, 9, 11]); // reaches 0, 2, 4 of the same sequence, and nothing else
}

#[test]
fn a_gradient_used_twice_adds_up() {
    let inputs = inputs(2, 5, 3, 3, 2);
    twins(
        &inputs,
        ROUNDING,
        |x| causal_conv1d(x[0], x[1], x[2], 1) + causal_conv1d(x[0], x[1], x[2], 1),
        |x| affine(causal_conv1d(x[0], x[1], x[2], 1), 2., 0.),
    );
}

macro_rules! refused {
    ($($name:ident $sentence:literal $x:expr, $w:expr, $bias:expr, $dilation:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            let inputs = [numbers(&$x, 1), numbers(&$w, 2), numbers(&$bias, 3)];
            pass(&inputs, |x| causal_conv1d(x[0], x[1], x[2], $dilation));
        }
    )* };
}
refused! {
    channels_must_fit "causal_conv1d: x has 3 channels, w takes 2" [1, 4, 3], [2, 2, 5], [5], 1;
    bias_must_fit "causal_conv1d: w gives 5, bias has [4]" [1, 4, 3], [2, 3, 5], [4], 1;
    a_dilation_of_zero_is_refused "causal_conv1d: dilation 0" [1, 4, 3], [2, 3, 5], [5], 0;
    x_has_three_axes "causal_conv1d: want (B, T, C), got [4, 3]" [4, 3], [2, 3, 5], [5], 1;
}
