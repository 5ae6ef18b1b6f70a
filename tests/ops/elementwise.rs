//! Elementwise functions and operators.
// Golden values are written as they came; in f32 they are rounded.
#![allow(clippy::excessive_precision)]

use super::{numbers, pass, twins, value};
use stcn::ops::*;
use stcn::tape::Var;
use stcn::{Real, Tensor};

type Op = for<'t> fn(Var<'t>) -> Var<'t>;

#[cfg(feature = "f64")]
#[test]
fn gradients_of_the_smooth_ones() {
    use super::{gradcheck, positive};
    let anywhere: [(&str, Op); 5] = [
        ("tanh", tanh),
        ("sigmoid", sigmoid),
        ("softplus", softplus),
        ("exp", exp),
        ("square", square),
    ];
    for (i, (name, op)) in anywhere.into_iter().enumerate() {
        println!("{name}");
        gradcheck(&[numbers(&[2, 3, 4], i as u64)], |x| op(x[0]));
        gradcheck(&[numbers(&[1, 1, 1], i as u64)], |x| op(x[0]));
    }
    let right_of_zero: [(&str, Op); 3] = [("ln", ln), ("recip", recip), ("sqrt", sqrt)];
    for (i, (name, op)) in right_of_zero.into_iter().enumerate() {
        println!("{name}");
        gradcheck(&[positive(&[2, 3, 4], i as u64)], |x| op(x[0]));
    }
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_those_with_kinks_on_both_sides() {
    use super::gradcheck;
    gradcheck(&[Tensor::new(&[6], vec![-2., -0.7, -0.1, 0.1, 0.8, 3.])], |x| relu(x[0]));
    gradcheck(&[Tensor::new(&[6], vec![-2., -0.7, -0.1, 0.1, 0.8, 3.])], |x| leaky_relu(x[0], 0.3));
    // softplus is 0.693 at 0: below, between and above the ends.
    let x = Tensor::new(&[7], vec![-9., -2., -0.5, 0., 0.4, 1.2, 4.]);
    gradcheck(&[x], |x| clipped_softplus(x[0], 0.2, 1.));
}

#[test]
fn relu_is_zero_with_zero_slope_up_to_zero() {
    let x = Tensor::new(&[5], vec![-3., -0., 0., 0.5, 2.]);
    let slopes = pass(&[x], |x| relu(x[0]));
    assert_eq!(slopes[0].data(), [0., 0., 0., 0.5, 2.]);
    assert_eq!(slopes[1].data()[..3], [0.; 3]);
    assert!(slopes[1].data()[3..].iter().all(|&g| g != 0.));
}

#[test]
fn clipped_softplus_is_clip_of_softplus() {
    let x = Tensor::new(&[8], vec![-90., -9., -2., -0.5, 0., 0.4, 1.2, 90.]);
    // The same functions, so the same bits.
    twins(
        std::slice::from_ref(&x),
        0.,
        |x| clipped_softplus(x[0], 0.2, 1.),
        |x| clip(softplus(x[0]), 0.2, 1.),
    );
    twins(&[x], 0., |x| clipped_softplus(x[0], 1e-3, 5.), |x| clip(softplus(x[0]), 1e-3, 5.));
}

#[test]
fn clipped_softplus_has_no_gradient_outside() {
    let slopes =
        pass(&[Tensor::new(&[4], vec![-90., -9., 6., 90.])], |x| clipped_softplus(x[0], 1e-3, 5.));
    assert_eq!(slopes[0].data(), [1e-3, 1e-3, 5., 5.]);
    assert_eq!(slopes[1].data(), [0.; 4]);
}

#[test]
fn values_by_hand() {
    // 4 ulp of numbers below 8 (decision 0006): 4 · 2⁻²¹.
    let tolerance = if cfg!(feature = "f64") { 1e-14 } else { 2e-6 };
    let cases: [(Op, Real, Real); 10] = [
        (tanh, 0.5, 0.46211715726000975),
        (sigmoid, -1., 0.2689414213699951),
        (relu, -1., 0.),
        (softplus, 0., std::f64::consts::LN_2 as Real),
        (softplus, 30., 30.000000000000092),
        (exp, 2., 7.38905609893065),
        (ln, 2., std::f64::consts::LN_2 as Real),
        (recip, -4., -0.25),
        (square, -3., 9.),
        (sqrt, 9., 3.),
    ];
    for (i, (op, x, want)) in cases.into_iter().enumerate() {
        let found = value(&[Tensor::scalar(x)], |x| op(x[0])).item();
        assert!(
            (found - want).abs() <= tolerance * (1. + want.abs() / 8.),
            "case {i}: {found}, want {want}"
        );
    }
}

#[test]
fn a_leaky_rectifier_is_a_slope_up_to_zero() {
    let x = Tensor::new(&[3], vec![-2., 0., 3.]);
    let slope = pass(std::slice::from_ref(&x), |x| affine(x[0], 1., 0.)).remove(1);
    let y = pass(&[x], |x| leaky_relu(x[0], 0.25));
    assert_eq!(y[0].data(), [-0.5, 0., 3.]);
    let slope = slope.data();
    assert_eq!(y[1].data(), [0.25 * slope[0], 0.25 * slope[1], slope[2]]);
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_add_sub_mul_affine() {
    use super::gradcheck;
    let two = [numbers(&[2, 3, 2], 1), numbers(&[2, 3, 2], 2)];
    gradcheck(&two, |x| x[0] + x[1]);
    gradcheck(&two, |x| x[0] - x[1]);
    gradcheck(&two, |x| x[0] * x[1]);
    gradcheck(&two[..1], |x| affine(x[0], -1.7, 0.4));
    gradcheck(&two[..1], |x| x[0] * x[0] + x[0]);
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_clip_inside_and_outside() {
    let x = Tensor::new(&[6], vec![-2., -0.8, -0.3, 0.1, 0.8, 1.5]);
    super::gradcheck(&[x], |x| clip(x[0], -0.7, 0.9));
}

#[test]
fn operators_and_scales_by_hand() {
    let [a, b] = [vec![1., 2., 3.], vec![4., -5., 6.]].map(|x| Tensor::new(&[3], x));
    let two = [a, b];
    assert_eq!(pass(&two, |x| x[0] + x[1])[0].data(), [5., -3., 9.]);
    assert_eq!(pass(&two, |x| x[0] - x[1])[0].data(), [-3., 7., -3.]);
    assert_eq!(pass(&two, |x| x[0] * x[1])[0].data(), [4., -10., 18.]);
    assert_eq!(pass(&two, |x| affine(x[1], 2., 1.))[0].data(), [9., -9., 13.]);
}

#[test]
fn clip_has_no_gradient_outside_nor_at_its_ends() {
    let found = pass(&[Tensor::new(&[5], vec![-3., -1., 0.5, 2., 7.])], |x| clip(x[0], -1., 2.));
    assert_eq!(found[0].data(), [-1., -1., 0.5, 2., 2.]);
    let slopes: Vec<bool> = found[1].data().iter().map(|&g| g != 0.).collect();
    assert_eq!(slopes, [false, false, true, false, false]);
}

#[test]
fn a_difference_is_the_sum_with_the_negative() {
    let two = [numbers(&[2, 5], 1), numbers(&[2, 5], 2)];
    twins(&two, 0., |x| x[0] - x[1], |x| x[0] + affine(x[1], -1., 0.));
}

macro_rules! refused {
    ($($name:ident $sentence:literal $op:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            pass(&[numbers(&[2, 3], 1), numbers(&[3, 2], 2)], $op);
        }
    )* };
}
refused! {
    a_sum_wants_one_shape "add: shapes differ" |x| x[0] + x[1];
    a_difference_wants_one_shape "sub: shapes differ" |x| x[0] - x[1];
    a_product_wants_one_shape "mul: shapes differ" |x| x[0] * x[1];
}
