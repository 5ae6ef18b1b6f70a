//! The gated unit, alone and fused with its convolutions.

use super::{ROUNDING, numbers, pass, twins};
use stcn::Tensor;
use stcn::ops::*;

fn inputs(b: usize, t: usize, i: usize, o: usize, k: usize) -> [Tensor; 5] {
    let (w, bias) = ([k, i, o], [o]);
    [numbers(&[b, t, i], 1), numbers(&w, 2), numbers(&bias, 3), numbers(&w, 4), numbers(&bias, 5)]
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_gated_tanh() {
    super::gradcheck(&[numbers(&[2, 3, 4], 1), numbers(&[2, 3, 4], 2)], |x| gated_tanh(x[0], x[1]));
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_gated_conv() {
    for (b, t, i, o, k, dilation) in [(2, 5, 3, 4, 2, 1), (1, 1, 2, 3, 2, 2), (2, 9, 2, 2, 3, 4)] {
        super::gradcheck(&inputs(b, t, i, o, k), |x| {
            gated_conv(x[0], (x[1], x[2]), (x[3], x[4]), dilation)
        });
    }
}

#[test]
fn gated_tanh_is_tanh_times_sigmoid() {
    let two = [numbers(&[2, 3, 4], 1), numbers(&[2, 3, 4], 2)];
    twins(&two, ROUNDING, |x| gated_tanh(x[0], x[1]), |x| tanh(x[0]) * sigmoid(x[1]));
}

#[test]
fn gated_conv_is_gated_tanh_of_two_convolutions() {
    for (b, t, i, o, k, dilation) in
        [(2, 5, 3, 4, 2, 1), (1, 1, 2, 3, 2, 2), (2, 300, 12, 33, 2, 16)]
    {
        let inputs = inputs(b, t, i, o, k);
        twins(
            &inputs,
            ROUNDING,
            |x| gated_conv(x[0], (x[1], x[2]), (x[3], x[4]), dilation),
            |x| {
                gated_tanh(
                    causal_conv1d(x[0], x[1], x[2], dilation),
                    causal_conv1d(x[0], x[3], x[4], dilation),
                )
            },
        );
        let value = |fused: bool| {
            pass(&inputs, |x| match fused {
                true => gated_conv(x[0], (x[1], x[2]), (x[3], x[4]), dilation),
                false => gated_tanh(
                    causal_conv1d(x[0], x[1], x[2], dilation),
                    causal_conv1d(x[0], x[3], x[4], dilation),
                ),
            })
        };
        assert_eq!(value(true)[0], value(false)[0], "the value to the bit");
    }
}

#[test]
fn a_gradient_of_one_weight_alone_has_the_bits_of_both() {
    let inputs = inputs(2, 40, 3, 4, 2);
    let both = pass(&inputs, |x| gated_conv(x[0], (x[1], x[2]), (x[3], x[4]), 1));
    for alone in 0..5 {
        let found = pass(&inputs[alone..=alone], |x| {
            let all: Vec<stcn::Var> = (0..5)
                .map(|i| if i == alone { x[0] } else { x[0].tape().constant(inputs[i].clone()) })
                .collect();
            gated_conv(all[0], (all[1], all[2]), (all[3], all[4]), 1)
        });
        assert_eq!(found[1], both[alone + 1], "input {alone}");
    }
}

#[test]
#[should_panic(expected = "gated_tanh: shapes differ")]
fn gated_tanh_wants_one_shape() {
    pass(&[numbers(&[2, 3], 1), numbers(&[3, 2], 2)], |x| gated_tanh(x[0], x[1]));
}

macro_rules! refused {
    ($($name:ident $sentence:literal $x:expr, $wf:expr, $bf:expr, $wg:expr, $bg:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            let shapes: [&[usize]; 5] = [&$x, &$wf, &$bf, &$wg, &$bg];
            pass(&shapes.map(|shape| numbers(shape, 1)), |x| gated_conv(x[0], (x[1], x[2]), (x[3], x[4]), 1));
        }
    )* };
}
refused! {
    channels_must_fit "gated_conv: x has 2 channels, w takes 3" [1, 4, 2], [2, 3, 5], [5], [2, 3, 5], [5];
    filter_bias_must_fit "gated_conv: w gives 5, bias has [4]" [1, 4, 3], [2, 3, 5], [4], [2, 3, 5], [5];
    gate_bias_must_fit "gated_conv: " [1, 4, 3], [2, 3, 5], [5], [2, 3, 5], [4];
    gate_must_be_as_large_as_filter "gated_conv: filter and gate differ in shape"
        [1, 4, 3], [2, 3, 5], [5], [1, 3, 5], [5];
}
