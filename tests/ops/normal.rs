//! Diagonal normals: density, draw, combined posterior.
// Golden values are written as they came; in f32 they are rounded.
#![allow(clippy::excessive_precision)]

use super::{ROUNDING, numbers, pass, positive, twins, value};
use stcn::dist::Normal;
use stcn::ops::*;
use stcn::tape::Var;
use stcn::{Real, Tensor};

const BOTH: [Combine; 2] = [Combine::Product, Combine::AsReleased];

/// x or ε, μ, σ.
fn three(shape: &[usize]) -> [Tensor; 3] {
    [numbers(shape, 1), numbers(shape, 2), positive(shape, 3)]
}

/// μ̂, σ̂, μ_p, σ_p.
fn four(shape: &[usize]) -> [Tensor; 4] {
    [numbers(shape, 1), positive(shape, 2), numbers(shape, 3), positive(shape, 4)]
}

fn kl<'t>(x: &[Var<'t>], how: Combine) -> Var<'t> {
    combined_kl((x[0], x[1]), (x[2], x[3]), how)
}

/// The textbook's KL of the combined posterior against the prior.
fn composed_kl<'t>(x: &[Var<'t>], how: Combine) -> Var<'t> {
    let [q, p] = [(x[0], x[1]), (x[2], x[3])].map(|(mean, std)| Normal { mean, std });
    q.combined(p, how).kl(p)
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_normal_log_prob_and_rsample() {
    for shape in [[2, 3, 2], [1, 1, 1], [1, 1, 5]] {
        super::gradcheck(&three(&shape), |x| normal_log_prob(x[0], x[1], x[2]));
        super::gradcheck(&three(&shape), |x| rsample(x[1], x[2], x[0]));
    }
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_combined_mean_combined_std_combined_kl() {
    for shape in [[2, 3, 2], [1, 1, 1]] {
        super::gradcheck(&four(&shape), |x| combined_mean((x[0], x[1]), (x[2], x[3])));
        for how in BOTH {
            super::gradcheck(&four(&shape), |x| combined_std(x[1], x[3], how));
            super::gradcheck(&four(&shape), |x| kl(x, how));
            // Each input alone, so that no term hides behind a larger one.
            for alone in 0..4 {
                let inputs = four(&shape);
                super::gradcheck(&inputs[alone..=alone], |x| {
                    let tape = x[0].tape();
                    let at =
                        |i: usize| if i == alone { x[0] } else { tape.constant(inputs[i].clone()) };
                    kl(&[at(0), at(1), at(2), at(3)], how)
                });
            }
        }
    }
}

#[test]
fn normal_log_prob_is_what_its_formula_says() {
    twins(
        &three(&[2, 3, 4]),
        ROUNDING,
        |x| normal_log_prob(x[0], x[1], x[2]),
        |x| {
            let u = (x[0] - x[1]) * recip(x[2]);
            let half_ln_tau = (0.5 * std::f64::consts::TAU.ln()) as Real;
            sum_channels(affine(affine(square(u), 0.5, half_ln_tau) + ln(x[2]), -1., 0.))
        },
    );
}

#[test]
fn rsample_is_mean_plus_std_times_noise() {
    twins(&three(&[2, 3, 4]), 0., |x| rsample(x[1], x[2], x[0]), |x| x[1] + x[2] * x[0]);
}

#[test]
fn the_combined_posterior_is_weighed_by_precision() {
    twins(
        &four(&[2, 3, 4]),
        ROUNDING,
        |x| combined_mean((x[0], x[1]), (x[2], x[3])),
        |x| {
            let [a, b] = [x[1], x[3]].map(|std| recip(square(std)));
            recip(a + b) * (x[0] * a + x[2] * b)
        },
    );
    twins(
        &four(&[2, 3, 4]),
        ROUNDING,
        |x| combined_std(x[1], x[3], Combine::Product),
        |x| sqrt(recip(recip(square(x[1])) + recip(square(x[3])))),
    );
    twins(
        &four(&[2, 3, 4]),
        ROUNDING,
        |x| combined_std(x[1], x[3], Combine::AsReleased),
        |x| recip(recip(square(x[1])) + recip(square(x[3]))),
    );
}

#[test]
fn combined_kl_is_the_textbooks() {
    for how in BOTH {
        twins(&four(&[2, 3, 4]), ROUNDING, |x| kl(x, how), |x| composed_kl(x, how));
    }
}

/// stcn.md §13: the forms of §3 agree to 1e-8 for σ from 1e-3 to 5 (relative where the KL is above 1).
#[cfg(feature = "f64")]
#[test]
fn the_forms_of_the_kl_agree_at_extreme_spreads() {
    let sigma = [1e-3, 3e-3, 0.03, 0.2, 0.7, 1., 2.3, 5.];
    let (mut estimate, mut prior) = (vec![], vec![]);
    for s in sigma {
        for p in sigma {
            estimate.push(s);
            prior.push(p);
        }
    }
    let n = estimate.len();
    let inputs = [
        numbers(&[1, n, 1], 1).map(|x| 0.01 * x),
        Tensor::new(&[1, n, 1], estimate),
        numbers(&[1, n, 1], 2).map(|x| 0.01 * x),
        Tensor::new(&[1, n, 1], prior),
    ];
    for how in BOTH {
        let [fused, composed] =
            [value(&inputs, |x| kl(x, how)), value(&inputs, |x| composed_kl(x, how))];
        for (i, (a, b)) in fused.data().iter().zip(composed.data()).enumerate() {
            let tolerance = 1e-8 * b.abs().max(1.);
            assert!((a - b).abs() <= tolerance, "{how:?}, σ̂ and σ_p number {i}: {a} and {b}");
        }
    }
}

#[test]
fn a_kl_is_never_negative() {
    let sigma = |seed| numbers(&[1, 500, 1], seed).map(|x| (3.2 * x).exp().clamp(1e-3, 5.));
    let inputs = [numbers(&[1, 500, 1], 1), sigma(2), numbers(&[1, 500, 1], 3), sigma(4)];
    for how in BOTH {
        let kl = value(&inputs, |x| kl(x, how));
        assert!(kl.data().iter().all(|&kl| kl >= -1e-6), "{how:?}"); // slack of stcn.md §13
    }
}

#[test]
fn the_kl_vanishes_as_the_estimate_says_nothing() {
    let inputs = |std: Real| {
        let [m, s, pm, ps] = four(&[2, 3, 4]);
        [m, s.map(|_| std), pm, ps]
    };
    let at = |std| value(&inputs(std), |x| kl(x, Combine::Product)).sum();
    assert!(at(1e2) > at(1e3));
    // w ≤ (2.4/σ̂)²: KL ≤ w²(½ + Δ²/2σ_p²) with Δ ≤ 4, σ_p ≥ 0.4, 24 times over; in f32 1e-6 of rounding each.
    assert!(at(1e4).abs() < 24. * 1e-6, "{}", at(1e4));
    let prior = inputs(Real::INFINITY);
    let mean = value(&prior, |x| combined_mean((x[0], x[1]), (x[2], x[3])));
    let std = value(&prior, |x| combined_std(x[1], x[3], Combine::Product));
    assert_eq!((mean, std), (prior[2].clone(), prior[3].clone()));
    assert_eq!(at(Real::INFINITY), 0.);
}

#[test]
fn a_network_of_zeros_has_the_kl_of_the_specification() {
    let sigma = Tensor::new(&[1, 1, 1], vec![std::f64::consts::LN_2 as Real]);
    let zero = Tensor::zeros(&[1, 1, 1]);
    let inputs = [zero.clone(), sigma.clone(), zero, sigma];
    for (how, want) in BOTH.into_iter().zip([0.0965736, 0.6197167]) {
        let found = value(&inputs, |x| kl(x, how)).item();
        assert!((found - want).abs() < 1e-7, "{how:?}: {found}"); // half the last digit, and an ulp
    }
}

/// rivals.md §11.1, ten roundings of numbers up to 4 in f32.
const GOLDEN: Real = if cfg!(feature = "f64") { 1e-12 } else { 3e-6 };

#[test]
fn normal_log_prob_by_another_hand() {
    let inputs =
        [vec![0.1, -0.4], vec![0., 0.2], vec![0.5, 2.]].map(|x| Tensor::new(&[1, 1, 2], x));
    let found = value(&inputs, |x| normal_log_prob(x[0], x[1], x[2])).item();
    assert!((found - -1.9028770664093453).abs() < GOLDEN, "{found}");
}

#[test]
fn kl_by_another_hand() {
    let inputs = [0.3, 0.5, -0.2, 1.5].map(|x| Tensor::new(&[1, 1, 1], vec![x]));
    let found = value(&inputs, |x| {
        let [q, p] = [(x[0], x[1]), (x[2], x[3])].map(|(mean, std)| Normal { mean, std });
        q.kl(p)
    });
    assert!((found.item() - 0.7097233997792209).abs() < GOLDEN, "{found:?}");
}

macro_rules! refused {
    ($($name:ident $sentence:literal $op:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            let good = positive(&[1, 2, 3], 1);
            pass(&[good.clone(), good.clone(), good, positive(&[1, 2, 4], 2)], $op);
        }
    )* };
}
refused! {
    a_density_wants_one_shape "normal_log_prob: shapes differ" |x| normal_log_prob(x[0], x[1], x[3]);
    a_draw_wants_one_shape "rsample: shapes differ" |x| rsample(x[0], x[1], x[3]);
    a_combined_mean_wants_one_shape "combined_mean: shapes differ" |x| combined_mean((x[0], x[1]), (x[2], x[3]));
    a_combined_std_wants_one_shape "combined_std: shapes differ" |x| combined_std(x[0], x[3], Combine::Product);
    a_combined_kl_wants_one_shape "combined_kl: shapes differ" |x| kl(x, Combine::Product);
}
