//! Weights packed once a pass.

use crate::ops::numbers;
use stcn::Tape;
use stcn::ops::linear;
use std::rc::Rc;

#[test]
fn weights_are_packed_from_their_second_use_on_and_only_for_few_rows() {
    let tape = Tape::inference();
    let (w, bias) = (tape.constant(numbers(&[3, 5], 1)), tape.constant(numbers(&[5], 2)));
    linear(tape.constant(numbers(&[65, 3], 3)), w, bias);
    assert!(w.shared().again().is_none(), "65 rows are many");
    assert!(w.shared().again().is_some());
    let tape = Tape::inference();
    let (w, bias) = (tape.constant(numbers(&[3, 5], 1)), tape.constant(numbers(&[5], 2)));
    linear(tape.constant(numbers(&[64, 3], 3)), w, bias);
    assert!(w.shared().again().is_some(), "64 rows are few, and used it once");
}

#[test]
fn what_is_packed_is_one_for_all_and_goes_with_the_pass() {
    let mut tape = Tape::new();
    let (x, bias) = (tape.constant(numbers(&[2, 3], 3)), tape.constant(numbers(&[3], 2)));
    let w = tape.input(numbers(&[3, 3], 1), "w");
    let y = linear(linear(linear(x, w, bias), w, bias), w, bias);
    assert!(Rc::ptr_eq(&w.shared(), &w.shared()));
    let shared = Rc::downgrade(&w.shared());
    assert!(shared.strong_count() > 3, "every op holds it");
    let (one, other) = (w.shared(), w.shared());
    assert!(std::ptr::eq(one.transposed(), other.transposed()));
    assert!(std::ptr::eq(one.again().unwrap(), other.again().unwrap()));
    drop((one, other, y));
    tape.reset();
    assert!(shared.upgrade().is_none());
}
