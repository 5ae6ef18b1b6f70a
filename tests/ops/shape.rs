//! Joining and cutting.

use super::{numbers, pass, twins};
use stcn::Tensor;
use stcn::ops::*;

fn two() -> [Tensor; 2] {
    [numbers(&[2, 4, 3], 1), numbers(&[2, 4, 5], 2)]
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_concat_slice_channels_prepend_zero_slice_time() {
    use super::gradcheck;
    gradcheck(&two(), |x| concat(&[x[0], x[1], x[0]]));
    gradcheck(&two()[..1], |x| slice_channels(x[0], 1, 2));
    gradcheck(&two()[..1], |x| prepend_zero(x[0]));
    gradcheck(&two()[..1], |x| reshape(x[0], &[6, 4]));
    gradcheck(&two()[..1], |x| slice_time(x[0], 1, 2));
    gradcheck(&[numbers(&[2, 1, 3], 1)], |x| slice_time(prepend_zero(x[0]), 0, 1) + x[0]);
    // A slot that already holds a gradient is added to.
    gradcheck(&two()[..1], |x| slice_time(x[0], 0, 2) * slice_time(x[0], 2, 2));
    gradcheck(&two()[..1], |x| slice_channels(x[0], 0, 2) * slice_channels(x[0], 1, 2));
}

#[test]
fn what_was_joined_can_be_cut_apart() {
    twins(&two(), 0., |x| slice_channels(concat(&[x[1], x[0]]), 5, 3) + x[0], |x| x[0] + x[0]);
    twins(&two(), 0., |x| slice_channels(concat(&[x[1], x[0]]), 0, 5), |x| affine(x[1], 1., 0.));
    twins(&two(), 0., |x| slice_time(prepend_zero(x[0]), 1, 4), |x| affine(x[0], 1., 0.));
}

#[test]
fn another_shape_and_back_is_nothing() {
    fn squared(x: stcn::Var) -> stcn::Var {
        square(affine(x, 2., 1.))
    }
    twins(
        &two()[..1],
        0.,
        |x| reshape(squared(reshape(x[0], &[6, 4])), &[2, 4, 3]),
        |x| squared(x[0]),
    );
}

#[test]
fn what_was_cut_can_be_joined() {
    twins(
        &two()[..1],
        0.,
        |x| concat(&[slice_channels(x[0], 0, 1), slice_channels(x[0], 1, 2)]),
        |x| affine(x[0], 1., 0.),
    );
}

#[test]
fn cuts_by_hand() {
    let x = Tensor::new(&[1, 3, 2], vec![1., 2., 3., 4., 5., 6.]);
    let value = |f: for<'t> fn(stcn::Var<'t>) -> stcn::Var<'t>| {
        pass(std::slice::from_ref(&x), |x| f(x[0])).remove(0)
    };
    assert_eq!(value(|x| slice_time(x, 1, 2)), Tensor::new(&[1, 2, 2], vec![3., 4., 5., 6.]));
    assert_eq!(value(|x| slice_channels(x, 1, 1)), Tensor::new(&[1, 3, 1], vec![2., 4., 6.]));
    let want = vec![0., 0., 1., 2., 3., 4., 5., 6.];
    assert_eq!(value(prepend_zero), Tensor::new(&[1, 4, 2], want));
    let want = vec![1., 2., 1., 2., 3., 4., 3., 4., 5., 6., 5., 6.];
    assert_eq!(value(|x| concat(&[x, x])), Tensor::new(&[1, 3, 4], want));
}

#[test]
fn long_sequences_are_cut_the_same() {
    // Rows beyond one chunk of the parallel copies.
    let inputs = [numbers(&[2, 9000, 2], 1), numbers(&[2, 9000, 1], 2)];
    twins(&inputs, 0., |x| slice_channels(concat(&[x[0], x[1]]), 2, 1) * x[1], |x| x[1] * x[1]);
}

#[test]
fn steps_outside_a_cut_get_a_gradient_of_zero() {
    // Long enough for a recycled buffer, which is NaN in debug builds until written.
    let found = pass(&[numbers(&[2, 900, 2], 1)], |x| slice_time(x[0], 100, 500));
    for g in found[1].data().chunks(900 * 2) {
        assert!(g[..200].iter().chain(&g[1200..]).all(|&g| g == 0.));
        assert!(g[200..1200].iter().all(|&g| g != 0.));
    }
}

macro_rules! refused {
    ($($name:ident $sentence:literal $op:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            pass(&[numbers(&[2, 4, 3], 1), numbers(&[2, 5, 3], 2), numbers(&[4, 3], 3)], $op);
        }
    )* };
}
refused! {
    what_differs_in_time_cannot_be_joined "concat: [2, 5, 3] beside [2, 4, 3]" |x| concat(&x[..2]);
    what_differs_in_rank_cannot_be_joined "concat: [4, 3] beside [2, 4, 3]" |x| concat(&[x[0], x[2]]);
    channels_must_be_there "slice_channels: 2..5 of 3" |x| slice_channels(x[0], 2, 3);
    steps_must_be_there "slice_time: steps 3..5 of 4" |x| slice_time(x[0], 3, 2);
    a_start_step_wants_three_axes "prepend_zero: want (B, T, C), got [4, 3]" |x| prepend_zero(x[2]);
    a_cut_in_time_wants_three_axes "slice_time: want (B, T, C), got [4, 3]" |x| slice_time(x[2], 0, 1);
}

#[test]
fn a_sequence_is_reversed_within_its_length() {
    let x = Tensor::new(&[2, 3, 2], (1..=12).map(|x| x as stcn::Real).collect());
    let once = pass(std::slice::from_ref(&x), |x| reverse_time(x[0], &[3, 2])).remove(0);
    assert_eq!(once.data(), [5., 6., 3., 4., 1., 2., 9., 10., 7., 8., 0., 0.]);
    let twice = pass(&[x], |x| reverse_time(reverse_time(x[0], &[3, 2]), &[3, 2])).remove(0);
    assert_eq!(twice.data(), [1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 0., 0.]);
}

#[test]
#[should_panic(expected = "reverse_time: lengths [3, 4] of 2 sequences of 3 steps")]
fn a_length_beyond_the_steps_is_refused() {
    pass(&[numbers(&[2, 3, 2], 1)], |x| reverse_time(x[0], &[3, 4]));
}

#[test]
fn no_gradient_passes_a_stop() {
    use stcn::tape::{Keep, Tape};
    let tape = Tape::new();
    let x = tape.input(numbers(&[2, 3, 2], 1), "x");
    let grads = tape.backward(sum(stop_gradient(x) * x), Keep::Leaves);
    assert_eq!(grads.wrt(x), Some(&x.value())); // twice that without the stop
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_reverse_time() {
    super::gradcheck(&two()[..1], |x| reverse_time(x[0], &[4, 2]) * x[0]);
}
