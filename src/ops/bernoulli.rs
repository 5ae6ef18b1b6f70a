//! Log-probability of zeros and ones.

use crate::kernel::math::{ln, sigmoid, softplus};
use crate::kernel::reduce::{channel_sums, scale_rows};
use crate::tape::{Var, rule};
use crate::tensor::{Real, zip};

rule! { BERNOULLI_LOG_PROB: "bernoulli_log_prob",
    forward: "y = Σ_c e ℓ − ln(1 + e^ℓ)",
    vjp: "ℓ̄ = ȳ (e − σ(ℓ))   ē = 0 (data)",
}

/// Log-probability of zeros and ones e under logits ℓ, summed over channels.
#[doc = BERNOULLI_LOG_PROB!()]
/// With `floor > 0`, as in the released code: `e ln max(θ, floor) + (1 − e) ln max(1 − θ, floor)` with θ = σ(ℓ),
/// and a gradient of zero where the floor holds. A floor of 0 is exact.
///
/// e, logits: (B, T, C)   y: (B, T)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::bernoulli_log_prob};
/// # let tape = Tape::new();
/// let e = tape.constant(Tensor::new(&[1, 1, 2], vec![1., 0.]));
/// let logits = tape.input(Tensor::zeros(&[1, 1, 2]), "logits");
/// let y = bernoulli_log_prob(e, logits, 0.);
/// assert!((y.value().item() + 2. * (2f64.ln() as stcn::Real)).abs() < 1e-6); // two fair coins
/// ```
#[track_caller]
pub fn bernoulli_log_prob<'t>(e: Var<'t>, logits: Var<'t>, floor: Real) -> Var<'t> {
    let (e, l) = (e.value(), logits.value());
    l.btc(BERNOULLI_LOG_PROB.name); // panics if the rank is another
    assert_eq!(e.shape(), l.shape(), "bernoulli_log_prob: data and logits differ in shape");
    let floored = move |l: Real, e: Real| sigmoid(if e > 0.5 { l } else { -l }) < floor;
    let one = |[e, l]: [Real; 2]| if floored(l, e) { ln(floor) } else { e * l - softplus(l) };
    let y = channel_sums(&zip([&e, &l], one));
    logits.tape().record(&BERNOULLI_LOG_PROB, [logits], y, move |gy, [gl]| {
        gl.add(|| {
            let slope = |[e, l]: [Real; 2]| if floored(l, e) { 0. } else { e - sigmoid(l) };
            scale_rows(zip([&e, &l], slope), &gy, 1.)
        })
    })
}
