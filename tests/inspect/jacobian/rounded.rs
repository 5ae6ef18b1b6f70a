use stcn::internals::jacobian::rounded::{Rounded, positive, sigmoid, tanh};
use stcn::{Noise, Real, Tensor, math};

/// That the tape's arithmetic is no further from `exact` than the bound says.
#[track_caller]
fn within(tape: Real, exact: Rounded) {
    let off = (f64::from(tape) - exact.value).abs() / f64::from(Real::EPSILON);
    assert!(off <= exact.error, "{tape} is off by {off} ε: {exact:?}");
}

#[test]
fn the_bound_holds_for_small_differences_of_rounded_numbers() {
    let mut x = Tensor::zeros(&[1000]);
    Noise::new(1, "rounded").normals("x", 0, 0, x.data_mut());
    for pair in x.data().chunks(2) {
        let (a, b) = (3. * pair[0], pair[1]);
        let [ra, rb] = [a, b].map(|x| Rounded::exact(f64::from(x)));
        let (t, rt) = (math::tanh(a), tanh(ra));
        within(1. - t * t, 1. - rt * rt);
        let (s, rs) = (math::sigmoid(b), sigmoid(rb));
        within(t * (s * (1. - s)), rt * (rs * (1. - rs)));
        within((a - b) / (b * b), (ra - rb) / (rb * rb));
        within(-a * a + b, -ra * ra + rb);
        within(0.5 / (a * b) - 1., 0.5 / (ra * rb) - 1.);
    }
}

#[test]
fn a_saturated_slope_is_known_to_be_uncertain() {
    let t = tanh(Rounded::exact(6.));
    let slope = 1. - t * t;
    assert!(slope.error > 1000. * slope.value, "{slope:?}");
    assert_eq!(positive(Rounded::exact(-1.)), Rounded::exact(0.));
}
