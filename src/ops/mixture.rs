//! Log-densities of mixtures of normals, one component index for the whole row.

use crate::kernel::mixture::{BIVARIATE, DIAGONAL, Family, Mixture};
use crate::tape::{Rule, Var};
use crate::tensor::{Real, Tensor};

/// `y = logsumexp_k( ln π_k + Σ_d [−½ ln 2π − ln σ_dk − ½((x_d − μ_dk)/σ_dk)²] )`, `π = softmax(logits)`.
///
/// `floor` bounds π_k from below inside the logarithm, with a zero gradient there; 0 is exact.
///
/// x: (B, T, D)   logits: (B, T, M)   mean, std: (B, T, D·M), component fastest   y: (B, T)
/// vjp with responsibilities `r_k = e^{ln π_k + ln N_k − y}`: logits `r − π`, the rest `Σ_k r_k ∂ ln N_k`.
#[track_caller]
pub fn mixture_log_prob<'t>(
    x: Var<'t>,
    logits: Var<'t>,
    mean: Var<'t>,
    std: Var<'t>,
    floor: Real,
) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "mixture_log_prob",
        forward: "y = logsumexp_k(ln π_k + Σ_d ln N(x_d; μ_dk, σ_dk))",
        vjp: "ℓ̄ = ȳ (r − π)   μ̄ = ȳ r u/σ   σ̄ = ȳ r (u² − 1)/σ   x̄ = −Σ_k μ̄",
    };
    let (dims, components) = (x.value().cols(), logits.value().cols());
    let (rows, wide) = (logits.value().rows(), dims * components);
    fits(RULE.name, rows, [("x", x, dims), ("mean", mean, wide), ("std", std, wide)]);
    record(&RULE, &DIAGONAL, [x, logits], [mean, std], floor)
}

/// The same with bivariate normals that have a correlation ρ:
/// `ln N_k = −ln 2π − ln σ₁σ₂ − ½ ln(1−ρ²) − Q/2(1−ρ²)`, `Q = u² + v² − 2ρuv`.
///
/// x: (B, T, 2)   logits, rho: (B, T, M)   mean, std: (B, T, 2M), component fastest   y: (B, T)
/// Source: Graves 2013, eqs. 24–25.
#[track_caller]
pub fn bivariate_mixture_log_prob<'t>(
    x: Var<'t>,
    logits: Var<'t>,
    mean: Var<'t>,
    std: Var<'t>,
    rho: Var<'t>,
    floor: Real,
) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "bivariate_mixture_log_prob",
        forward: "y = logsumexp_k(ln π_k + ln N₂(x; μ_k, σ_k, ρ_k))",
        vjp: "c = 1/(1−ρ²)   μ̄₁ = ȳ r c(u−ρv)/σ₁   σ̄₁ = ȳ r (c(u−ρv)u − 1)/σ₁   ρ̄ = ȳ r c(ρ + uv − ρQc)",
    };
    assert_eq!(
        x.value().cols(),
        2,
        "bivariate_mixture_log_prob: x has {} channels",
        x.value().cols()
    );
    let (rows, m) = (logits.value().rows(), logits.value().cols());
    fits(
        RULE.name,
        rows,
        [("mean", mean, 2 * m), ("std", std, 2 * m), ("rho", rho, m), ("x", x, 2)],
    );
    record(&RULE, &BIVARIATE, [x, logits], [mean, std, rho], floor)
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
    let values = params.map(Var::value);
    let mixture = Mixture { family, x: x.value(), logits: logits.value(), params: values, floor };
    let mut y = Tensor::scratch(&[b, t]);
    mixture.log_prob(y.data_mut());
    let inputs: Vec<Var> = [x, logits].into_iter().chain(params).collect();
    let total = y.clone();
    x.tape().record_all(rule, &inputs, y, move |gy, slots| {
        let grads = mixture.gradients(total.data(), gy.data());
        slots.iter_mut().zip(grads).for_each(|(slot, g)| slot.add(|| g));
    })
}
