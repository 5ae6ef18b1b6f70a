//! What an op says about itself.

use super::{Node, Tape};

/// Name, formulas and products of an op: shown by `inspect` and `bench`, never used by the passes themselves.
#[derive(Debug)]
pub struct Rule {
    /// The op's function name.
    pub name: &'static str,
    /// The value, as a formula of the inputs.
    pub forward: &'static str,
    /// The gradient of each input, as a formula of the gradient of the value.
    pub vjp: &'static str,
    /// The matrix products of the forward pass; empty for most ops.
    pub products: &'static [Product],
}

/// A matrix product that an op makes of two of its inputs, or of what it computed from them.
///
/// ```
/// # use stcn::{Tape, Tensor, tape::{Product, Rule, Var}};
/// /// `y = x Wᵀ`   x: (B, T, I)   w: (O, I)
/// static RULE: Rule = Rule {
///     name: "transposed",
///     forward: "y = x Wᵀ",
///     vjp: "x̄ = ȳ W   w̄ = Σ ȳᵀx",
///     products: &[Product::layer(0, 1)],
/// };
/// # let (tape, x, w) = (Tape::new(), Tensor::zeros(&[2, 3, 4]), Tensor::zeros(&[5, 4]));
/// # let (x, w) = (tape.constant(x), tape.input(w, "w"));
/// # tape.record(&RULE, [x, w], Tensor::zeros(&[2, 3, 5]), |_, _| ());
/// assert_eq!(tape.multiply_adds(), 2 * 6 * 4 * 5); // forward, and for w̄: x has no gradient
/// ```
#[derive(Debug)]
pub struct Product {
    /// Which inputs: each that is tracked costs a product of the same size in the walk back, for its gradient.
    pub factors: [usize; 2],
    /// Multiply-adds of the forward pass, from the shapes of the two factors and of y.
    pub multiply_adds: fn(a: &[usize], b: &[usize], y: &[usize]) -> usize,
}

impl Product {
    /// The product of a layer: rows of input number `x` (or of a state) times the weight, input number `w`.
    pub const fn layer(x: usize, w: usize) -> Self {
        let multiply_adds = |_: &[usize], w: &[usize], y: &[usize]| {
            let rows = y.split_last().map_or(&[][..], |(_, rows)| rows);
            rows.iter().chain(w).product::<usize>()
        };
        Self { factors: [x, w], multiply_adds }
    }
}

impl Tape {
    /// Multiply-adds of all [`Product`]s of this pass and of the walk back.
    pub fn multiply_adds(&self) -> usize {
        let nodes = self.nodes.borrow();
        let of = |node: &Node, product: &Product| {
            let [a, b] = product.factors.map(|i| &nodes[node.inputs[i].index()]);
            let forward =
                (product.multiply_adds)(a.value.shape(), b.value.shape(), node.value.shape());
            forward * (1 + usize::from(a.tracked) + usize::from(b.tracked))
        };
        let all =
            |node: &Node| node.rule.products.iter().map(|product| of(node, product)).sum::<usize>();
        nodes.iter().map(all).sum::<usize>()
    }
}

/// A value that no op computed: an input, a constant, a parameter.
pub(super) static LEAF: Rule = Rule { name: "leaf", forward: "x", vjp: "", products: &[] };

/// Writes the formulas of an op once, for its [`Rule`](crate::tape::Rule) and for its documentation.
///
/// `rule! { CUBE: "cube", forward: "y = x³", vjp: "x̄ = 3 ȳ x²" }` makes the
/// static `CUBE`, to be recorded, and `CUBE!()`, its formulas as text, to stand in the
/// documentation of the op: `#[doc = CUBE!()]`. An op with matrix products lists them after
/// the formulas: `products: [Product::layer(0, 1)]`.
#[macro_export]
macro_rules! rule {
    (
        $rule:ident: $name:literal, forward: $forward:literal, vjp: $vjp:literal
        $(, products: [$($product:expr),+])? $(,)?
    ) => {
        static $rule: $crate::tape::Rule = $crate::tape::Rule {
            name: $name,
            forward: $forward,
            vjp: $vjp,
            products: &[$($($product),+)?],
        };
        macro_rules! $rule {
            () => {
                ::core::concat!("\n```text\n", $forward, "\n", $vjp, "\n```\n")
            };
        }
    };
}
pub use crate::rule;
