//! Gradients of whole models against finite differences, parameter by parameter.

use crate::check::Check;
use crate::data::Batch;
use crate::error::Result;
use crate::models::config::HeadKind;
use crate::models::{self, Kl, ModelConfig, ModelKind, SequenceModel};
use crate::nn::Init;
use crate::noise::Noise;
use crate::tape::{Keep, Rule, Tape, Var};
use crate::tensor::{Real, Tensor};
use crate::train::config::Reduction;
use crate::train::objective::loss;
use std::collections::BTreeMap;
use std::mem::take;

/// Small configs of `kinds`, each with `head`, or with every head that suits.
pub fn models(kinds: &[ModelKind], head: Option<HeadKind>) -> Vec<ModelConfig> {
    let heads = || HeadKind::ALL.iter().filter(|h| head.is_none_or(|head| head == **h));
    kinds
        .iter()
        .flat_map(|&kind| heads().map(move |&head| ModelConfig::gradcheck(kind, head)))
        .collect()
}

/// The gradient of one parameter, checked.
pub struct Checked {
    /// The parameter's path.
    pub path: String,
    /// Its derivative along a random direction.
    pub check: Check,
    /// The op that reads it, the first if there are several.
    pub rule: &'static Rule,
    /// What the gradient comes through.
    through: Steps,
}

/// Inputs of ops that a gradient comes through: by op and number of the input.
type Steps = BTreeMap<(&'static str, usize), &'static Rule>;

/// The ops that a wrong gradient points to: those with an input that all wrong gradients come through and no right one
/// does. Ops that are `right` by a check of their own are none of them.
pub fn suspects(checked: &[(Checked, bool)], right: &[&str]) -> Vec<&'static Rule> {
    let mut wrong = checked.iter().filter(|(_, ok)| !ok).map(|(checked, _)| &checked.through);
    let mut common = wrong.next().cloned().unwrap_or_default();
    wrong.for_each(|through| common.retain(|step, _| through.contains_key(step)));
    for (checked, _) in checked.iter().filter(|(_, ok)| *ok) {
        common.retain(|step, _| !checked.through.contains_key(step));
    }
    let mut found: Vec<&'static Rule> = common.into_values().collect();
    found.retain(|rule| !right.contains(&rule.name));
    found.dedup_by_key(|rule| rule.name);
    found
}

/// What the gradient of every node comes through, on its way from `loss`.
fn steps_from(tape: &Tape, loss: Var) -> Vec<Steps> {
    let mut through: Vec<Option<Steps>> = vec![None; tape.len()];
    through[loss.id().index()] = Some(Steps::new());
    for y in tape.vars().rev() {
        let Some(steps) = through[y.id().index()].clone() else { continue };
        for (slot, x) in y.inputs().into_iter().enumerate() {
            let own = through[x.id().index()].get_or_insert_default();
            own.extend(steps.clone());
            own.insert((y.rule().name, slot), y.rule());
        }
    }
    through.into_iter().map(Option::unwrap_or_default).collect()
}

/// Checks the gradient of a loss along a random direction of each parameter in turn.
pub fn check_model(config: &ModelConfig) -> Result<Vec<Checked>> {
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
    let loss = value(&*model, &tape, &batch);
    let grads = tape.backward(loss, Keep::Leaves);
    let mut through = steps_from(&tape, loss);
    let mut exact = vec![];
    model.visit(&mut |p| {
        let leaf = tape.param(p);
        let mut readers = tape.vars().filter(|y| y.inputs().iter().any(|x| x.id() == leaf.id()));
        let rule = readers.next().map_or(leaf.rule(), Var::rule);
        let through = take(&mut through[leaf.id().index()]);
        exact.push((p.path().to_string(), grads.param(p).clone(), rule, through));
    });

    let mut found = vec![];
    for (number, (path, gradient, rule, through)) in exact.into_iter().enumerate() {
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
        found.push(Checked { path, check: Check::from_values(exact, &mut at), rule, through });
    }
    Ok(found)
}

/// Two sequences, the second shorter.
fn batch(config: &ModelConfig, noise: &Noise) -> Batch {
    let mut x = Tensor::zeros(&[2, 6, config.obs.input]);
    noise.normals("x", 0, 0, x.data_mut());
    let real = config.obs.real_channels();
    for row in x.data_mut().chunks_exact_mut(config.obs.input) {
        row[real..].iter_mut().for_each(|x| *x = if *x > 0. { 1. } else { 0. });
    }
    Batch { x, lengths: vec![6, 4], samples: vec![0, 1] }
}

fn value<'t>(model: &dyn SequenceModel, tape: &'t Tape, batch: &Batch) -> Var<'t> {
    let elbo = model.elbo(tape, batch, &Noise::new(29, "gradients"), Kl::Analytic);
    loss(&elbo, &batch.lengths, &batch.lengths, 0.7, Reduction::MeanStep)
}
