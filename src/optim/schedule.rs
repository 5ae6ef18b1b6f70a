//! The learning rate and the weight of the KL as functions of the step.
//!
//! Both are functions of the step number alone, in f64 and from our own elementary functions, so that a
//! resumed run finds the very value it would have had (decision 0006).

use crate::kernel::math::{exp_f64, ln_f64};

/// How the learning rate changes during training; [`lr`] evaluates it.
///
/// ```
/// # use stcn::optim::{Schedule, lr};
/// let cosine = Schedule::Cosine { floor: 0.25, steps: 100 };
/// assert_eq!([0, 50, 100, 900].map(|step| lr(cosine, 0.5, step)), [0.5, 0.375, 0.25, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// `lr0` throughout.
    Constant,
    /// `lr0 · rate^(step / 1000)`, continuous, no staircase.
    Exponential {
        /// What is left of the rate after 1000 steps.
        rate: f64,
    },
    /// Half a cosine from `lr0` at step 0 down to `floor` at `steps`, and `floor` from there on.
    Cosine {
        /// Where it ends.
        floor: f64,
        /// How long it takes.
        steps: u64,
    },
}

/// The learning rate at `step`, which is the number of updates made so far, this one included.
///
/// ```
/// # use stcn::optim::{Schedule, lr};
/// let halved = lr(Schedule::Exponential { rate: 0.5 }, 0.01, 1000);
/// assert!((halved - 0.005).abs() < 1e-15);
/// ```
pub fn lr(schedule: Schedule, lr0: f64, step: u64) -> f64 {
    match schedule {
        Schedule::Constant => lr0,
        Schedule::Exponential { rate } => lr0 * exp_f64(ln_f64(rate) * (step as f64 / 1000.)),
        Schedule::Cosine { floor, steps } if step < steps => {
            floor + (lr0 - floor) * (0.5 * (1. + cos_pi(step as f64 / steps as f64)))
        }
        Schedule::Cosine { floor, .. } => floor,
    }
}

/// The weight of the KL at `step`, counted from 1: `min(step / anneal, 1)`; `anneal` 0 means always 1.
///
/// The counter starts at 1 as in the release: the first of 10 000 annealing steps has 1e-4, not 0.
///
/// ```
/// # use stcn::optim::kl_weight;
/// assert_eq!([1, 5_000, 20_000].map(|step| kl_weight(10_000, step)), [1e-4, 0.5, 1.]);
/// ```
pub fn kl_weight(anneal: u64, step: u64) -> f64 {
    if step < anneal { step as f64 / anneal as f64 } else { 1. }
}

/// `cos(πx)` for x in \[0, 1\], by additions and products only, so the same bits everywhere.
///
/// Reduced to an angle of at most π/4, where the Taylor series to degree 17 is exact to f64's rounding.
///
/// ```
/// # use stcn::internals::schedule::cos_pi;
/// assert_eq!([0., 0.5, 1.].map(cos_pi), [1., 0., -1.]);
/// ```
pub fn cos_pi(x: f64) -> f64 {
    debug_assert!((0. ..=1.).contains(&x), "cos_pi: want x in [0, 1], got {x}");
    let pi = std::f64::consts::PI;
    if x <= 0.25 {
        cos_small(pi * x)
    } else if x < 0.75 {
        sin_small(pi * (0.5 - x))
    } else {
        -cos_small(pi * (1. - x))
    }
}

/// `Σ (−1)ⁿ t²ⁿ/(2n)!` for |t| ≤ π/4.
fn cos_small(t: f64) -> f64 {
    alternating(t * t, &[2., 12., 30., 56., 90., 132., 182., 240.])
}

/// `Σ (−1)ⁿ t²ⁿ⁺¹/(2n+1)!` for |t| ≤ π/4.
fn sin_small(t: f64) -> f64 {
    t * alternating(t * t, &[6., 20., 42., 72., 110., 156., 210., 272.])
}

/// `1 − u/r₁ (1 − u/r₂ (1 − …))`: a Taylor series by the ratios of its terms.
fn alternating(u: f64, ratios: &[f64]) -> f64 {
    ratios.iter().rev().fold(1., |rest, ratio| 1. - u / ratio * rest)
}
