//! Ops: gradients against differences, fused ops against composed ones, values against other hands.
//!
//! Gradients are checked in f64 (`make gradcheck`); twins, laws and refusals in both builds.

mod bernoulli;
mod conv;
mod elementwise;
mod gated;
mod gru;
mod linear;
mod lstm;
mod mixture;
mod normal;
mod particles;
mod reduce;
mod shape;

use stcn::ops::*;
use stcn::tape::{Keep, Tape, Var};
use stcn::{Real, Tensor};

/// Between −2 and 2, the same on every run and every machine, whatever becomes of `noise`.
pub fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Tensor::from_fn(shape, || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z >> 40) as Real - 8_388_607.5) / 4_194_304.
    })
}

/// Multiples of ½ between −2 and 2.
#[cfg(feature = "f64")]
pub fn halves(shape: &[usize], seed: u64) -> Tensor {
    numbers(shape, seed).map(|x| (2. * x).round() / 2.)
}

/// Between 0.4 and 2.4: a standard deviation.
pub fn positive(shape: &[usize], seed: u64) -> Tensor {
    numbers(shape, seed).map(|x| 0.4 + (x + 2.) / 2.)
}

/// Zeros and ones.
pub fn coins(shape: &[usize], seed: u64) -> Tensor {
    numbers(shape, seed).map(|x| if x > 0. { 1. } else { 0. })
}

/// What two orders of the same sum of some hundred terms may differ by, relative to the largest element
/// of the tensor: a hundred roundings of 2⁻²⁴ (2⁻⁵³) are 6e-6 (1.1e-14), of numbers that may be larger than
/// their sum by some factor.
pub const ROUNDING: f64 = if cfg!(feature = "f64") { 1e-12 } else { 2e-5 };

/// The largest difference of two tensors of one shape, relative to the largest element (and to 1e-3).
#[track_caller]
pub fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    assert!(a.is_finite() && b.is_finite());
    let pairs = a.data().iter().zip(b.data()).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    let (difference, size) = pairs.fold((0f64, 1e-3f64), |(difference, size), (a, b)| {
        (difference.max((a - b).abs()), size.max(a.abs()).max(b.abs()))
    });
    difference / size
}

/// y and the gradients of `⟨v, y⟩` with a fixed v: everything an op computes. No gradient reads as zeros.
pub fn pass(inputs: &[Tensor], f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>) -> Vec<Tensor> {
    let tape = Tape::new();
    let vars: Vec<Var> = inputs.iter().map(|x| tape.input(x.clone(), "")).collect();
    let y = f(&vars);
    let grads = tape.pull_back(y, numbers(y.value().shape(), 99), Keep::Leaves);
    let grad = |x: &Var| grads.wrt(*x).cloned().unwrap_or(Tensor::zeros(x.value().shape()));
    std::iter::once(y.value()).chain(vars.iter().map(grad)).collect()
}

/// Two ways to say the same: value and gradients agree.
#[track_caller]
pub fn twins(
    inputs: &[Tensor],
    tolerance: f64,
    one: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
    other: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) {
    let (one, other) = (pass(inputs, one), pass(inputs, other));
    for (i, (a, b)) in one.iter().zip(&other).enumerate() {
        let what = if i == 0 { "value".into() } else { format!("gradient of input {i}") };
        let found = difference(a, b);
        assert!(found <= tolerance, "{what}: {found:e} apart, tolerance {tolerance:e}");
    }
}

/// The gradient agrees with differences to 1e-6 (house §9.1), and is not just zero.
#[cfg(feature = "f64")]
#[track_caller]
pub fn gradcheck(inputs: &[Tensor], f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>) {
    let check = stcn::gradcheck(inputs, |_, x| f(x));
    assert!(check.relative_error() <= 1e-6, "{check:?}: {:e}", check.relative_error());
    assert!(check.exact.abs() > 1e-4, "{check:?}: says nothing");
}

/// The op's value at these inputs, without a gradient.
pub fn value(inputs: &[Tensor], f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>) -> Tensor {
    let tape = Tape::inference();
    let vars: Vec<Var> = inputs.iter().map(|x| tape.constant(x.clone())).collect();
    f(&vars).value()
}

/// A pass through every kernel, large enough to be cut into tiles: value and all gradients.
pub fn small_network() -> Vec<Tensor> {
    let (b, t, c, m) = (2, 300, 20, 4);
    let inputs = [
        numbers(&[b, t, 2], 1),
        numbers(&[2, 2, c], 2),
        numbers(&[c], 3),
        numbers(&[2, c, c], 4),
        numbers(&[c], 5),
        numbers(&[2, c, c], 6),
        numbers(&[c], 7),
        numbers(&[c, 16 * m], 8).map(|x| x / 8.),
        numbers(&[16 * m], 9),
        numbers(&[b, t, 1], 10),
    ];
    pass(&inputs, |x| {
        let d = causal_conv1d(x[0], x[1], x[2], 3);
        let d = gated_conv(d, (x[3], x[4]), (x[5], x[6]), 8);
        let h = linear_relu(d, x[7], x[8]);
        let part = |i: usize, n: usize| slice_channels(h, i * m, n * m);
        let std = clipped_softplus(part(1, 2), 1e-3, 5.);
        let gmm = mixture_log_prob(x[0], part(0, 1), part(3, 2), std, 0.);
        let rho = affine(tanh(part(9, 1)), 0.9, 0.);
        let bigmm = bivariate_mixture_log_prob(x[0], part(5, 1), part(6, 2), std, rho, 1e-6);
        let q = (part(8, 1), softplus(part(9, 1)));
        let p = (part(10, 1), softplus(part(11, 1)));
        let kl = combined_kl(q, p, Combine::Product);
        let pen = bernoulli_log_prob(x[9].tape().constant(coins(&[b, t, 1], 11)), x[9], 0.);
        sum_masked(gmm + bigmm - kl + pen, &[t, t - 30], &[0.5, 0.5])
    })
}
