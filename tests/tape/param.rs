//! Parameters on a tape.

use stcn::Tensor;
use stcn::ops::*;
use stcn::tape::{Keep, Param, Tape};

#[test]
fn a_parameter_is_one_node_however_often_it_is_used() {
    let mut tape = Tape::new();
    let other = Param::new(4, "h.bias", Tensor::scalar(5.));
    let mut p = Param::new(1, "h.weight", Tensor::scalar(3.));
    let (a, b) = (tape.param(&p), tape.param(&p));
    assert_eq!((a.id(), tape.len()), (b.id(), 1));
    let grads = tape.backward(a * b * tape.param(&other), Keep::Leaves);
    assert_eq!(grads.param(&p).item(), 30.);
    assert_eq!(grads.param(&other).item(), 9.);
    assert_eq!(tape.find("h.weight").unwrap().id(), a.id());
    assert_eq!((p.number(), p.path()), (1, "h.weight"));
    // After a step the next pass sees the new value; the gradients outlive their pass.
    tape.reset();
    p.value.data_mut()[0] -= grads.param(&p).item();
    assert_eq!(tape.param(&p).value().item(), -27.);
}

#[test]
fn a_step_after_reset_copies_no_parameter() {
    let mut tape = Tape::new();
    let mut p = Param::new(0, "w", Tensor::zeros(&[5000]));
    let before = p.value.data().as_ptr();
    let loss = sum(tape.param(&p));
    tape.backward(loss, Keep::Leaves);
    tape.reset();
    assert_eq!(p.value.data_mut().as_ptr(), before);
}

#[test]
#[should_panic(expected = "param: two models on one tape share number 0")]
fn two_models_on_one_tape_are_refused() {
    let tape = Tape::new();
    tape.param(&Param::new(0, "one.weight", Tensor::scalar(1.)));
    tape.param(&Param::new(0, "other.weight", Tensor::scalar(1.)));
}
