//! The tape: nodes, handles, labels, and what it refuses.

mod backward;
mod param;
mod rule;
mod slot;

use crate::ops::{numbers, small_network};
use stcn::ops::*;
use stcn::tape::{Event, Keep, Tape};
use stcn::{Real, Tensor};

#[test]
fn nodes_stand_in_the_order_of_execution() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(2.), "x");
    let c = tape.constant(Tensor::scalar(3.));
    let y = (x * c + x).named("y");
    let mut seen = vec![];
    tape.each(|node| {
        let inputs: Vec<usize> = node.inputs.iter().map(|id| id.index()).collect();
        seen.push((
            node.id.index(),
            node.rule.name,
            inputs,
            node.label.to_owned(),
            node.value.item(),
            node.tracked,
        ));
    });
    type Seen<'a> = (usize, &'a str, &'a [usize], &'a str, Real, bool);
    let want: [Seen; 4] = [
        (0, "leaf", &[], "x", 2., true),
        (1, "leaf", &[], "", 3., false),
        (2, "mul", &[0, 1], "", 6., true),
        (3, "add", &[2, 0], "y", 8., true),
    ];
    assert_eq!(seen.len(), want.len());
    for (seen, want) in seen.iter().zip(want) {
        let seen = (seen.0, seen.1, seen.2.as_slice(), seen.3.as_str(), seen.4, seen.5);
        assert_eq!(seen, want);
    }
    assert_eq!((y.id().index(), tape.len(), tape.is_empty()), (3, 4, false));
    assert!(std::ptr::eq(y.tape(), &tape));
}

#[test]
fn a_node_is_found_by_its_label() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(2.), "x");
    let y = square(x).named("z.1");
    assert_eq!(tape.find("z.1").map(|v| v.id()), Some(y.id()));
    assert_eq!(tape.find("x").map(|v| v.id()), Some(x.id()));
    assert!(tape.find("z.2").is_none());
}

#[test]
fn a_tape_for_inference_tracks_nothing_and_computes_the_same() {
    let run = |tape: &Tape| {
        let x = tape.input(numbers(&[2, 3, 4], 1), "x");
        let y = tanh(x) * x;
        (y.is_tracked(), y.value())
    };
    let ((training, a), (inference, b)) = (run(&Tape::new()), run(&Tape::inference()));
    assert_eq!((training, inference), (true, false));
    assert_eq!(a, b);
    let tape = Tape::inference();
    let x = tape.input(Tensor::scalar(2.), "x");
    let y = square(x);
    assert!(tape.backward(y, Keep::All).wrt(x).is_none());
}

#[test]
fn an_untracked_node_lets_go_of_what_its_rule_saved() {
    static RULE: stcn::tape::Rule =
        stcn::tape::Rule { name: "spy", forward: "", vjp: "", products: &[] };
    let saved = std::sync::Arc::new(());
    let record = |tape: &Tape| {
        let (x, inside) = (tape.input(Tensor::scalar(1.), ""), saved.clone());
        tape.record(&RULE, [x], Tensor::scalar(1.), move |_, _| drop(inside.clone()));
        std::sync::Arc::strong_count(&saved)
    };
    assert_eq!(record(&Tape::inference()), 1);
    let mut tape = Tape::new();
    assert_eq!(record(&tape), 2);
    tape.reset();
    assert_eq!(std::sync::Arc::strong_count(&saved), 1);
    assert!(tape.is_empty());
}

#[test]
fn a_second_pass_on_a_reset_tape_has_the_same_bits() {
    let mut tape = Tape::new();
    let mut pass = || {
        tape.reset();
        let [x, w, b] = [numbers(&[2, 300, 8], 1), numbers(&[2, 8, 8], 2), numbers(&[8], 3)]
            .map(|value| tape.input(value, ""));
        let y = gated_conv(x, (w, b), (w, b), 2);
        let loss = sum(square(linear_relu(y, slice_first(w), b)));
        let grads = tape.backward(loss, Keep::Leaves);
        let bits = |t: &Tensor| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        [
            bits(&loss.value()),
            bits(grads.wrt(x).unwrap()),
            bits(grads.wrt(w).unwrap()),
            bits(grads.wrt(b).unwrap()),
        ]
    };
    let first = pass();
    assert!(pass() == first && pass() == first);
    let bits = |tensors: Vec<Tensor>| -> Vec<_> {
        tensors
            .iter()
            .flat_map(|t| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            .collect()
    };
    assert!(bits(small_network()) == bits(small_network()));
}

/// w₀ of a (K, I, O) as a matrix: an op of the test's own.
fn slice_first(w: stcn::Var<'_>) -> stcn::Var<'_> {
    static RULE: stcn::tape::Rule =
        stcn::tape::Rule { name: "first", forward: "y = w₀", vjp: "w̄₀ = ȳ", products: &[] };
    let value = w.value();
    let &[k, i, o] = value.shape() else { panic!() };
    let y = Tensor::new(&[i, o], value.data()[..i * o].to_vec());
    w.tape().record(&RULE, [w], y, move |gy, [gw]| {
        gw.add(|| {
            let mut g = Tensor::zeros(&[k, i, o]);
            g.data_mut()[..i * o].copy_from_slice(gy.data());
            g
        })
    })
}

#[test]
#[should_panic(expected = "add: its input, node 1 leaf \"stray\", lives on another tape")]
fn a_handle_of_another_tape_is_refused_by_name() {
    let (one, other) = (Tape::new(), Tape::new());
    let x = one.input(Tensor::scalar(1.), "x");
    other.input(Tensor::scalar(2.), "first");
    let stray = other.input(Tensor::scalar(2.), "stray");
    let _ = x + stray;
}

#[test]
fn an_observer_sees_every_node_every_pull_back_and_every_sum_of_deferred_terms() {
    use std::{cell::RefCell, rc::Rc};
    let seen = Rc::new(RefCell::new(vec![]));
    let mut tape = Tape::new();
    let log = seen.clone();
    tape.observe(move |event| {
        log.borrow_mut().push(match event {
            Event::Recorded(rule, value) => format!("{} of {}", rule.name, value.len()),
            Event::PulledBack(rule) => format!("back through {}", rule.name),
            Event::AddedDeferred(rule) => format!("deferred at {}", rule.name),
        });
    });
    let x = tape.input(Tensor::new(&[2], vec![1., 2.]), "x");
    let loss = sum(square(x));
    tape.backward(loss, Keep::Leaves);
    let wanted =
        ["leaf of 2", "square of 2", "sum of 1", "back through sum", "back through square"];
    assert_eq!(*seen.borrow(), wanted);
    tape.reset(); // the observer stays
    let (one, bias) = (tape.constant(Tensor::zeros(&[1, 1])), tape.constant(Tensor::zeros(&[1])));
    let w = tape.input(Tensor::zeros(&[1, 1]), "w");
    tape.backward(linear(one, w, bias), Keep::Leaves);
    let wanted = ["leaf of 1", "leaf of 1", "leaf of 1", "linear of 1", "back through linear"];
    assert_eq!(seen.borrow()[5..10], wanted);
    assert_eq!(seen.borrow()[10..], ["deferred at leaf"]);
}

#[test]
fn a_value_cached_with_a_node_is_made_once_for_each_type_and_goes_with_the_pass() {
    let mut tape = Tape::new();
    let [x, y] = ["x", "y"].map(|name| tape.input(Tensor::scalar(2.), name));
    let made = std::cell::Cell::new(0);
    let count = |x: stcn::Var| {
        x.cached(|| {
            made.set(made.get() + 1);
            made.get()
        })
    };
    assert_eq!([*count(x), *count(x), *count(y), *count(x)], [1, 1, 2, 1]);
    assert_eq!(*x.cached(|| "of another type"), "of another type");
    assert_eq!(*x.cached(|| "made already"), "of another type");
    // What makes it may look at the tape, and record on it.
    assert_eq!(*x.cached(|| square(x).value().item()), 4.);
    let kept = std::rc::Rc::downgrade(&count(x));
    assert!(kept.upgrade().is_some());
    tape.reset();
    assert!(kept.upgrade().is_none());
}
