//! Where numbers first went wrong: the node of a pass, or the step of the walk back, that made a NaN or an
//! infinity from finite numbers.

use super::{Grads, Node, NodeId, Tape, Var};
use crate::tensor::{Real, Tensor};

/// `[-1.5, 2]`: the least and the greatest, NaNs left aside and counted.
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

impl Tape {
    /// The first node whose value is not finite; `None` if all are.
    pub fn first_non_finite(&self) -> Option<Var<'_>> {
        let i = self.nodes.borrow().iter().position(|node| !node.value.is_finite())?;
        Some(Var { tape: self, id: NodeId(i as u32) })
    }

    /// The first node, on the way back, whose gradient is not finite; `None` if all are. Wants
    /// [`Keep::All`](super::Keep::All).
    pub fn first_non_finite_gradient(&self, grads: &Grads) -> Option<Var<'_>> {
        let wrong = |grad: &Option<Tensor>| grad.as_ref().is_some_and(|grad| !grad.is_finite());
        let i = grads.grads.iter().rposition(wrong)?;
        Some(Var { tape: self, id: NodeId(i as u32) })
    }
}

impl<'t> Var<'t> {
    /// What this is computed from.
    pub fn inputs(self) -> Vec<Var<'t>> {
        let inputs = &self.tape.nodes.borrow()[self.id.index()].inputs;
        inputs.iter().map(|&id| Var { tape: self.tape, id }).collect()
    }

    /// `node 7 linear "z.2" in [-inf, 3], from node 3 relu in [0, 4]`: its own range and its inputs'.
    pub fn ranges(self) -> String {
        let nodes = self.tape.nodes.borrow();
        let with_range =
            |i: usize, node: &Node| format!("{} in {}", node.describe(i), range(&node.value));
        let node = &nodes[self.id.index()];
        let inputs = node.inputs.iter().map(|x| with_range(x.index(), &nodes[x.index()]));
        let inputs: Vec<String> = inputs.collect();
        let from =
            if inputs.is_empty() { String::new() } else { format!(", from {}", inputs.join(", ")) };
        with_range(self.id.index(), node) + &from
    }

    /// `the gradient at node 3 relu, which node 7 linear "z.2" makes of its own in [0, 4]`: the terms of the
    /// chain rule here that are not finite.
    pub fn gradient_ranges(self, grads: &Grads) -> String {
        let nodes = self.tape.nodes.borrow();
        let describe = |id: NodeId| nodes[id.index()].describe(id.index());
        let terms = self.tape.explain(grads, self);
        let wrong = terms.iter().filter(|term| !term.grad.is_finite());
        let makers = wrong.map(|term| {
            let own = grads.at(term.consumer).map_or(String::new(), range);
            format!("{} makes of its own in {own}", describe(term.consumer))
        });
        let makers: Vec<String> = makers.collect();
        let sum = || "the sum of finite terms".to_string();
        let makers = if makers.is_empty() { sum() } else { makers.join(", ") };
        format!("the gradient at {}, which {makers}", describe(self.id))
    }
}
