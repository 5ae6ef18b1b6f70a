//! One node of a finished pass in sentences: what it is, what it is made of, and where its gradient comes from.
//!
//! [`Pass`] finds a node by what a user types and gives names to all of them. `node` tells one of them, `terms` has the
//! terms of its gradient, `routes` follows the gradient from the loss to a node, `element` writes out one number of it.
//! Not here: the pass as a list (`table`) or as a page (`html`).

mod element;
mod node;
mod routes;
mod terms;

pub use element::Number;
pub use node::Explanation;
pub use routes::Routes;
pub(super) use terms::share;

use super::place::{Place, joined_from, paths, places, steps};
use crate::error::{Error, Result, nearest_few};
use crate::nn::Module;
use crate::tape::{Grads, Tape, Var};
use crate::tensor::Tensor;
use serde::Serialize;
use std::collections::BTreeSet;
use std::panic::Location;

/// A finished pass in which every node has a name.
pub struct Pass<'a> {
    tape: &'a Tape,
    grads: &'a Grads,
    equations: &'a [(&'a str, &'a str)],
    vars: Vec<Var<'a>>,
    nodes: Vec<Facts>,
    /// T
    steps: usize,
}

/// What is asked of a node over and over.
struct Facts {
    label: String,
    parameter: bool,
    rule: &'static crate::tape::Rule,
    inputs: Vec<usize>,
    shape: Vec<usize>,
    tracked: bool,
    setting: Option<(&'static str, usize)>,
    caller: &'static Location<'static>,
    place: Place,
}

/// What a user has named: a node, or one quantity that is a node of its own at every step.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    name: String,
    /// The node whose value and formula are shown.
    shown: usize,
    /// The nodes whose gradients it has.
    members: Vec<usize>,
}

impl<'a> Pass<'a> {
    /// Wants gradients of every node ([`Keep::All`](crate::tape::Keep::All)). `equations` is what the paper says of the
    /// first word of a name, as in [`Description`](crate::models::Description).
    pub fn new(
        tape: &'a Tape,
        grads: &'a Grads,
        model: &dyn Module,
        equations: &'a [(&'a str, &'a str)],
    ) -> Self {
        let (parameters, steps) = (paths(model), steps(tape));
        let mut places = places(tape, &parameters, steps).into_iter();
        let mut nodes = vec![];
        tape.each(|node| {
            nodes.push(Facts {
                label: node.label.clone(),
                parameter: parameters.contains(&node.label),
                rule: node.rule,
                inputs: node.inputs.iter().map(|x| x.index()).collect(),
                shape: node.value.shape().to_vec(),
                tracked: node.tracked,
                setting: node.setting,
                caller: node.caller,
                place: places.next().expect("one for every node"),
            });
        });
        Self { tape, grads, equations, vars: tape.vars().collect(), nodes, steps }
    }

    /// The node that `text` names: by its label, by the path of a parameter, or by its number (`217`, `node 217`). The
    /// error has the nearest names.
    ///
    /// A label that a node has at every step names them all together. So does a value that was put together from its
    /// steps and that nothing reads: its gradient is at the steps.
    pub fn find(&self, text: &str) -> Result<Target> {
        let text = text.trim();
        let number = text.strip_prefix("node ").unwrap_or(text).trim();
        if let Ok(i) = number.parse::<usize>() {
            if i < self.nodes.len() {
                return Ok(self.target(i));
            }
            let most = self.nodes.len().saturating_sub(1);
            return Err(Error::usage(format!(
                "there is no node {i}: this pass has nodes 0 to {most}"
            )));
        }
        let all = 0..self.nodes.len();
        let named: Vec<usize> =
            all.clone().filter(|&i| !text.is_empty() && self.nodes[i].label == text).collect();
        match named[..] {
            [one] => return Ok(self.target(one)),
            [first, ..] => return Ok(Target { name: text.into(), shown: first, members: named }),
            [] => (),
        }
        let within = |path: &str| {
            path == text || path.strip_prefix(text).is_some_and(|p| p.starts_with('.'))
        };
        let inside: Vec<usize> = all.filter(|&i| within(&self.nodes[i].place.path)).collect();
        if !inside.is_empty() && !text.is_empty() {
            let few = inside.iter().rev().take(4).map(|&i| format!("{i} ({})", self.title(i)));
            let few: Vec<String> = few.collect();
            let count = inside.len();
            return Err(Error::usage(format!(
                "{text} is a place with {count} nodes, not one: name one of them, such as {}",
                few.join(", ")
            )));
        }
        let labels: BTreeSet<&str> = self.nodes.iter().map(|node| &*node.label).collect();
        let known = labels.into_iter().filter(|label| !label.is_empty());
        Err(Error::usage(format!(
            "no node is called {text}: did you mean {}? `stcn inspect RUN` lists all",
            nearest_few(text, known, 3).join(", ")
        )))
    }

    fn target(&self, i: usize) -> Target {
        let node = &self.nodes[i];
        let steps = self.joined_from(i).into_iter().filter(|&x| self.gradient(x).is_some());
        let steps: Vec<usize> = steps.collect();
        let members = if steps.is_empty() { vec![i] } else { steps };
        let name = match node.label.is_empty() {
            true => format!("node {i}"),
            false => node.label.clone(),
        };
        Target { name, shown: i, members }
    }

    fn joined_from(&self, i: usize) -> Vec<usize> {
        joined_from(self.vars[i], self.grads).iter().map(|x| x.id().index()).collect()
    }

    fn gradient(&self, i: usize) -> Option<&Tensor> {
        self.grads.wrt(self.vars[i])
    }

    /// ‖gradient‖² of all nodes of a target.
    fn size(&self, target: &Target) -> f64 {
        let sizes = target.members.iter().filter_map(|&i| self.gradient(i));
        sizes.fold(0., |sum, grad| sum + grad.squared_norm())
    }

    /// What a node is called: its label, or else the place that it is a part of.
    fn name(&self, i: usize) -> String {
        let Facts { label, place, .. } = &self.nodes[i];
        if label.is_empty() { place.path.clone() } else { label.clone() }
    }

    /// Name, op where there is no label, and step where there are several.
    fn title(&self, i: usize) -> String {
        let node = &self.nodes[i];
        let op = if node.label.is_empty() { format!(" {}", node.rule.name) } else { String::new() };
        let step =
            node.place.step.as_ref().map_or(String::new(), |(_, t)| format!(", step {}", t + 1));
        format!("{}{op}{step}", self.name(i))
    }

    /// What the paper says of a node.
    fn equation(&self, i: usize) -> Option<String> {
        let name = self.name(i);
        let word = name.split('.').next()?;
        self.equations.iter().find(|(known, _)| *known == word).map(|(_, text)| text.to_string())
    }

    /// What the axes of a shape are, where it has one row for every step of the data.
    fn axes(&self, shape: &[usize]) -> Option<&'static str> {
        match *shape {
            [_, t] if t == self.steps => Some("sequence, step"),
            [_, t, _] if t == self.steps => Some("sequence, step, channel"),
            [_, t, _] if t == self.steps + 1 => Some("sequence, step from 0, channel"),
            _ => None,
        }
    }

    /// The nodes that read some of these.
    fn readers(&self, members: &[usize]) -> Vec<Reader> {
        let reads = |&i: &usize| self.nodes[i].inputs.iter().any(|x| members.contains(x));
        let readers = (0..self.nodes.len()).filter(reads);
        readers.map(|node| Reader { node, name: self.title(node) }).collect()
    }
}

/// A node that uses a value.
#[derive(Clone, Debug, Serialize)]
struct Reader {
    node: usize,
    name: String,
}
