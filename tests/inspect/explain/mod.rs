mod element;
mod node;
mod routes;
mod terms;

use serde_json::{Value, json};
use stcn::data::Batch;
use stcn::inspect::Pass;
use stcn::models::{HeadKind, Kl, ModelConfig, ModelKind, build};
use stcn::nn::{Init, Linear};
use stcn::ops::{affine, square, sum, sum_masked, tanh};
use stcn::tape::{Grads, Keep, Tape};
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

fn explained(pass: &Pass, node: &str, depth: usize) -> Value {
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
        assert_eq!(explained(pass, "layer.1.weight", 1)["op"], "leaf");
        let refused = |text: &str| pass.find(text).unwrap_err().to_string();
        says(&refused("layer.1.weigth"), &["did you mean layer.1.weight, layer.1.bias, "]);
        says(&refused("99"), &["there is no node 99: this pass has nodes 0 to "]);
        says(&refused("layer.1"), &["layer.1 is a place with", "name one of them", "(h)"]);
        says(&refused(""), &["no node is called"]);
    });
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
