//! The walk back along the tape.

use super::{Event, Node, NodeId, Param, Rule, Tape, Var};
use crate::kernel::{causal_conv::CausalConv, gemm::PANEL};
use crate::parallel::{self, Work};
use crate::tensor::{Real, Tensor};

/// Where a vjp rule puts the gradient of one input.
pub struct Slot {
    grad: Option<Tensor>,
    products: Vec<Product>,
    shape: Vec<usize>,
    needed: bool,
}

impl Slot {
    fn new(input: &Node, grad: Option<Tensor>, needed: bool) -> Self {
        Self { grad, products: vec![], shape: input.value.shape().to_vec(), needed }
    }

    /// Whether anything upstream wants this gradient.
    pub fn is_needed(&self) -> bool {
        self.needed
    }

    /// Adds `grad()`; never evaluated if nothing upstream wants it.
    pub fn add(&mut self, grad: impl FnOnce() -> Tensor) {
        if self.needed {
            accumulate(&mut self.grad, grad());
        }
    }

    /// Adds `xᵀ ȳ`, later: in one product over the rows of all who add so to this gradient, in the order of
    /// the tape. For few rows, as of one step, beside which the sum itself is long to read and write.
    ///
    /// x: (…, I), gy: (…, O), as many rows; the gradient: (I, O)
    #[track_caller]
    pub fn add_product(&mut self, x: &Tensor, gy: &Tensor) {
        assert_eq!(x.rows(), gy.rows(), "add_product: rows of x and of gy differ");
        if self.needed {
            self.products.push(Product { x: x.clone(), gy: gy.clone() });
        }
    }

    /// Where to add in place: the running sum, and whether this is the first to come; then its contents are
    /// unspecified and every element must be stored. `None` if nothing upstream wants this gradient.
    pub fn target(&mut self) -> Option<(&mut [Real], bool)> {
        if !self.needed {
            return None;
        }
        let first = self.grad.is_none();
        let grad = self.grad.get_or_insert_with(|| Tensor::scratch(&self.shape));
        Some((grad.data_mut(), first))
    }

    /// The same with zeros in place of unspecified contents: for small gradients, as of a bias.
    pub fn zeroed_target(&mut self) -> Option<&mut [Real]> {
        let (grad, first) = self.target()?;
        if first {
            grad.fill(0.);
        }
        Some(grad)
    }

    /// `write(g, first)` on the [`target`](Self::target), if there is one.
    pub fn update(&mut self, write: impl FnOnce(&mut [Real], bool)) {
        if let Some((grad, first)) = self.target() {
            write(grad, first);
        }
    }
}

/// `xᵀ ȳ`, not yet done.
struct Product {
    x: Tensor,
    gy: Tensor,
}

/// Does the products that wait for a gradient, the first of the tape, which came last, first, and adds them
/// to it: up to a panel of rows as one product. Order and groups follow from shapes alone.
fn settle(grad: &mut Option<Tensor>, mut products: Vec<Product>) {
    while let Some(first) = products.pop() {
        let mut rows = first.x.rows();
        let (mut xs, mut gys) = (vec![first.x], vec![first.gy]);
        while let Some(next) = products.pop_if(|next| rows + next.x.rows() <= PANEL) {
            rows += next.x.rows();
            xs.push(next.x);
            gys.push(next.gy);
        }
        let [x, gy] = [xs, gys].map(|parts| one_below_another(rows, &parts));
        let first = grad.is_none();
        let grad = grad.get_or_insert_with(|| Tensor::scratch(&[x.cols(), gy.cols()]));
        let mut work = Work::new();
        let layer = CausalConv::linear(rows, x.cols(), gy.cols());
        layer.queue_grad_w(&mut work, x.data(), gy.data(), grad.data_mut(), first);
        work.run();
    }
}

/// The rows of all parts, so many in sum.
fn one_below_another(rows: usize, parts: &[Tensor]) -> Tensor {
    let mut all = Tensor::scratch(&[rows, parts[0].cols()]);
    let (mut rest, mut tasks) = (all.data_mut(), vec![]);
    for part in parts {
        let (rows, behind) = rest.split_at_mut(part.len());
        tasks.push((rows, part));
        rest = behind;
    }
    parallel::each(tasks, |(rows, part)| rows.copy_from_slice(part.data()));
    all
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
    pub(super) grads: Vec<Option<Tensor>>,
    params: Vec<Option<NodeId>>,
}

impl Grads {
    /// The gradient at `x`; `None` if it was not kept or the loss does not depend on `x`.
    pub fn wrt(&self, x: Var) -> Option<&Tensor> {
        self.at(x.id)
    }

    /// The gradient at a node.
    pub fn at(&self, id: NodeId) -> Option<&Tensor> {
        self.grads[id.index()].as_ref()
    }

    /// Adds the gradients of the same parameters from another tape, as of another part of a batch. Those of
    /// inputs stay this tape's own.
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

    /// The gradient of a parameter; `None`, which is to say 0, if the loss does not depend on it.
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
}

/// One term of the chain rule at a node: what one consumer contributes to its gradient.
pub struct Term {
    /// Who.
    pub consumer: NodeId,
    /// By which rule.
    pub rule: &'static Rule,
    /// How much.
    pub grad: Tensor,
}

impl Tape {
    /// Gradients of the scalar `loss`: one walk back along the list.
    #[track_caller]
    pub fn backward(&self, loss: Var, keep: Keep) -> Grads {
        let shape = loss.value().shape().to_vec();
        assert_eq!(
            shape.iter().product::<usize>(),
            1,
            "backward: want one number, got shape {shape:?}"
        );
        self.pull_back(loss, Tensor::new(&shape, vec![1.]), keep)
    }

    /// Gradients of `⟨gy, y⟩`, for a y of any shape: gy is its cotangent.
    #[track_caller]
    pub fn pull_back(&self, y: Var, gy: Tensor, keep: Keep) -> Grads {
        let nodes = self.nodes.borrow();
        assert!(std::ptr::eq(y.tape, self), "backward: {} lives on another tape", y.describe());
        let mut grads: Vec<Option<Tensor>> = vec![None; nodes.len()];
        assert_eq!(gy.shape(), y.value().shape(), "backward: the cotangent has another shape");
        grads[y.id.index()] = Some(gy);
        let mut products: Vec<Vec<Product>> = nodes.iter().map(|_| vec![]).collect();
        for i in (0..=y.id.index()).rev() {
            let node = &nodes[i];
            if !products[i].is_empty() {
                // All consumers lie above.
                settle(&mut grads[i], std::mem::take(&mut products[i]));
                self.tell(Event::Settled(node.rule));
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
            for (slot, x) in slots.into_iter().zip(&node.inputs) {
                let check = |found: &[usize]| {
                    let want = &slot.shape;
                    assert_eq!(
                        found,
                        want,
                        "{}: wrong gradient shape for an input",
                        node.describe(i)
                    );
                };
                for product in slot.products {
                    check(&[product.x.cols(), product.gy.cols()]);
                    products[x.index()].push(product);
                }
                if let Some(g) = slot.grad {
                    check(g.shape());
                    accumulate(&mut grads[x.index()], g);
                }
            }
            self.tell(Event::PulledBack(node.rule));
        }
        Grads { grads, params: self.params.borrow().clone() }
    }

    /// Every term of the chain rule at `x`, which sum to its gradient. Wants [`Keep::All`].
    ///
    /// A question about a finished pass: rules are pure, so asking again changes nothing.
    pub fn explain(&self, grads: &Grads, x: Var) -> Vec<Term> {
        let nodes = self.nodes.borrow();
        let mut terms = vec![];
        for (i, node) in nodes.iter().enumerate() {
            let (Some(gy), Some(vjp)) = (&grads.grads[i], &node.vjp) else { continue };
            if !node.inputs.contains(&x.id) {
                continue;
            }
            let empty = |id: &NodeId| Slot::new(&nodes[id.index()], None, *id == x.id);
            let mut slots: Vec<Slot> = node.inputs.iter().map(empty).collect();
            vjp(gy.clone(), &mut slots);
            let mut sum = None;
            for mut slot in slots {
                settle(&mut slot.grad, slot.products);
                slot.grad.into_iter().for_each(|g| accumulate(&mut sum, g));
            }
            let consumer = NodeId(i as u32);
            terms.extend(sum.map(|grad| Term { consumer, rule: node.rule, grad }));
        }
        terms
    }
}
