//! Sums.

use super::{numbers, pass, twins};
use stcn::ops::*;
use stcn::{Real, Tensor};

#[cfg(feature = "f64")]
#[test]
fn gradients_of_sum_sum_channels_sum_masked() {
    use super::gradcheck;
    gradcheck(&[numbers(&[2, 3, 4], 1)], |x| sum(x[0]));
    gradcheck(&[numbers(&[2, 3, 4], 1)], |x| sum_channels(x[0]));
    gradcheck(&[numbers(&[2, 1, 4], 1)], |x| sum_channels(x[0]));
    gradcheck(&[numbers(&[3, 4], 1)], |x| sum_masked(x[0], &[4, 0, 2], &[0.5, 1., -2.]));
}

#[test]
fn sums_by_hand() {
    let x = Tensor::new(&[1, 2, 3], vec![1., 2., 3., 4., 5., 6.]);
    assert_eq!(pass(std::slice::from_ref(&x), |x| sum(x[0]))[0], Tensor::scalar(21.));
    assert_eq!(pass(&[x], |x| sum_channels(x[0]))[0], Tensor::new(&[1, 2], vec![6., 15.]));
    let x = Tensor::new(&[2, 3], vec![1., 2., 3., 4., 5., 6.]);
    let masked = pass(&[x], |x| sum_masked(x[0], &[2, 3], &[10., 1.]));
    assert_eq!(masked[0], Tensor::scalar(45.));
    let g = masked[1].data();
    assert_eq!((g[1], g[2], g[3], g[5]), (g[0], 0., g[0] / 10., g[0] / 10.));
}

#[test]
fn a_sum_over_channels_sums_up_to_the_sum() {
    // Sixty integers: exact.
    let x = numbers(&[3, 4, 5], 1).map(|x| (4. * x).round());
    twins(&[x], 0., |x| sum(sum_channels(x[0])), |x| sum(x[0]));
}

#[test]
fn padding_changes_no_bit_even_if_it_is_nan() {
    let (x, lengths, weights) = (numbers(&[3, 7], 1), [7, 3, 0], [0.3, 0.7, 0.5]);
    let plain = pass(std::slice::from_ref(&x), |x| sum_masked(x[0], &lengths, &weights));
    for padding in [0., 1e30, Real::NAN, Real::INFINITY] {
        let mut padded = Tensor::zeros(&[3, 12]);
        for (b, (to, from)) in padded.data_mut().chunks_mut(12).zip(x.data().chunks(7)).enumerate()
        {
            to.fill(padding);
            to[..lengths[b]].copy_from_slice(&from[..lengths[b]]);
        }
        let found = pass(&[padded], |x| sum_masked(x[0], &lengths, &weights));
        assert_eq!(found[0].item().to_bits(), plain[0].item().to_bits(), "padded with {padding}");
        for (b, g) in found[1].data().chunks(12).enumerate() {
            assert!(g[lengths[b]..].iter().all(|&g| g == 0.), "padded with {padding}");
            assert!(g[..lengths[b]].iter().all(|&g| g != 0.));
        }
    }
}

#[test]
#[should_panic(expected = "sum_masked: want (B, T), got [1, 2, 3]")]
fn sum_masked_wants_two_axes() {
    pass(&[numbers(&[1, 2, 3], 1)], |x| sum_masked(x[0], &[2], &[1.]));
}

#[test]
#[should_panic(expected = "sum_masked: one length, one weight each")]
fn sum_masked_wants_a_length_for_each() {
    pass(&[numbers(&[2, 3], 1)], |x| sum_masked(x[0], &[2], &[1., 1.]));
}

#[test]
#[should_panic(expected = "sum_masked: length 4 of 3 steps")]
fn sum_masked_refuses_a_length_beyond_the_end() {
    pass(&[numbers(&[2, 3], 1)], |x| sum_masked(x[0], &[2, 4], &[1., 1.]));
}

#[test]
#[should_panic(expected = "sum_channels: want (B, T, C), got [2, 3]")]
fn sum_channels_wants_three_axes() {
    pass(&[numbers(&[2, 3], 1)], |x| sum_channels(x[0]));
}
