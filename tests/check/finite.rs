//! The first number of a pass that is not finite.

use stcn::Tensor;
use stcn::ops::*;
use stcn::tape::{Keep, Tape};

#[test]
fn the_first_node_that_is_not_finite_is_named_with_its_inputs() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[3], vec![-1., 0., 2.]), "x");
    assert!(tape.first_non_finite().is_none());
    let y = ln(x).named("log");
    let _ = affine(y, 2., 0.);
    let found = tape.first_non_finite().unwrap();
    assert_eq!(found.id(), y.id());
    let most = y.value().data()[2]; // ln 2, in f32 or f64
    let wanted =
        format!("node 1 ln \"log\" in [-inf, {most}] and 1 NaN, from node 0 leaf \"x\" in [-1, 2]");
    assert_eq!(found.ranges(), wanted);
    assert_eq!(x.ranges(), "node 0 leaf \"x\" in [-1, 2]");
    let far = tape.input(Tensor::new(&[2], vec![-2.5e20, 1e-7]), "far");
    assert_eq!(far.ranges(), "node 3 leaf \"far\" in [-2.500e20, 1.000e-7]");
}

#[test]
fn the_first_gradient_that_is_not_finite_is_named_with_the_rule_that_made_it() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[2], vec![0., 4.]), "x");
    let before = affine(x, 1., 0.);
    let root = sqrt(before).named("root"); // 1/(2·0)
    let loss = sum(affine(root, 3., 0.));
    let grads = tape.backward(loss, Keep::All);
    assert!(tape.first_non_finite().is_none());
    let found = tape.first_non_finite_gradient(&grads).unwrap();
    assert_eq!(found.id(), before.id()); // x itself has one too, later on the way back
    assert_eq!(
        found.gradient_ranges(&grads),
        "the gradient at node 1 affine, made by node 2 sqrt \"root\" from its own gradient in [3, 3]"
    );
    let fine = tape.backward(sum(x), Keep::All);
    assert!(tape.first_non_finite_gradient(&fine).is_none());
}
