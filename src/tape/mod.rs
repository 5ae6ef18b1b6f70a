//! The tape: every value of one forward pass, in the order it was computed, and the walk back.
//!
//! An arena of nodes behind one `RefCell`, and [`Var`], a `Copy` handle of two words that borrows it
//! (decision 0001). A rule sees tensors, not Vars, and draws no noise, so asking it twice gives the same
//! answer, and there are no second derivatives, on purpose (decision 0007). Not here: any particular op
//! (`ops`).
//!
//! A handle cannot outlive its pass:
//! ```compile_fail
//! use stcn::{Tape, Tensor};
//! let mut tape = Tape::new();
//! let x = tape.input(Tensor::scalar(2.), "x");
//! tape.reset();
//! x.value(); // error: `x` borrows the tape that was reset
//! ```

mod backward;
mod check;
mod finite;
mod param;
mod rule;
mod shared;

pub use backward::{Grads, Keep, Slot, Term};
pub use check::{Check, gradcheck};
pub use param::Param;
pub use rule::Rule;
pub use shared::Shared;

use crate::tensor::Tensor;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

/// Where a node stands on its tape, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(u32);

impl NodeId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// From the gradient of a node's value to those of its inputs.
type Vjp = Box<dyn Fn(Tensor, &mut [Slot])>;

struct Node {
    rule: &'static Rule,
    inputs: Vec<NodeId>,
    value: Tensor,
    vjp: Option<Vjp>,
    label: String,
    tracked: bool,
    shared: OnceCell<Rc<Shared>>,
}

impl Node {
    /// `7 linear "z.2"`: how errors and tables name a node.
    fn describe(&self, index: usize) -> String {
        let label =
            if self.label.is_empty() { String::new() } else { format!(" \"{}\"", self.label) };
        format!("node {index} {}{label}", self.rule.name)
    }
}

/// What a tape has just done.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Recorded a node of this rule with this value: its computation has just ended.
    Recorded(&'static Rule, &'a Tensor),
    /// Pulled a gradient back through a node of this rule.
    PulledBack(&'static Rule),
    /// Did the products that waited for the gradient of a node of this rule: see [`Slot::add_product`].
    Settled(&'static Rule),
}

/// Whoever wants to know what a tape does while it does it, such as a profile.
type Watcher = Box<dyn Fn(Event)>;

/// A Wengert list: every value of one forward pass, in the order it was computed.
#[derive(Default)]
pub struct Tape {
    nodes: RefCell<Vec<Node>>,
    params: RefCell<Vec<Option<NodeId>>>,
    inference: bool,
    watcher: Option<Watcher>,
}

/// A handle to one node. `Copy`, two words; cannot outlive or leave its tape.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    tape: &'t Tape,
    id: NodeId,
}

/// One node, to look at.
pub struct NodeView<'a> {
    /// Where it stands.
    pub id: NodeId,
    /// What computed it.
    pub rule: &'static Rule,
    /// From what.
    pub inputs: &'a [NodeId],
    /// The paper's name for it, or empty.
    pub label: &'a str,
    /// What came out.
    pub value: &'a Tensor,
    /// Whether a gradient can reach it.
    pub tracked: bool,
}

impl Tape {
    /// An empty tape for training: records what the walk back needs.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape for inference: nothing is tracked, so nothing is saved for a walk back.
    pub fn inference() -> Self {
        Self { inference: true, ..Self::default() }
    }

    /// Whether it records for a walk back: not one for inference.
    pub fn is_training(&self) -> bool {
        !self.inference
    }

    /// Calls `watcher` after every node that is recorded and every one that a gradient was pulled through.
    pub fn watch(&mut self, watcher: impl Fn(Event) + 'static) {
        self.watcher = Some(Box::new(watcher));
    }

    fn tell(&self, event: Event) {
        if let Some(watcher) = &self.watcher {
            watcher(event);
        }
    }

    /// A leaf without a gradient.
    pub fn constant(&self, value: Tensor) -> Var<'_> {
        self.leaf(value, String::new(), false)
    }

    /// A labelled leaf with a gradient.
    pub fn input(&self, value: Tensor, label: &str) -> Var<'_> {
        self.leaf(value, label.into(), true)
    }

    /// The leaf of a parameter: the same node however often it is used, so it has one gradient.
    #[track_caller]
    pub fn param(&self, p: &Param) -> Var<'_> {
        let i = p.number();
        if self.params.borrow().len() <= i {
            self.params.borrow_mut().resize(i + 1, None);
        }
        if let Some(id) = self.params.borrow()[i] {
            let known = &self.nodes.borrow()[id.index()].label;
            let path = p.path();
            assert_eq!(known, path, "param: two models on one tape share number {i}");
            return Var { tape: self, id };
        }
        let leaf = self.leaf(p.value.clone(), p.path().into(), true);
        self.params.borrow_mut()[i] = Some(leaf.id);
        leaf
    }

    /// Forgets this pass, keeps the memory. `&mut self`: the borrow checker proves that no `Var` is left.
    pub fn reset(&mut self) {
        self.nodes.get_mut().clear();
        self.params.get_mut().clear();
    }

    /// Records `value = rule(inputs)`; `vjp` gets the gradient of the value and one slot per input.
    #[track_caller]
    pub fn record<'t, const N: usize>(
        &'t self,
        rule: &'static Rule,
        inputs: [Var<'t>; N],
        value: Tensor,
        vjp: impl Fn(&Tensor, &mut [Slot; N]) + 'static,
    ) -> Var<'t> {
        self.record_taking(rule, inputs, value, move |gy, slots| vjp(&gy, slots))
    }

    /// The same for a `vjp` that makes something of the gradient in its place; if another holds it too, that
    /// copies it first.
    #[track_caller]
    pub fn record_taking<'t, const N: usize>(
        &'t self,
        rule: &'static Rule,
        inputs: [Var<'t>; N],
        value: Tensor,
        vjp: impl Fn(Tensor, &mut [Slot; N]) + 'static,
    ) -> Var<'t> {
        self.push_op(rule, &inputs, value, move |gy, slots| {
            vjp(gy, slots.try_into().expect("one slot per input"));
        })
    }

    /// The same for ops with any number of inputs.
    #[track_caller]
    pub fn record_all<'t>(
        &'t self,
        rule: &'static Rule,
        inputs: &[Var<'t>],
        value: Tensor,
        vjp: impl Fn(&Tensor, &mut [Slot]) + 'static,
    ) -> Var<'t> {
        self.push_op(rule, inputs, value, move |gy, slots| vjp(&gy, slots))
    }

    #[track_caller]
    fn push_op<'t>(
        &'t self,
        rule: &'static Rule,
        inputs: &[Var<'t>],
        value: Tensor,
        vjp: impl Fn(Tensor, &mut [Slot]) + 'static,
    ) -> Var<'t> {
        let tracked = inputs.iter().any(|x| x.is_tracked());
        for x in inputs {
            let same = std::ptr::eq(x.tape, self);
            assert!(same, "{}: its input, {}, lives on another tape", rule.name, x.describe());
        }
        let vjp = tracked.then(|| Box::new(vjp) as Vjp); // untracked: drop what it saved, now
        let inputs = inputs.iter().map(|x| x.id).collect();
        let (label, shared) = (String::new(), OnceCell::new());
        self.push(Node { rule, inputs, value, vjp, label, tracked, shared })
    }

    fn leaf(&self, value: Tensor, label: String, tracked: bool) -> Var<'_> {
        let tracked = tracked && !self.inference;
        let (rule, inputs, vjp, shared) = (&rule::LEAF, vec![], None, OnceCell::new());
        self.push(Node { rule, inputs, value, vjp, label, tracked, shared })
    }

    fn push(&self, node: Node) -> Var<'_> {
        self.tell(Event::Recorded(node.rule, &node.value));
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        Var { tape: self, id: NodeId(nodes.len() as u32 - 1) }
    }

    /// How many nodes.
    pub fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The node that bears `label`.
    pub fn find(&self, label: &str) -> Option<Var<'_>> {
        let i = self.nodes.borrow().iter().position(|node| node.label == label)?;
        Some(Var { tape: self, id: NodeId(i as u32) })
    }

    /// Calls `look` on every node, in order.
    pub fn each(&self, mut look: impl FnMut(NodeView<'_>)) {
        for (i, node) in self.nodes.borrow().iter().enumerate() {
            let Node { rule, inputs, value, label, tracked, .. } = node;
            look(NodeView { id: NodeId(i as u32), rule, inputs, label, value, tracked: *tracked });
        }
    }
}

impl<'t> Var<'t> {
    /// The tape it lives on.
    pub fn tape(self) -> &'t Tape {
        self.tape
    }

    /// Where it stands on its tape.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// What was computed. O(1): tensors are shared, not copied.
    pub fn value(self) -> Tensor {
        self.tape.nodes.borrow()[self.id.index()].value.clone()
    }

    /// Whether a gradient can reach it.
    pub fn is_tracked(self) -> bool {
        self.tape.nodes.borrow()[self.id.index()].tracked
    }

    /// What ops make of this value, a weight, and share until the pass ends.
    pub fn shared(self) -> Rc<Shared> {
        let node = &self.tape.nodes.borrow()[self.id.index()];
        node.shared.get_or_init(|| Rc::new(Shared::of(node.value.clone()))).clone()
    }

    /// Puts the paper's name on this node: `z.1`, `kl.2`, `d.3`.
    pub fn named(self, label: &str) -> Self {
        self.tape.nodes.borrow_mut()[self.id.index()].label = label.into();
        self
    }

    fn describe(self) -> String {
        self.tape.nodes.borrow()[self.id.index()].describe(self.id.index())
    }
}
