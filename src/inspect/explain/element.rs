//! One number of a gradient, down to single multiplications, and from there all the way to the loss.
//!
//! `∂L/∂x[e] = Σ_k ȳ[k] ∂y[k]/∂x[e]`, over the elements k of every op that reads x. The columns ∂y/∂x[e] come from
//! 1. formulas, for the layers: linear, causal convolution, gated convolution;
//! 2. the op's own vjp, asked with a few gradients of our own, for every op that uses x[e] for one element of its value (all
//!    elementwise functions, gates, slices, sums, densities), or only for elements of the same row (cells of recurrent
//!    networks);
//! 3. nothing else: whole recurrent layers have no written-out form here, and their term stands as one number.
//!
//! Every column is checked against the term that the tape computed; one that does not give it is not shown.

use super::{Facts, Pass, Target, digits};
use crate::error::{Error, Result};
use crate::inspect::table::align;
use crate::kernel::causal_conv::CausalConv;
use crate::kernel::math::{sigmoid, tanh};
use crate::tensor::{Real, Tensor};
use serde::Serialize;
use std::fmt;

/// How many multiplications of a sum are told one by one.
const MOST_PRODUCTS: usize = 6;

/// The most elements of a row that are asked for one by one.
const MOST_ASKED: usize = 2048;

/// The most ops between a number and the loss: more than any of our models has.
const MOST_LEVELS: usize = 4096;

/// By how much a sum of n products may miss the tape's, which sums in another order: n roundings of 2⁻²⁴ (2⁻⁵³), of
/// their sizes; twice that, as factors are rounded too.
fn tolerance(count: usize, size: f64) -> f64 {
    2. * (count + 8) as f64 * f64::from(Real::EPSILON) * size
}

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

/// ∂y[at]/∂x[e] as a product of figures.
struct Entry {
    at: usize,
    factors: Vec<Factor>,
    /// How many times larger than that of the product the roundings are that it carries: above 1 where a factor is a
    /// small difference.
    cancels: f64,
}

impl Entry {
    fn new<const N: usize>(at: usize, factors: [(String, f64); N]) -> Self {
        let factor = |(what, value)| Factor { what, value };
        Self { at, factors: factors.map(factor).into(), cancels: 1. }
    }

    fn cancelling(self, cancels: f64) -> Self {
        Self { cancels, ..self }
    }

    fn slope(&self) -> f64 {
        self.factors.iter().fold(1., |product, factor| product * factor.value)
    }
}

/// A product before it is known whether it will be shown.
struct Found {
    node: usize,
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
            // Steps that were put together: the one of that step has the element.
            _ if self.nodes[target.shown].rule.name == "concat_time" => {
                let mut step = index[1];
                for &part in &self.nodes[target.shown].inputs {
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
        let (mut found, mut whole) = (vec![], vec![]);
        let readers = self.readers(&[node]);
        for consumer in readers.iter().map(|reader| reader.node) {
            let Some(gy) = self.gradient(consumer) else { continue };
            let of = self.tape.vjp(self.vars[consumer], gy.clone());
            let slots = self.nodes[consumer].inputs.iter().enumerate();
            for (slot, _) in slots.filter(|(_, input)| **input == node) {
                let Some(term) = of[slot].as_ref().map(|term| f64::from(term.data()[e])) else {
                    continue;
                };
                match self.column(consumer, slot, e, gy, term) {
                    Some(column) => found.extend(column.into_iter().map(|entry| {
                        let gradient = f64::from(gy.data()[entry.at]);
                        let product = gradient * entry.slope();
                        Found { node: consumer, entry, gradient, product }
                    })),
                    None => whole.push(self.whole(consumer, term)),
                }
            }
        }
        found.sort_by(|a, b| b.product.abs().total_cmp(&a.product.abs()));
        whole.sort_by(|a, b| b.term.abs().total_cmp(&a.term.abs()));
        let sum = |found: &[Found]| found.iter().fold(0., |sum, found| sum + found.product);
        let rest = whole.iter().fold(0., |sum, whole| sum + whole.term);
        let total = sum(&found) + rest;
        let sizes = found.iter().map(|found| found.entry.cancels * found.product.abs());
        let size = sizes.chain(whole.iter().map(|w| w.term.abs())).fold(0., |sum, x| sum + x);
        let is_loss = readers.iter().all(|reader| self.gradient(reader.node).is_none());
        let largest = found.first().filter(|found| found.product != 0.);
        let next = largest.map(|found| (found.node, found.entry.at));
        let count = found.len();
        let others = sum(&found[count.min(MOST_PRODUCTS)..]);
        found.truncate(MOST_PRODUCTS);
        let told = |Found { node, entry, gradient, product }: Found| Product {
            node,
            name: self.called(node, entry.at),
            op: self.nodes[node].rule.name,
            element: self.index(node, entry.at),
            gradient,
            factors: entry.factors,
            product,
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

    /// A factor that is an element of a node.
    fn figure(&self, node: usize, flat: usize) -> (String, f64) {
        (self.called(node, flat), f64::from(self.vars[node].value().data()[flat]))
    }

    /// The elements of ∂y/∂x[e] that are not 0, for y = a node and x = its input number `slot`; they give `term`. `None`
    /// if there is no written-out form.
    fn column(
        &self,
        node: usize,
        slot: usize,
        e: usize,
        gy: &Tensor,
        term: f64,
    ) -> Option<Vec<Entry>> {
        let gives = |column: &Vec<Entry>| {
            let (sum, size) = column.iter().fold((0., 0.), |(sum, size), entry| {
                let product = f64::from(gy.data()[entry.at]) * entry.slope();
                (sum + product, size + entry.cancels * product.abs())
            });
            (sum - term).abs() <= tolerance(column.len(), size)
        };
        let by_formula = match (self.nodes[node].rule.name, slot) {
            ("linear" | "linear_relu" | "linear_residual", 0..=2) => self.of_linear(node, slot, e),
            ("causal_conv1d", 0..=2) => self.of_conv(node, slot, e),
            ("gated_conv", 0..=4) => self.of_gated(node, slot, e),
            _ => None,
        };
        by_formula
            .filter(gives)
            .or_else(|| self.of_one(node, slot, e).filter(gives))
            .or_else(|| self.of_row(node, slot, e, gy, term).filter(gives))
    }

    /// Values of the inputs of a node.
    fn inputs<const N: usize>(&self, node: usize) -> Option<[Tensor; N]> {
        let ids: [usize; N] = self.nodes[node].inputs.get(..N)?.try_into().ok()?;
        Some(ids.map(|x| self.vars[x].value()))
    }

    /// `y = x W + b`, then perhaps a rectifier or a residual.
    fn of_linear(&self, node: usize, slot: usize, e: usize) -> Option<Vec<Entry>> {
        let [x, _, _] = self.inputs::<3>(node)?;
        let y = self.vars[node].value();
        let (rows, inputs, outputs) = (x.rows(), x.cols(), y.cols());
        let rectified = self.nodes[node].rule.name == "linear_relu";
        let passes = |at: &usize| !rectified || y.data()[*at] > 0.;
        let [x_id, w_id] = [0, 1].map(|i| self.nodes[node].inputs[i]);
        Some(match slot {
            0 => {
                let all =
                    (0..outputs).map(|o| (e / inputs * outputs + o, e % inputs * outputs + o));
                let all = all.filter(|(at, _)| passes(at));
                all.map(|(at, weight)| Entry::new(at, [self.figure(w_id, weight)])).collect()
            }
            1 => {
                let all = (0..rows).map(|r| (r * outputs + e % outputs, r * inputs + e / outputs));
                let all = all.filter(|(at, _)| passes(at));
                all.map(|(at, input)| Entry::new(at, [self.figure(x_id, input)])).collect()
            }
            _ => {
                let all = (0..rows).map(|r| r * outputs + e).filter(passes);
                all.map(|at| Entry::new(at, [])).collect()
            }
        })
    }

    /// `y_t = b + Σⱼ x_{t−rⱼ} wⱼ`
    fn of_conv(&self, node: usize, slot: usize, e: usize) -> Option<Vec<Entry>> {
        let [x, w, _] = self.inputs::<3>(node)?;
        let conv = Conv::new(&x, &w, self.nodes[node].setting)?;
        let [x_id, w_id] = [0, 1].map(|i| self.nodes[node].inputs[i]);
        Some(match slot {
            0 => {
                let all = conv.reads_x(e).into_iter();
                all.map(|(at, weight)| Entry::new(at, [self.figure(w_id, weight)])).collect()
            }
            1 => {
                let all = conv.reads_w(e).into_iter();
                all.map(|(at, input)| Entry::new(at, [self.figure(x_id, input)])).collect()
            }
            _ => conv.reads_bias(e).map(|at| Entry::new(at, [])).collect(),
        })
    }

    /// `y = a s` with `a = tanh(W_f∗x + b_f)`, `s = σ(W_g∗x + b_g)`
    fn of_gated(&self, node: usize, slot: usize, e: usize) -> Option<Vec<Entry>> {
        let [x, wf, bf, wg, bg] = self.inputs::<5>(node)?;
        let conv = Conv::new(&x, &wf, self.nodes[node].setting)?;
        let ids = &self.nodes[node].inputs;
        // How y depends on the sum in tanh, and on that in σ, with the roundings that these have.
        let slopes = |at: usize| {
            let [(f, rounds_f), (g, rounds_g)] =
                [(&wf, &bf), (&wg, &bg)].map(|(w, b)| conv.sum(&x, w, b, at));
            let (a, s) = (f64::from(tanh(f as Real)), f64::from(sigmoid(g as Real)));
            let (one_a, one_s) = (1. - a * a, 1. - s);
            let cancels = [
                1. / one_a + rounds_f + rounds_g,
                1. / one_s + rounds_g + rounds_f * one_a / a.abs(),
            ];
            let slopes = [("s(1 − a²)", s * one_a), ("a s(1 − s)", a * s * one_s)];
            let which = |i: usize| (slopes[i].0.to_string(), slopes[i].1);
            // Where a slope is 0, so is its product.
            [0, 1].map(|i| (which(i), if cancels[i].is_finite() { cancels[i] } else { 0. }))
        };
        Some(match slot {
            0 => {
                let both = |(at, weight): (usize, usize)| {
                    let of = |(slope, cancels), id: usize| {
                        Entry::new(at, [slope, self.figure(id, weight)]).cancelling(cancels)
                    };
                    let [filter, gate] = slopes(at);
                    [of(filter, ids[1]), of(gate, ids[3])]
                };
                conv.reads_x(e).into_iter().flat_map(both).collect()
            }
            1 | 3 => {
                let one = |(at, input): (usize, usize)| {
                    let [filter, gate] = slopes(at);
                    let (slope, cancels) = if slot == 1 { filter } else { gate };
                    Entry::new(at, [slope, self.figure(ids[0], input)]).cancelling(cancels)
                };
                conv.reads_w(e).into_iter().map(one).collect()
            }
            _ => {
                let one = |at: usize| {
                    let [filter, gate] = slopes(at);
                    let (slope, cancels) = if slot == 2 { filter } else { gate };
                    Entry::new(at, [slope]).cancelling(cancels)
                };
                conv.reads_bias(e).map(one).collect()
            }
        })
    }

    /// What the vjp of a node makes of `gy`, at element e of input number `slot`.
    fn ask(&self, node: usize, slot: usize, e: usize, gy: Tensor) -> Option<f64> {
        let answer = self.tape.vjp(self.vars[node], gy).swap_remove(slot)?;
        Some(f64::from(answer.data()[e]))
    }

    /// A gradient that is 1 at one element.
    fn unit(&self, node: usize, at: usize) -> Tensor {
        let mut unit = Tensor::zeros(&self.nodes[node].shape);
        unit.data_mut()[at] = 1.;
        unit
    }

    /// The one element of y that x[e] is used for, if there is one. Asked with ȳ = 1, 1, 1, … the vjp answers with the
    /// slope s, with 1, 2, 3, … with s times the number of the element.
    fn of_one(&self, node: usize, slot: usize, e: usize) -> Option<Vec<Entry>> {
        let ask = |gy: Tensor| self.ask(node, slot, e, gy);
        let shape = &self.nodes[node].shape;
        let mut n: Real = 0.;
        let ramp = Tensor::from_fn(shape, || {
            n += 1.;
            n
        });
        let (slope, place) = (ask(Tensor::from_fn(shape, || 1.))?, ask(ramp)?);
        if slope == 0. && place == 0. {
            return Some(vec![]);
        }
        let place = (place / slope).round();
        if !(1. ..=f64::from(n)).contains(&place) {
            return None;
        }
        let at = place as usize - 1;
        let alone = ask(self.unit(node, at))?;
        let is_one = (alone - slope).abs() <= tolerance(1, slope.abs());
        is_one.then(|| vec![self.entry(node, slot, e, at, alone)])
    }

    /// The elements of the row of y that x[e] stands in, if x[e] is used for no other.
    fn of_row(
        &self,
        node: usize,
        slot: usize,
        e: usize,
        gy: &Tensor,
        term: f64,
    ) -> Option<Vec<Entry>> {
        let x = self.vars[self.nodes[node].inputs[slot]].value();
        let (row, cols) = (e / x.cols(), gy.cols());
        if x.rows() != gy.rows() || cols > MOST_ASKED {
            return None;
        }
        let range = row * cols..(row + 1) * cols;
        let mut own = Tensor::zeros(gy.shape());
        own.data_mut()[range.clone()].copy_from_slice(&gy.data()[range.clone()]);
        let of_row = self.ask(node, slot, e, own)?;
        if (of_row - term).abs() > tolerance(cols, term.abs()) {
            return None;
        }
        let slopes = range.map(|at| Some((at, self.ask(node, slot, e, self.unit(node, at))?)));
        let slopes: Vec<(usize, f64)> = slopes.collect::<Option<_>>()?;
        let used = slopes.into_iter().filter(|(_, slope)| *slope != 0.);
        Some(used.map(|(at, slope)| self.entry(node, slot, e, at, slope)).collect())
    }

    /// An entry of an op that was asked for its slope, with the formula of the slope in figures where it is known.
    fn entry(&self, node: usize, slot: usize, e: usize, at: usize, slope: f64) -> Entry {
        let y = f64::from(self.vars[node].value().data()[at]);
        let input = |slot: usize| {
            let id = self.nodes[node].inputs[slot];
            (self.vars[id].value().len() > e).then(|| self.figure(id, e))
        };
        let x = input(slot).map_or(String::new(), |(_, x)| digits(x));
        let named = |slot: usize| input(slot).map_or(String::new(), |(name, _)| name);
        let y = digits(y);
        let half = self.nodes[node].shape.last().map_or(1, |width| width / 2).max(1);
        let gate = |count: usize| e / half % count;
        let what = match (self.nodes[node].rule.name, slot) {
            ("add" | "concat" | "concat_time" | "slice_time" | "slice_channels", _)
            | ("prepend_zero" | "reverse_time" | "gather_rows" | "sum" | "sum_channels", _)
            | ("sub" | "rsample", 0)
            | ("linear_residual", 3) => return Entry::new(at, []),
            ("sub", _) => "of −y".into(),
            ("tanh", _) => format!("1 − y² = 1 − ({y})²"),
            ("sigmoid", _) => format!("y (1 − y) = {y} (1 − {y})"),
            ("exp", _) => format!("y = {y}"),
            ("ln", _) => format!("1/x = 1/({x})"),
            ("recip", _) => format!("−y² = −({y})²"),
            ("square", _) => format!("2 x = 2 · ({x})"),
            ("sqrt", _) => format!("1/2y = 1/(2 · {y})"),
            ("relu", _) => format!("x = {x} > 0"),
            ("softplus" | "clipped_softplus", _) => format!("σ(x) = σ({x})"),
            ("affine", _) => "k".into(),
            ("mul", slot) => named(1 - slot),
            ("rsample", 1) => format!("ε = {}", named(2)),
            ("gated_tanh", 0) => "s(1 − a²)".into(),
            ("gated_tanh", _) => "a s(1 − s)".into(),
            ("sum_masked", _) => "w, the weight of its sequence".into(),
            // c' is the first half of the value, h' = o tanh c' the second.
            ("lstm_cell", slot) => {
                let of_c = match (slot, gate(4)) {
                    (1, _) => "f",
                    (_, 0) => "g i(1 − i)",
                    (_, 1) => "c f(1 − f)",
                    (_, 2) => "i (1 − g²)",
                    _ => "tanh(c') o(1 − o)",
                };
                match at % (2 * half) < half || (slot == 0 && gate(4) == 3) {
                    true => of_c.into(),
                    false => format!("o (1 − tanh² c') {of_c}"),
                }
            }
            _ => "∂y/∂x".into(),
        };
        Entry::new(at, [(what, slope)])
    }
}

/// Which elements of a causal convolution belong together.
struct Conv(CausalConv);

impl Conv {
    fn new(x: &Tensor, w: &Tensor, setting: Option<(&str, usize)>) -> Option<Self> {
        let (&[batch, time, inputs], &[taps, _, outputs]) = (x.shape(), w.shape()) else {
            return None;
        };
        let (_, dilation) = setting.filter(|(name, _)| *name == "dilation")?;
        let sequences = batch;
        Some(Self(CausalConv { batch, time, inputs, outputs, taps, dilation, sequences }))
    }

    /// The elements of y that read element e of x, each with the weight.
    fn reads_x(&self, e: usize) -> Vec<(usize, usize)> {
        let CausalConv { time, inputs, outputs, taps, .. } = self.0;
        let (i, s, b) = (e % inputs, e / inputs % time, e / inputs / time);
        let taps = (0..taps).map(|j| (j, s + self.0.reach(j))).filter(|(_, t)| *t < time);
        let element = |(j, t): (usize, usize)| {
            let (at, weight) = ((b * time + t) * outputs, (j * inputs + i) * outputs);
            (0..outputs).map(move |o| (at + o, weight + o))
        };
        taps.flat_map(element).collect()
    }

    /// The elements of y that use element e of w, each with the element of x that it is multiplied with.
    fn reads_w(&self, e: usize) -> Vec<(usize, usize)> {
        let CausalConv { batch, time, inputs, outputs, .. } = self.0;
        let (o, i, j) = (e % outputs, e / outputs % inputs, e / outputs / inputs);
        let reach = self.0.reach(j);
        let steps = (0..batch).flat_map(|b| (reach..time).map(move |t| (b, t)));
        let element = |(b, t): (usize, usize)| {
            let row = b * time + t;
            (row * outputs + o, (row - reach) * inputs + i)
        };
        steps.map(element).collect()
    }

    /// The elements of y that use element o of the bias.
    fn reads_bias(&self, o: usize) -> impl Iterator<Item = usize> {
        let CausalConv { batch, time, outputs, .. } = self.0;
        (0..batch * time).map(move |row| row * outputs + o)
    }

    /// `b + Σⱼ x_{t−rⱼ} wⱼ` at one element, and the sum of the sizes of its terms.
    fn sum(&self, x: &Tensor, w: &Tensor, bias: &Tensor, at: usize) -> (f64, f64) {
        let CausalConv { time, inputs, outputs, taps, .. } = self.0;
        let (o, row) = (at % outputs, at / outputs);
        let taps = (0..taps).filter(|&j| self.0.reach(j) <= row % time);
        let products = taps.flat_map(|j| {
            let x = &x.data()[(row - self.0.reach(j)) * inputs..][..inputs];
            let w = &w.data()[j * inputs * outputs + o..];
            let weights = w.iter().step_by(outputs);
            x.iter().zip(weights).map(|(&x, &w)| f64::from(x) * f64::from(w))
        });
        let bias = f64::from(bias.data()[o]);
        products.fold((bias, bias.abs()), |(sum, size), x| (sum + x, size + x.abs()))
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

/// `1 other`, `2 others`
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
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
        writeln!(
            f,
            "\nOn to the loss, by the first each time: gradient, and the first of its products"
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
