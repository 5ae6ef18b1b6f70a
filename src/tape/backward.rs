//! The walk back along the tape.

use super::{Event, Node, NodeId, Param, Rule, Tape, Var};
use crate::parallel;
use crate::tensor::{Real, Tensor};
use std::any::Any;
use std::mem::take;

/// Where a vjp puts the gradient of one input: added to what other consumers of that input have put there.
pub struct Slot {
    grad: Option<Tensor>,
    deferred: Vec<Waiting>,
    shape: Vec<usize>,
    needed: bool,
}

impl Slot {
    fn new(input: &Node, grad: Option<Tensor>, needed: bool) -> Self {
        Self { grad, deferred: vec![], shape: input.value.shape().to_vec(), needed }
    }

    /// Whether this gradient is wanted at all.
    pub fn is_needed(&self) -> bool {
        self.needed
    }

    /// Adds `grad()`, which is evaluated only if it is needed.
    pub fn add(&mut self, grad: impl FnOnce() -> Tensor) {
        if self.needed {
            accumulate(&mut self.grad, grad());
        }
    }

    /// The running sum, to be added to in place, and whether this is its first term: then its contents are
    /// unspecified and every element must be stored. `None` if it is not needed.
    pub fn target(&mut self) -> Option<(&mut [Real], bool)> {
        if !self.needed {
            return None;
        }
        let first = self.grad.is_none();
        let grad = self.grad.get_or_insert_with(|| Tensor::scratch(&self.shape));
        Some((grad.data_mut(), first))
    }

    /// [`target`](Self::target) with zeros in place of unspecified contents: for small gradients, as of a bias.
    pub fn zeroed_target(&mut self) -> Option<&mut [Real]> {
        let (grad, first) = self.target()?;
        if first {
            grad.fill(0.);
        }
        Some(grad)
    }

    /// Leaves `term()` to be added when the walk reaches this input, together with all others of its type.
    pub fn defer<T: Deferred>(&mut self, term: impl FnOnce() -> T) {
        if self.needed {
            self.deferred.push(Waiting { term: Box::new(term()), add_all: add_all::<T> });
        }
    }

    /// Adds what was deferred, type by type. The walk meets the ops of a tape last first.
    fn add_deferred(&mut self) {
        while let Some(Waiting { term, add_all }) = self.deferred.last() {
            let (add_all, kind) = (*add_all, (**term).type_id());
            let of_kind = |waiting: &Waiting| (*waiting.term).type_id() == kind;
            let (terms, others) = take(&mut self.deferred).into_iter().partition(of_kind);
            self.deferred = others;
            add_all(terms, self);
        }
    }

    /// The sum, which `maker` has added to last.
    fn checked(self, maker: &Node) -> Option<Tensor> {
        let fits = self.grad.as_ref().is_none_or(|grad| grad.shape() == self.shape);
        assert!(fits, "{maker}: wrong gradient shape for an input");
        self.grad
    }
}

/// A term of a gradient that is better added together with others of its type than alone. A weight that every
/// step of a recurrence uses gets a small product from each; its op defers them ([`Slot::defer`]) and computes a
/// few large products in the end.
///
/// ```
/// # use stcn::{Real, Tape, Tensor, tape::{Deferred, Keep, Rule, Slot, Var}};
/// /// A term of the gradient of a scalar.
/// struct Term(Real);
///
/// impl Deferred for Term {
///     fn add_all(terms: Vec<Self>, slot: &mut Slot) {
///         slot.add(|| Tensor::scalar(terms.iter().map(|term| term.0).sum()));
///     }
/// }
///
/// fn times(w: Var, x: Real) -> Var {
///     static RULE: Rule = Rule { name: "times", forward: "y = w x", vjp: "w̄ = ȳ x" };
///     let y = w.value().map(|w| w * x);
///     w.tape().record(&RULE, [w], y, move |gy, [gw]| gw.defer(|| Term(gy.item() * x)))
/// }
///
/// let tape = Tape::new();
/// let w = tape.input(Tensor::scalar(5.), "w");
/// let grads = tape.backward(times(w, 2.) + times(w, 3.), Keep::Leaves);
/// assert_eq!(grads.wrt(w).unwrap().item(), 5.);
/// ```
pub trait Deferred: Sized + 'static {
    /// Adds all terms of one gradient to its slot; they come in the order in which their ops were recorded.
    fn add_all(terms: Vec<Self>, slot: &mut Slot);
}

/// A deferred term of some type, and [`add_all`] for that type.
struct Waiting {
    term: Box<dyn Any>,
    add_all: fn(Vec<Waiting>, &mut Slot),
}

fn add_all<T: Deferred>(terms: Vec<Waiting>, slot: &mut Slot) {
    let terms = terms.into_iter().rev().map(|waiting| waiting.term.downcast());
    T::add_all(terms.map(|term| *term.expect("all of this type")).collect(), slot);
}

fn accumulate(sum: &mut Option<Tensor>, term: Tensor) {
    match sum {
        Some(sum) => sum.add_assign(&term),
        none => *none = Some(term),
    }
}

/// Which gradients [`Tape::backward`] keeps. The walk and its bits are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Those of leaves: parameters and inputs. What training needs.
    Leaves,
    /// Every node's, to look at.
    All,
}

/// Gradients of one scalar.
pub struct Grads {
    grads: Vec<Option<Tensor>>,
    params: Vec<Option<NodeId>>,
}

impl Grads {
    /// The gradient at `x`; `None` if it was not kept or the loss does not depend on `x`.
    pub fn wrt(&self, x: Var) -> Option<&Tensor> {
        self.at(x.id)
    }

    /// The gradient at a node.
    pub fn at(&self, id: NodeId) -> Option<&Tensor> {
        self.grads.get(id.index())?.as_ref()
    }

    /// The gradient of a parameter; `None`, which means 0, if the loss does not depend on it.
    pub fn find(&self, p: &Param) -> Option<&Tensor> {
        let id = self.params.get(p.number()).copied().flatten();
        id.and_then(|id| self.at(id))
    }

    /// The gradient of a parameter. Panics with its path if the loss does not depend on it.
    #[track_caller]
    pub fn param(&self, p: &Param) -> &Tensor {
        self.find(p).unwrap_or_else(|| {
            panic!(
                "{}: no gradient reached this parameter; the loss does not depend on it",
                p.path()
            )
        })
    }

    /// Adds the gradients of the same parameters from another tape, as of another part of a batch. The
    /// gradients of inputs stay those of this tape.
    pub fn add(&mut self, mut other: Grads) {
        let Self { grads, params } = self;
        params.resize(params.len().max(other.params.len()), None);
        let mut terms: Vec<Option<Tensor>> = vec![None; grads.len()];
        for (own, id) in params.iter_mut().zip(&other.params) {
            let Some(term) = id.and_then(|id| other.grads[id.index()].take()) else { continue };
            let own = own.get_or_insert_with(|| {
                grads.push(None);
                terms.push(None);
                NodeId(terms.len() as u32 - 1)
            });
            terms[own.index()] = Some(term);
        }
        let sums = grads.iter_mut().zip(terms).filter_map(|(sum, term)| Some((sum, term?)));
        parallel::each(sums.collect(), |(sum, term)| accumulate(sum, term));
    }
}

/// One term of the chain rule at a node: what one consumer contributes to its gradient.
pub struct Term<'t> {
    /// The node that uses the value.
    pub consumer: Var<'t>,
    /// Its rule.
    pub rule: &'static Rule,
    /// Its contribution.
    pub grad: Tensor,
}

impl Tape {
    /// Gradients of the scalar `loss`: one walk back along the list.
    #[track_caller]
    pub fn backward(&self, loss: Var, keep: Keep) -> Grads {
        let value = loss.value();
        assert_eq!(value.len(), 1, "backward: want one number, got shape {:?}", value.shape());
        self.pull_back(loss, Tensor::new(value.shape(), vec![1.]), keep)
    }

    /// Gradients of `⟨gy, y⟩` for a y of any shape: gy is the gradient to begin with, the cotangent of y.
    #[track_caller]
    pub fn pull_back(&self, y: Var, gy: Tensor, keep: Keep) -> Grads {
        assert!(std::ptr::eq(y.tape, self), "backward: {y} lives on another tape");
        assert_eq!(gy.shape(), y.value().shape(), "backward: the cotangent has another shape");
        let nodes = self.nodes.borrow();
        let mut grads: Vec<Option<Tensor>> = vec![None; nodes.len()];
        let mut deferred: Vec<Vec<Waiting>> = nodes.iter().map(|_| vec![]).collect();
        grads[y.id.index()] = Some(gy);
        for node in nodes[..=y.id.index()].iter().rev() {
            let i = node.id.index();
            if !deferred[i].is_empty() {
                // All consumers were recorded later, so all terms are here.
                let mut slot = Slot::new(node, grads[i].take(), true);
                slot.deferred = take(&mut deferred[i]);
                slot.add_deferred();
                grads[i] = slot.checked(node);
                self.notify(Event::AddedDeferred(node.rule));
            }
            let Some(vjp) = &node.vjp else { continue };
            let gy = if keep == Keep::All { grads[i].clone() } else { grads[i].take() };
            let Some(gy) = gy else { continue };
            // Each input lends its running sum to its slot; an input used twice (x·x) gets a second,
            // empty one.
            let lend = |x: &NodeId| {
                let input = &nodes[x.index()];
                Slot::new(input, grads[x.index()].take(), input.tracked)
            };
            let mut slots: Vec<Slot> = node.inputs.iter().map(lend).collect();
            vjp(gy, &mut slots);
            for (mut slot, x) in slots.into_iter().zip(&node.inputs) {
                deferred[x.index()].append(&mut slot.deferred);
                if let Some(grad) = slot.checked(node) {
                    accumulate(&mut grads[x.index()], grad);
                }
            }
            self.notify(Event::PulledBack(node.rule));
        }
        Grads { grads, params: self.params.borrow().clone() }
    }

    /// Every term of the chain rule at `x`; they sum to its gradient. Wants [`Keep::All`].
    ///
    /// A question about a finished pass: a vjp is a pure function, so calling it again changes nothing.
    pub fn explain(&self, grads: &Grads, x: Var) -> Vec<Term<'_>> {
        let nodes = self.nodes.borrow();
        let mut terms = vec![];
        for node in nodes.iter().filter(|node| node.inputs.contains(&x.id)) {
            let (Some(gy), Some(vjp)) = (grads.at(node.id), &node.vjp) else { continue };
            let empty = |id: &NodeId| Slot::new(&nodes[id.index()], None, *id == x.id);
            let mut slots: Vec<Slot> = node.inputs.iter().map(empty).collect();
            vjp(gy.clone(), &mut slots);
            let mut sum = None;
            for mut slot in slots {
                slot.add_deferred();
                slot.grad.into_iter().for_each(|grad| accumulate(&mut sum, grad));
            }
            let consumer = Var { tape: self, id: node.id };
            terms.extend(sum.map(|grad| Term { consumer, rule: node.rule, grad }));
        }
        terms
    }
}
