//! Where a node belongs: the layer that computed it, and the step of a recurrent model.

use crate::nn::Module;
use crate::tape::{Grads, Node, Tape, Var};
use std::collections::{BTreeMap, BTreeSet};

/// The place of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// The layer or quantity it is a part of, as words separated by dots: `tcn.3.filter`, `kl.2`.
    pub path: String,
    /// Which op of its layer it is and at which step, from 0, where the layer runs once for every step.
    pub step: Option<(String, usize)>,
}

/// The paths of a model's parameters.
pub(super) fn paths(model: &dyn Module) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    model.visit(&mut |p| {
        paths.insert(p.path().to_string());
    });
    paths
}

/// T: how many steps the data of a pass have, 0 if it has none.
pub(super) fn steps(tape: &Tape) -> usize {
    tape.find("x").and_then(|x| x.value().shape().get(1).copied()).unwrap_or(0)
}

/// The values of steps that x was joined from, where they have its gradient: a value that is put together only to be looked
/// at is read by no op. Empty if x is no such value.
pub(super) fn joined_from<'t>(x: Var<'t>, grads: &Grads) -> Vec<Var<'t>> {
    let joined = x.rule().name == "concat_time" && grads.wrt(x).is_none();
    let steps = if joined { x.inputs() } else { vec![] };
    if steps.iter().any(|&step| grads.wrt(step).is_some()) { steps } else { vec![] }
}

/// The place of every node, in order. `parameters` are the paths of the model's parameters, `steps` is T.
///
/// - A parameter belongs to its layer: its path without the last word.
/// - An op that reads parameters belongs to the layer they share: the common beginning of their paths.
/// - Otherwise a node with a label belongs to that label, and a node that `concat_time` joins with others belongs to
///   the label of the result.
/// - Otherwise a node belongs to the common beginning of its readers' places, or, if there is none, to the place of
///   its first computed input.
pub fn places(tape: &Tape, parameters: &BTreeSet<String>, steps: usize) -> Vec<Place> {
    let mut nodes = vec![];
    let mut readers: Vec<Vec<usize>> = vec![vec![]; tape.len()];
    tape.each(|node| {
        nodes.push(Facts::of(node, parameters));
        node.inputs.iter().for_each(|x| readers[x.index()].push(node.id.index()));
    });
    let mut paths: Vec<Option<String>> = vec![None; nodes.len()];
    for i in (0..nodes.len()).rev() {
        let node = &nodes[i];
        let layers = node.inputs.iter().filter_map(|&x| nodes[x].layer());
        let joined = readers[i].iter().map(|&r| &nodes[r]).find(|r| r.joins && !r.label.is_empty());
        paths[i] =
            node.layer().map(String::from).or_else(|| common(layers.collect())).or_else(|| {
                let labels = [Some(node), joined].into_iter().flatten().map(|n| &n.label);
                let label = labels.into_iter().find(|label| !label.is_empty());
                let reading =
                    || readers[i].iter().map(|&r| paths[r].as_deref()).collect::<Option<Vec<_>>>();
                label.map(|label| without_part(label).into()).or_else(|| common(reading()?))
            });
    }
    for i in 0..nodes.len() {
        if paths[i].is_none() {
            let computed = |&&x: &&usize| !nodes[x].inputs.is_empty();
            let inputs = &nodes[i].inputs;
            let first = inputs.iter().find(computed).or(inputs.first());
            let first = first.and_then(|&x| paths[x].clone());
            paths[i] = Some(first.unwrap_or_else(|| "constants".into()));
        }
    }
    let paths: Vec<String> = paths.into_iter().flatten().collect();
    let mut all = vec![Place::default(); nodes.len()];
    // By place, rule, parameters read and shape.
    type Kind<'a> = (&'a str, &'a str, Vec<usize>, &'a [usize]);
    let mut repeated: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        all[i].path.clone_from(&paths[i]);
        if node.of_one_step && !parameters.contains(&node.label) {
            let read = node.inputs.iter().copied().filter(|&x| nodes[x].layer().is_some());
            let key = (&*paths[i], node.rule, read.collect(), &*node.shape);
            repeated.entry(key).or_default().push(i);
        }
    }
    for ((_, rule, read, shape), ids) in repeated {
        // One op too few: the first step has none, as where the state is still zero.
        let count = if (ids.len() + 1).is_multiple_of(steps) { ids.len() + 1 } else { ids.len() };
        if steps < 2 || !count.is_multiple_of(steps) {
            continue;
        }
        let (each, late) = (count / steps, count - ids.len());
        for (n, i) in ids.into_iter().enumerate() {
            let n = n + late;
            let kind = format!("{rule} {read:?} {shape:?} {}", n % each);
            all[i].step = Some((kind, n / each));
        }
    }
    all
}

/// What a place depends on.
struct Facts {
    rule: &'static str,
    label: String,
    inputs: Vec<usize>,
    shape: Vec<usize>,
    parameter: bool,
    /// Whether it puts values of steps one after another.
    joins: bool,
    /// Whether its value is of one step (B, 1, C), or a constant without a name.
    of_one_step: bool,
}

impl Facts {
    fn of(node: &Node, parameters: &BTreeSet<String>) -> Self {
        let shape = node.value.shape().to_vec();
        let unnamed_leaf = node.inputs.is_empty() && node.label.is_empty();
        Self {
            rule: node.rule.name,
            label: node.label.clone(),
            inputs: node.inputs.iter().map(|x| x.index()).collect(),
            parameter: parameters.contains(&node.label),
            joins: node.rule.name == "concat_time",
            of_one_step: unnamed_leaf || (shape.len() == 3 && shape[1] == 1),
            shape,
        }
    }

    /// The layer of a parameter.
    fn layer(&self) -> Option<&str> {
        self.parameter.then(|| self.label.rsplit_once('.').map_or(&*self.label, |(layer, _)| layer))
    }
}

/// `p.2` of `p.2.mean`: distributions are one place.
pub(super) fn without_part(label: &str) -> &str {
    let parts = [".mean", ".std", ".logits", ".rho", ".bits"];
    parts.iter().find_map(|part| label.strip_suffix(part)).unwrap_or(label)
}

/// The words that all paths begin with; `None` if there are none.
fn common(paths: Vec<&str>) -> Option<String> {
    let (first, others) = paths.split_first()?;
    let mut words: Vec<&str> = first.split('.').collect();
    for other in others {
        let same = words.iter().zip(other.split('.')).take_while(|(a, b)| **a == *b).count();
        words.truncate(same);
    }
    (!words.is_empty()).then(|| words.join("."))
}
