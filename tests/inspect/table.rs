use stcn::inspect::{explain, table};
use stcn::ops::{sum, tanh};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

/// x = (3, 4), y = x·x, loss = Σ y + Σ tanh x, with every gradient.
fn pass(look: impl Fn(&Tape, &stcn::tape::Grads)) {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[1, 2], vec![3. as Real, 4.]), "x");
    let y = (x * x).named("y");
    let loss = sum(y) + sum(tanh(x));
    let grads = tape.backward(loss, Keep::All);
    look(&tape, &grads);
}

#[test]
fn the_table_has_a_line_for_every_node_in_order() {
    pass(|tape, grads| {
        let text = table(tape, grads);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + tape.len());
        let cells = |i: usize| lines[i].split_whitespace().collect::<Vec<_>>();
        // rms of (3, 4) is √12.5; of its gradient 2x + (1 − tanh² x), a little above 2√12.5.
        assert_eq!(cells(1)[..6], ["0", "leaf", "x", "(1,", "2)", "3.536e0"]);
        assert_eq!(cells(2)[..7], ["1", "mul", "y", "(1,", "2)", "0", "0"]);
        assert!(lines.iter().all(|line| line.trim_end() == *line));
    });
}

#[test]
fn a_node_is_explained_by_its_formula_and_the_terms_of_its_consumers() {
    pass(|tape, grads| {
        let text = explain(tape, grads, "x").unwrap();
        assert!(text.starts_with("x: node 0, leaf, shape (1, 2)\n"), "{text}");
        assert!(text.contains("1 y") && text.contains("x̄ = z̄ y   ȳ = z̄ x"), "{text}");
        assert!(text.contains("tanh") && text.contains("x̄ = ȳ (1 − y²)"), "{text}");
        assert!(explain(tape, grads, "nobody").is_none());
    });
}

#[test]
fn looking_changes_no_gradient() {
    pass(|tape, grads| {
        let nodes = tape.len();
        let x = tape.find("x").unwrap();
        let gradient = grads.wrt(x).unwrap().clone();
        table(tape, grads);
        explain(tape, grads, "x");
        assert_eq!(*grads.wrt(x).unwrap(), gradient);
        assert_eq!(nodes, tape.len());
    });
}
