//! An op: `swish`, a value with its formula and its gradient.

use stcn::math::sigmoid;
use stcn::{Var, rule, zip};

rule! { SWISH: "swish",
    forward: "y = x σ(x)",
    vjp: "x̄ = ȳ s (1 + x (1 − s))   s = σ(x)",
}

/// A smooth rectifier.
#[doc = SWISH!()]
/// x, y: same shape
///
/// Source: Ramachandran, Zoph, Le 2017.
pub fn swish(x: Var) -> Var {
    let inputs = x.value();
    let y = inputs.map(|x| x * sigmoid(x));
    x.tape().record(&SWISH, [x], y, move |gy, [gx]| {
        gx.add(|| {
            zip([&gy, &inputs], |[gy, x]| {
                let s = sigmoid(x);
                gy * s * (1. + x * (1. - s))
            })
        })
    })
}
