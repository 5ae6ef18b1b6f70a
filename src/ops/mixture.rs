//! Log-densities of mixtures of normals, one component for all channels of a time step.

use crate::kernel::mixture::{BIVARIATE, DIAGONAL, Family, Mixture};
use crate::tape::{Rule, Var, rule};
use crate::tensor::{Real, Tensor};

rule! { MIXTURE_LOG_PROB: "mixture_log_prob",
    forward: "y = logsumexp_k(ln π_k + Σ_d ln N(x_d; μ_dk, σ_dk))   π = softmax(ℓ)",
    vjp: "ℓ̄ = ȳ (r − π)   μ̄ = ȳ r u/σ   σ̄ = ȳ r (u² − 1)/σ   x̄ = −Σ_k μ̄   u = (x − μ)/σ",
}

/// Log-density of a mixture of M diagonal normals with weights softmax(ℓ). The gradients use the responsibilities
/// `r_k = e^{ln π_k + ln N_k − y}`.
#[doc = MIXTURE_LOG_PROB!()]
/// ln π_k becomes ln max(π_k, floor), with no gradient to ℓ from a component at the floor; `floor = 0.` is the exact density.
///
/// x: (B, T, D)   logits: (B, T, M)   mean, std: (B, T, D·M), component fastest   y: (B, T)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::{mixture_log_prob, normal_log_prob}};
/// # let tape = Tape::new();
/// let [x, logit, mean, std] = [0.5, 7., 0., 2.].map(|x| tape.input(Tensor::new(&[1, 1, 1], vec![x]), ""));
/// let one = mixture_log_prob(x, logit, mean, std, 0.); // one component: a normal, whatever its logit
/// assert_eq!(one.value(), normal_log_prob(x, mean, std).value());
/// ```
#[track_caller]
pub fn mixture_log_prob<'t>(
    x: Var<'t>,
    logits: Var<'t>,
    mean: Var<'t>,
    std: Var<'t>,
    floor: Real,
) -> Var<'t> {
    let (dims, rows) = (x.value().cols(), logits.value().rows());
    let wide = dims * logits.value().cols();
    fits(MIXTURE_LOG_PROB.name, rows, [("x", x, dims), ("mean", mean, wide), ("std", std, wide)]);
    record(&MIXTURE_LOG_PROB, &DIAGONAL, [x, logits], [mean, std], floor)
}

rule! { BIVARIATE_MIXTURE_LOG_PROB: "bivariate_mixture_log_prob",
    forward: "y = logsumexp_k(ln π_k − ln 2π − ln σ₁σ₂ + ½ ln c − ½ cQ)   c = 1/(1−ρ²)   Q = u² + v² − 2ρuv",
    vjp: "ℓ̄ = ȳ (r − π)   μ̄₁ = ȳ r c(u−ρv)/σ₁   σ̄₁ = ȳ r (c(u−ρv)u − 1)/σ₁   ρ̄ = ȳ r c(ρ + uv − ρQc)   μ̄₂, σ̄₂ with v for u   x̄ = −Σ_k μ̄",
}

/// [`mixture_log_prob`] of bivariate normals with a correlation ρ; `u = (x₁ − μ₁)/σ₁`, `v = (x₂ − μ₂)/σ₂`.
#[doc = BIVARIATE_MIXTURE_LOG_PROB!()]
/// x: (B, T, 2)   logits, rho: (B, T, M)   mean, std: (B, T, 2M), component fastest   y: (B, T)
/// Source: Graves 2013, eqs. 24–25.
///
/// ```
/// # use stcn::{Tape, Tensor, ops::bivariate_mixture_log_prob};
/// # let tape = Tape::new();
/// let row = |x: &[stcn::Real]| tape.input(Tensor::new(&[1, 1, x.len()], x.to_vec()), "");
/// let (x, mean, std) = (row(&[1., 1.]), row(&[0., 0.]), row(&[1., 1.]));
/// let at = |rho| bivariate_mixture_log_prob(x, row(&[0.]), mean, std, row(&[rho]), 0.).value().item();
/// assert!(at(0.8) > at(0.) && at(0.) > at(-0.8)); // (1, 1) lies along a positive correlation
/// ```
#[track_caller]
pub fn bivariate_mixture_log_prob<'t>(
    x: Var<'t>,
    logits: Var<'t>,
    mean: Var<'t>,
    std: Var<'t>,
    rho: Var<'t>,
    floor: Real,
) -> Var<'t> {
    let (op, found) = (BIVARIATE_MIXTURE_LOG_PROB.name, x.value().cols());
    assert_eq!(found, 2, "{op}: x has {found} channels, want 2");
    let (rows, m) = (logits.value().rows(), logits.value().cols());
    fits(op, rows, [("mean", mean, 2 * m), ("std", std, 2 * m), ("rho", rho, m), ("x", x, 2)]);
    record(&BIVARIATE_MIXTURE_LOG_PROB, &BIVARIATE, [x, logits], [mean, std, rho], floor)
}

/// Panics unless every input has as many rows as the logits, and its own number of channels.
#[track_caller]
fn fits<const N: usize>(op: &str, rows: usize, inputs: [(&str, Var<'_>, usize); N]) {
    for (name, x, want) in inputs {
        let (found, x_rows) = (x.value().cols(), x.value().rows());
        assert_eq!(found, want, "{op}: {name} has {found} channels, want {want}");
        assert_eq!(x_rows, rows, "{op}: {name} has {x_rows} rows, logits {rows}");
    }
}

/// Records the value of a mixture at every row.
#[track_caller]
fn record<'t, const P: usize>(
    rule: &'static Rule,
    family: &'static Family<P>,
    [x, logits]: [Var<'t>; 2],
    params: [Var<'t>; P],
    floor: Real,
) -> Var<'t> {
    let (b, t, _) = logits.value().btc(rule.name);
    let inputs: Vec<Var> = [x, logits].into_iter().chain(params).collect();
    let (x, logits, params) = (x.value(), logits.value(), params.map(Var::value));
    let mixture = Mixture { family, x, logits, params, floor };
    let mut y = Tensor::scratch(&[b, t]);
    mixture.log_prob(y.data_mut());
    let total = y.clone();
    inputs[0].tape().record_all(rule, &inputs, y, move |gy, slots| {
        let grads = mixture.gradients(total.data(), gy.data());
        slots.iter_mut().zip(grads).for_each(|(slot, g)| slot.add(|| g));
    })
}
