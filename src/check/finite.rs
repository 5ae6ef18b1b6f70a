//! Where numbers first went wrong: the node of a pass, or the step of the walk back, that made a NaN or an
//! infinity from finite numbers.

use crate::tape::{Grads, Tape, Var};
use crate::tensor::{Real, Tensor};

impl Tape {
    /// The first node whose value is not finite; `None` if all are.
    pub fn first_non_finite(&self) -> Option<Var<'_>> {
        self.vars().find(|x| !x.value().is_finite())
    }

    /// The first node of the walk back whose gradient is not finite; `None` if all are. Needs
    /// [`Keep::All`](crate::tape::Keep::All).
    pub fn first_non_finite_gradient(&self, grads: &Grads) -> Option<Var<'_>> {
        self.vars().rev().find(|&x| grads.wrt(x).is_some_and(|grad| !grad.is_finite()))
    }
}

impl Var<'_> {
    /// `node 7 linear "z.2" in [-inf, 3], from node 3 relu in [0, 4]`: the range of its value and of its inputs.
    pub fn ranges(self) -> String {
        let with_range = |x: Var| format!("{x} in {}", range(&x.value()));
        let inputs: Vec<String> = self.inputs().into_iter().map(with_range).collect();
        let from = if inputs.is_empty() { "" } else { ", from " };
        format!("{}{from}{}", with_range(self), inputs.join(", "))
    }

    /// `the gradient at node 3 relu, made by node 7 linear "z.2" from its own gradient in [0, 4]`: the terms of the
    /// chain rule here that are not finite.
    pub fn gradient_ranges(self, grads: &Grads) -> String {
        let terms = self.tape().explain(grads, self);
        let wrong = terms.iter().filter(|term| !term.grad.is_finite()).map(|term| {
            let own = grads.wrt(term.consumer).map_or(String::new(), range);
            format!("made by {} from its own gradient in {own}", term.consumer)
        });
        let wrong: Vec<String> = wrong.collect();
        let wrong =
            if wrong.is_empty() { "a sum of finite terms".into() } else { wrong.join(", ") };
        format!("the gradient at {self}, {wrong}")
    }
}

/// `[-1.5, 2]`: the least and the greatest number; NaNs are counted apart.
fn range(x: &Tensor) -> String {
    let (mut low, mut high, mut nans) = (Real::INFINITY, Real::NEG_INFINITY, 0);
    for &x in x.data() {
        (low, high) = (if x < low { x } else { low }, if x > high { x } else { high });
        nans += usize::from(x.is_nan());
    }
    let nans = if nans > 0 { format!(" and {nans} NaN") } else { String::new() };
    format!("[{}, {}]{nans}", short(low), short(high))
}

/// In a few characters: very large and very small numbers by their powers of ten.
fn short(x: Real) -> String {
    let plain = x == 0. || !x.is_finite() || (1e-4..1e6).contains(&x.abs());
    if plain { x.to_string() } else { format!("{x:.3e}") }
}
