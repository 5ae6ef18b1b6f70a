//! Diagonal normals: density, sample, and the posterior combined from an estimate and a prior.
//!
//! `std` is a standard deviation, always.

use super::one_shape;
use crate::kernel::math::{HALF_LN_TWO_PI, ln, ln_1p};
use crate::kernel::reduce::{channel_sums, scale_rows};
use crate::tape::{Var, rule};
use crate::tensor::{Real, zip};

rule! { NORMAL_LOG_PROB: "normal_log_prob",
    forward: "y = Σ_c −½ ln 2π − ln σ − ½u²   u = (x − μ)/σ",
    vjp: "μ̄ = ȳ u/σ   x̄ = −μ̄   σ̄ = ȳ (u² − 1)/σ",
}

/// Log-density, summed over channels.
#[doc = NORMAL_LOG_PROB!()]
/// x, μ, σ: (B, T, C)   y: (B, T)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::normal_log_prob, tape::Keep};
/// # let tape = Tape::new();
/// let [x, mean, std] = [3., 1., 2.].map(|x| tape.input(Tensor::new(&[1, 1, 1], vec![x]), ""));
/// let y = normal_log_prob(x, mean, std); // u = 1
/// assert_eq!(tape.backward(y, Keep::Leaves).wrt(mean).unwrap().item(), 0.5);
/// ```
#[track_caller]
pub fn normal_log_prob<'t>(x: Var<'t>, mean: Var<'t>, std: Var<'t>) -> Var<'t> {
    let [xs, m, s] = [x, mean, std].map(Var::value);
    one_shape(NORMAL_LOG_PROB.name, [&xs, &m, &s]);
    let log_prob = zip(
        [&xs, &m, &s],
        #[inline(always)]
        |[x, m, s]| {
            let u = (x - m) / s;
            -HALF_LN_TWO_PI - ln(s) - 0.5 * u * u
        },
    );
    x.tape().record(
        &NORMAL_LOG_PROB,
        [x, mean, std],
        channel_sums(&log_prob),
        move |gy, [gx, gm, gs]| {
            let slope = |[x, m, s]: [Real; 3]| (x - m) / (s * s);
            gm.add(|| scale_rows(zip([&xs, &m, &s], slope), &gy, 1.));
            gx.add(|| scale_rows(zip([&xs, &m, &s], slope), &gy, -1.));
            gs.add(|| {
                let slope = zip(
                    [&xs, &m, &s],
                    #[inline(always)]
                    |[x, m, s]| {
                        let u = (x - m) / s;
                        (u * u - 1.) / s
                    },
                );
                scale_rows(slope, &gy, 1.)
            });
        },
    )
}

rule! { RSAMPLE: "rsample",
    forward: "z = μ + σ ε",
    vjp: "μ̄ = z̄   σ̄ = z̄ ε   ε̄ = z̄ σ",
}

/// A reparameterised sample: one that passes gradients to mean and standard deviation.
#[doc = RSAMPLE!()]
/// μ, σ, ε, z: same shape
/// Source: Kingma & Welling 2014.
///
/// ```
/// # use stcn::{Tape, Tensor, ops::rsample};
/// # let tape = Tape::new();
/// let [mean, std, noise] = [1., 2., -0.5].map(|x| tape.input(Tensor::scalar(x), ""));
/// assert_eq!(rsample(mean, std, noise).value().item(), 0.);
/// ```
#[track_caller]
pub fn rsample<'t>(mean: Var<'t>, std: Var<'t>, noise: Var<'t>) -> Var<'t> {
    let [m, s, e] = [mean, std, noise].map(Var::value);
    one_shape(RSAMPLE.name, [&m, &s, &e]);
    let z = zip([&m, &s, &e], |[m, s, e]| m + s * e);
    mean.tape().record(&RSAMPLE, [mean, std, noise], z, move |gz, [gm, gs, ge]| {
        gm.add(|| gz.clone());
        gs.add(|| zip([&gz, &e], |[gz, e]| gz * e));
        ge.add(|| zip([&gz, &s], |[gz, s]| gz * s));
    })
}

/// How the standard deviation of a posterior q follows from the estimate σ̂ and the prior σ_p (Eq. 11).
///
/// ```
/// # use stcn::{Tape, Tensor, ops::{Combine, combined_std}};
/// # let tape = Tape::new();
/// let std = tape.input(Tensor::scalar(0.5), "std");
/// let of = |how| combined_std(std, std, how).value().item(); // precisions 4 + 4
/// assert!((of(Combine::Product) - 0.125f32.sqrt() as stcn::Real).abs() < 1e-6);
/// assert_eq!(of(Combine::AsReleased), 0.125);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// `σ_q = 1/√(σ̂⁻² + σ_p⁻²)`: the product of the two densities.
    Product,
    /// `σ_q = 1/(σ̂⁻² + σ_p⁻²)`: the variance used as a standard deviation, as the authors' code has it.
    AsReleased,
}

/// The weights of estimate and prior: `w = u/(1+u)`, `r = 1 − w`, with `u = σ_p²/σ̂²`.
#[inline(always)]
fn weights(estimate: Real, prior: Real) -> (Real, Real) {
    let ratio = prior / estimate;
    let u = ratio * ratio;
    let r = 1. / (1. + u);
    (u * r, r)
}

rule! { COMBINED_MEAN: "combined_mean",
    forward: "μ_q = μ_p + w Δ   w = σ_p²/(σ̂² + σ_p²)   Δ = μ̂ − μ_p",
    vjp: "μ̂: w   μ_p: 1−w   σ̂: −2w(1−w)Δ/σ̂   σ_p: 2w(1−w)Δ/σ_p   each times ȳ",
}

/// The mean of the posterior: estimate and prior weighted by their precisions (Eq. 11).
#[doc = COMBINED_MEAN!()]
/// All inputs and the value: same shape
///
/// ```
/// # use stcn::{Tape, Tensor, ops::combined_mean};
/// # let tape = Tape::new();
/// let [mean, prior_mean, std] = [1., 2., 0.7].map(|x| tape.input(Tensor::scalar(x), ""));
/// assert_eq!(combined_mean((mean, std), (prior_mean, std)).value().item(), 1.5);
/// ```
#[track_caller]
pub fn combined_mean<'t>(
    (mean, std): (Var<'t>, Var<'t>),
    (prior_mean, prior_std): (Var<'t>, Var<'t>),
) -> Var<'t> {
    let inputs = [mean, std, prior_mean, prior_std];
    let [m, s, pm, ps] = inputs.map(Var::value);
    one_shape(COMBINED_MEAN.name, [&m, &s, &pm, &ps]);
    let y = zip([&m, &s, &pm, &ps], |[m, s, pm, ps]| pm + weights(s, ps).0 * (m - pm));
    mean.tape().record(&COMBINED_MEAN, inputs, y, move |gy, [gm, gs, gpm, gps]| {
        gm.add(|| zip([&gy, &s, &ps], |[gy, s, ps]| gy * weights(s, ps).0));
        gpm.add(|| zip([&gy, &s, &ps], |[gy, s, ps]| gy * weights(s, ps).1));
        let turn = |[gy, m, s, pm, ps]: [Real; 5]| {
            let (w, r) = weights(s, ps);
            2. * gy * w * r * (m - pm)
        };
        gs.add(|| zip([&gy, &m, &s, &pm, &ps], |x| -turn(x) / x[2]));
        gps.add(|| zip([&gy, &m, &s, &pm, &ps], |x| turn(x) / x[4]));
    })
}

rule! { COMBINED_STD: "combined_std",
    forward: "σ_q = σ_p √r   (as released: σ_p² r)   r = 1 − w = σ̂²/(σ̂² + σ_p²)",
    vjp: "σ̂: σ_q w/σ̂   σ_p: r√r   (as released: 2σ_q w/σ̂, 2σ_p r²)   each times ȳ",
}

/// The standard deviation of the posterior (Eq. 11), as [`Combine`] says.
#[doc = COMBINED_STD!()]
/// Both inputs and the value: same shape
///
/// ```
/// # use stcn::{Tape, Tensor, ops::{Combine, combined_std}};
/// # let tape = Tape::new();
/// let std = tape.input(Tensor::scalar(1.), "std");
/// assert_eq!(combined_std(std, std, Combine::AsReleased).value().item(), 0.5);
/// ```
#[track_caller]
pub fn combined_std<'t>(std: Var<'t>, prior_std: Var<'t>, combine: Combine) -> Var<'t> {
    let (s, ps) = (std.value(), prior_std.value());
    one_shape(COMBINED_STD.name, [&s, &ps]);
    let released = combine == Combine::AsReleased;
    let value = move |s: Real, ps: Real| {
        let (_, r) = weights(s, ps);
        if released { ps * ps * r } else { ps * r.sqrt() }
    };
    let y = zip([&s, &ps], |[s, ps]| value(s, ps));
    std.tape().record(&COMBINED_STD, [std, prior_std], y, move |gy, [gs, gps]| {
        let twice = if released { 2. } else { 1. };
        gs.add(|| {
            zip([&gy, &s, &ps], |[gy, s, ps]| gy * twice * value(s, ps) * weights(s, ps).0 / s)
        });
        gps.add(|| {
            zip(
                [&gy, &s, &ps],
                #[inline(always)]
                |[gy, s, ps]| {
                    let (_, r) = weights(s, ps);
                    gy * if released { 2. * ps * r * r } else { r * r.sqrt() }
                },
            )
        });
    })
}

rule! { COMBINED_KL: "combined_kl",
    forward: "y = Σ_c ½[ln(1+u) − w] + w²Δ²/2σ_p²   (as released: −ln g + ½g² − ½ + …)   u = σ_p²/σ̂²   g = σ_q/σ_p",
    vjp: "μ̂: w²Δ/σ_p²   μ_p: −μ̂   σ̂: −w²/σ̂ − 2w²rΔ²/σ_p²σ̂   σ_p: w²/σ_p + w²Δ²(2r−1)/σ_p³   each times ȳ",
}

/// `KL(q ‖ p)` of the combined posterior, summed over channels, in a form that loses no digits; w, r and Δ as for
/// [`combined_mean`] and [`combined_std`].
#[doc = COMBINED_KL!()]
/// Inputs: (B, T, C)   y: (B, T)
/// Source: Aksan & Hilliges 2019, Eqs. 11 and 15.
///
/// ```
/// # use stcn::{Tape, Tensor, ops::{Combine, combined_kl}};
/// # let tape = Tape::new();
/// let [zero, one, far] = [0., 1., 1e10].map(|x| tape.input(Tensor::new(&[1, 1, 1], vec![x]), ""));
/// let kl = combined_kl((zero, far), (zero, one), Combine::Product); // an estimate that says nothing
/// assert!(kl.value().item() < 1e-6);
/// ```
#[track_caller]
pub fn combined_kl<'t>(
    (mean, std): (Var<'t>, Var<'t>),
    (prior_mean, prior_std): (Var<'t>, Var<'t>),
    combine: Combine,
) -> Var<'t> {
    let inputs = [mean, std, prior_mean, prior_std];
    let [m, s, pm, ps] = inputs.map(Var::value);
    let released = combine == Combine::AsReleased;
    one_shape(COMBINED_KL.name, [&m, &s, &pm, &ps]);
    // One loop each: a branch inside would keep it from being vectorised.
    let kl = if released {
        zip(
            [&m, &s, &pm, &ps],
            #[inline(always)]
            |[m, s, pm, ps]| {
                let (w, r) = weights(s, ps);
                let (moved, g) = (w * (m - pm) / ps, ps * r);
                0.5 * (g * g - 1.) - ln(g) + 0.5 * moved * moved
            },
        )
    } else {
        zip(
            [&m, &s, &pm, &ps],
            #[inline(always)]
            |[m, s, pm, ps]| {
                let (w, ratio) = (weights(s, ps).0, ps / s);
                let moved = w * (m - pm) / ps;
                0.5 * (ln_1p(ratio * ratio) - w) + 0.5 * moved * moved
            },
        )
    };
    mean.tape().record(&COMBINED_KL, inputs, channel_sums(&kl), move |gy, [gm, gs, gpm, gps]| {
        let slope = |[m, s, pm, ps]: [Real; 4]| {
            let w = weights(s, ps).0;
            w * w * (m - pm) / (ps * ps)
        };
        gm.add(|| scale_rows(zip([&m, &s, &pm, &ps], slope), &gy, 1.));
        gpm.add(|| scale_rows(zip([&m, &s, &pm, &ps], slope), &gy, -1.));
        gs.add(|| {
            let slope = |[m, s, pm, ps]: [Real; 4]| {
                let (w, r) = weights(s, ps);
                let moved = w * (m - pm) / ps;
                let g = ps * r;
                let spread = if released { (g - 1. / g) * 2. * g * w } else { -w * w };
                (spread - 2. * r * moved * moved) / s
            };
            scale_rows(zip([&m, &s, &pm, &ps], slope), &gy, 1.)
        });
        gps.add(|| {
            let slope = |[m, s, pm, ps]: [Real; 4]| {
                let (w, r) = weights(s, ps);
                let moved = w * (m - pm) / ps;
                let g = ps * r;
                let spread = if released { (g - 1. / g) * g * (1. - 2. * w) } else { w * w };
                (spread + moved * moved * (2. * r - 1.)) / ps
            };
            scale_rows(zip([&m, &s, &pm, &ps], slope), &gy, 1.)
        });
    })
}
