mod asked;
mod formulas;
mod layers;
#[cfg(not(feature = "f64"))] // where the exact side is rounded as much as the tape
mod rounded;

use serde_json::{Value, json};
use stcn::internals::jacobian::{Jacobian, What, tolerance};
use stcn::ops::{linear, tanh};
use stcn::tape::{Tape, Var};
use stcn::{Noise, Tensor};

/// An input of normal random numbers.
fn input<'t>(tape: &'t Tape, name: &str, shape: &[usize]) -> Var<'t> {
    let mut x = Tensor::zeros(shape);
    Noise::new(7, "inputs").normals(name, 0, 0, x.data_mut());
    tape.input(x, name)
}

/// Holds the columns of every input of the op at y, at every element, against its vjp. Which inputs have columns.
#[track_caller]
fn holds(y: Var) -> Vec<bool> {
    let jacobian = Jacobian::of(y);
    let mut gy = Tensor::zeros(y.value().shape());
    Noise::new(3, "another gy").normals("gy", 0, 0, gy.data_mut());
    let answers = y.tape().vjp(y, gy.clone());
    let mut described = vec![];
    for (slot, answer) in answers.iter().enumerate() {
        let Some(answer) = answer else { continue };
        described.push(jacobian.column(slot, 0).is_some());
        for (e, &wanted) in answer.data().iter().enumerate() {
            let Some(column) = jacobian.column(slot, e) else { continue };
            let (sum, size) = column.iter().fold((0., 0.), |(sum, size), entry| {
                let gy = f64::from(gy.data()[entry.at]);
                let product = gy * entry.slope.value;
                (sum + product, size + product.abs() + gy.abs() * entry.slope.error)
            });
            let off = (sum - f64::from(wanted)).abs();
            let op = y.rule().name;
            assert!(off <= tolerance(column.len(), size), "{op} {slot} {e}: {sum} for {wanted}");
        }
    }
    described
}

#[test]
fn an_entry_is_the_product_of_its_factors_which_say_what_they_are() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[2, 2], vec![1., 2., 3., 4.]), "x");
    let w = tape.input(Tensor::new(&[2, 1], vec![5., 6.]), "w");
    let y = linear(x, w, tape.input(Tensor::zeros(&[1]), "b"));
    let jacobian = Jacobian::of(y);
    let column = jacobian.column(1, 1).unwrap();
    let places: Vec<(usize, f64)> =
        column.iter().map(|entry| (entry.at, entry.slope.value)).collect();
    assert_eq!(places, [(0, 2.), (1, 4.)], "∂y/∂w[2] is the second column of x");
    let factors = jacobian.factors(&column[1]);
    assert!(matches!(factors[..], [(What::Element(0, 3), 4.)]));
    let half = Jacobian::of(tanh(tape.input(Tensor::scalar(0.5), "v")));
    let factors = half.factors(&half.column(0, 0).unwrap()[0]);
    let [(What::Text(text), slope)] = &factors[..] else { panic!("one formula") };
    assert_eq!(text, "1 − y² = 1 − (0.4621)²");
    assert!((slope - 0.786448).abs() < 1e-6);
}

#[test]
fn what_a_page_carries_of_an_op_is_the_same_at_every_step_and_has_each_formula_once() {
    let tape = Tape::new();
    let mut formulas = vec![];
    let steps = ["first", "second"].map(|name| tanh(input(&tape, name, &[2, 1, 3])));
    let told = steps.map(|y| Jacobian::of(y).json(&mut formulas));
    assert_eq!(told[0], told[1]);
    let factors = json!([{"formula": 0, "of": [["y", [0, 3, 1]]]}]);
    assert_eq!(told[0]["slots"][0], json!([[[2, 3], [0, 3, 1], [0, 3, 1], factors]]));
    assert_eq!(formulas.len(), 1);
    assert_eq!(formulas[0].script, "return 1. - y * y;");
    assert_eq!(told[0]["sums"], Value::Array(vec![]));
}

#[test]
fn what_has_no_gradient_has_no_columns() {
    let tape = Tape::new();
    let y = tanh(tape.constant(Tensor::scalar(1.)));
    assert!(Jacobian::of(y).column(0, 0).is_none());
    assert_eq!(holds(input(&tape, "leaf", &[2])), [false; 0]);
}
