//! Elementwise functions and operators: a table of value and gradient.
//!
//! Closures over numbers are inlined, so that their loops are vectorised (decision 0011).

use super::one_shape;
use crate::kernel::math;
use crate::tape::{Rule, Var};
use crate::tensor::{Real, zip};

/// One entry for each elementwise function of one tensor:
///
/// ```text
/// /// Documentation.
/// name(parameters)
///     "formula of y" |x| value of y;
///     "formula of x̄" |gy, x, y| value of x̄;
///     [x, parameters => y, dy/dx]
/// ```
///
/// The last line becomes an example in the documentation; it compares exactly, so choose numbers that are exact.
macro_rules! functions {
    ($(
        $(#[$doc:meta])*
        $name:ident($($param:ident),*)
            $forward:literal |$x:ident| $value:expr;
            $vjp:literal |$gy:ident, $xb:tt, $yb:tt| $gx:expr;
            [$at:literal $(, $argument:literal)* => $y:literal, $slope:literal]
    )*) => {$(
        $(#[$doc])*
        #[doc = concat!("\n```text\n", $forward, "\n", $vjp, "\n```\n")]
        #[doc = concat!(
            "```\n# use stcn::{Tape, Tensor, ops::", stringify!($name), ", tape::Keep};\n",
            "# let tape = Tape::new();\n",
            "let x = tape.input(Tensor::scalar(", $at, "), \"x\");\n",
            "let y = ", stringify!($name), "(x", $(", ", $argument,)* ");\n",
            "assert_eq!(y.value().item(), ", $y, ");\n",
            "assert_eq!(tape.backward(y, Keep::Leaves).wrt(x).unwrap().item(), ", $slope, ");\n```",
        )]
        pub fn $name(x: Var, $($param: Real),*) -> Var {
            static RULE: Rule = Rule {
                name: stringify!($name),
                forward: $forward,
                vjp: $vjp,
                products: &[],
            };
            let inputs = x.value();
            let y = inputs.map(
                #[inline(always)]
                move |$x| $value,
            );
            let outputs = y.clone();
            x.tape().record(&RULE, [x], y, move |gy, [gx]| {
                gx.add(|| {
                    zip(
                        [&gy, &inputs, &outputs],
                        #[inline(always)]
                        move |[$gy, $xb, $yb]: [Real; 3]| $gx,
                    )
                })
            })
        }
    )*};
}

functions! {
    /// A scale and a shift.
    affine(k, c)
        "y = k x + c" |x| k * x + c;
        "x̄ = k ȳ" |gy, _, _| k * gy;
        [3., 2., 1. => 7., 2.]

    /// x between two bounds, and the nearer bound outside, where the gradient is zero.
    clip(low, high)
        "y = min(max(x, low), high)" |x| x.clamp(low, high);
        "x̄ = ȳ where low < x < high, else 0" |gy, x, _| if low < x && x < high { gy } else { 0. };
        [7., -1., 2. => 2., 0.]

    /// The hyperbolic tangent.
    tanh()
        "y = tanh x" |x| math::tanh(x);
        "x̄ = ȳ (1 − y²)" |gy, _, y| gy * (1. - y * y);
        [0. => 0., 1.]

    /// The logistic function.
    sigmoid()
        "y = σ(x) = 1/(1 + e⁻ˣ)" |x| math::sigmoid(x);
        "x̄ = ȳ y (1 − y)" |gy, _, y| gy * (y * (1. - y));
        [0. => 0.5, 0.25]

    /// The rectifier; its gradient at 0 is 0.
    relu()
        "y = max(x, 0)" |x| if x > 0. { x } else { 0. };
        "x̄ = ȳ where x > 0, else 0" |gy, x, _| gy * if x > 0. { 1. } else { 0. };
        [-2. => 0., 0.]

    /// A rectifier with a slope k below 0, and at 0.
    leaky_relu(k)
        "y = x where x > 0, else k x" |x| if x > 0. { x } else { k * x };
        "x̄ = ȳ where x > 0, else k ȳ" |gy, x, _| gy * if x > 0. { 1. } else { k };
        [-2., 0.25 => -0.5, 0.25]

    /// A smooth rectifier.
    softplus()
        "y = ln(1 + eˣ)" |x| math::softplus(x);
        "x̄ = ȳ σ(x)" |gy, x, _| gy * math::sigmoid(x);
        [100. => 100., 1.]

    /// [`softplus`] between two bounds: a standard deviation from any number. Its gradient is zero outside.
    /// Source: Aksan & Hilliges 2019, released code.
    clipped_softplus(low, high)
        "y = min(max(ln(1 + eˣ), low), high)" |x| bounded(math::softplus(x), low, high);
        "x̄ = ȳ σ(x) where low < y < high, else 0"
            |gy, x, y| gy * (indicator((low < y) & (y < high)) * math::sigmoid(x));
        [-90., 0.001, 5. => 0.001, 0.]

    /// The exponential.
    exp()
        "y = eˣ" |x| math::exp(x);
        "x̄ = ȳ y" |gy, _, y| gy * y;
        [0. => 1., 1.]

    /// The natural logarithm.
    ln()
        "y = ln x" |x| math::ln(x);
        "x̄ = ȳ/x" |gy, x, _| gy * (1. / x);
        [1. => 0., 1.]

    /// The reciprocal.
    recip()
        "y = 1/x" |x| 1. / x;
        "x̄ = −ȳ y²" |gy, _, y| gy * (-y * y);
        [4. => 0.25, -0.0625]

    /// The square.
    square()
        "y = x²" |x| x * x;
        "x̄ = 2 ȳ x" |gy, x, _| gy * (2. * x);
        [3. => 9., 6.]

    /// The square root.
    sqrt()
        "y = √x" |x| x.sqrt();
        "x̄ = ȳ/2y" |gy, _, y| gy * (0.5 / y);
        [4. => 2., 0.25]
}

/// `clamp` without its check that low ≤ high, which would keep the loop from being vectorised.
#[inline(always)]
fn bounded(x: Real, low: Real, high: Real) -> Real {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// 1 or 0: a factor, not a branch, so that both sides are computed for every element and the loop vectorises.
#[inline(always)]
fn indicator(condition: bool) -> Real {
    if condition { 1. } else { 0. }
}

/// One entry for each operator: `Trait::method`; formula and value of z for numbers x and y; formulas and tensors
/// `[x̄, ȳ]` from the tensors z̄, x and y.
macro_rules! operators {
    ($(
        $trait:ident::$name:ident
            $forward:literal |$x:ident, $y:ident| $value:expr;
            $vjp:literal |$gz:ident, $xs:tt, $ys:tt| [$gx:expr, $gy:expr];
    )*) => {$(
        impl std::ops::$trait for Var<'_> {
            type Output = Self;

            /// Both inputs and the value: same shape
            #[doc = concat!("\n```text\n", $forward, "\n", $vjp, "\n```\n")]
            #[track_caller]
            fn $name(self, other: Self) -> Self {
                static RULE: Rule = Rule {
                    name: stringify!($name),
                    forward: $forward,
                    vjp: $vjp,
                    products: &[],
                };
                let (left, right) = (self.value(), other.value());
                one_shape(RULE.name, [&left, &right]);
                let z = zip([&left, &right], |[$x, $y]| $value);
                self.tape().record(&RULE, [self, other], z, move |$gz, [gx, gy]| {
                    let ($xs, $ys) = (&left, &right);
                    gx.add(|| $gx);
                    gy.add(|| $gy);
                })
            }
        }
    )*};
}

operators! {
    Add::add
        "z = x + y" |x, y| x + y;
        "x̄ = z̄   ȳ = z̄" |gz, _, _| [gz.clone(), gz.clone()];
    Sub::sub
        "z = x − y" |x, y| x - y;
        "x̄ = z̄   ȳ = −z̄" |gz, _, _| [gz.clone(), gz.map(|gz| -gz)];
    Mul::mul
        "z = x ⊙ y" |x, y| x * y;
        "x̄ = z̄ y   ȳ = z̄ x"
            |gz, x, y| [zip([&gz, y], |[gz, y]| gz * y), zip([&gz, x], |[gz, x]| gz * x)];
}
