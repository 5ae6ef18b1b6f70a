//! A node in sentences: what it is, what it is made of, and where its gradient comes from.

use super::terms::{Group, MOST_TERMS, push_rows};
use super::{Pass, Reader, Target};
use crate::inspect::figures::digits;
use crate::inspect::table::{align, shape};
use crate::kernel::reduce::ends;
use crate::tensor::Tensor;
use serde::Serialize;
use std::fmt;

/// The most inputs that are listed.
const MOST_INPUTS: usize = 9;

impl Pass<'_> {
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
        let [min, max] = ends(parts.iter().flat_map(|x| x.data()).map(|&x| f64::from(x)));
        Self { shape: parts[0].shape().to_vec(), rms: root_mean_square(parts), min, max }
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
