use super::{holds, input};
use stcn::internals::jacobian::Jacobian;
use stcn::ops::*;
use stcn::tape::{Rule, Tape, Var};
use stcn::{Real, Tensor};

#[test]
fn what_only_moves_elements_is_an_address() {
    let tape = Tape::new();
    let x = input(&tape, "x", &[3, 4, 2]);
    let narrow = input(&tape, "narrow", &[3, 4, 1]);
    for y in [
        concat(&[x, narrow, x]),
        concat_time(&[x, x]),
        prepend_zero(x),
        slice_time(x, 1, 2),
        slice_channels(x, 1, 1),
        reverse_time(x, &[4, 2, 3]),
        sum(x),
        sum_channels(x),
        gather_rows(x, &[2, 0]),
    ] {
        assert!(holds(y).iter().all(|known| *known), "{}", y.rule().name);
        let column = Jacobian::of(y).column(0, 13).unwrap();
        assert!(column.len() <= 1 && column.iter().all(|entry| entry.slope.value == 1.));
    }
    let masked = sum_masked(input(&tape, "rows", &[3, 4]), &[4, 1, 0], &[0.5, 2., 7.]);
    assert_eq!(holds(masked), [true]);
    assert!(Jacobian::of(masked).column(0, 5).unwrap().is_empty(), "beyond its sequence's length");
}

#[test]
fn densities_of_mixtures_have_the_slopes_that_they_answer_with() {
    let tape = Tape::new();
    let row = |name: &str, width| input(&tape, name, &[2, 3, width]);
    let std = affine(square(row("s", 6)), 1., 0.4);
    let rho = affine(tanh(row("rho", 3)), 0.9, 0.);
    let (x, logits, mean) = (tape.constant(row("x", 2).value()), row("l", 3), row("mean", 6));
    assert_eq!(holds(mixture_log_prob(x, logits, mean, std, 0.)), [true; 3]);
    assert_eq!(holds(bivariate_mixture_log_prob(x, logits, mean, std, rho, 0.2)), [true; 4]);
}

#[test]
fn an_element_that_is_used_for_several_has_no_column_unless_its_op_is_known() {
    let tape = Tape::new();
    let x = input(&tape, "x", &[3, 4, 2]);
    assert_eq!(holds(gather_rows(x, &[2, 2, 0])), [false]);
    let (gates, u) = (input(&tape, "gates", &[3, 4, 8]), input(&tape, "u", &[2, 8]));
    assert_eq!(holds(lstm(gates, u)), [false; 2]);
}

/// An op that bears the name of another, and is `y = 2 x` by x and `y = Σ x` in its value.
fn bears_the_name(x: Var) -> Var {
    static RULE: Rule = Rule { name: "tanh", forward: "y = 2 x", vjp: "x̄ = 2 ȳ", products: &[] };
    x.tape().record(&RULE, [x], x.value().map(|x| 2. * x), |gy, [gx]| {
        gx.add(|| gy.map(|gy: Real| 2. * gy));
    })
}

#[test]
fn a_description_that_does_not_give_the_vjp_is_replaced_by_what_the_op_answers() {
    let tape = Tape::new();
    let y = bears_the_name(tape.input(Tensor::new(&[1, 2], vec![0.5, -1.]), "x"));
    assert_eq!(holds(y), [true]);
    assert_eq!(Jacobian::of(y).column(0, 1).unwrap()[0].slope.value, 2.);
}
