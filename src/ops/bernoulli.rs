//! Log-probability of zeros and ones.

use crate::kernel::math::{ln, sigmoid, softplus};
use crate::kernel::reduce::{channel_sums, scale_rows};
use crate::tape::{Rule, Var};
use crate::tensor::{Real, zip};

/// `y = Σ_c e_c ℓ_c − ln(1 + e^{ℓ_c})`: log-probability of e under logits ℓ, summed over channels.
///
/// With `floor > 0` as the release has it: `e ln max(θ, floor) + (1 − e) ln max(1 − θ, floor)`, θ = σ(ℓ),
/// whose gradient is zero where the floor holds. 0 is exact.
///
/// e, logits: (B, T, C)   y: (B, T)
/// vjp: `ℓ̄ = ȳ (e − θ)`; e is data and gets none.
#[track_caller]
pub fn bernoulli_log_prob<'t>(e: Var<'t>, logits: Var<'t>, floor: Real) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "bernoulli_log_prob",
        forward: "y = Σ_c e ℓ − ln(1 + e^ℓ)",
        vjp: "ℓ̄ = ȳ (e − σ(ℓ))   ē = 0 (data)",
    };
    let (e, l) = (e.value(), logits.value());
    l.btc(RULE.name); // says so if it has another rank
    assert_eq!(e.shape(), l.shape(), "bernoulli_log_prob: data and logits differ in shape");
    let floored = move |l: Real, e: Real| sigmoid(if e > 0.5 { l } else { -l }) < floor;
    let one = |[e, l]: [Real; 2]| if floored(l, e) { ln(floor) } else { e * l - softplus(l) };
    let all = zip([&e, &l], one);
    let y = channel_sums(&all);
    logits.tape().record(&RULE, [logits], y, move |gy, [gl]| {
        gl.add(|| {
            let slope = |[e, l]: [Real; 2]| if floored(l, e) { 0. } else { e - sigmoid(l) };
            scale_rows(zip([&e, &l], slope), &gy, 1.)
        })
    })
}
