//! The checker of gradients is itself checked.

use crate::ops::numbers;
use stcn::internals::check::check_node;
use stcn::ops::*;
use stcn::tape::{Keep, Rule, Tape, Var};
use stcn::{Check, Tensor, gradcheck};

/// In f32 differences of h = 1e-2 see three digits or so; enough to tell right from wrong.
const TOLERANCE: f64 = if cfg!(feature = "f64") { 1e-8 } else { 2e-2 };

#[test]
fn a_right_gradient_passes() {
    let check = gradcheck(&[numbers(&[2, 3], 1), numbers(&[2, 3], 2)], |_, x| x[0] * tanh(x[1]));
    assert!(check.relative_error() < TOLERANCE, "{check:?}");
}

#[test]
fn a_wrong_gradient_fails() {
    /// x² whose gradient forgets the 2.
    fn wrong(x: Var<'_>) -> Var<'_> {
        static RULE: Rule =
            Rule { name: "wrong", forward: "y = x²", vjp: "x̄ = ȳ x", products: &[] };
        let value = x.value();
        let y = value.map(|x| x * x);
        x.tape().record(&RULE, [x], y, move |gy, [gx]| {
            gx.add(|| stcn::zip([&gy, &value], |[gy, x]| gy * x))
        })
    }
    let check = gradcheck(&[numbers(&[5], 1)], |_, x| wrong(x[0]));
    assert!((check.relative_error() - 0.5).abs() < TOLERANCE, "{check:?}");
}

#[test]
fn a_gradient_cut_by_mistake_fails() {
    let check = gradcheck(&[numbers(&[5], 1)], |tape, x| tape.constant(x[0].value()) * x[0]);
    assert!((check.relative_error() - 0.5).abs() < TOLERANCE, "{check:?}");
}

#[test]
fn errors_are_relative_to_the_larger_and_absolute_near_zero() {
    let error = |exact, numeric| Check { exact, numeric }.relative_error();
    assert_eq!(error(2., 1.), 0.5);
    assert_eq!(error(-1., -2.), 0.5);
    assert!((error(0., 1e-9) - 1e-3).abs() < 1e-12);
    assert_eq!(error(0., 0.), 0.);
}

#[test]
fn the_gradient_of_any_node_is_compared_with_what_moving_it_does() {
    let run = |tape: &Tape| {
        let x = tape.input(Tensor::new(&[2], vec![0.5, -1.]), "x");
        let y = tanh(x);
        let loss = sum(y * y * x);
        (tape.backward(loss, Keep::All), f64::from(loss.value().item()))
    };
    let tape = Tape::new();
    let (grads, _) = run(&tape);
    for node in tape.vars() {
        let gradient = grads.wrt(node).unwrap();
        let check = check_node(node, gradient, |tape| run(tape).1);
        assert!(check.relative_error() < TOLERANCE, "{node}: {check:?}");
        let wrong = check_node(node, &gradient.map(|g| 1.5 * g), |tape| run(tape).1);
        assert!((wrong.relative_error() - 1. / 3.).abs() < TOLERANCE, "{node}: {wrong:?}");
    }
}
