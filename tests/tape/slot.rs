//! Gradients on their way to an input.

use stcn::ops::*;
use stcn::tape::{Deferred, Keep, Rule, Slot, Tape, Var};
use stcn::{Real, Tensor};
use std::cell::RefCell;
use std::rc::Rc;

static RULE: Rule = Rule { name: "deferring", forward: "y = x", vjp: "x̄ = ȳ", products: &[] };

#[test]
fn a_slot_stores_first_and_adds_later_and_skips_what_nobody_needs() {
    let tape = Tape::new();
    let x = tape.input(Tensor::zeros(&[2000]), "x");
    let c = tape.constant(Tensor::scalar(1.));
    let z = tape.record(&RULE, [x], Tensor::scalar(0.), |_, [gx]| {
        let (g, first) = gx.target().unwrap();
        assert!(!first);
        g.iter_mut().for_each(|g| *g += 0.5);
    });
    let y = tape.record(&RULE, [x, c], Tensor::scalar(0.), |gy, [gx, gc]| {
        assert!(gx.is_needed() && !gc.is_needed());
        gc.add(|| unreachable!("nobody needs it"));
        gc.defer(|| -> Spoken { unreachable!("nobody needs it") });
        assert!(gc.target().is_none() && gc.zeroed_target().is_none());
        let (g, first) = gx.target().unwrap();
        assert!(first && g.len() == 2000, "y stands after z, so it is the first to come");
        g.fill(1.);
        let (g, first) = gx.target().unwrap();
        assert!(!first);
        g.iter_mut().for_each(|g| *g += 2.);
        gx.zeroed_target().unwrap().iter_mut().for_each(|g| *g += 3.);
        gx.add(|| Tensor::new(&[2000], vec![4. * gy.item(); 2000]));
    });
    let grads = tape.backward(y + z, Keep::Leaves);
    assert!(grads.wrt(x).unwrap().data().iter().all(|&g| g == 10.5));
}

/// A term that says what it is of, and puts down in which order the terms come.
struct Spoken(&'static str, Log);

type Log = Rc<RefCell<Vec<String>>>;

impl Deferred for Spoken {
    fn add_all(terms: Vec<Self>, slot: &mut Slot) {
        let names: Vec<_> = terms.iter().map(|term| term.0).collect();
        terms[0].1.borrow_mut().push(names.join(" "));
        slot.add(|| Tensor::scalar(terms.len() as Real));
    }
}

/// A term of another type, which first defers one of the other.
struct Late(Log);

impl Deferred for Late {
    fn add_all(terms: Vec<Self>, slot: &mut Slot) {
        terms[0].0.borrow_mut().push(format!("{} late", terms.len()));
        slot.defer(|| Spoken("last", terms[0].0.clone()));
        slot.zeroed_target().unwrap()[0] += 100. * terms.len() as Real;
    }
}

/// y = x, an op of the test's own that defers its gradient; `late` with the other type beside it.
fn deferring<'t>(x: Var<'t>, name: &'static str, late: bool, log: &Log) -> Var<'t> {
    let log = log.clone();
    x.tape().record(&RULE, [x], x.value(), move |gy, [gx]| {
        assert_eq!(gy.item(), 1.);
        gx.defer(|| Spoken(name, log.clone()));
        if late {
            gx.defer(|| Late(log.clone()));
        }
    })
}

#[test]
fn deferred_terms_are_added_together_type_by_type_in_the_order_of_the_tape() {
    let (tape, log) = (Tape::new(), Log::default());
    let x = tape.input(Tensor::scalar(3.), "x");
    let [a, b] = ["a", "b"].map(|name| deferring(x, name, false, &log));
    let [c, d] = ["c", "d"].map(|name| deferring(x, name, true, &log));
    let loss = a + b + c + d + x;
    for keep in [Keep::Leaves, Keep::All] {
        let grads = tape.backward(loss, keep);
        assert_eq!(grads.wrt(x).unwrap().item(), 1. + 4. + 200. + 1.);
        assert_eq!(*log.take(), ["a b c d", "2 late", "last"], "{keep:?}");
    }
    let grads = tape.backward(loss, Keep::All);
    log.take();
    let terms = tape.explain(&grads, x);
    let found: Vec<_> = terms.iter().map(|t| (t.consumer.id().index(), t.grad.item())).collect();
    assert_eq!(found, [(1, 1.), (2, 1.), (3, 102.), (4, 102.), (8, 1.)]);
    assert_eq!(log.take()[..2], ["a", "b"], "each consumer by itself");
}

#[test]
fn a_deferred_term_reaches_a_node_in_the_middle_before_its_own_gradient_goes_on() {
    let (tape, log) = (Tape::new(), Log::default());
    let x = tape.input(Tensor::scalar(3.), "x");
    let y = affine(x, 5., 0.);
    let z = deferring(y, "z", false, &log) + y;
    let grads = tape.backward(z, Keep::All);
    assert_eq!((grads.wrt(y).unwrap().item(), grads.wrt(x).unwrap().item()), (2., 10.));
}

#[test]
fn an_input_that_an_op_gets_twice_gets_its_deferred_terms_once_each() {
    let (tape, log) = (Tape::new(), Log::default());
    let x = tape.input(Tensor::scalar(3.), "x");
    let inside = log.clone();
    let y = tape.record(&RULE, [x, x], Tensor::scalar(0.), move |_, [one, other]| {
        one.defer(|| Spoken("one", inside.clone()));
        other.defer(|| Spoken("other", inside.clone()));
    });
    let grads = tape.backward(y, Keep::All);
    assert_eq!(grads.wrt(x).unwrap().item(), 2.);
    assert_eq!(log.take().len(), 1);
    assert_eq!(tape.explain(&grads, x)[0].grad.item(), 2.);
}

#[test]
#[should_panic(expected = "node 0 leaf \"x\": its deferred terms have another shape")]
fn deferred_terms_that_add_up_to_another_shape_are_refused() {
    let tape = Tape::new();
    let x = tape.input(Tensor::zeros(&[2, 3]), "x");
    let y = tape.record(&RULE, [x], Tensor::scalar(0.), |_, [gx]| {
        gx.defer(|| Spoken("", Log::default())); // adds a scalar
    });
    tape.backward(y, Keep::Leaves);
}
