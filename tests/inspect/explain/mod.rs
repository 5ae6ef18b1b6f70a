mod element;
mod routes;

use serde_json::{Value, json};
use stcn::data::Batch;
use stcn::inspect::Pass;
use stcn::models::{HeadKind, Kl, ModelConfig, ModelKind, build};
use stcn::nn::{Init, Linear};
use stcn::ops::{affine, concat_time, slice_time, square, sum, sum_masked, tanh};
use stcn::tape::{Grads, Keep, Tape, Var};
use stcn::{Noise, Real, Tensor};

/// x = (3, 4), h = x W + b, L = Σ h² − 3 Σ h + Σ tanh h, with every gradient.
fn pass(look: impl Fn(&Tape, &Grads, &Pass)) {
    let layer = Init::new(1).scope("layer.1", |init| Linear::new(init, 2, 2));
    let tape = Tape::new();
    let x = tape.constant(Tensor::new(&[1, 1, 2], vec![3. as Real, 4.])).named("x");
    let h = layer.forward(x).named("h");
    let loss = sum(square(h)) + affine(sum(h), -3., 0.) + sum(tanh(h));
    let grads = tape.backward(loss.named("loss"), Keep::All);
    let equations = [("h", "h = f(x): Eq. 7"), ("layer", "Eq. 6")];
    look(&tape, &grads, &Pass::new(&tape, &grads, &layer, &equations));
}

/// A pass of a small model over six steps, with its −ELBO as the loss.
fn of_model(kind: ModelKind, head: HeadKind, look: impl Fn(&Tape, &Pass)) {
    let model = build(&ModelConfig::gradcheck(kind, head), Init::new(1)).unwrap();
    let mut x = Tensor::zeros(&[2, 6, 3]);
    Noise::new(3, "x").normals("x", 0, 0, x.data_mut());
    x.data_mut().chunks_mut(3).for_each(|row| row[2] = if row[2] > 0. { 1. } else { 0. });
    let batch = Batch { x, lengths: vec![6, 5], samples: vec![0, 1] };
    let tape = Tape::new();
    let elbo = model.elbo(&tape, &batch, &Noise::new(1, "train"), Kl::Analytic);
    let nll = sum_masked(elbo.log_px, &[6, 5], &[-0.1; 2]);
    let loss = elbo.kl.iter().fold(nll, |loss, &kl| loss + sum_masked(kl, &[6, 5], &[0.1; 2]));
    let grads = tape.backward(loss.named("loss"), Keep::All);
    look(&tape, &Pass::new(&tape, &grads, &*model, &[]));
}

fn said(pass: &Pass, node: &str) -> String {
    pass.explain(&pass.find(node).unwrap(), 1).to_string()
}

fn json(pass: &Pass, node: &str, depth: usize) -> Value {
    json!(pass.explain(&pass.find(node).unwrap(), depth))
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "want {part:?} in: {text}");
    }
}

#[test]
fn a_node_is_found_by_label_path_and_number_and_else_the_nearest_names_are_given() {
    pass(|tape, _, pass| {
        let number = tape.find("h").unwrap().id().index();
        for same in [format!("{number}"), format!("node {number}"), " h ".into()] {
            assert_eq!(pass.find(&same).unwrap(), pass.find("h").unwrap());
        }
        assert_eq!(json(pass, "layer.1.weight", 1)["op"], "leaf");
        let refused = |text: &str| pass.find(text).unwrap_err().to_string();
        says(&refused("layer.1.weigth"), &["did you mean layer.1.weight, layer.1.bias, "]);
        says(&refused("99"), &["there is no node 99: this pass has nodes 0 to "]);
        says(&refused("layer.1"), &["layer.1 is a place with", "name one of them", "(h)"]);
        says(&refused(""), &["no node is called"]);
    });
}

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
fn the_terms_stand_in_the_order_of_their_size_and_their_shares_sum_to_one() {
    pass(|_, _, pass| {
        let found = json(pass, "h", 1);
        let terms = found["terms"].as_array().unwrap();
        let ops: Vec<&str> = terms.iter().map(|term| term["op"].as_str().unwrap()).collect();
        assert_eq!(ops.len(), 3, "{ops:?}");
        let share = |term: &Value| term["share"].as_f64().unwrap();
        assert!(terms.windows(2).all(|pair| share(&pair[0]).abs() >= share(&pair[1]).abs()));
        let total = terms.iter().fold(0., |sum, term| sum + share(term));
        // Each gradient is rounded a few times.
        assert!((total - 1.).abs() < 32. * f64::from(Real::EPSILON), "{total}");
        assert!(found["terms_miss"].as_f64().unwrap() < 32. * f64::from(Real::EPSILON));
        // By hand: the term of h² is 2h.
        let square = terms.iter().find(|term| term["op"] == "square").unwrap();
        let h = found["value"]["rms"].as_f64().unwrap();
        assert!((square["norm"].as_f64().unwrap() - 2. * h * 2f64.sqrt()).abs() < 1e-5);
        let text = said(pass, "h");
        says(&text, &["It is the sum of 3 terms", "→ ", "█", "Check: the terms sum to"]);
    });
}

#[test]
fn depth_follows_the_gradient_from_op_to_op() {
    pass(|_, _, pass| {
        let found = json(pass, "layer.1.weight", 3);
        let linear = &found["terms"][0];
        assert_eq!((linear["op"].as_str(), linear["name"].as_str()), (Some("linear"), Some("h")));
        let next = &linear["terms"];
        assert_eq!(next, &json(pass, "h", 2)["terms"], "as explained by itself");
        assert_eq!(next.as_array().unwrap().len(), 3);
        assert!(next[0]["terms"].as_array().is_some_and(|terms| terms.len() == 1), "{next}");
        let text = pass.explain(&pass.find("layer.1.weight").unwrap(), 2).to_string();
        says(&text, &["→ h ", "\n  → ", "An indented row"]);
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
    let found = json(&pass, "h", 1);
    let nodes: Vec<usize> = h.iter().map(|h| h.id().index()).collect();
    assert_eq!(found["nodes"], json!(nodes));
    let terms = found["terms"].as_array().unwrap();
    let total = terms.iter().fold(0., |sum, term| sum + term["share"].as_f64().unwrap());
    assert!((total - 1.).abs() < 32. * f64::from(Real::EPSILON), "{total}");
    let u = terms.iter().find(|term| term["op"] == "linear").expect("read by the next step");
    assert_eq!(u["nodes"].as_array().unwrap().len(), 2);
    says(&said(&pass, "h"), &["the values of 3 steps, put together to be looked at", "at 2 steps"]);
    // One of them by its number is one node.
    assert_eq!(json(&pass, &nodes[0].to_string(), 1)["nodes"], json!([nodes[0]]));
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
    let found = json(&pass, "z.1", 1);
    assert_eq!(found["nodes"], json!([1, 2]));
    assert_eq!(found["gradient"]["min"], json!(1.));
    says(
        &said(&pass, "z.1"),
        &["z.1 is 2 nodes, one at every step; the first is node 1: square of start."],
    );
    says(&said(&pass, "start"), &["an input.\n", "Gradient: "]);
}

#[test]
fn looking_changes_no_gradient() {
    pass(|tape, grads, pass| {
        let nodes = tape.len();
        let h = tape.find("h").unwrap();
        let gradient = grads.wrt(h).unwrap().clone();
        (0..nodes).for_each(|node| drop(said(pass, &node.to_string())));
        assert_eq!(*grads.wrt(h).unwrap(), gradient);
        assert_eq!(nodes, tape.len());
    });
}

#[test]
fn a_gradient_that_is_zero_has_terms_without_a_share() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(0.), "v");
    let grads = tape.backward(square(x).named("loss"), Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let found = json(&pass, "v", 1);
    assert_eq!((&found["terms"][0]["share"], &found["terms_miss"]), (&json!(0.), &json!(0.)));
    says(&said(&pass, "v"), &["Gradient: 0 throughout"]);
}
