//! One node of a finished pass in sentences: what it is, what it is made of, and where its gradient comes from.
//!
//! [`Pass`] finds a node by what a user types and gives names to all of them. `routes` follows a gradient from the loss
//! to a node, `element` writes out one number of it. Not here: the pass as a list (`table`) or
//! as a page (`html`).

mod element;
mod routes;

pub use element::Number;
pub use routes::Routes;

use super::place::{Place, paths, places, steps};
use super::table::{align, shape};
use crate::error::{Error, Result, nearest_few};
use crate::nn::Module;
use crate::tape::{Grads, Tape, Term, Var};
use crate::tensor::Tensor;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
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

/// The most terms of a gradient that are printed, and the most of a term that is followed further.
const MOST_TERMS: [usize; 2] = [12, 3];

/// The most inputs that are listed.
const MOST_INPUTS: usize = 9;

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
        let has = |i: usize| self.gradient(i).is_some();
        let at_steps = node.rule.name == "concat_time" && !has(i);
        let steps: Vec<usize> =
            node.inputs.iter().copied().filter(|&x| at_steps && has(x)).collect();
        let members = if steps.is_empty() { vec![i] } else { steps };
        let name = match node.label.is_empty() {
            true => format!("node {i}"),
            false => node.label.clone(),
        };
        Target { name, shown: i, members }
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

    /// The node in sentences. The gradients of the ops that read it are followed `depth` levels; 1 is its own terms.
    pub fn explain(&self, target: &Target, depth: usize) -> Explanation {
        let (i, node) = (target.shown, &self.nodes[target.shown]);
        let input = |&i: &usize| Input {
            node: i,
            name: self.title(i),
            op: self.nodes[i].rule.name,
            shape: self.nodes[i].shape.clone(),
            rms: root_mean_square(&[&self.vars[i].value()]),
        };
        let grads: Vec<&Tensor> = target.members.iter().filter_map(|&i| self.gradient(i)).collect();
        let (terms, miss) = self.terms(target, depth, MOST_TERMS[0]);
        Explanation {
            node: i,
            name: target.name.clone(),
            nodes: target.members.clone(),
            what: self.what(target),
            place: node.place.path.clone(),
            step: node.place.step.as_ref().map(|(_, step)| step + 1),
            op: node.rule.name,
            formula: node.rule.forward,
            setting: node.setting,
            vjp: node.rule.vjp,
            equation: self.equation(i),
            source: format!("{}:{}", node.caller.file(), node.caller.line()),
            inputs: node.inputs.iter().map(input).collect(),
            axes: self.axes(&node.shape),
            value: Summary::of(&[&self.vars[i].value()]),
            gradient: (!grads.is_empty()).then(|| Summary::of(&grads)),
            tracked: node.tracked,
            readers: self.readers(&target.members),
            terms,
            terms_miss: miss,
        }
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

    /// `rsample of q.2.mean, q.2.std and noise.z.2`, or what kind of leaf it is.
    fn what(&self, target: &Target) -> String {
        let node = &self.nodes[target.shown];
        if node.parameter {
            return format!("a parameter, of the layer {}", node.place.path);
        }
        if node.inputs.is_empty() {
            let kind = match &*node.label {
                "x" => "the data of this pass, normalised",
                label if label.starts_with("noise.") => {
                    "standard normal numbers, drawn before the pass"
                }
                _ if node.tracked => "an input",
                _ => "a constant, such as the state before the first step",
            };
            return kind.into();
        }
        let names: Vec<String> = node.inputs.iter().map(|&x| self.title(x)).collect();
        let names = match &names[..] {
            [first, .., last] if names.len() > MOST_INPUTS => {
                format!("{} values, from {first} to {last}", names.len())
            }
            [others @ .., last] if !others.is_empty() => {
                format!("{} and {last}", others.join(", "))
            }
            _ => names.join(", "),
        };
        format!("{} of {names}", node.rule.name)
    }

    /// The terms of the chain rule at a target, largest first, and by how much they miss its gradient, relative to its
    /// norm. Terms of one op that runs at every step stand together. The first `most` are followed on.
    fn terms(&self, target: &Target, depth: usize, most: usize) -> (Vec<Group>, Option<f64>) {
        let size = self.size(target);
        let mut groups: Vec<(Key, Group, BTreeMap<usize, Tensor>)> = vec![];
        let (mut missed, mut any) = (0., false);
        for &member in &target.members {
            let Some(total) = self.gradient(member) else { continue };
            let mut sum = vec![0.; total.len()];
            let terms = self.tape.explain(self.grads, self.vars[member]);
            for Term { consumer, rule, grad } in terms {
                any = true;
                sum.iter_mut().zip(grad.data()).for_each(|(sum, &x)| *sum += f64::from(x));
                let share = part(&grad, total, size);
                let i = consumer.id().index();
                let key = self.key(i);
                let at = groups.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
                    let group = Group {
                        name: self.name(i),
                        nodes: vec![],
                        op: rule.name,
                        vjp: rule.vjp,
                        norm: 0.,
                        share: 0.,
                        steps: vec![],
                        terms: vec![],
                    };
                    groups.push((key, group, BTreeMap::new()));
                    groups.len() - 1
                });
                let (_, group, sums) = &mut groups[at];
                group.share += share;
                group.nodes.push(i);
                if let Some((_, step)) = &self.nodes[i].place.step {
                    group.steps.push((step + 1, share));
                }
                match sums.get_mut(&member) {
                    Some(sum) => sum.add_assign(&grad),
                    None => drop(sums.insert(member, grad)),
                }
            }
            let misses = sum.iter().zip(total.data()).map(|(sum, &total)| sum - f64::from(total));
            missed += misses.fold(0., |sum, miss| sum + miss * miss);
        }
        let finish = |(_, mut group, sums): (Key, Group, BTreeMap<usize, Tensor>)| {
            group.norm = sums.values().fold(0., |sum, x| sum + x.squared_norm()).sqrt();
            group.steps.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            group
        };
        let mut groups: Vec<Group> = groups.into_iter().map(finish).collect();
        groups.sort_by(|a, b| b.share.abs().total_cmp(&a.share.abs()));
        if depth > 1 {
            for group in groups.iter_mut().take(most) {
                let name = group.name.clone();
                let next = Target { name, shown: group.nodes[0], members: distinct(&group.nodes) };
                (group.terms, _) = self.terms(&next, depth - 1, MOST_TERMS[1]);
            }
        }
        let miss = if size > 0. { (missed / size).sqrt() } else { missed.sqrt() };
        (groups, any.then_some(miss))
    }

    /// What terms have in common that stand together: an op at every step, or else one node.
    fn key(&self, i: usize) -> Key {
        match &self.nodes[i].place {
            Place { path, step: Some((series, _)) } => (path.clone(), series.clone(), None),
            Place { path, step: None } => (path.clone(), String::new(), Some(i)),
        }
    }
}

/// Place, op of its layer, and node where that is but one.
type Key = (String, String, Option<usize>);

fn distinct(nodes: &[usize]) -> Vec<usize> {
    nodes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// `⟨term, gradient⟩ / ‖gradient‖²`: the part of a gradient that one of its terms makes up. Shares sum to 1, and a term
/// that works against the sum has a negative one. 0 where the gradient is 0 or not finite.
pub(super) fn share(term: &Tensor, gradient: &Tensor) -> f64 {
    part(term, gradient, gradient.squared_norm())
}

/// The same of several gradients taken together, `size` the sum of their ‖gradient‖².
fn part(term: &Tensor, gradient: &Tensor, size: f64) -> f64 {
    let part = dot(term, gradient) / size;
    if part.is_finite() { part } else { 0. }
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.data().iter().zip(b.data()).fold(0., |sum, (&a, &b)| sum + f64::from(a) * f64::from(b))
}

fn root_mean_square(parts: &[&Tensor]) -> f64 {
    let count = parts.iter().map(|x| x.len()).sum::<usize>().max(1);
    (parts.iter().fold(0., |sum, x| sum + x.squared_norm()) / count as f64).sqrt()
}

/// All that is said of a node. Displayed as sentences; serialised as one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    node: usize,
    name: String,
    nodes: Vec<usize>,
    what: String,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    op: &'static str,
    formula: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<(&'static str, usize)>,
    vjp: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    equation: Option<String>,
    source: String,
    inputs: Vec<Input>,
    #[serde(skip_serializing_if = "Option::is_none")]
    axes: Option<&'static str>,
    value: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    gradient: Option<Summary>,
    tracked: bool,
    readers: Vec<Reader>,
    terms: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_miss: Option<f64>,
}

/// One value that a node is made of.
#[derive(Clone, Debug, Serialize)]
struct Input {
    node: usize,
    name: String,
    op: &'static str,
    shape: Vec<usize>,
    rms: f64,
}

/// A node that uses a value.
#[derive(Clone, Debug, Serialize)]
struct Reader {
    node: usize,
    name: String,
}

/// A tensor in a few figures.
#[derive(Clone, Debug, Serialize)]
struct Summary {
    shape: Vec<usize>,
    rms: f64,
    min: f64,
    max: f64,
}

impl Summary {
    /// Of several tensors the shape is that of the first.
    fn of(parts: &[&Tensor]) -> Self {
        let all = || parts.iter().flat_map(|x| x.data()).map(|&x| f64::from(x));
        Self {
            shape: parts[0].shape().to_vec(),
            rms: root_mean_square(parts),
            min: all().fold(f64::INFINITY, |least, x| if x < least { x } else { least }),
            max: all().fold(f64::NEG_INFINITY, |most, x| if x > most { x } else { most }),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rms, min, max, .. } = *self;
        if min == max {
            return write!(f, "{} throughout", digits(min));
        }
        write!(f, "rms {}, from {} to {}", digits(rms), digits(min), digits(max))
    }
}

/// What one op adds to a gradient: at one node, or at the same op of every step.
#[derive(Clone, Debug, Serialize)]
struct Group {
    name: String,
    nodes: Vec<usize>,
    op: &'static str,
    vjp: &'static str,
    norm: f64,
    share: f64,
    /// Step, counted from 1, and its share; the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<(usize, f64)>,
    /// Where the gradient of this op comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    terms: Vec<Group>,
}

impl Group {
    /// Its rows in the table of terms, those that it is followed to below it.
    fn rows(&self, level: usize, rows: &mut Vec<[String; 6]>) {
        let mut nodes = distinct(&self.nodes);
        let mut name = format!("{}→ {}", "  ".repeat(level), self.name);
        let node = match nodes[..] {
            [one] => format!("{}, node {one}", self.op),
            _ => {
                nodes.truncate(1);
                let at: Vec<String> = self
                    .steps
                    .iter()
                    .take(2)
                    .map(|(step, share)| format!("{step} ({})", percent(*share)))
                    .collect();
                name += &format!(" at {} steps", self.steps.len());
                format!("{}, most at step {}", self.op, at.join(" and "))
            }
        };
        rows.push([
            name,
            percent(self.share),
            bar(self.share),
            digits(self.norm),
            node,
            self.vjp.into(),
        ]);
        push_rows(&self.terms, level + 1, MOST_TERMS[1], rows);
    }
}

fn push_rows(groups: &[Group], level: usize, most: usize, rows: &mut Vec<[String; 6]>) {
    groups.iter().take(most).for_each(|group| group.rows(level, rows));
    if groups.len() > most {
        let others = &groups[most..];
        let share = others.iter().fold(0., |sum, group| sum + group.share);
        let name = format!("{}{} others", "  ".repeat(level), others.len());
        rows.push([name, percent(share), bar(share), String::new(), String::new(), String::new()]);
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, node, nodes, what, op, value, .. } = self;
        let step = self.step.map_or(String::new(), |step| format!(", at step {step}"));
        match nodes[..] {
            [one] if one == *node => {
                let unnamed = *name == format!("node {node}");
                let is =
                    if unnamed { format!("Node {node}") } else { format!("{name} is node {node}") };
                writeln!(f, "{is}{step}: {what}.")?;
            }
            [first, .., last] if *op == "concat_time" => writeln!(
                f,
                "{name} is node {node}: the values of {} steps, put together to be looked at.\n\
                 Its gradient is that of the steps, nodes {first} to {last}, taken together.",
                nodes.len()
            )?,
            _ => writeln!(
                f,
                "{name} is {} nodes, one at every step; the first is node {node}: {what}.\n\
                 Their gradients are taken together.",
                nodes.len()
            )?,
        }
        if let Some(equation) = &self.equation {
            writeln!(f, "In the paper: {equation}.")?;
        }
        let known = self.place == *name || self.inputs.is_empty();
        let place = if known { String::new() } else { format!("Part of {}. ", self.place) };
        writeln!(f, "{place}Recorded at {}.", self.source)?;
        self.origin(f)?;
        let axes = self.axes.map_or(String::new(), |axes| format!(" ({axes})"));
        writeln!(f, "\nValue:    {}{axes}, {value}", shape(&value.shape))?;
        match &self.gradient {
            Some(gradient) => writeln!(f, "Gradient: {gradient}")?,
            None if self.tracked => {
                writeln!(f, "Gradient: none, because the loss does not depend on it.")?;
            }
            None => {
                writeln!(f, "Gradient: none, because nothing that is trained comes before it.")?;
            }
        }
        match self.terms_miss {
            Some(miss) => self.sum(f, miss),
            None if self.gradient.is_some() => {
                writeln!(f, "It is what the gradients are of, and ∂L/∂L = 1.")
            }
            None => self.read_by(f),
        }
    }
}

impl Explanation {
    /// Formulas and inputs.
    fn origin(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inputs.is_empty() {
            return Ok(());
        }
        let setting = self.setting.map(|(name, value)| format!("   {name} = {value}"));
        writeln!(f, "\nFormula:  {}{}", self.formula, setting.unwrap_or_default())?;
        writeln!(f, "Backward: {}   (x̄ is ∂L/∂x, the gradient at x)", self.vjp)?;
        writeln!(f, "Made of")?;
        let row = |input: &Input| {
            let node = format!("node {}", input.node);
            let rms = format!("rms {}", digits(input.rms));
            [format!("  {}", input.name), input.op.into(), node, shape(&input.shape), rms]
        };
        let mut rows: Vec<[String; 5]> = self.inputs.iter().take(MOST_INPUTS).map(row).collect();
        if self.inputs.len() > MOST_INPUTS {
            let more = format!("  … and {} more", self.inputs.len() - MOST_INPUTS);
            rows.push([more, "".into(), "".into(), "".into(), "".into()]);
        }
        f.write_str(&align(&rows))
    }

    /// The terms of the gradient, which they miss by a part of its norm.
    fn sum(&self, f: &mut fmt::Formatter<'_>, miss: f64) -> fmt::Result {
        let count = self.terms.len();
        match &self.terms[..] {
            [one] if one.steps.len() > 1 => {
                writeln!(f, "\nIt comes from one op that reads it, at every step:")?;
            }
            [_] => writeln!(f, "\nIt comes from the one op that reads it:")?,
            _ => writeln!(f, "\nIt is the sum of {count} terms, one from each op that reads it:")?,
        }
        let head = ["from", "share", "", "norm", "op", "its rule, backward"].map(String::from);
        let mut rows = vec![head];
        push_rows(&self.terms, 0, MOST_TERMS[0], &mut rows);
        f.write_str(&align(&rows))?;
        let sum = if count == 1 { "the term is" } else { "the terms sum to" };
        match miss == 0. {
            true => writeln!(f, "Check: {sum} the gradient, to the last digit.")?,
            false => {
                writeln!(f, "Check: {sum} the gradient, within {} of its norm.", digits(miss))?
            }
        }
        if rows.len() == 2 {
            return Ok(());
        }
        let what = "A share is ⟨term, gradient⟩ / ‖gradient‖². Shares sum to 100 %; a term below 0 works against the others.";
        writeln!(f, "{what}")?;
        if self.terms.iter().any(|term| !term.terms.is_empty()) {
            let what = "An indented row is a term of the gradient of the row above it, and its share is of that one.";
            writeln!(f, "{what}")?;
        }
        Ok(())
    }

    /// Who uses a value that has no gradient.
    fn read_by(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let few = self.readers.iter().take(MOST_INPUTS);
        let few: Vec<String> = few.map(|r| format!("{} (node {})", r.name, r.node)).collect();
        let more = match self.readers.len() - few.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match &few[..] {
            [] => writeln!(f, "No op reads it."),
            few => writeln!(f, "Read by {}{more}.", few.join(", ")),
        }
    }
}

/// A bar for a share, 20 wide for 100 %; hatched below 0.
fn bar(share: f64) -> String {
    let width = (20. * share.abs()).round().min(24.) as usize;
    match width {
        0 => "▏".into(),
        width => if share < 0. { "░" } else { "█" }.repeat(width),
    }
}

/// Four digits; very large and very small numbers by their powers of ten.
fn digits(x: f64) -> String {
    let power = format!("{x:.3e}");
    let exponent = power.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        Some(_) if x == 0. => "0".into(),
        Some(exponent @ -3..=4) => {
            let plain = format!("{x:.0$}", (3 - exponent).max(0) as usize);
            match plain.contains('.') {
                true => plain.trim_end_matches('0').trim_end_matches('.').into(),
                false => plain,
            }
        }
        _ => power, // also of NaN and infinities, which have none
    }
}

/// `12.3 %`
fn percent(x: f64) -> String {
    let x = 100. * x;
    if x != 0. && x.abs() < 0.05 {
        return "< 0.1 %".into();
    }
    if x.abs() < 9.95 { format!("{x:.1} %") } else { format!("{x:.0} %") }
}
