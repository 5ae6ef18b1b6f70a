//! Sums, differences, products, clips.

use super::{numbers, pass, twins};
use stcn::Tensor;
use stcn::ops::*;

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
fn values_by_hand() {
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
