//! What tells how a model learns, beyond its loss: norms by groups of parameters, and rectifiers that are dead.
//!
//! Computed for the updates that are reported, and for no other. Not here: what is done with the numbers (`columns`).

use crate::models::SequenceModel;
use crate::optim::Adam;
use crate::tape::{Grads, Tape, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Diagnostics of one update.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    /// Every group of parameters, in the model's order.
    pub groups: Vec<Group>,
    /// The share of rectifiers that are dead in this batch; `None` for a model that has none.
    ///
    /// A rectifier is one channel of one layer that ends in max(x, 0). It is dead if it gives 0 for every sequence at
    /// every step, padding included: then nothing is learned by what comes before it.
    pub dead_rectifiers: Option<f64>,
}

/// The parameters whose paths begin with the same word, such as all of `tcn`.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// That word.
    pub name: String,
    /// `‖g‖₂` before the clip.
    pub grad_norm: f64,
    /// `‖Δθ‖₂ / ‖θ‖₂` after the update.
    pub update_ratio: f64,
}

/// The groups of a model, in the order of its parameters.
pub fn groups(model: &dyn SequenceModel) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    model.visit(&mut |p| {
        let name = group(p.path());
        if !names.iter().any(|known| known == name) {
            names.push(name.into());
        }
    });
    names
}

/// `tcn` of `tcn.3.filter.weight`
fn group(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

impl Diagnostics {
    /// Of update number `step`, which `adam` has just made with these gradients and this learning rate.
    pub fn new(
        model: &dyn SequenceModel,
        adam: &Adam,
        grads: &Grads,
        (lr, step): (f64, u64),
        rectifiers: &Rectifiers,
    ) -> Self {
        /// Σ g², Σ Δθ², Σ θ²
        type Squares = [f64; 3];
        let mut sums: Vec<(String, Squares)> =
            groups(model).into_iter().map(|name| (name, [0.; 3])).collect();
        let mut updates = adam.update_norms(lr, step).into_iter();
        model.visit(&mut |p| {
            let (_, sums) = sums.iter_mut().find(|(name, _)| name == group(p.path())).expect("all");
            let gradient = grads.find(p).map_or(0., |g| g.squared_norm());
            let update = updates.next().expect("one for every parameter");
            for (sum, x) in sums.iter_mut().zip([gradient, update * update, p.value.squared_norm()])
            {
                *sum += x;
            }
        });
        let groups = sums.into_iter().map(|(name, [gradient, update, weights])| Group {
            name,
            grad_norm: gradient.sqrt(),
            update_ratio: (update / weights).sqrt(),
        });
        Self { groups: groups.collect(), dead_rectifiers: rectifiers.dead() }
    }
}

/// The names of those that were not computed, such as parameters.
fn leaves(inputs: &[Var]) -> String {
    inputs.iter().filter(|x| x.inputs().is_empty()).map(|x| x.label()).collect()
}

/// Which channels of which rectified layers gave more than 0 anywhere.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Rectifiers {
    /// By what tells a layer from the others: the parameters that it reads, or its place among the layers without.
    alive: BTreeMap<String, Vec<bool>>,
}

impl Rectifiers {
    /// Those of a pass. A layer that runs at every step is one layer.
    pub fn of(tape: &Tape) -> Self {
        let mut found = Self::default();
        let mut without = 0;
        for node in tape.vars().filter(|node| ["relu", "linear_relu"].contains(&node.rule().name)) {
            // A rectifier that reads no parameter stands behind the layer that does.
            let own = leaves(&node.inputs());
            let behind = || node.inputs().iter().map(|x| leaves(&x.inputs())).collect();
            let mut layer = if own.is_empty() { behind() } else { own };
            if layer.is_empty() {
                without += 1;
                layer = without.to_string();
            }
            let y = node.value();
            let alive = found.alive.entry(layer).or_insert_with(|| vec![false; y.cols()]);
            for row in y.data().chunks_exact(y.cols()) {
                alive.iter_mut().zip(row).for_each(|(alive, &y)| *alive |= y > 0.);
            }
        }
        found
    }

    /// Adds what another part of the batch gave.
    pub fn add(&mut self, other: Self) {
        for (layer, more) in other.alive {
            let alive = self.alive.entry(layer).or_insert_with(|| vec![false; more.len()]);
            alive.iter_mut().zip(more).for_each(|(alive, more)| *alive |= more);
        }
    }

    /// The share of those that gave 0 everywhere; `None` without rectifiers.
    pub fn dead(&self) -> Option<f64> {
        let all: Vec<bool> = self.alive.values().flatten().copied().collect();
        let dead = all.iter().filter(|alive| !**alive).count();
        (!all.is_empty()).then(|| dead as f64 / all.len() as f64)
    }
}
