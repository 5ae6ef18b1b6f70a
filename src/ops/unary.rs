//! Functions of one number, elementwise.   x, y: same shape

use crate::kernel::math;
use crate::tape::{Rule, Var};
use crate::tensor::{Real, zip};

/// `y = f(x)` with `df(x, y)` its derivative.
fn unary<'t>(
    x: Var<'t>,
    rule: &'static Rule,
    f: impl Fn(Real) -> Real + Sync + Copy,
    df: impl Fn(Real, Real) -> Real + Sync + Copy + 'static,
) -> Var<'t> {
    let inputs = x.value();
    let y = inputs.map(f);
    let outputs = y.clone();
    x.tape().record(rule, [x], y, move |gy, [gx]| {
        gx.add(|| zip([&gy, &inputs, &outputs], |[gy, x, y]| gy * df(x, y)))
    })
}

/// `y = tanh x`
pub fn tanh(x: Var) -> Var {
    static RULE: Rule = Rule { name: "tanh", forward: "y = tanh x", vjp: "x̄ = ȳ (1 − y²)" };
    unary(
        x,
        &RULE,
        math::tanh,
        #[inline(always)]
        |_, y| 1. - y * y,
    )
}

/// `y = σ(x) = 1/(1 + e⁻ˣ)`
pub fn sigmoid(x: Var) -> Var {
    static RULE: Rule = Rule { name: "sigmoid", forward: "y = σ(x)", vjp: "x̄ = ȳ y (1 − y)" };
    unary(
        x,
        &RULE,
        math::sigmoid,
        #[inline(always)]
        |_, y| y * (1. - y),
    )
}

/// `y = max(x, 0)`; the gradient at 0 is 0.
pub fn relu(x: Var) -> Var {
    static RULE: Rule =
        Rule { name: "relu", forward: "y = max(x, 0)", vjp: "x̄ = ȳ where x > 0, else 0" };
    unary(
        x,
        &RULE,
        #[inline(always)]
        |x| if x > 0. { x } else { 0. },
        #[inline(always)]
        |x, _| if x > 0. { 1. } else { 0. },
    )
}

/// `y = x` above 0, `k x` below; the gradient at 0 is k.
pub fn leaky_relu(x: Var, slope: Real) -> Var {
    static RULE: Rule = Rule {
        name: "leaky_relu",
        forward: "y = x where x > 0, else k x",
        vjp: "x̄ = ȳ where x > 0, else k ȳ",
    };
    unary(
        x,
        &RULE,
        #[inline(always)]
        move |x| if x > 0. { x } else { slope * x },
        #[inline(always)]
        move |x, _| if x > 0. { 1. } else { slope },
    )
}

/// `y = ln(1 + eˣ)`
pub fn softplus(x: Var) -> Var {
    static RULE: Rule =
        Rule { name: "softplus", forward: "y = ln(1 + eˣ)", vjp: "x̄ = ȳ σ(x)" };
    unary(
        x,
        &RULE,
        math::softplus,
        #[inline(always)]
        |x, _| math::sigmoid(x),
    )
}

/// `y = clip(ln(1 + eˣ), low, high)`: a standard deviation from a number. The gradient is zero outside
/// the clip. Source: `spec` §3, Aksan & Hilliges 2019.
pub fn clipped_softplus(x: Var, low: Real, high: Real) -> Var {
    static RULE: Rule = Rule {
        name: "clipped_softplus",
        forward: "y = clip(ln(1 + eˣ), low, high)",
        vjp: "x̄ = ȳ σ(x) where low < y < high, else 0",
    };
    // A factor, not a branch: the sigmoid of every element is computed, and the loop vectorises.
    let inside_clip = move |y: Real| if (low < y) & (y < high) { 1. } else { 0. };
    unary(
        x,
        &RULE,
        #[inline(always)]
        move |x| inside(math::softplus(x), low, high),
        #[inline(always)]
        move |x, y| inside_clip(y) * math::sigmoid(x),
    )
}

/// `clamp` without its check that low ≤ high, which would keep the loop from being vectorised.
#[inline(always)]
fn inside(x: Real, low: Real, high: Real) -> Real {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// `y = eˣ`
pub fn exp(x: Var) -> Var {
    static RULE: Rule = Rule { name: "exp", forward: "y = eˣ", vjp: "x̄ = ȳ y" };
    unary(
        x,
        &RULE,
        math::exp,
        #[inline(always)]
        |_, y| y,
    )
}

/// `y = ln x`
pub fn ln(x: Var) -> Var {
    static RULE: Rule = Rule { name: "ln", forward: "y = ln x", vjp: "x̄ = ȳ / x" };
    unary(
        x,
        &RULE,
        math::ln,
        #[inline(always)]
        |x, _| 1. / x,
    )
}

/// `y = 1/x`
pub fn recip(x: Var) -> Var {
    static RULE: Rule = Rule { name: "recip", forward: "y = 1/x", vjp: "x̄ = −ȳ y²" };
    unary(
        x,
        &RULE,
        #[inline(always)]
        |x| 1. / x,
        #[inline(always)]
        |_, y| -y * y,
    )
}

/// `y = x²`
pub fn square(x: Var) -> Var {
    static RULE: Rule = Rule { name: "square", forward: "y = x²", vjp: "x̄ = 2 ȳ x" };
    unary(
        x,
        &RULE,
        #[inline(always)]
        |x| x * x,
        #[inline(always)]
        |x, _| 2. * x,
    )
}

/// `y = √x`
pub fn sqrt(x: Var) -> Var {
    static RULE: Rule = Rule { name: "sqrt", forward: "y = √x", vjp: "x̄ = ȳ / 2y" };
    unary(
        x,
        &RULE,
        Real::sqrt,
        #[inline(always)]
        |_, y| 0.5 / y,
    )
}
