use super::{explained, pass, said, says};
use serde_json::json;
use stcn::inspect::Pass;
use stcn::nn::{Init, Linear};
use stcn::ops::{concat_time, slice_time, square, sum, tanh};
use stcn::tape::{Keep, Tape, Var};
use stcn::{Real, Tensor};

#[test]
fn a_node_is_told_with_paper_formula_source_inputs_value_and_gradient() {
    pass(|_, _, pass| {
        let text = said(pass, "h");
        says(&text, &["h is node 3: linear of x, layer.1.weight and layer.1.bias.\n"]);
        says(&text, &["In the paper: h = f(x): Eq. 7.\n", "Part of layer.1. Recorded at tests/"]);
        says(&text, &["Formula:  y = x W + b\n", "Backward: x̄ = ȳ Wᵀ   w̄ = Σ xᵀȳ   b̄ = Σ ȳ"]);
        says(&text, &["  layer.1.weight  leaf  node 1  (2, 2)"]);
        says(&text, &["Value:    (1, 1, 2) (sequence, step, channel), rms ", "Gradient: rms "]);
        says(&said(pass, "layer.1.bias"), &["a parameter, of the layer layer.1.\n", "Eq. 6"]);
    });
}

#[test]
fn leaves_and_the_loss_say_what_they_are() {
    pass(|_, _, pass| {
        let x = said(pass, "x");
        says(&x, &["x is node 0: the data of this pass, normalised.\n", "Read by h (node 3)."]);
        says(&x, &["Gradient: none, because nothing that is trained comes before it."]);
        says(&said(pass, "loss"), &["∂L/∂L = 1", "Gradient: 1 throughout"]);
    });
}

/// h_t = tanh(x_t W + h_{t−1} U) by hand over three steps, all h put together under one label that nothing reads.
#[test]
fn what_is_a_node_at_every_step_is_explained_as_one() {
    let mut init = Init::new(1);
    let layers = ["w", "u"].map(|name| init.scope(name, |init| Linear::new(init, 2, 2)));
    let tape = Tape::new();
    let x = tape.constant(Tensor::new(&[1, 3, 2], vec![1., 2., -1., 0.5, 1., 1.])).named("x");
    let mut h: Vec<Var> = vec![];
    for t in 0..3 {
        let mut sum = layers[0].forward(slice_time(x, t, 1));
        if let Some(&before) = h.last() {
            sum = sum + layers[1].forward(before);
        }
        h.push(tanh(sum));
    }
    concat_time(&h).named("h");
    let loss = h.iter().skip(1).fold(sum(h[0]), |loss, &h| loss + sum(h)).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layers = Vec::from(layers);
    let pass = Pass::new(&tape, &grads, &layers, &[]);
    let found = explained(&pass, "h", 1);
    let nodes: Vec<usize> = h.iter().map(|h| h.id().index()).collect();
    assert_eq!(found["nodes"], json!(nodes));
    let terms = found["terms"].as_array().unwrap();
    let total = terms.iter().fold(0., |sum, term| sum + term["share"].as_f64().unwrap());
    assert!((total - 1.).abs() < 32. * f64::from(Real::EPSILON), "{total}");
    let u = terms.iter().find(|term| term["op"] == "linear").expect("read by the next step");
    assert_eq!(u["nodes"].as_array().unwrap().len(), 2);
    says(&said(&pass, "h"), &["the values of 3 steps, put together to be looked at", "at 2 steps"]);
    // One of them by its number is one node.
    assert_eq!(explained(&pass, &nodes[0].to_string(), 1)["nodes"], json!([nodes[0]]));
}

#[test]
fn a_label_that_several_nodes_have_names_them_all() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(3.), "start");
    let parts = [square(x).named("z.1"), tanh(x).named("z.1")];
    let loss = (parts[0] + parts[1]).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let found = explained(&pass, "z.1", 1);
    assert_eq!(found["nodes"], json!([1, 2]));
    assert_eq!(found["gradient"]["min"], json!(1.));
    says(
        &said(&pass, "z.1"),
        &["z.1 is 2 nodes, one at every step; the first is node 1: square of start."],
    );
    says(&said(&pass, "start"), &["an input.\n", "Gradient: "]);
}
