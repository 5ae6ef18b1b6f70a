//! Log-probability of zeros and ones.

use super::{ROUNDING, coins, numbers, pass, twins, value};
use stcn::ops::*;
use stcn::tape::Var;
use stcn::{Real, Tensor};

fn log_prob<'t>(e: &Tensor, logits: Var<'t>, floor: Real) -> Var<'t> {
    bernoulli_log_prob(logits.tape().constant(e.clone()), logits, floor)
}

#[cfg(feature = "f64")]
#[test]
fn gradient_of_bernoulli_log_prob_with_and_without_floor() {
    for (t, c) in [(1, 1), (3, 1), (2, 5)] {
        let e = coins(&[2, t, c], 1);
        super::gradcheck(&[numbers(&[2, t, c], 2)], |x| log_prob(&e, x[0], 0.));
    }
    // σ(−4) = 0.018 is below a floor of 0.05, σ(−1) above.
    let e = Tensor::new(&[1, 4, 1], vec![1., 1., 0., 0.]);
    let logits = Tensor::new(&[1, 4, 1], vec![-4., -1., 4., 1.]);
    super::gradcheck(&[logits], |x| log_prob(&e, x[0], 0.05));
}

#[test]
fn it_is_e_l_minus_softplus_l() {
    let e = coins(&[2, 3, 5], 1);
    twins(
        &[numbers(&[2, 3, 5], 2)],
        ROUNDING,
        |x| log_prob(&e, x[0], 0.),
        |x| sum_channels(x[0].tape().constant(e.clone()) * x[0] - softplus(x[0])),
    );
}

#[test]
fn the_two_outcomes_have_probability_one() {
    let logits = numbers(&[1, 50, 1], 3).map(|x| 4. * x);
    let [no, yes] = [0., 1.].map(|e| {
        let e = logits.map(|_| e);
        value(std::slice::from_ref(&logits), |x| log_prob(&e, x[0], 0.))
    });
    for (no, yes) in no.data().iter().zip(yes.data()) {
        assert!((no.exp() + yes.exp() - 1.).abs() < 1e-6); // some ulp of numbers up to 1
    }
}

#[test]
fn where_the_floor_holds_it_is_its_logarithm_with_zero_slope() {
    let e = Tensor::new(&[1, 2, 1], vec![1., 0.]);
    let logits = Tensor::new(&[1, 2, 1], vec![-40., 40.]);
    let found = pass(std::slice::from_ref(&logits), |x| log_prob(&e, x[0], 1e-5));
    let want = (1e-5 as Real).ln();
    assert!(found[0].data().iter().all(|y| (y - want).abs() < 1e-5), "{:?}", found[0]);
    assert_eq!(found[1].data(), [0., 0.]);
    let exact = pass(&[logits], |x| log_prob(&e, x[0], 0.));
    assert_eq!(exact[0].data(), [-40., -40.]);
    assert!(exact[1].data().iter().all(|&g| g != 0.));
}

#[test]
fn data_get_no_gradient() {
    let found = pass(&[coins(&[1, 2, 2], 1), numbers(&[1, 2, 2], 2)], |x| {
        bernoulli_log_prob(x[0], x[1], 0.)
    });
    assert_eq!(found[1].data(), [0.; 4]);
    assert!(found[2].data().iter().all(|&g| g != 0.));
}

#[test]
#[should_panic(expected = "bernoulli_log_prob: data and logits differ in shape")]
fn data_of_another_shape_are_refused() {
    let e = coins(&[1, 2, 1], 1);
    pass(&[numbers(&[1, 2, 2], 2)], |x| log_prob(&e, x[0], 0.));
}

#[test]
#[should_panic(expected = "bernoulli_log_prob: want (B, T, C), got [2, 2]")]
fn logits_without_time_are_refused() {
    let e = coins(&[2, 2], 1);
    pass(&[numbers(&[2, 2], 2)], |x| log_prob(&e, x[0], 0.));
}
