//! Numbers too small to be normal, with which some CPUs compute a hundred times slower (decision 0025): a training
//! step makes none.
#![cfg(not(feature = "f64"))]

use super::batch;
use crate::common::preset;
use stcn::Tensor;
use stcn::internals::step::{pass, update};
use stcn::models::{self, ALL, ModelKind};
use stcn::nn::Init;
use stcn::optim::Adam;
use stcn::tape::{Keep, Tape};

fn subnormal(x: &Tensor) -> usize {
    x.data().iter().filter(|x| x.is_subnormal()).count()
}

/// Where subnormal numbers are after `updates`: in values and gradients of a pass by op, and in Adam's moments.
fn census(preset_name: &str, kind: ModelKind, head: &str, updates: u64) -> Vec<String> {
    let config = preset(preset_name, Some(kind.name()), Some(head)).unwrap();
    let (batch, train) = (batch(&config.model, &[24, 17]), &config.train);
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let mut adam = Adam::new(&*model, train.beta1, train.beta2, train.eps);
    for step in 1..=updates {
        update(&mut *model, &mut adam, &batch, train, 1, step).unwrap();
    }
    let tape = Tape::new();
    let loss = pass(&*model, &tape, &batch, &batch.lengths, train, 1, updates + 1).loss;
    let grads = tape.backward(loss, Keep::All);
    let mut found = vec![];
    tape.each(|node| {
        let counts = [Some(&node.value), grads.at(node.id)].map(|x| x.map_or(0, subnormal));
        if counts != [0, 0] {
            found.push(format!(
                "{preset_name} {kind} {head}: {node}: {counts:?} of {}",
                node.value.len()
            ));
        }
    });
    let (m, v) = adam.moments();
    let moments = [m, v].map(|x| x.iter().map(subnormal).sum::<usize>());
    if moments != [0, 0] {
        found.push(format!("{preset_name} {kind} {head}: moments {moments:?}"));
    }
    found
}

#[test]
fn no_model_makes_a_subnormal_number_while_it_trains() {
    let heads = [
        ("ink-tiny", "normal"),
        ("ink-tiny", "gmm"),
        ("ink-tiny", "bigmm"),
        ("speech-small", "normal"),
        ("speech-small", "gmm"),
        ("music-small", "bernoulli"),
        ("ink-tiny", "ar"),
        ("music-small", "ar"),
    ];
    let runs: Vec<_> = heads.iter().flat_map(|head| ALL.map(|kind| (head, kind))).collect();
    let found = runs.iter().flat_map(|((preset, head), kind)| census(preset, *kind, head, 3));
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{} subnormal numbers:\n{}", found.len(), found.join("\n"));
}
