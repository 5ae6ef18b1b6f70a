//! Sums, differences, products; a scale and a shift.

use super::one_shape;
use crate::tape::{Rule, Var};
use crate::tensor::{Real, zip};

impl std::ops::Add for Var<'_> {
    type Output = Self;

    /// `z = x + y`.   x, y, z: same shape
    #[track_caller]
    fn add(self, other: Self) -> Self {
        static RULE: Rule = Rule { name: "add", forward: "z = x + y", vjp: "x̄ = z̄   ȳ = z̄" };
        let (x, y) = (self.value(), other.value());
        one_shape(RULE.name, [&x, &y]);
        let z = zip([&x, &y], |[x, y]| x + y);
        self.tape().record(&RULE, [self, other], z, |gz, [gx, gy]| {
            gx.add(|| gz.clone());
            gy.add(|| gz.clone());
        })
    }
}

impl std::ops::Sub for Var<'_> {
    type Output = Self;

    /// `z = x − y`.   x, y, z: same shape
    #[track_caller]
    fn sub(self, other: Self) -> Self {
        static RULE: Rule =
            Rule { name: "sub", forward: "z = x − y", vjp: "x̄ = z̄   ȳ = −z̄" };
        let (x, y) = (self.value(), other.value());
        one_shape(RULE.name, [&x, &y]);
        let z = zip([&x, &y], |[x, y]| x - y);
        self.tape().record(&RULE, [self, other], z, |gz, [gx, gy]| {
            gx.add(|| gz.clone());
            gy.add(|| gz.map(|gz| -gz));
        })
    }
}

impl std::ops::Mul for Var<'_> {
    type Output = Self;

    /// `z = x ⊙ y`.   x, y, z: same shape
    #[track_caller]
    fn mul(self, other: Self) -> Self {
        static RULE: Rule =
            Rule { name: "mul", forward: "z = x ⊙ y", vjp: "x̄ = z̄ y   ȳ = z̄ x" };
        let (x, y) = (self.value(), other.value());
        one_shape(RULE.name, [&x, &y]);
        let z = zip([&x, &y], |[x, y]| x * y);
        self.tape().record(&RULE, [self, other], z, move |gz, [gx, gy]| {
            gx.add(|| zip([&gz, &y], |[gz, y]| gz * y));
            gy.add(|| zip([&gz, &x], |[gz, x]| gz * x));
        })
    }
}

/// `y = k x + c`.   x, y: same shape
pub fn affine(x: Var, k: Real, c: Real) -> Var {
    static RULE: Rule = Rule { name: "affine", forward: "y = k x + c", vjp: "x̄ = k ȳ" };
    let y = x.value().map(|x| k * x + c);
    x.tape().record(&RULE, [x], y, move |gy, [gx]| gx.add(|| gy.map(|g| k * g)))
}

/// `y = x` inside `[low, high]`, the nearer end outside, where the gradient is zero.
pub fn clip(x: Var, low: Real, high: Real) -> Var {
    static RULE: Rule = Rule {
        name: "clip",
        forward: "y = min(max(x, low), high)",
        vjp: "x̄ = ȳ where low < x < high, else 0",
    };
    let inputs = x.value();
    let y = inputs.map(|x| x.clamp(low, high));
    x.tape().record(&RULE, [x], y, move |gy, [gx]| {
        gx.add(|| zip([&gy, &inputs], |[gy, x]| if low < x && x < high { gy } else { 0. }))
    })
}
