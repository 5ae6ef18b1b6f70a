//! A finished pass as one page of HTML: the model as a graph, every node with value, gradient and the terms of its
//! chain rule.
//!
//! The page is one file that opens from disk: `page.html` with `page.css`, `page.js` and two blocks of data put in.
//! The first is JSON: every node (rule, label, place, shape, inputs, line of source, root mean squares), every term
//! of the chain rule (consumer, input, norm, root mean square, share), and how each op's value depends on single elements of
//! its inputs (`jacobian`), whose formulas are put in as JavaScript. The second is the numbers of the tensors,
//! f32, little-endian, in base64. Tensors beyond `MOST_NUMBERS` numbers in all are
//! stored as means over blocks of rows and columns; the page says which. With a [`History`] there is also the pass at earlier
//! checkpoints, aggregated.

mod history;

pub use history::History;

use super::explain::share;
use super::jacobian::{Formula, Jacobian};
use super::place::{joined_from, paths, places, steps};
use super::table::rms;
use crate::check::Check;
use crate::nn::Module;
use crate::tape::{Grads, NodeId, Tape, Var};
use crate::tensor::Tensor;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The most numbers stored in full: 3.2 MB, 4.3 MB in base64.
const MOST_NUMBERS: usize = 800_000;

/// The most rows and columns of a tensor that is shown as means over blocks.
const MOST_BLOCKS: [usize; 2] = [16, 32];

/// What a page may have besides its pass.
#[derive(Default)]
pub struct More {
    /// Other passes over the same nodes.
    pub history: Option<History>,
    /// Checks of gradients against finite differences, by the number of the node.
    pub checks: BTreeMap<usize, Check>,
}

/// The page. Wants gradients of every node. `about` is shown at its top and read by `page.js`; the keys it needs are
/// `model`, `run`, `step`, `loss`, `task`, `sequences`, `lengths`, `draws`, `mean`, `std`, `channels`, `kl_weight`.
/// `equations` has what the paper says of the first word of a label or place: `("kl", "Eq. 15")`.
pub fn page(
    tape: &Tape,
    grads: &Grads,
    model: &dyn Module,
    equations: &[(&str, &str)],
    about: &Value,
    more: &More,
) -> String {
    let (parameters, steps) = (paths(model), steps(tape));
    let mut numbers = Numbers::default();
    let (terms, errors) = terms(tape, grads, &mut numbers);
    let mut rules: Vec<Value> = vec![];
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut nodes = vec![];
    let places = places(tape, &parameters, steps);
    let mut jacobians = Jacobians::default();
    let of_ops: Vec<Map<String, Value>> =
        tape.vars().map(|x| jacobians.of(x, grads, &mut numbers)).collect();
    tape.each(|node| {
        let rule = node.rule;
        let number = *known.entry(rule.name).or_insert_with(|| {
            rules.push(json!({"name": rule.name, "forward": rule.forward, "vjp": rule.vjp}));
            rules.len() - 1
        });
        let named = !node.label.is_empty() && !parameters.contains(&node.label);
        let grad = grads.at(node.id);
        let mut says = of_ops[node.id.index()].clone();
        let mut say = |key: &str, value: Value| says.insert(key.into(), value);
        say("rule", number.into());
        say("label", node.label.as_str().into());
        say("place", places[node.id.index()].path.as_str().into());
        if let Some((series, step)) = &places[node.id.index()].step {
            say("series", series.as_str().into());
            say("step", (*step).into());
        }
        say("shape", node.value.shape().into());
        say("inputs", node.inputs.iter().map(|x| x.index()).collect::<Vec<_>>().into());
        say("source", format!("{}:{}", node.caller.file(), node.caller.line()).into());
        say("tracked", node.tracked.into());
        say("parameter", parameters.contains(&node.label).into());
        say("value_rms", rms(&node.value).into());
        say("grad_rms", grad.map(rms).into());
        say("value", numbers.add(&node.value, named).into());
        say("grad", grad.map(|grad| numbers.add(grad, named)).into());
        if let Some(check) = more.checks.get(&node.id.index()) {
            say("check", json!([check.exact, check.numeric]));
        }
        if let Some(error) = errors[node.id.index()] {
            say("sum_error", error.into());
        }
        nodes.push(Value::Object(says));
    });
    let room = MOST_NUMBERS.saturating_sub(more.history.as_ref().map_or(0, History::len));
    let (tensors, mut data, aggregated) = numbers.pack(room);
    let history = more.history.as_ref().map(|history| history.pack(&mut data));
    let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut about = about.clone();
    about["steps"] = steps.into();
    about["aggregated"] = aggregated.into();
    let equations: Map<String, Value> =
        equations.iter().map(|(word, text)| (word.to_string(), (*text).into())).collect();
    let pass = json!({
        "about": about, "equations": equations, "rules": rules, "nodes": nodes, "terms": terms, "tensors": tensors,
        "jacobians": jacobians.known, "history": history,
    });
    let title = about["model"].as_str().unwrap_or("stcn");
    // `</` would end the script that the data stand in.
    let put = [
        ("{title}", format!("{title}: one pass, every gradient")),
        ("{css}", include_str!("page.css").into()),
        ("{formulas}", jacobians.script()),
        ("{js}", include_str!("page.js").into()),
        ("{pass}", pass.to_string().replace("</", "<\\/")),
        ("{numbers}", BASE64_STANDARD.encode(bytes)),
    ];
    put.iter().fold(include_str!("page.html").to_string(), |page, (mark, text)| {
        page.replacen(mark, text, 1)
    })
}

/// Every term: consumer, input, norm, root mean square, share of the gradient, and its tensor where the input has
/// several. And for every node by how much its terms miss its gradient, relative to the gradient's norm.
fn terms(tape: &Tape, grads: &Grads, numbers: &mut Numbers) -> (Vec<Value>, Vec<Option<f64>>) {
    let mut readers = vec![0; tape.len()];
    tape.each(|node| {
        let inputs: BTreeSet<usize> = node.inputs.iter().map(|x| x.index()).collect();
        inputs.into_iter().for_each(|x| readers[x] += 1);
    });
    let mut sums: Vec<Option<Vec<f64>>> = vec![None; tape.len()];
    let mut all = vec![];
    tape.each_term(grads, |consumer: NodeId, input: NodeId, term| {
        let (i, total) = (input.index(), grads.at(input));
        let sum = sums[i].get_or_insert_with(|| vec![0.; term.len()]);
        sum.iter_mut().zip(term.data()).for_each(|(sum, &x)| *sum += f64::from(x));
        let share = total.map_or(0., |total| share(&term, total));
        let tensor = (readers[i] > 1).then(|| numbers.add_if_room(&term));
        let norm = term.squared_norm().sqrt();
        all.push(json!([consumer.index(), i, norm, rms(&term), share, tensor]));
    });
    let error = |(sum, id): (Option<Vec<f64>>, NodeId)| {
        let (sum, total) = (sum?, grads.at(id)?);
        let misses = sum.iter().zip(total.data()).map(|(a, &b)| a - f64::from(b));
        let miss = misses.fold(0., |sum, miss| sum + miss * miss);
        let size = total.squared_norm();
        Some(if size > 0. { (miss / size).sqrt() } else { miss.sqrt() })
    };
    let ids = tape.vars().map(|x| x.id());
    (all, sums.into_iter().zip(ids).map(error).collect())
}

/// How ops' values depend on their inputs, each description once: that of an op at every step is one.
#[derive(Default)]
struct Jacobians {
    known: Vec<Value>,
    /// Their places in the list, by their text.
    places: BTreeMap<String, usize>,
    formulas: Vec<&'static Formula>,
}

impl Jacobians {
    /// What the page says of one op: which description is its, the slopes that it was asked for, and whether its
    /// value was only joined from its steps.
    fn of(&mut self, x: Var, grads: &Grads, numbers: &mut Numbers) -> Map<String, Value> {
        let mut says = Map::new();
        if !joined_from(x, grads).is_empty() {
            says.insert("joined".into(), true.into());
        }
        let inputs = x.inputs();
        if grads.wrt(x).is_none() || inputs.is_empty() {
            return says;
        }
        let jacobian = Jacobian::of(x);
        let description = jacobian.json(&mut self.formulas);
        let place = *self.places.entry(description.to_string()).or_insert_with(|| {
            self.known.push(description);
            self.known.len() - 1
        });
        says.insert("jacobian".into(), place.into());
        let slopes = (0..inputs.len()).map(|slot| jacobian.slopes(slot));
        let slopes: Vec<Option<usize>> =
            slopes.map(|slopes| slopes.map(|slopes| numbers.add_if_room(slopes))).collect();
        if slopes.iter().any(Option::is_some) {
            says.insert("slopes".into(), slopes.into());
        }
        says
    }

    /// The formulas as JavaScript.
    fn script(&self) -> String {
        let one = |formula: &&Formula| {
            let Formula { text, names, script, .. } = formula;
            let (text, names, of) = (json!(text), json!(names), names.join(", "));
            format!("  {{ text: {text}, names: {names}, of: ({of}) => {{ {script} }} }},\n")
        };
        let all: String = self.formulas.iter().map(one).collect();
        format!("const formulas = [\n{all}];")
    }
}

/// The tensors of the page, until it is known which there is room for.
#[derive(Default)]
struct Numbers {
    tensors: Vec<(Tensor, Rank)>,
}

/// What is kept whole first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A quantity of the paper.
    Named,
    /// A layer, a weight.
    Other,
    /// One of several terms of a gradient, left out where there is no room.
    Term,
}

impl Numbers {
    fn add(&mut self, x: &Tensor, named: bool) -> usize {
        self.push(x, if named { Rank::Named } else { Rank::Other })
    }

    fn add_if_room(&mut self, x: &Tensor) -> usize {
        self.push(x, Rank::Term)
    }

    fn push(&mut self, x: &Tensor, rank: Rank) -> usize {
        self.tensors.push((x.clone(), rank));
        self.tensors.len() - 1
    }

    /// What the page says of each tensor (`null` if left out), the numbers, and how many tensors are means over blocks,
    /// where there is room for so many numbers.
    fn pack(self, mut room: usize) -> (Vec<Value>, Vec<f32>, usize) {
        let mut order: Vec<usize> = (0..self.tensors.len()).collect();
        order.sort_by_key(|&i| (self.tensors[i].1, self.tensors[i].0.len()));
        let mut whole = vec![false; self.tensors.len()];
        for i in order {
            let len = self.tensors[i].0.len();
            // A mean over blocks of one number each would be no smaller.
            if len <= room || len <= MOST_BLOCKS[0] {
                (whole[i], room) = (true, room.saturating_sub(len));
            }
        }
        let (mut says, mut data, mut aggregated) = (vec![], vec![], 0);
        for ((x, rank), whole) in self.tensors.iter().zip(whole) {
            let offset = data.len();
            let block = if whole {
                data.extend(x.data().iter().map(|&x| x as f32));
                Value::Null
            } else if *rank == Rank::Term {
                says.push(Value::Null);
                continue;
            } else {
                aggregated += 1;
                let (block, means) = means(x);
                data.extend(means);
                block.into()
            };
            says.push(json!({"offset": offset, "shape": x.shape(), "block": block}));
        }
        (says, data, aggregated)
    }
}

/// Means over blocks of rows and columns, row-major, and the size of a block.
fn means(x: &Tensor) -> (Vec<usize>, Vec<f32>) {
    let columns = x.cols();
    let rows = x.len() / columns;
    let block = [rows.div_ceil(MOST_BLOCKS[0]), columns.div_ceil(MOST_BLOCKS[1])];
    let mean = |r: usize, c: usize| {
        let (r, c) = (r..(r + block[0]).min(rows), c..(c + block[1]).min(columns));
        let count = r.len() * c.len();
        let cells = r.flat_map(|r| c.clone().map(move |c| r * columns + c));
        (cells.fold(0., |sum, i| sum + f64::from(x.data()[i])) / count as f64) as f32
    };
    let starts = (0..rows).step_by(block[0]);
    let all = starts.flat_map(|r| (0..columns).step_by(block[1]).map(move |c| (r, c)));
    (block.to_vec(), all.map(|(r, c)| mean(r, c)).collect())
}
