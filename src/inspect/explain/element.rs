//! One number of a gradient, down to single multiplications, and from there all the way to the loss.
//!
//! `∂L/∂x[e] = Σ_k ȳ[k] ∂y[k]/∂x[e]`, over the elements k of every op that reads x; `jacobian` has the columns ∂y/∂x[e].
//! Each is checked against the term that the tape computed: one that does not give it is not shown, and the term of an op
//! without a column, as of whole recurrent layers, stands as one number.

use super::{Facts, Pass, Target};
use crate::error::{Error, Result};
use crate::inspect::figures::{counted, digits};
use crate::inspect::jacobian::{Entry, Jacobian, What, tolerance};
use crate::inspect::table::align;
use serde::Serialize;
use std::fmt;

/// How many multiplications of a sum are told one by one.
const MOST_PRODUCTS: usize = 6;

/// The most ops between a number and the loss: more than any of our models has.
const MOST_LEVELS: usize = 4096;

/// One number of a gradient all the way to the loss. Displayed as sums; serialised as one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Number {
    /// The number, then what its largest multiplication leads to, and so on.
    levels: Vec<Level>,
    /// How many of them are shown as sums.
    #[serde(skip)]
    shown: usize,
}

/// One element of a gradient as a sum.
#[derive(Clone, Debug, Serialize)]
struct Level {
    node: usize,
    name: String,
    /// On the axes of the node, counted from 1.
    element: Vec<usize>,
    value: f64,
    gradient: f64,
    /// Whether the gradients are of this.
    is_loss: bool,
    /// How many multiplications there are.
    count: usize,
    /// The largest of them.
    products: Vec<Product>,
    /// The sum of the others.
    others: f64,
    /// Terms of ops without a written-out form.
    whole: Vec<Whole>,
    /// By how much all together miss the gradient.
    miss: f64,
    /// Σ |product|, larger where a factor is a small difference: `miss` is some roundings of this.
    size: f64,
}

/// One multiplication: the gradient at an element of an op, times how that depends on ours.
#[derive(Clone, Debug, Serialize)]
struct Product {
    node: usize,
    name: String,
    op: &'static str,
    element: Vec<usize>,
    gradient: f64,
    factors: Vec<Factor>,
    product: f64,
}

/// A figure and what it is.
#[derive(Clone, Debug, Serialize)]
struct Factor {
    what: String,
    value: f64,
}

/// The term of an op that has no written-out form.
#[derive(Clone, Debug, Serialize)]
struct Whole {
    node: usize,
    name: String,
    op: &'static str,
    vjp: &'static str,
    term: f64,
}

/// A product before it is known whether it will be shown.
struct Found {
    node: usize,
    /// Of its op, by its number among the readers.
    op: usize,
    entry: Entry,
    gradient: f64,
    product: f64,
}

impl Pass<'_> {
    /// The gradient of one element of a node, such as `1,5,2` (sequence, step, channel, counted from 1; without the first,
    /// that of the first sequence), as a sum of single multiplications. The largest is followed to the loss; the first `depth` sums
    /// are told in full.
    ///
    /// # Errors
    /// If the node has no such element, or no gradient.
    pub fn element(&self, target: &Target, text: &str, depth: usize) -> Result<Number> {
        let (mut node, mut e) = self.place_of(target, text)?;
        let mut levels = vec![];
        while levels.len() < MOST_LEVELS {
            let (level, next) = self.level(node, e)?;
            levels.push(level);
            match next {
                Some(next) => (node, e) = next,
                None => break,
            }
        }
        Ok(Number { levels, shown: depth })
    }

    /// The node and the element that the user means.
    fn place_of(&self, target: &Target, text: &str) -> Result<(usize, usize)> {
        let shape = &self.nodes[target.shown].shape;
        let axes = self.axes(shape);
        let refuse = || {
            let example: Vec<String> = shape.iter().map(usize::to_string).collect();
            let axes = axes.map_or(String::new(), |axes| format!(" ({axes})"));
            Error::usage(format!(
                "--element {text}: {} has shape ({}){axes}, counted from 1, so its last element is {}",
                target.name,
                example.join(", "),
                example.join(","),
            ))
        };
        let numbers: Option<Vec<usize>> =
            text.split(',').map(|word| word.trim().parse().ok()).collect();
        let mut index = numbers.ok_or_else(refuse)?;
        if axes.is_some() && index.len() + 1 == shape.len() {
            index.insert(0, 1); // the first sequence
        }
        let inside = index.len() == shape.len()
            && index.iter().zip(shape).all(|(&i, &axis)| (1..=axis).contains(&i));
        if !inside {
            return Err(refuse());
        }
        let flat = |index: &[usize], shape: &[usize]| {
            index.iter().zip(shape).fold(0, |flat, (i, axis)| flat * axis + i - 1)
        };
        match target.members[..] {
            [one] if one == target.shown => Ok((one, flat(&index, shape))),
            // Steps that were joined: the one of that step has the element.
            _ if !self.joined_from(target.shown).is_empty() => {
                let mut step = index[1];
                for part in self.joined_from(target.shown) {
                    let shape = &self.nodes[part].shape;
                    if step <= shape[1] {
                        return Ok((part, flat(&[index[0], step, index[2]], shape)));
                    }
                    step -= shape[1];
                }
                Err(refuse())
            }
            _ => {
                let few: Vec<String> =
                    target.members.iter().take(3).map(usize::to_string).collect();
                Err(Error::usage(format!(
                    "{} is {} nodes, one at every step: name one of them by its number, such as {}",
                    target.name,
                    target.members.len(),
                    few.join(", ")
                )))
            }
        }
    }

    /// One element as a sum, and where its largest product leads.
    fn level(&self, node: usize, e: usize) -> Result<(Level, Option<(usize, usize)>)> {
        let value = f64::from(self.vars[node].value().data()[e]);
        let Some(gradient) = self.gradient(node).map(|grad| f64::from(grad.data()[e])) else {
            return Err(Error::usage(format!(
                "{} has no gradient: `stcn explain RUN {node}` says why",
                self.title(node)
            )));
        };
        let (mut found, mut whole, mut ops) = (vec![], vec![], vec![]);
        let readers = self.readers(&[node]);
        for consumer in readers.iter().map(|reader| reader.node) {
            let Some(gy) = self.gradient(consumer) else { continue };
            let of = self.tape.vjp(self.vars[consumer], gy.clone());
            let jacobian = Jacobian::of(self.vars[consumer]);
            let slots = self.nodes[consumer].inputs.iter().enumerate();
            for (slot, _) in slots.filter(|(_, input)| **input == node) {
                let Some(term) = of[slot].as_ref().map(|term| f64::from(term.data()[e])) else {
                    continue;
                };
                let column = jacobian.column(slot, e).map(|column| {
                    let product = |entry: Entry| {
                        let gradient = f64::from(gy.data()[entry.at]);
                        let product = gradient * entry.slope.value;
                        Found { node: consumer, op: ops.len(), entry, gradient, product }
                    };
                    column.into_iter().map(product).collect::<Vec<Found>>()
                });
                let gives = |column: &Vec<Found>| {
                    let sum = column.iter().fold(0., |sum, found| sum + found.product);
                    let size = column.iter().fold(0., |sum, found| sum + found.size());
                    (sum - term).abs() <= tolerance(column.len(), size)
                };
                match column.filter(gives) {
                    Some(column) => found.extend(column),
                    None => whole.push(self.whole(consumer, term)),
                }
            }
            ops.push(jacobian);
        }
        found.sort_by(|a, b| b.product.abs().total_cmp(&a.product.abs()));
        whole.sort_by(|a, b| b.term.abs().total_cmp(&a.term.abs()));
        let sum = |found: &[Found]| found.iter().fold(0., |sum, found| sum + found.product);
        let rest = whole.iter().fold(0., |sum, whole| sum + whole.term);
        let total = sum(&found) + rest;
        let sizes = found.iter().map(Found::size);
        let size = sizes.chain(whole.iter().map(|w| w.term.abs())).fold(0., |sum, x| sum + x);
        let is_loss = readers.iter().all(|reader| self.gradient(reader.node).is_none());
        let largest = found.first().filter(|found| found.product != 0.);
        let next = largest.map(|found| (found.node, found.entry.at));
        let count = found.len();
        let others = sum(&found[count.min(MOST_PRODUCTS)..]);
        found.truncate(MOST_PRODUCTS);
        let told = |Found { node, op, entry, gradient, product }: Found| {
            let factor = |(what, value)| match what {
                What::Text(what) => Factor { what, value },
                What::Element(input, flat) => {
                    Factor { what: self.called(self.nodes[node].inputs[input], flat), value }
                }
            };
            Product {
                node,
                name: self.called(node, entry.at),
                op: self.nodes[node].rule.name,
                element: self.index(node, entry.at),
                gradient,
                factors: ops[op].factors(&entry).into_iter().map(factor).collect(),
                product,
            }
        };
        let level = Level {
            node,
            name: self.called(node, e),
            element: self.index(node, e),
            value,
            gradient,
            count,
            products: found.into_iter().map(told).collect(),
            others,
            whole,
            miss: if is_loss { 0. } else { total - gradient },
            is_loss,
            size,
        };
        Ok((level, next))
    }

    fn whole(&self, consumer: usize, term: f64) -> Whole {
        let rule = self.nodes[consumer].rule;
        Whole { node: consumer, name: self.name(consumer), op: rule.name, vjp: rule.vjp, term }
    }

    /// An element on the axes of its node, counted from 1.
    fn index(&self, node: usize, mut flat: usize) -> Vec<usize> {
        let mut index = vec![];
        for axis in self.nodes[node].shape.iter().rev() {
            index.insert(0, flat % axis + 1);
            flat /= axis;
        }
        index
    }

    /// What an element is called: `z.2[1, 5, 2]`, `tcn.1 gated_conv[1, 65, 5]`, `infer.1 concat[1, 1, 7] at step 3`.
    fn called(&self, node: usize, flat: usize) -> String {
        let Facts { label, rule, place, .. } = &self.nodes[node];
        let op = if label.is_empty() { format!(" {}", rule.name) } else { String::new() };
        let step = place.step.as_ref().map(|(_, step)| format!(" at step {}", step + 1));
        let index: Vec<String> = self.index(node, flat).iter().map(usize::to_string).collect();
        format!("{}{op}[{}]{}", self.name(node), index.join(", "), step.unwrap_or_default())
    }
}

impl Found {
    /// What its roundings are measured by: |product|, more where a factor is a small difference.
    fn size(&self) -> f64 {
        self.product.abs() + self.gradient.abs() * self.entry.slope.error
    }
}

impl Level {
    fn sum(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gradient = digits(self.gradient);
        if self.is_loss {
            return writeln!(f, "{gradient}: this is what the gradients are of, ∂L/∂L = 1.");
        }
        match (self.count, self.whole.len()) {
            (0, 0) => {
                let why = "every op that reads it multiplies by 0, as behind a closed rectifier";
                return writeln!(f, "{gradient}: {why}.");
            }
            (0, _) => writeln!(f, "{gradient} =")?,
            (1, _) => writeln!(f, "{gradient} = one multiplication:")?,
            (n, _) => {
                writeln!(f, "{gradient} = the sum of {n} multiplications, the largest first:")?
            }
        }
        for Product { node, name, op, gradient, factors, product, .. } in &self.products {
            let factor = |factor: &Factor| format!(" · {} ({})", digits(factor.value), factor.what);
            let factors: Vec<String> = factors.iter().map(factor).collect();
            let (product, gradient) = (digits(*product), digits(*gradient));
            let factors = factors.concat();
            writeln!(f, "  {product:>11} = {gradient} at {name}{factors}   ({op}, node {node})")?;
        }
        if self.count > self.products.len() {
            let more = self.count - self.products.len();
            writeln!(f, "  {:>11}   {}", digits(self.others), counted(more, "other"))?;
        }
        for Whole { node, name, op, vjp, term } in &self.whole {
            writeln!(
                f,
                "  {:>11}   through {name} ({op}, node {node}), whose rule is not written out here: {vjp}",
                digits(*term)
            )?;
        }
        match self.miss == 0. {
            true => writeln!(f, "  They sum to the tape's number, to the last digit."),
            false => {
                let miss = digits(self.miss);
                writeln!(f, "  They sum to the tape's number but for {miss}, by rounding.")
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.levels[0];
        writeln!(
            f,
            "{} is {}. Its gradient is {2}: if it grew by a little ε, the loss would grow by {2} ε.\n\
             In the lines below: product = gradient at an element of the op that reads it · how that depends on it.",
            first.name,
            digits(first.value),
            digits(first.gradient)
        )?;
        for (i, level) in self.levels.iter().take(self.shown).enumerate() {
            match i {
                0 => writeln!(f)?,
                _ => {
                    let value = digits(level.value);
                    writeln!(
                        f,
                        "\nOn from the first: the gradient at {} (value {value})",
                        level.name
                    )?;
                }
            }
            level.sum(f)?;
        }
        let rest = self.levels.get(self.shown..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let (all, next) = (self.levels.len(), self.shown + 1);
        let more = match rest {
            [_] => format!("--depth {all} writes out the last sum too"),
            _ => format!("--depth {next} writes out one sum more, --depth {all} all of them"),
        };
        writeln!(
            f,
            "\nWritten out to --depth {}. From here on to the loss, each gradient with the largest of its products alone\n\
             ({more})",
            self.shown
        )?;
        let row = |level: &Level| {
            let first = level.products.first().map(|first| match level.count {
                1 => digits(first.product),
                n => format!("{}, of {n}", digits(first.product)),
            });
            [
                format!("  {:>11}", digits(level.gradient)),
                format!("at {}", level.name),
                first.unwrap_or_default(),
            ]
        };
        let rows: Vec<[String; 3]> = rest.iter().map(row).collect();
        f.write_str(&align(&rows))
    }
}
