//! How the value y of one op depends on one element of an input x: the elements of `∂y/∂x[e]` that are not 0, each as a
//! product of figures.
//!
//! An op is described by [`Loops`]: every turn pairs an element of x with one of y, and `∂y/∂x` there is a product of
//! factors: an element of another input, a formula of a few numbers (`formulas`), or a slope that the op itself was asked for
//! (`asked`). The description is data. `explain` evaluates it here; a page (`html`) carries it, and evaluates the
//! same loops and formulas in the browser. So both tell the same multiplications.
//!
//! `layers` has the descriptions of ops that are known by name and shapes. Each description is held against what the op's vjp
//! answers to random numbers, and one that does not give that is not used.

mod asked;
pub mod formulas;
mod layers;
pub mod rounded;

pub use formulas::Formula;
pub use rounded::Rounded;

use crate::inspect::figures::digits;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// By how much a sum of n products may miss the tape's, which sums in another order: n roundings of ε of their sizes;
/// twice that, as factors are rounded too.
pub fn tolerance(count: usize, size: f64) -> f64 {
    2. * (count + 8) as f64 * f64::from(Real::EPSILON) * size
}

/// In every turn of some loops one element of a tensor: `first + Σ turn · step`, counted row by row.
#[derive(Clone, Debug, PartialEq)]
struct At {
    first: i64,
    steps: Vec<i64>,
}

/// Loops over pairs of an element of x and an element of y that depends on it.
#[derive(Clone, Debug, PartialEq)]
struct Loops {
    sizes: Vec<usize>,
    x: At,
    y: At,
    /// Their product is `∂y/∂x`.
    factors: Vec<Factor>,
}

#[derive(Clone, Debug)]
enum Factor {
    Element(Figure),
    Formula(&'static Formula, Vec<Figure>),
    /// What the op was asked for, at the element of x; with what it is.
    Asked(&'static str),
    /// The same throughout.
    Constant(&'static str, f64),
}

impl PartialEq for Factor {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Element(a), Self::Element(b)) => a == b,
            (Self::Formula(f, a), Self::Formula(g, b)) => std::ptr::eq(*f, *g) && a == b,
            (Self::Asked(a), Self::Asked(b)) => a == b,
            (Self::Constant(a, x), Self::Constant(b, y)) => a == b && x == y,
            _ => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Figure {
    /// An element of an input.
    Input(usize, At),
    /// An element of y.
    Value(At),
    /// A sum that the op makes on its way to an element of y, by its number.
    Sum(usize),
}

/// The derivatives of one op, by all of its inputs.
pub struct Jacobian {
    value: Tensor,
    inputs: Vec<Tensor>,
    /// Of every input; `None` if there is no description.
    slots: Vec<Option<Vec<Loops>>>,
    /// Sums on the way to y: the elements of y, and for each the factors of its terms.
    sums: Vec<Vec<Loops>>,
    /// The slopes of every input that was asked for.
    slopes: Vec<Option<Tensor>>,
    /// Sums that have been made, by number and element of y.
    made: RefCell<BTreeMap<(usize, usize), Rounded>>,
}

/// One element of `∂y/∂x[e]`.
pub struct Entry {
    /// The element of y.
    pub at: usize,
    /// The product of its factors.
    pub slope: Rounded,
    slot: usize,
    e: usize,
    loops: usize,
    turn: Vec<i64>,
}

/// What a factor is.
pub enum What {
    /// An element of an input, by the input's number.
    Element(usize, usize),
    /// In words.
    Text(String),
}

impl At {
    fn new(first: usize, steps: &[usize]) -> Self {
        Self { first: first as i64, steps: steps.iter().map(|&step| step as i64).collect() }
    }

    fn place(&self, turn: &[i64]) -> usize {
        turn.iter().zip(&self.steps).fold(self.first, |at, (turn, step)| at + turn * step) as usize
    }

    fn json(&self) -> Value {
        let all: Vec<i64> = [self.first].into_iter().chain(self.steps.iter().copied()).collect();
        all.into()
    }
}

impl Loops {
    /// Every turn in which x is its element e. The steps of x are not negative, and each is at least as long as the way
    /// of all that are shorter; loops whose step is 0 run through.
    fn turns(&self, e: usize, mut each: impl FnMut(&[i64])) {
        let mut turn = vec![0; self.sizes.len()];
        let mut own: Vec<usize> = (0..turn.len()).filter(|&i| self.x.steps[i] > 0).collect();
        own.sort_by_key(|&i| std::cmp::Reverse(self.x.steps[i]));
        let mut rest = e as i64 - self.x.first;
        for i in own {
            turn[i] = rest.div_euclid(self.x.steps[i]);
            rest = rest.rem_euclid(self.x.steps[i]);
            if !(0..self.sizes[i] as i64).contains(&turn[i]) {
                return;
            }
        }
        let free: Vec<usize> = (0..turn.len()).filter(|&i| self.x.steps[i] == 0).collect();
        if rest != 0 || free.iter().any(|&i| self.sizes[i] == 0) {
            return;
        }
        loop {
            each(&turn);
            // The last of the free loops is the innermost.
            let Some(&next) = free.iter().rev().find(|&&i| turn[i] + 1 < self.sizes[i] as i64)
            else {
                return;
            };
            turn[next] += 1;
            free.iter().filter(|&&i| i > next).for_each(|&i| turn[i] = 0);
        }
    }
}

impl Jacobian {
    /// Of the op that y is the value of. Calls its vjp a few times, which changes nothing.
    pub fn of(y: Var) -> Self {
        let inputs: Vec<Tensor> = y.inputs().into_iter().map(Var::value).collect();
        let mut of = Self {
            value: y.value(),
            slots: vec![None; inputs.len()],
            sums: vec![],
            slopes: vec![None; inputs.len()],
            inputs,
            made: RefCell::default(),
        };
        if y.is_tracked() && of.inputs.iter().all(|x| !x.is_empty()) {
            layers::describe(y, &mut of);
            of.ask(y);
        }
        of
    }

    /// The elements of `∂y/∂x[e]` that are not 0, for x = input number `slot`; `None` if they are not known one by one.
    pub fn column(&self, slot: usize, e: usize) -> Option<Vec<Entry>> {
        let mut found = vec![];
        for (number, loops) in self.slots[slot].as_ref()?.iter().enumerate() {
            loops.turns(e, |turn| {
                let at = loops.y.place(turn);
                let mut slope = Rounded::exact(1.);
                for factor in &loops.factors {
                    let value = self.factor(factor, slot, e, at, turn);
                    if value.value == 0. && !matches!(factor, Factor::Element(_)) {
                        return; // as behind a closed rectifier
                    }
                    slope = slope * value;
                }
                let turn = turn.to_vec();
                found.push(Entry { at, slope, slot, e, loops: number, turn });
            });
        }
        Some(found)
    }

    /// The factors of an entry: figures, and what they are.
    pub fn factors(&self, entry: &Entry) -> Vec<(What, f64)> {
        let Entry { at, slot, e, turn, .. } = entry;
        let loops = self.slots[*slot].as_ref().map(|all| &all[entry.loops]);
        let told = |factor: &Factor| {
            let fill = |text: &str, names: &[&str], figures: &[f64]| {
                let put = |text: String, (name, figure): (&&str, &f64)| {
                    text.replace(&format!("{{{name}}}"), &digits(*figure))
                };
                What::Text(names.iter().zip(figures).fold(text.to_string(), put))
            };
            let what = match factor {
                Factor::Element(Figure::Input(x, place)) => What::Element(*x, place.place(turn)),
                Factor::Formula(formula, figures) => {
                    let figures = figures.iter().map(|figure| self.figure(figure, *at, turn).value);
                    fill(formula.text, formula.names, &figures.collect::<Vec<_>>())
                }
                Factor::Asked(text) => {
                    fill(text, &["x"], &[f64::from(self.inputs[*slot].data()[*e])])
                }
                Factor::Constant(text, _) => What::Text(text.to_string()),
                Factor::Element(Figure::Value(_) | Figure::Sum(_)) => What::Text("y".into()),
            };
            (what, self.factor(factor, *slot, *e, *at, turn).value)
        };
        loops.into_iter().flat_map(|loops| &loops.factors).map(told).collect()
    }

    fn factor(&self, factor: &Factor, slot: usize, e: usize, at: usize, turn: &[i64]) -> Rounded {
        match factor {
            Factor::Element(figure) => self.figure(figure, at, turn),
            Factor::Formula(formula, figures) => {
                let figures = figures.iter().map(|figure| self.figure(figure, at, turn));
                (formula.value)(&figures.collect::<Vec<_>>())
            }
            Factor::Asked(_) => {
                let slopes = self.slopes[slot].as_ref();
                Rounded::exact(slopes.map_or(0., |slopes| f64::from(slopes.data()[e])))
            }
            Factor::Constant(_, value) => Rounded::exact(*value),
        }
    }

    fn figure(&self, figure: &Figure, at: usize, turn: &[i64]) -> Rounded {
        let of = |x: &Tensor, place: &At| Rounded::exact(f64::from(x.data()[place.place(turn)]));
        match figure {
            Figure::Input(x, place) => of(&self.inputs[*x], place),
            Figure::Value(place) => of(&self.value, place),
            Figure::Sum(number) => self.sum(*number, at),
        }
    }

    /// A sum on the way to y[at], off by a rounding of the sizes of its terms.
    fn sum(&self, number: usize, at: usize) -> Rounded {
        if let Some(&known) = self.made.borrow().get(&(number, at)) {
            return known;
        }
        let mut sum = Rounded::exact(0.);
        for loops in &self.sums[number] {
            loops.turns(at, |turn| {
                let factors = loops.factors.iter().map(|factor| match factor {
                    Factor::Element(figure) => self.figure(figure, at, turn).value,
                    _ => 1.,
                });
                let term = factors.fold(1., |product, x| product * x);
                (sum.value, sum.error) = (sum.value + term, sum.error + term.abs());
            });
        }
        self.made.borrow_mut().insert((number, at), sum);
        sum
    }

    /// The tensor of slopes of an input, where it was asked for.
    pub fn slopes(&self, slot: usize) -> Option<&Tensor> {
        self.slopes[slot].as_ref()
    }

    /// Description of all inputs and sums, as a page carries it; formulas by their numbers in `formulas`, which it adds to.
    ///
    /// `{slots: [[loops …] or null …], sums: [[loops …] …]}`, loops `[sizes, x, y, factors]` with x and y as `[first,
    /// steps …]`, a factor `{element: figure}`, `{formula: number, of: [figures]}`, `{asked: text}` or `{constant: value,
    /// text}`, a figure `[number of the input, at]`, `["y", at]` or `["sum", number]`.
    pub fn json(&self, formulas: &mut Vec<&'static Formula>) -> Value {
        let figure = |figure: &Figure| match figure {
            Figure::Input(x, at) => json!([x, at.json()]),
            Figure::Value(at) => json!(["y", at.json()]),
            Figure::Sum(number) => json!(["sum", number]),
        };
        let mut factor = |factor: &Factor| match factor {
            Factor::Element(of) => json!({"element": figure(of)}),
            Factor::Formula(formula, of) => {
                let known = formulas.iter().position(|known| std::ptr::eq(*known, *formula));
                let number = known.unwrap_or_else(|| {
                    formulas.push(formula);
                    formulas.len() - 1
                });
                json!({"formula": number, "of": of.iter().map(figure).collect::<Vec<_>>()})
            }
            Factor::Asked(text) => json!({"asked": text}),
            Factor::Constant(text, value) => json!({"constant": value, "text": text}),
        };
        let mut all = |loops: &Vec<Loops>| -> Vec<Value> {
            let one = |Loops { sizes, x, y, factors }: &Loops| {
                let factors: Vec<Value> = factors.iter().map(&mut factor).collect();
                json!([sizes, x.json(), y.json(), factors])
            };
            loops.iter().map(one).collect()
        };
        let slots: Vec<Option<Vec<Value>>> =
            self.slots.iter().map(|loops| loops.as_ref().map(&mut all)).collect();
        let sums: Vec<Vec<Value>> = self.sums.iter().map(&mut all).collect();
        json!({"slots": slots, "sums": sums})
    }
}
