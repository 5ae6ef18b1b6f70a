//! The tape: every value of one forward pass, in the order it was computed, and the walk back.
//!
//! Reverse-mode differentiation with a list of what was computed (Wengert 1964):
//! 1. An op computes a value from tensors and records it as a [`Node`]: its [`Rule`], its inputs, and its vjp,
//!    a closure that computes the gradients of the inputs from the gradient of the value.
//! 2. The nodes of a pass stand in one `Vec`, the arena, in the order of execution: a node comes after its
//!    inputs. A [`Var`] is a `Copy` handle of two words that borrows the tape (decision 0001).
//! 3. [`Tape::backward`] walks the arena from the loss to the front and calls each vjp once.
//!
//! ```
//! use stcn::{Tape, Tensor, tape::Keep};
//! let tape = Tape::new();
//! let x = tape.input(Tensor::scalar(3.), "x");
//! let y = x * x + x;
//! let grads = tape.backward(y, Keep::Leaves);
//! assert_eq!(y.value().item(), 12.);
//! assert_eq!(grads.wrt(x).unwrap().item(), 7.); // 2x + 1
//! ```
//! A vjp computes with tensors, not Vars, and draws no noise: calling it twice gives the same answer, and there
//! are no second derivatives, on purpose (decision 0007). Not here: any particular op (`ops`).
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
mod param;
mod rule;
mod slot;

pub(crate) use backward::added_in_pairs;
pub use backward::{Grads, Keep, Term};
pub use param::Param;
pub use rule::{Product, Rule, rule};
pub use slot::{Deferred, Slot};

use crate::tensor::Tensor;
use std::any::Any;
use std::cell::{Cell, Ref, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// The place of a node on its tape, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(u32);

impl NodeId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Computes the gradients of a node's inputs, one slot each, from the gradient of its value.
type Vjp = Box<dyn Fn(Tensor, &mut [Slot])>;

/// One value and how it was computed. Displayed as `node 7 linear "z.2"`.
pub struct Node {
    /// Its place on the tape.
    pub id: NodeId,
    /// The op that computed it.
    pub rule: &'static Rule,
    /// What it was computed from.
    pub inputs: Vec<NodeId>,
    /// The result.
    pub value: Tensor,
    /// Its name: the paper's (`z.1`), the path of a parameter, what [`Tape::input`] was given; or empty.
    pub label: String,
    /// Whether it depends on an input or a parameter, on a tape for training.
    pub tracked: bool,
    /// The line of source that called the op.
    pub caller: &'static Location<'static>,
    /// A number that the op was called with and that its formulas name, such as `("dilation", 4)`.
    pub setting: Option<(&'static str, usize)>,
    vjp: Option<Vjp>,
    cache: Vec<Rc<dyn Any>>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} {}", self.id.index(), self.rule.name)?;
        if self.label.is_empty() { Ok(()) } else { write!(f, " \"{}\"", self.label) }
    }
}

/// A handle to one node. `Copy`, two words; cannot outlive or leave its tape.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    tape: &'t Tape,
    id: NodeId,
}

/// A Wengert list: every value of one forward pass, in the order it was computed.
#[derive(Default)]
pub struct Tape {
    nodes: RefCell<Vec<Node>>,
    /// The leaf of each parameter, by the parameter's number.
    params: RefCell<Vec<Option<NodeId>>>,
    inference: bool,
    sequences: Cell<usize>,
    observers: Vec<Observer>,
    receiver: Option<Receiver>,
    /// What is added to the value of which node.
    moved: Option<(usize, Tensor)>,
}

/// Called with every [`Event`], as for a profile.
type Observer = Box<dyn Fn(Event)>;

/// Called with the number of every parameter and its gradient.
type Receiver = Box<dyn Fn(usize, Tensor)>;

/// What a tape has just done.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Recorded a node of this rule with this value: its computation has just ended.
    Recorded(&'static Rule, &'a Tensor),
    /// Ran the vjp of a node of this rule.
    PulledBack(&'static Rule),
    /// Added the [`Deferred`] terms of the gradient of a node of this rule.
    AddedDeferred(&'static Rule),
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

    /// An empty tape that adds `by` to the value of node number `id` as it is recorded, so that all that is computed from
    /// it comes out as if it were that much larger: for finite differences.
    ///
    /// ```
    /// # use stcn::{Tape, Tensor};
    /// let tape = Tape::moving(1, Tensor::scalar(0.5));
    /// let x = tape.input(Tensor::scalar(3.), "x"); // node 0
    /// assert_eq!(((x * x) * x).value().item(), 28.5); // node 1 is 9.5
    /// ```
    pub fn moving(id: usize, by: Tensor) -> Self {
        Self { moved: Some((id, by)), ..Self::default() }
    }

    /// Whether it records what the walk back needs: not one for inference.
    pub fn is_training(&self) -> bool {
        !self.inference
    }

    /// Says how many sequences the pass is of. Row r of a tensor (rows, T, C) belongs to sequence r mod `count`, so several
    /// draws of a sequence can have a row each. Gradients of weights add up each sequence first, then the sequences
    /// along a tree (decision 0021). Unless it is said, every row is a sequence.
    pub fn set_sequences(&self, count: usize) {
        self.sequences.set(count);
    }

    /// The number of sequences that `rows` rows belong to.
    pub fn sequences(&self, rows: usize) -> usize {
        match self.sequences.get() {
            0 => rows.max(1),
            count => count,
        }
    }

    /// Calls `observer` after every node that is recorded, every vjp, and every sum of deferred terms.
    pub fn observe(&mut self, observer: impl Fn(Event) + 'static) {
        self.observers.push(Box::new(observer));
    }

    fn notify(&self, event: Event) {
        self.observers.iter().for_each(|observer| observer(event));
    }

    /// Gives the gradient of every parameter to `receiver(number, gradient)` as soon as it is whole, so that [`Grads`] lack
    /// it. It is whole when the walk back comes to where the parameter was first used: those of late layers first.
    ///
    /// ```
    /// # use stcn::{Tape, Tensor, nn::Init, tape::{Keep, Param}};
    /// # use std::{cell::RefCell, rc::Rc};
    /// let [first, second] = [0, 1].map(|i| Param::new(i, ["first", "second"][i], Tensor::scalar(3.)));
    /// let came = Rc::new(RefCell::new(vec![]));
    /// let mut tape = Tape::new();
    /// let list = Rc::clone(&came);
    /// tape.hand_over(move |number, gradient| list.borrow_mut().push((number, gradient.item())));
    /// let x = tape.param(&first);
    /// let grads = tape.backward(x * x * tape.param(&second), Keep::Leaves);
    /// assert_eq!(*came.borrow(), [(1, 9.), (0, 18.)]);
    /// assert!(grads.find(&first).is_none());
    /// ```
    pub fn hand_over(&mut self, receiver: impl Fn(usize, Tensor) + 'static) {
        self.receiver = Some(Box::new(receiver));
    }

    /// A leaf without a gradient: `requires_grad=False` in PyTorch.
    #[track_caller]
    pub fn constant(&self, value: Tensor) -> Var<'_> {
        self.leaf(value, "", false)
    }

    /// A leaf with a gradient and a label: `requires_grad=True` in PyTorch.
    #[track_caller]
    pub fn input(&self, value: Tensor, label: &str) -> Var<'_> {
        self.leaf(value, label, true)
    }

    /// The leaf of a parameter: the same node however often it is used, so it has one gradient.
    #[track_caller]
    pub fn param(&self, p: &Param) -> Var<'_> {
        let i = p.number();
        if self.params.borrow().len() <= i {
            self.params.borrow_mut().resize(i + 1, None);
        }
        if let Some(id) = self.params.borrow()[i] {
            let known = Var { tape: self, id };
            let same = known.node().label == p.path();
            assert!(
                same,
                "param: two models on one tape share number {i}, {known} and {}",
                p.path()
            );
            return known;
        }
        let leaf = self.leaf(p.value.clone(), p.path(), true);
        self.params.borrow_mut()[i] = Some(leaf.id);
        leaf
    }

    #[track_caller]
    fn leaf(&self, value: Tensor, label: &str, tracked: bool) -> Var<'_> {
        self.push(&rule::LEAF, vec![], value, tracked && !self.inference, None).named(label)
    }

    /// Records `value`, which `rule` computed from `inputs`. `vjp(gy, slots)` gets the gradient of the value, which
    /// it may overwrite, and puts the gradient of each input into its slot.
    #[track_caller]
    pub fn record<'t, const N: usize>(
        &'t self,
        rule: &'static Rule,
        inputs: [Var<'t>; N],
        value: Tensor,
        vjp: impl Fn(Tensor, &mut [Slot; N]) + 'static,
    ) -> Var<'t> {
        self.record_all(rule, &inputs, value, move |gy, slots| {
            vjp(gy, slots.try_into().expect("one slot per input"));
        })
    }

    /// [`record`](Self::record) for any number of inputs.
    #[track_caller]
    pub fn record_all<'t>(
        &'t self,
        rule: &'static Rule,
        inputs: &[Var<'t>],
        value: Tensor,
        vjp: impl Fn(Tensor, &mut [Slot]) + 'static,
    ) -> Var<'t> {
        for x in inputs {
            let same = std::ptr::eq(x.tape, self);
            assert!(same, "{}: its input, {x}, lives on another tape", rule.name);
        }
        let tracked = inputs.iter().any(|x| x.is_tracked());
        let vjp = tracked.then(|| Box::new(vjp) as Vjp); // untracked: drop what it saved, now
        self.push(rule, inputs.iter().map(|x| x.id).collect(), value, tracked, vjp)
    }

    #[track_caller]
    fn push(
        &self,
        rule: &'static Rule,
        inputs: Vec<NodeId>,
        mut value: Tensor,
        tracked: bool,
        vjp: Option<Vjp>,
    ) -> Var<'_> {
        if let Some((id, by)) = &self.moved
            && *id == self.len()
        {
            value.add_assign(by);
        }
        self.notify(Event::Recorded(rule, &value));
        let id = NodeId(self.len() as u32);
        let (label, caller, cache) = (String::new(), Location::caller(), vec![]);
        let setting = None;
        let node = Node { id, rule, inputs, value, label, tracked, caller, setting, vjp, cache };
        self.nodes.borrow_mut().push(node);
        Var { tape: self, id }
    }

    /// Forgets this pass, keeps the memory. `&mut self`: the borrow checker proves that no `Var` is left.
    pub fn reset(&mut self) {
        self.nodes.get_mut().clear();
        self.params.get_mut().clear();
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the list takes beside the values, with what the walk back keeps of every node.
    pub fn bookkeeping(&self) -> usize {
        let nodes = self.nodes.borrow();
        let own = |node: &Node| {
            let vjp = node.vjp.as_ref().map_or(0, |vjp| size_of_val(&**vjp));
            vjp + size_of_val(&*node.inputs) + node.label.len()
        };
        let walked = size_of::<Option<Tensor>>() + size_of::<Vec<slot::Waiting>>();
        nodes.capacity() * size_of::<Node>()
            + nodes.iter().map(|node| own(node) + walked).sum::<usize>()
    }

    /// A handle to every node, in order.
    pub fn vars(&self) -> impl DoubleEndedIterator<Item = Var<'_>> {
        (0..self.len() as u32).map(|i| Var { tape: self, id: NodeId(i) })
    }

    /// Calls `look` on every node, in order.
    pub fn each(&self, look: impl FnMut(&Node)) {
        self.nodes.borrow().iter().for_each(look);
    }

    /// The node with this label.
    pub fn find(&self, label: &str) -> Option<Var<'_>> {
        self.vars().find(|x| x.node().label == label)
    }
}

impl<'t> Var<'t> {
    fn node(self) -> Ref<'t, Node> {
        Ref::map(self.tape.nodes.borrow(), |nodes| &nodes[self.id.index()])
    }

    /// The tape it lives on.
    pub fn tape(self) -> &'t Tape {
        self.tape
    }

    /// Its place on the tape.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The result of its op. O(1): tensors are shared, not copied.
    pub fn value(self) -> Tensor {
        self.node().value.clone()
    }

    /// The op that computed it.
    pub fn rule(self) -> &'static Rule {
        self.node().rule
    }

    /// What it was computed from.
    pub fn inputs(self) -> Vec<Var<'t>> {
        self.node().inputs.iter().map(|&id| Var { id, ..self }).collect()
    }

    /// Its name; may be empty.
    pub fn label(self) -> String {
        self.node().label.clone()
    }

    /// Whether it depends on an input or a parameter, on a tape for training.
    pub fn is_tracked(self) -> bool {
        self.node().tracked
    }

    /// Labels this node as the paper does: `z.1`, `kl.2`, `d.3`.
    pub fn named(self, label: &str) -> Self {
        self.tape.nodes.borrow_mut()[self.id.index()].label = label.into();
        self
    }

    /// Notes a number that the op was called with and that its formulas name, such as `("dilation", 4)`, to be shown with them.
    pub fn with_setting(self, name: &'static str, value: usize) -> Self {
        self.tape.nodes.borrow_mut()[self.id.index()].setting = Some((name, value));
        self
    }

    /// The number that was noted by [`with_setting`](Self::with_setting).
    pub fn setting(self) -> Option<(&'static str, usize)> {
        self.node().setting
    }

    /// A value that ops keep with this node until the tape is reset, such as a weight in another layout: `make`
    /// runs at the first call for this type `T`, later calls share the result.
    ///
    /// ```
    /// # use stcn::{Tape, Tensor};
    /// struct Norm(f64);
    /// let tape = Tape::new();
    /// let w = tape.input(Tensor::new(&[2], vec![3., 4.]), "w");
    /// let norm = || w.cached(|| Norm(w.value().squared_norm().sqrt()));
    /// assert_eq!(norm().0, 5.);
    /// assert!(std::rc::Rc::ptr_eq(&norm(), &norm()));
    /// ```
    pub fn cached<T: 'static>(self, make: impl FnOnce() -> T) -> Rc<T> {
        let known = self.node().cache.iter().find_map(|value| value.clone().downcast().ok());
        known.unwrap_or_else(|| {
            let value = Rc::new(make());
            self.tape.nodes.borrow_mut()[self.id.index()].cache.push(value.clone());
            value
        })
    }
}

impl fmt::Display for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node().fmt(f)
    }
}
