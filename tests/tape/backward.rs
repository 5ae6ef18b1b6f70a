//! The walk back.

use crate::ops::{ROUNDING, difference, numbers, positive};
use stcn::ops::*;
use stcn::tape::{Grads, Keep, Param, Rule, Tape, Var};
use stcn::{Real, Tensor};

#[test]
fn a_chain_by_hand() {
    // y = (2x + 1)² x at x = 3: y' = 4(2x+1)x + (2x+1)² = 84 + 49.
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(3.), "x");
    let y = square(affine(x, 2., 1.)) * x;
    assert_eq!(y.value().item(), 147.);
    assert_eq!(tape.backward(y, Keep::Leaves).wrt(x).unwrap().item(), 133.);
}

#[test]
fn x_times_x_counts_twice() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(3.), "x");
    for keep in [Keep::Leaves, Keep::All] {
        assert_eq!(tape.backward(x * x, keep).wrt(x).unwrap().item(), 6.);
        assert_eq!(tape.backward(x * x * x + x, keep).wrt(x).unwrap().item(), 28.);
    }
}

#[test]
fn an_input_that_an_op_gets_twice_gets_both_gradients_in_place() {
    // concat stores into its slots in place, here two slots of one node.
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[1, 1, 2], vec![1., 2.]), "x");
    let y = concat(&[x, x]) * tape.constant(Tensor::new(&[1, 1, 4], vec![1., 2., 10., 20.]));
    assert_eq!(tape.backward(sum(y) + sum(x), Keep::Leaves).wrt(x).unwrap().data(), [12., 23.]);
}

#[test]
fn constants_and_what_the_loss_does_not_use_have_no_gradient() {
    let tape = Tape::new();
    let [x, unused] = ["x", "unused"].map(|name| tape.input(Tensor::scalar(3.), name));
    let c = tape.constant(Tensor::scalar(2.));
    let late = square(x);
    let loss = x * c;
    let grads = tape.backward(loss, Keep::All);
    assert!(grads.wrt(c).is_none() && grads.wrt(unused).is_none() && grads.wrt(late).is_none());
    assert_eq!(grads.at(x.id()).unwrap().item(), 2.);
    assert_eq!(grads.wrt(loss).unwrap().item(), 1.);
}

/// A pass with fan-out, in-place slots and lazy ones.
fn network(tape: &Tape) -> (Vec<Var<'_>>, Var<'_>) {
    let leaves = vec![
        tape.input(numbers(&[2, 9, 3], 1), "x"),
        tape.input(numbers(&[2, 3, 3], 2), "w"),
        tape.input(positive(&[3], 3), "b"),
    ];
    let [x, w, b] = leaves[..] else { unreachable!() };
    let d = gated_conv(x, (w, b), (w, b), 2).named("d.1");
    let d = (d + causal_conv1d(d, w, b, 4)).named("d.2");
    let y = slice_time(concat(&[d, x, d]), 1, 7);
    (leaves, sum(square(y)))
}

#[test]
fn keeping_every_gradient_changes_no_bit() {
    let tape = Tape::new();
    let (leaves, loss) = network(&tape);
    let [few, all] = [Keep::Leaves, Keep::All].map(|keep| tape.backward(loss, keep));
    for &x in &leaves {
        let bits = |t: &Tensor| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(few.wrt(x).unwrap()), bits(all.wrt(x).unwrap()));
    }
    let d = tape.find("d.1").unwrap();
    assert!(few.wrt(d).is_none() && all.wrt(d).is_some());
}

#[test]
fn the_terms_of_the_chain_rule_add_up_to_the_gradient() {
    let tape = Tape::new();
    let (leaves, loss) = network(&tape);
    let grads = tape.backward(loss, Keep::All);
    for x in leaves.into_iter().chain(["d.1", "d.2"].map(|name| tape.find(name).unwrap())) {
        let terms = tape.explain(&grads, x);
        let mut sum = Tensor::zeros(x.value().shape());
        terms.iter().for_each(|term| sum.add_assign(&term.grad));
        assert!(difference(&sum, grads.wrt(x).unwrap()) <= ROUNDING);
    }
    let d = tape.find("d.1").unwrap();
    let who: Vec<_> =
        tape.explain(&grads, d).iter().map(|t| (t.rule.name, t.consumer.id().index())).collect();
    assert_eq!(who, [("causal_conv1d", 4), ("add", 5)]);
}

#[test]
fn explaining_is_a_question_and_changes_nothing() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(3.), "x");
    let y = x * x + x;
    let grads = tape.backward(y, Keep::All);
    let terms =
        |_| -> Vec<Real> { tape.explain(&grads, x).iter().map(|t| t.grad.item()).collect() };
    assert_eq!(terms(1), [6., 1.]);
    assert_eq!(terms(2), [6., 1.]);
    assert_eq!((tape.len(), grads.wrt(x).unwrap().item()), (3, 7.));
}

#[test]
fn any_value_can_be_pulled_back_by_its_cotangent() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[2], vec![1., 2.]), "x");
    let grads = tape.pull_back(square(x), Tensor::new(&[2], vec![10., 1.]), Keep::Leaves);
    assert_eq!(grads.wrt(x).unwrap().data(), [20., 4.]);
}

static RULE: Rule = Rule { name: "wrong", forward: "y = x", vjp: "x̄ = ȳ", products: &[] };

#[test]
#[should_panic(expected = "node 1 wrong \"h\": wrong gradient shape for an input")]
fn a_gradient_of_another_shape_is_refused_by_the_node_that_made_it() {
    let tape = Tape::new();
    let x = tape.input(Tensor::zeros(&[2, 3]), "x");
    let wrong = |_, [gx]: &mut [stcn::tape::Slot; 1]| gx.add(|| Tensor::zeros(&[3, 2]));
    let y = tape.record(&RULE, [x], Tensor::scalar(0.), wrong).named("h");
    tape.backward(y, Keep::Leaves);
}

#[test]
#[should_panic(expected = "backward: want one number, got shape [2]")]
fn a_loss_is_one_number() {
    let tape = Tape::new();
    tape.backward(tape.input(Tensor::zeros(&[2]), "x"), Keep::Leaves);
}

#[test]
#[should_panic(expected = "backward: node 0 leaf \"x\" lives on another tape")]
fn a_loss_lives_on_this_tape() {
    let (one, other) = (Tape::new(), Tape::new());
    one.backward(other.input(Tensor::scalar(1.), "x"), Keep::Leaves);
}

#[test]
#[should_panic(expected = "backward: the cotangent has another shape")]
fn a_cotangent_has_the_shape_of_its_value() {
    let tape = Tape::new();
    tape.pull_back(tape.input(Tensor::zeros(&[2]), "x"), Tensor::zeros(&[3]), Keep::Leaves);
}

#[test]
#[should_panic(expected = "tcn.3.filter.weight: no gradient reached this parameter")]
fn a_parameter_without_gradient_is_named_by_its_path() {
    let tape = Tape::new();
    let [used, unused] = [(0, "tcn.3.filter.bias"), (1, "tcn.3.filter.weight")]
        .map(|(i, path)| Param::new(i, path, Tensor::scalar(1.)));
    tape.param(&unused);
    let grads = tape.backward(square(tape.param(&used)), Keep::Leaves);
    grads.param(&unused);
}

#[test]
fn gradients_of_several_tapes_add_up_by_parameter_wherever_it_stands() {
    let param = |n, value| Param::new(n, format!("p{n}"), Tensor::new(&[2], value));
    let [a, b, c] = [param(0, vec![1., 2.]), param(1, vec![3., 4.]), param(2, vec![5., 6.])];
    let [one, two] = [Tape::new(), Tape::new()];
    // d/da and d/db of Σ ab; of Σ bc on another, with an input before them; and one that lacks what the first has.
    let first = one.backward(stcn::ops::sum(one.param(&a) * one.param(&b)), Keep::Leaves);
    two.input(Tensor::scalar(1.), "x");
    let second = two.backward(stcn::ops::sum(two.param(&c) * two.param(&b)), Keep::Leaves);
    let third = one.backward(stcn::ops::sum(one.param(&a)), Keep::Leaves);
    let sum = Grads::sum(vec![first, second, third]);
    assert_eq!(sum.param(&a).data(), [3. + 1., 4. + 1.]);
    assert_eq!(sum.param(&b).data(), [1. + 5., 2. + 6.]);
    assert_eq!(sum.param(&c).data(), [3., 4.], "only the second has it");
}

#[cfg(not(feature = "f64"))]
#[test]
fn gradients_of_tapes_are_added_in_pairs_of_pairs() {
    // Beside 2²⁴, a 1 alone is lost and two are not.
    let of = |x| {
        let (tape, p) = (Tape::new(), Param::new(0, "p", Tensor::scalar(1.)));
        tape.backward(affine(tape.param(&p), x, 0.), Keep::Leaves)
    };
    let sum = |parts: &[Real]| {
        let sum = Grads::sum(parts.iter().map(|&x| of(x)).collect());
        sum.param(&Param::new(0, "p", Tensor::scalar(1.))).item()
    };
    let large = 16_777_216.;
    assert_eq!(sum(&[large, 0., 1., 1.]), large + 2.);
    assert_eq!(sum(&[large, 1., 1., 0.]), large);
    assert_eq!(sum(&[large, 0., 0., 0., 1., 0., 1., 0.]), large + 2.);
}
