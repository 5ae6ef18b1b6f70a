//! Where vjps add the gradients of their inputs: as a tensor, in place, or deferred until the walk reaches the input.

use super::Node;
use crate::tensor::{Real, Tensor};
use std::any::Any;
use std::mem::take;

/// Where a vjp puts the gradient of one input: added to what other consumers of that input have put there.
pub struct Slot {
    pub(super) grad: Option<Tensor>,
    pub(super) deferred: Vec<Waiting>,
    shape: Vec<usize>,
    needed: bool,
    shared: bool,
}

impl Slot {
    pub(super) fn new(input: &Node, grad: Option<Tensor>, needed: bool, shared: bool) -> Self {
        Self { grad, deferred: vec![], shape: input.value.shape().to_vec(), needed, shared }
    }

    /// Whether the input is used more than once: then [`defer`](Self::defer) lets the terms of all uses be added together.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether this gradient is wanted at all.
    pub fn is_needed(&self) -> bool {
        self.needed
    }

    /// Adds `grad()`; calls it only if this gradient is needed.
    pub fn add(&mut self, grad: impl FnOnce() -> Tensor) {
        if self.needed {
            accumulate(&mut self.grad, grad());
        }
    }

    /// `(sum, first)`: the sum of the terms so far, to be added to in place. If `first`, there are none yet and its
    /// contents are arbitrary: overwrite every element. `None` if the gradient is not needed.
    pub fn target(&mut self) -> Option<(&mut [Real], bool)> {
        if !self.needed {
            return None;
        }
        let first = self.grad.is_none();
        let grad = self.grad.get_or_insert_with(|| Tensor::scratch(&self.shape));
        Some((grad.data_mut(), first))
    }

    /// [`target`](Self::target) with zeros in place of unspecified contents: for small gradients, such as a bias's.
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

    /// Adds what was deferred, type by type.
    pub(super) fn add_deferred(&mut self) {
        while let Some(Waiting { term, add_all }) = self.deferred.last() {
            let (add_all, kind) = (*add_all, (**term).type_id());
            let of_kind = |waiting: &Waiting| (*waiting.term).type_id() == kind;
            let (terms, others) = take(&mut self.deferred).into_iter().partition(of_kind);
            self.deferred = others;
            add_all(terms, self);
        }
    }

    /// Whether the sum has the shape of the input.
    pub(super) fn fits(&self) -> bool {
        self.grad.as_ref().is_none_or(|grad| grad.shape() == self.shape)
    }
}

/// A term of a gradient that is better added together with others of its type than alone.
///
/// A weight that every
/// step of a recurrence uses gets a small product from each; its op defers them ([`Slot::defer`]) and computes a
/// few large products in the end.
///
/// ```
/// # use stcn::{Real, Tape, Tensor, rule, tape::{Deferred, Keep, Slot, Var}};
/// /// A term of the gradient of a scalar.
/// struct Term(Real);
///
/// impl Deferred for Term {
///     fn add_all(terms: Vec<Self>, slot: &mut Slot) {
///         slot.add(|| Tensor::scalar(terms.iter().map(|term| term.0).sum()));
///     }
/// }
///
/// rule! { TIMES: "times", forward: "y = w x", vjp: "w̄ = ȳ x" }
///
/// fn times(w: Var, x: Real) -> Var {
///     let y = w.value().map(|w| w * x);
///     w.tape().record(&TIMES, [w], y, move |gy, [gw]| gw.defer(|| Term(gy.item() * x)))
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
pub(super) struct Waiting {
    term: Box<dyn Any>,
    add_all: fn(Vec<Waiting>, &mut Slot),
}

fn add_all<T: Deferred>(terms: Vec<Waiting>, slot: &mut Slot) {
    // The walk goes backwards: it came to the last term first.
    let terms = terms.into_iter().rev().map(|waiting| waiting.term.downcast());
    T::add_all(terms.map(|term| *term.expect("all of this type")).collect(), slot);
}

pub(super) fn accumulate(sum: &mut Option<Tensor>, term: Tensor) {
    match sum {
        Some(sum) => sum.add_assign(&term),
        none => *none = Some(term),
    }
}
