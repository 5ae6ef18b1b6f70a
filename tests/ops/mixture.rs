//! Mixtures of normals.
// Golden values are written as they came; in f32 they are rounded.
#![allow(clippy::excessive_precision)]

use super::{ROUNDING, numbers, pass, positive, twins, value};
use stcn::ops::*;
use stcn::tape::Var;
use stcn::{Real, Tensor};

/// x, logits, μ, σ and ρ of M components in D channels.
fn inputs(b: usize, t: usize, d: usize, m: usize) -> [Tensor; 5] {
    [
        numbers(&[b, t, d], 1),
        numbers(&[b, t, m], 2),
        numbers(&[b, t, d * m], 3),
        positive(&[b, t, d * m], 4),
        numbers(&[b, t, m], 5).map(|x| 0.45 * x),
    ]
}

fn diagonal<'t>(x: &[Var<'t>], floor: Real) -> Var<'t> {
    mixture_log_prob(x[0], x[1], x[2], x[3], floor)
}

fn bivariate<'t>(x: &[Var<'t>], floor: Real) -> Var<'t> {
    bivariate_mixture_log_prob(x[0], x[1], x[2], x[3], x[4], floor)
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_mixture_log_prob_and_bivariate_mixture_log_prob() {
    for (b, t, d, m) in [(2, 3, 2, 20), (1, 1, 2, 1), (1, 1, 2, 20), (1, 2, 5, 3)] {
        super::gradcheck(&inputs(b, t, d, m)[..4], |x| diagonal(x, 0.));
        if d == 2 {
            super::gradcheck(&inputs(b, t, d, m), |x| bivariate(x, 0.));
        }
    }
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_mixtures_where_some_weights_lie_at_their_floor() {
    // π = 0.66, 0.24, 0.09, 0.005 …: the last two below a floor of 0.1, but near x, so they matter.
    let [x, _, mean, std, rho] = inputs(1, 3, 2, 4);
    let logits = Tensor::new(&[1, 3, 4], [1., 0., -1., -4.].repeat(3));
    let inputs = [x, logits, mean, std, rho];
    super::gradcheck(&inputs[..4], |x| diagonal(x, 0.1));
    super::gradcheck(&inputs, |x| bivariate(x, 0.1));
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_each_parameter_of_the_bivariate_mixture_alone() {
    let inputs = inputs(1, 2, 2, 3);
    for alone in 0..5 {
        super::gradcheck(&inputs[alone..=alone], |x| {
            let tape = x[0].tape();
            let at = |i: usize| if i == alone { x[0] } else { tape.constant(inputs[i].clone()) };
            bivariate(&[at(0), at(1), at(2), at(3), at(4)], 0.)
        });
    }
}

#[test]
fn one_component_is_a_normal() {
    for floor in [0., 1e-6] {
        let inputs = inputs(2, 3, 4, 1);
        twins(
            &inputs[..4],
            ROUNDING,
            |x| diagonal(x, floor),
            |x| normal_log_prob(x[0], x[2], x[3]),
        );
    }
}

#[test]
fn equal_components_are_a_normal() {
    let (d, m) = (3, 5);
    let [x, logits, _, _, _] = inputs(2, 3, d, m);
    let (mean, std) = (numbers(&[2, 3, d], 6), positive(&[2, 3, d], 7));
    let repeat = |p: &Tensor| {
        let data = p.data().iter().flat_map(|&p| vec![p; m]).collect();
        Tensor::new(&[2, 3, d * m], data)
    };
    let mixture = value(&[x.clone(), logits, repeat(&mean), repeat(&std)], |x| diagonal(x, 0.));
    let normal = value(&[x, mean, std], |x| normal_log_prob(x[0], x[1], x[2]));
    assert!(super::difference(&mixture, &normal) <= ROUNDING);
}

/// Component k where π says, in every parameter.
fn permuted(p: &Tensor, order: &[usize]) -> Tensor {
    let m = order.len();
    let data = p.data().chunks(m).flat_map(|p| order.iter().map(|&k| p[k])).collect();
    Tensor::new(p.shape(), data)
}

#[test]
fn permuting_components_changes_nothing() {
    let order = [3, 0, 4, 1, 2];
    let inputs = inputs(2, 3, 2, 5);
    let mut moved = inputs.clone();
    moved[1..].iter_mut().for_each(|p| *p = permuted(p, &order));
    type Op = for<'a, 't> fn(&'a [Var<'t>], Real) -> Var<'t>;
    for op in [diagonal as Op, bivariate as Op] {
        let [plain, moved] = [&inputs, &moved].map(|inputs| pass(inputs, |x| op(x, 0.)));
        for (i, (plain, moved)) in plain.iter().zip(&moved).enumerate() {
            let plain = if i < 2 { plain.clone() } else { permuted(plain, &order) };
            assert!(super::difference(&plain, moved) <= ROUNDING, "output {i}");
        }
    }
}

#[test]
fn without_correlation_the_bivariate_mixture_is_the_diagonal_one() {
    let [x, logits, mean, std, rho] = inputs(2, 3, 2, 20);
    let inputs = [x, logits, mean, std, rho.map(|_| 0.)];
    let [a, b] = [pass(&inputs, |x| bivariate(x, 0.)), pass(&inputs[..4], |x| diagonal(x, 0.))];
    for (a, b) in a.iter().zip(&b) {
        assert!(super::difference(a, b) <= ROUNDING);
    }
}

#[test]
fn one_bivariate_component_is_a_normal_and_one_given_it() {
    // N₂(x, y) = N(x; μ₁, σ₁) N(y; μ₂ + ρσ₂u, σ₂√(1−ρ²)) with u = (x − μ₁)/σ₁.
    twins(
        &inputs(2, 3, 2, 1),
        ROUNDING,
        |x| bivariate(x, 0.),
        |x| {
            let part = |p, i| slice_channels(p, i, 1);
            let [(first, second), (mean, other), (std, spread)] =
                [x[0], x[2], x[3]].map(|p| (part(p, 0), part(p, 1)));
            let u = (first - mean) * recip(std);
            let conditional =
                (other + x[4] * spread * u, spread * sqrt(affine(square(x[4]), -1., 1.)));
            normal_log_prob(first, mean, std)
                + normal_log_prob(second, conditional.0, conditional.1)
        },
    );
}

#[test]
fn a_mixture_is_the_logarithm_of_a_weighted_sum() {
    let (m, d) = (4, 2);
    let inputs = inputs(2, 3, d, m);
    let composed = pass(&inputs[..4], |x| {
        let column = |p, k| slice_channels(p, k, 1);
        let total = (1..m).fold(exp(column(x[1], 0)), |sum, k| sum + exp(column(x[1], k)));
        let component = |k: usize| {
            let of = |p| concat(&[column(p, k), column(p, m + k)]);
            let density = exp(normal_log_prob(x[0], of(x[2]), of(x[3])));
            // (B, T) times (B, T, 1): through a sum over the one channel.
            density * sum_channels(exp(column(x[1], k)) * recip(total))
        };
        ln((1..m).fold(component(0), |sum, k| sum + component(k)))
    });
    let fused = pass(&inputs[..4], |x| diagonal(x, 0.));
    // Densities down to e⁻²⁰ are as exact as their exponents: 20 · 2⁻²⁴ each, some ten of them.
    let tolerance = ROUNDING * 5.;
    for (i, (a, b)) in fused.iter().zip(&composed).enumerate() {
        assert!(super::difference(a, b) <= tolerance, "output {i}: {:e}", super::difference(a, b));
    }
}

#[test]
fn a_floor_that_holds_nowhere_changes_nothing_and_one_that_holds_bounds_the_weight() {
    let inputs = inputs(2, 3, 2, 4);
    twins(&inputs[..4], 0., |x| diagonal(x, 1e-6), |x| diagonal(x, 0.));
    // Component 1 has π = e⁻³⁰ and all of the density: ln π is replaced by ln 1e-6.
    let [x, mean, std] = [vec![5.], vec![-5., 5.], vec![0.1, 1.]];
    let case =
        [(x, 1), (vec![0., -30.], 2), (mean, 2), (std, 2)].map(|(p, n)| Tensor::new(&[1, 1, n], p));
    let found = pass(&case, |x| diagonal(x, 1e-6));
    let want = (1e-6f64).ln() - 0.918_938_533_204_672_8;
    assert!((f64::from(found[0].item()) - want).abs() < 1e-5, "{} {want}", found[0].item());
    assert_eq!(found[2].data(), [0., 0.], "no gradient where the floor holds");
}

#[test]
fn log_probabilities_far_from_every_mean_stay_finite() {
    let far = [vec![1e4, -1e4], vec![-300., 300.], vec![0.; 4], vec![1.; 4], vec![0.5, -0.5]];
    let sizes = [2, 2, 4, 4, 2];
    let inputs: Vec<Tensor> =
        far.into_iter().zip(sizes).map(|(p, n)| Tensor::new(&[1, 1, n], p)).collect();
    for found in [pass(&inputs[..4], |x| diagonal(x, 0.)), pass(&inputs, |x| bivariate(x, 0.))] {
        assert!(found.iter().all(Tensor::is_finite), "{found:?}");
    }
}

/// rivals.md §11.1, in f32 ten roundings of numbers up to 4.
const GOLDEN: Real = if cfg!(feature = "f64") { 1e-12 } else { 3e-6 };

fn golden_inputs() -> [Tensor; 5] {
    let (x, logits) = (vec![0.4, -0.2], vec![0.2, -0.3]);
    let (mean, std) = (vec![0., 1., 0.5, -1.], vec![0.5, 2., 1., 0.7]);
    [x, logits, mean, std, vec![0.6, -0.3]].map(|p| {
        let n = p.len();
        Tensor::new(&[1, 1, n], p)
    })
}

#[test]
fn mixtures_by_another_hand() {
    let joint = value(&golden_inputs()[..4], |x| diagonal(x, 0.)).item();
    assert!((joint - -2.010164562377115).abs() < GOLDEN, "{joint}");
    let correlated = value(&golden_inputs(), |x| bivariate(x, 0.)).item();
    assert!((correlated - -2.4770393350652924).abs() < GOLDEN, "{correlated}");
}

macro_rules! refused {
    ($($name:ident $sentence:literal $op:ident $x:expr, $logits:expr, $mean:expr, $std:expr, $rho:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            let shapes: [&[usize]; 5] = [&$x, &$logits, &$mean, &$std, &$rho];
            value(&shapes.map(|shape| positive(shape, 1).map(|x| x / 3.)), |x| $op(x, 0.));
        }
    )* };
}
refused! {
    means_must_fit "mixture_log_prob: mean has 5 channels, want 6" diagonal
        [1, 2, 2], [1, 2, 3], [1, 2, 5], [1, 2, 6], [1, 2, 3];
    stds_must_fit "mixture_log_prob: std has 5 channels, want 6" diagonal
        [1, 2, 2], [1, 2, 3], [1, 2, 6], [1, 2, 5], [1, 2, 3];
    steps_must_fit "mixture_log_prob: x has 3 rows, logits 2" diagonal
        [1, 3, 2], [1, 2, 3], [1, 2, 6], [1, 2, 6], [1, 2, 3];
    steps_of_means_must_fit "mixture_log_prob: mean has 3 rows, logits 2" diagonal
        [1, 2, 2], [1, 2, 3], [1, 3, 6], [1, 2, 6], [1, 2, 3];
    logits_have_three_axes "mixture_log_prob: want (B, T, C), got [2, 3]" diagonal
        [1, 2, 2], [2, 3], [1, 2, 6], [1, 2, 6], [1, 2, 3];
    a_bivariate_has_two_channels "bivariate_mixture_log_prob: x has 3 channels" bivariate
        [1, 2, 3], [1, 2, 3], [1, 2, 6], [1, 2, 6], [1, 2, 3];
    bivariate_means_must_fit "bivariate_mixture_log_prob: mean has 7 channels, want 6" bivariate
        [1, 2, 2], [1, 2, 3], [1, 2, 7], [1, 2, 6], [1, 2, 3];
    bivariate_stds_must_fit "bivariate_mixture_log_prob: std has 7 channels, want 6" bivariate
        [1, 2, 2], [1, 2, 3], [1, 2, 6], [1, 2, 7], [1, 2, 3];
    correlations_must_fit "bivariate_mixture_log_prob: rho has 2 channels, want 3" bivariate
        [1, 2, 2], [1, 2, 3], [1, 2, 6], [1, 2, 6], [1, 2, 2];
}
