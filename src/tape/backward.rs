//! The walk back along the tape.

use super::slot::{Slot, Waiting, accumulate};
use super::{Event, Node, NodeId, Param, Rule, Tape, Var};
use crate::parallel;
use crate::tensor::Tensor;
use std::mem::take;

/// Which gradients [`Tape::backward`] keeps; the choice changes no bit of them.
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

    /// The gradients of parameters from the tapes of all parts of a batch, added in pairs, the sums in pairs, and so on:
    /// as the tree of `parallel::halves` joins its branches. Those of inputs are those of the first tape.
    #[track_caller]
    pub fn sum(parts: Vec<Grads>) -> Grads {
        let mut parts = parts.into_iter();
        let mut first = parts.next().expect("Grads::sum: no part");
        let mut others: Vec<Grads> = parts.collect();
        let count = others.iter().map(|of| of.params.len()).fold(first.params.len(), usize::max);
        first.params.resize(count, None);
        let take = |of: &mut Grads, i: usize| {
            let id = of.params.get(i).copied().flatten();
            id.and_then(|id| of.grads[id.index()].take())
        };
        let terms = (0..count).map(|i| {
            let own = take(&mut first, i);
            let terms = [own].into_iter().chain(others.iter_mut().map(|of| take(of, i)));
            (i, terms.collect::<Vec<_>>())
        });
        let terms: Vec<_> = terms.collect();
        let sums = parallel::map_each(terms, |(i, terms)| (i, added_in_pairs(terms)));
        for (i, sum) in sums {
            let id = first.params[i].unwrap_or(NodeId(first.grads.len() as u32));
            if id.index() == first.grads.len() {
                first.grads.push(None);
            }
            (first.params[i], first.grads[id.index()]) = (Some(id), sum);
        }
        first
    }
}

impl Grads {
    /// The gradients of parameters alone, by [`Param::number`]; `None`, which means 0, where the loss does not depend on one.
    pub fn into_params(mut self) -> Vec<Option<Tensor>> {
        let ids = self.params.into_iter();
        ids.map(|id| id.and_then(|id| self.grads[id.index()].take())).collect()
    }

    /// The inverse: such gradients as those of a tape, which may have been another process's.
    pub fn from_params(grads: Vec<Option<Tensor>>) -> Self {
        let params = (0..grads.len()).map(|i| grads[i].as_ref().map(|_| NodeId(i as u32)));
        Self { params: params.collect(), grads }
    }
}

/// The sum of one gradient over parts of a batch, as [`Grads::sum`] adds it.
pub(crate) fn added_in_pairs(mut terms: Vec<Option<Tensor>>) -> Option<Tensor> {
    while terms.len() > 1 {
        let mut rest = terms.into_iter();
        terms = vec![];
        while let Some(mut sum) = rest.next() {
            if let Some(Some(term)) = rest.next() {
                accumulate(&mut sum, term);
            }
            terms.push(sum);
        }
    }
    terms.pop().flatten()
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

    /// The vector-Jacobian product for a y of any shape: like PyTorch's `y.backward(gy)`, with gy in the shape of y.
    #[track_caller]
    pub fn pull_back(&self, y: Var, gy: Tensor, keep: Keep) -> Grads {
        assert!(std::ptr::eq(y.tape, self), "backward: {y} lives on another tape");
        assert_eq!(gy.shape(), y.value().shape(), "backward: the cotangent has another shape");
        let nodes = self.nodes.borrow();
        let mut grads: Vec<Option<Tensor>> = vec![None; nodes.len()];
        let mut deferred: Vec<Vec<Waiting>> = nodes.iter().map(|_| vec![]).collect();
        grads[y.id.index()] = Some(gy);
        let mut uses = vec![0; nodes.len()];
        let inputs = nodes[..=y.id.index()].iter().flat_map(|node| &node.inputs);
        inputs.for_each(|x| uses[x.index()] += 1);
        let params = self.params.borrow();
        for node in nodes[..=y.id.index()].iter().rev() {
            let i = node.id.index();
            if !deferred[i].is_empty() {
                // All consumers were recorded later, so all terms are here.
                let mut slot = Slot::new(node, grads[i].take(), true, false);
                slot.deferred = take(&mut deferred[i]);
                slot.add_deferred();
                assert!(slot.fits(), "{node}: its deferred terms have another shape");
                grads[i] = slot.grad;
                self.notify(Event::AddedDeferred(node.rule));
            }
            if let Some(receiver) = self.receiver.as_ref().filter(|_| node.vjp.is_none())
                && let Some(number) = params.iter().position(|leaf| *leaf == Some(node.id))
            {
                grads[i].take().into_iter().for_each(|grad| receiver(number, grad));
            }
            let Some(vjp) = &node.vjp else { continue };
            let gy = if keep == Keep::All { grads[i].clone() } else { grads[i].take() };
            let Some(gy) = gy else { continue };
            // Each input lends its running sum to its slot; an input used twice (x·x) gets a second,
            // empty one.
            let lend = |x: &NodeId| {
                let input = &nodes[x.index()];
                Slot::new(input, grads[x.index()].take(), input.tracked, uses[x.index()] > 1)
            };
            let mut slots: Vec<Slot> = node.inputs.iter().map(lend).collect();
            vjp(gy, &mut slots);
            for (mut slot, x) in slots.into_iter().zip(&node.inputs) {
                deferred[x.index()].append(&mut slot.deferred);
                assert!(slot.fits(), "{node}: wrong gradient shape for an input");
                if let Some(grad) = slot.grad {
                    accumulate(&mut grads[x.index()], grad);
                }
            }
            self.notify(Event::PulledBack(node.rule));
        }
        Grads { grads, params: params.clone() }
    }

    /// Every term of the chain rule at `x`; they sum to its gradient. Needs [`Keep::All`].
    ///
    /// It calls vjps once more, which changes nothing, as they are pure functions.
    pub fn explain(&self, grads: &Grads, x: Var) -> Vec<Term<'_>> {
        let nodes = self.nodes.borrow();
        let consumers = nodes.iter().filter(|node| node.inputs.contains(&x.id));
        let terms = consumers.flat_map(|node| terms(&nodes, grads, node, |id| id == x.id));
        let term = |(id, _, grad): (NodeId, _, _)| Term {
            consumer: Var { tape: self, id },
            rule: nodes[id.index()].rule,
            grad,
        };
        terms.map(term).collect()
    }

    /// The vector-Jacobian product of the op at y alone: the gradients of its inputs, in order, if that of its value were
    /// gy. `None` for an input without a gradient. An input that is used twice has two.
    ///
    /// ```
    /// # use stcn::{Tape, Tensor};
    /// let tape = Tape::new();
    /// let [x, y] = [3., 5.].map(|x| tape.input(Tensor::scalar(x), ""));
    /// let [gx, gy] = &tape.vjp(x * y, Tensor::scalar(2.))[..] else { unreachable!() };
    /// assert_eq!((gx.as_ref().unwrap().item(), gy.as_ref().unwrap().item()), (10., 6.));
    /// ```
    #[track_caller]
    pub fn vjp(&self, y: Var, gy: Tensor) -> Vec<Option<Tensor>> {
        assert!(std::ptr::eq(y.tape, self), "vjp: {y} lives on another tape");
        assert_eq!(gy.shape(), y.value().shape(), "vjp: gy has another shape than y");
        let nodes = self.nodes.borrow();
        alone(&nodes, &nodes[y.id.index()], gy, |_| true)
    }

    /// Calls `look(consumer, input, term)` for every term of every node, consumers from the last to the first: the
    /// whole pass explained, at the cost of one walk back. Needs [`Keep::All`].
    pub fn each_term(&self, grads: &Grads, mut look: impl FnMut(NodeId, NodeId, Tensor)) {
        let nodes = self.nodes.borrow();
        for node in nodes.iter().rev() {
            let terms = terms(&nodes, grads, node, |_| true);
            terms.into_iter().for_each(|(consumer, input, term)| look(consumer, input, term));
        }
    }
}

/// What `consumer` contributes to the gradients of its inputs, of those that are `wanted`. An input that it uses
/// twice has one term, the sum.
fn terms(
    nodes: &[Node],
    grads: &Grads,
    consumer: &Node,
    wanted: impl Fn(NodeId) -> bool,
) -> Vec<(NodeId, NodeId, Tensor)> {
    let Some(gy) = grads.at(consumer.id) else { return vec![] };
    let mut sums: Vec<(NodeId, NodeId, Option<Tensor>)> = vec![];
    for (grad, &input) in
        alone(nodes, consumer, gy.clone(), wanted).into_iter().zip(&consumer.inputs)
    {
        let Some(grad) = grad else { continue };
        match sums.iter_mut().find(|(_, known, _)| *known == input) {
            Some((_, _, sum)) => accumulate(sum, grad),
            None => sums.push((consumer.id, input, Some(grad))),
        }
    }
    sums.into_iter().filter_map(|(consumer, input, sum)| Some((consumer, input, sum?))).collect()
}

/// The gradient of every input of one node, of those that are `wanted`, from the gradient of its value.
fn alone(
    nodes: &[Node],
    node: &Node,
    gy: Tensor,
    wanted: impl Fn(NodeId) -> bool,
) -> Vec<Option<Tensor>> {
    let empty = |&id: &NodeId| {
        let input = &nodes[id.index()];
        Slot::new(input, None, input.tracked && wanted(id), false)
    };
    let mut slots: Vec<Slot> = node.inputs.iter().map(empty).collect();
    if let Some(vjp) = &node.vjp {
        vjp(gy, &mut slots);
    }
    let gradient = |mut slot: Slot| {
        slot.add_deferred();
        slot.grad
    };
    slots.into_iter().map(gradient).collect()
}
