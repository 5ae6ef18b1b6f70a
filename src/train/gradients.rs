//! Gradients of whole models against finite differences, parameter by parameter.

use crate::check::Check;
use crate::data::Batch;
use crate::error::Result;
use crate::models::config::{HeadKind, Task};
use crate::models::{self, Kl, ModelConfig, ModelKind, SequenceModel};
use crate::nn::Init;
use crate::noise::Noise;
use crate::tape::{Keep, Tape};
use crate::tensor::{Real, Tensor};
use crate::train::config::Reduction;
use crate::train::objective::loss;

/// Small configs of `kinds`, each with `head`, or with every head that suits.
pub fn models(kinds: &[ModelKind], head: Option<HeadKind>) -> Vec<ModelConfig> {
    let heads = || HeadKind::ALL.iter().filter(|h| head.is_none_or(|head| head == **h));
    kinds
        .iter()
        .flat_map(|&kind| heads().map(move |&head| ModelConfig::gradcheck(kind, head)))
        .collect()
}

/// Checks the gradient of a loss along a random direction of each parameter in turn.
pub fn check_model(config: &ModelConfig) -> Result<Vec<(String, Check)>> {
    let mut model = models::build(config, Init::new(3))?;
    // Biases start at zero, where ReLU has its kink: move away from it.
    let noise = Noise::new(17, "gradients");
    model.visit_mut(&mut |p| {
        let mut moved = Tensor::zeros(p.value.shape());
        noise.normals(p.path(), 0, 0, moved.data_mut());
        p.value.add_assign(&moved.map(|x| 0.1 * x));
    });
    let batch = batch(config, &noise);
    let tape = Tape::new();
    let grads = tape.backward(value(&*model, &tape, &batch), Keep::Leaves);
    let mut exact = vec![];
    model.visit(&mut |p| exact.push((p.path().to_string(), grads.param(p).clone())));

    let mut found = vec![];
    for (number, (path, gradient)) in exact.into_iter().enumerate() {
        let mut u = Tensor::zeros(gradient.shape());
        noise.at(1).normals(&path, 0, 0, u.data_mut());
        let exact = crate::tensor::zip([&gradient, &u], |[g, u]| g * u).sum();
        let mut at = |h: f64| {
            let mut original = None;
            model.visit_mut(&mut |p| {
                if p.number() == number {
                    original = Some(p.value.clone());
                    p.value.add_assign(&u.map(|u| h as Real * u));
                }
            });
            let tape = Tape::new(); // not for inference: auxiliary terms are part of training only
            let loss = f64::from(value(&*model, &tape, &batch).value().item());
            model.visit_mut(&mut |p| {
                if p.number() == number {
                    p.value = original.take().expect("taken above");
                }
            });
            loss
        };
        found.push((path, Check::from_values(exact, &mut at)));
    }
    Ok(found)
}

/// Two sequences, the second shorter.
fn batch(config: &ModelConfig, noise: &Noise) -> Batch {
    let mut x = Tensor::zeros(&[2, 6, config.obs.input]);
    noise.normals("x", 0, 0, x.data_mut());
    let bits = if config.obs.task == Task::Ink { config.obs.input - 1 } else { 0 };
    if config.obs.task != Task::Speech {
        for row in x.data_mut().chunks_exact_mut(config.obs.input) {
            row[bits..].iter_mut().for_each(|x| *x = if *x > 0. { 1. } else { 0. });
        }
    }
    Batch { x, lengths: vec![6, 4], samples: vec![0, 1] }
}

fn value<'t>(model: &dyn SequenceModel, tape: &'t Tape, batch: &Batch) -> crate::Var<'t> {
    let elbo = model.elbo(tape, batch, &Noise::new(29, "gradients"), Kl::Analytic);
    loss(&elbo, &batch.lengths, &batch.lengths, 0.7, Reduction::MeanStep)
}
