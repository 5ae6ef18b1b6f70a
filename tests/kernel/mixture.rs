//! Mixtures against their formulas, row by row, in f64.

use crate::ops::{numbers, positive};
use stcn::internals::kernel::math::TINY;
use stcn::internals::kernel::mixture::{BIVARIATE, DIAGONAL, Family, Mixture};
use stcn::{Real, Tensor};

/// `ln N_k` of a row and its slopes by x, then by the row's parameters, all in one list.
type Component = fn(x: &[f64], params: &[Vec<f64>], k: usize) -> (f64, Vec<(usize, usize, f64)>);

const LN_TWO_PI: f64 = 1.837_877_066_409_345_3;

/// Slopes as (input, index, slope), input 0 for x and 1 … for the parameters.
fn diagonal(x: &[f64], params: &[Vec<f64>], k: usize) -> (f64, Vec<(usize, usize, f64)>) {
    let (m, mut sum, mut slopes) = (params[0].len() / x.len(), 0., vec![]);
    for (d, x) in x.iter().enumerate() {
        let at = d * m + k;
        let (mean, std) = (params[0][at], params[1][at]);
        let u = (x - mean) / std;
        sum += -0.5 * LN_TWO_PI - std.ln() - 0.5 * u * u;
        slopes.extend([(0, d, -u / std), (1, at, u / std), (2, at, (u * u - 1.) / std)]);
    }
    (sum, slopes)
}

fn bivariate(x: &[f64], params: &[Vec<f64>], k: usize) -> (f64, Vec<(usize, usize, f64)>) {
    let m = params[2].len();
    let rho = params[2][k];
    let c = 1. / (1. - rho * rho);
    let of = |d: usize| (params[0][d * m + k], params[1][d * m + k]);
    let [(mean_u, s), (mean_v, t)] = [of(0), of(1)];
    let (u, v) = ((x[0] - mean_u) / s, (x[1] - mean_v) / t);
    let q = u * u + v * v - 2. * rho * u * v;
    let value = -LN_TWO_PI - (s * t).ln() + 0.5 * c.ln() - 0.5 * q * c;
    let (du, dv) = (c * (u - rho * v), c * (v - rho * u));
    let slopes = vec![
        (0, 0, -du / s),
        (0, 1, -dv / t),
        (1, k, du / s),
        (1, m + k, dv / t),
        (2, k, (du * u - 1.) / s),
        (2, m + k, (dv * v - 1.) / t),
        (3, k, c * (rho + u * v - rho * q * c)),
    ];
    (value, slopes)
}

/// y and the gradients of x, of the logits and of the parameters at one row, by the formulas.
fn formulas(component: Component, row: &[Vec<f64>], gy: f64, floor: f64) -> (f64, Vec<Vec<f64>>) {
    let [x, logits, params @ ..] = row else { panic!() };
    let total: f64 = logits.iter().map(|l| l.exp()).sum();
    let pi: Vec<f64> = logits.iter().map(|l| l.exp() / total).collect();
    let joint = |k: usize| pi[k].max(floor) * component(x, params, k).0.exp();
    let density: f64 = (0..pi.len()).map(joint).sum();
    let r: Vec<f64> = (0..pi.len()).map(|k| joint(k) / density).collect();
    let free: f64 = (0..pi.len()).filter(|&k| pi[k] > floor).map(|k| r[k]).sum();
    let mut grads: Vec<Vec<f64>> = row.iter().map(|x| vec![0.; x.len()]).collect();
    for k in 0..pi.len() {
        grads[1][k] = gy * (if pi[k] > floor { r[k] } else { 0. } - free * pi[k]);
        for (input, at, slope) in component(x, params, k).1 {
            grads[if input == 0 { 0 } else { input + 1 }][at] += gy * r[k] * slope;
        }
    }
    (density.ln(), grads)
}

#[track_caller]
fn compare<const P: usize>(
    family: &'static Family<P>,
    component: Component,
    (rows, dims, m): (usize, usize, usize),
    params: [Tensor; P],
) {
    let (x, logits) = (numbers(&[rows, dims], 1), numbers(&[rows, m], 2));
    let gy = numbers(&[rows], 9);
    for floor in [0., 0.15] {
        let (x, logits, params) = (x.clone(), logits.clone(), params.clone());
        let mixture = Mixture { family, x, logits, params, floor };
        let mut y = vec![Real::NAN; rows];
        mixture.log_prob(&mut y);
        let grads = mixture.gradients(&y, gy.data());
        let inputs: Vec<&Tensor> =
            [&mixture.x, &mixture.logits].into_iter().chain(&mixture.params).collect();
        let row = |x: &Tensor, i: usize| -> Vec<f64> {
            x.data()[i * x.cols()..][..x.cols()].iter().map(|&x| f64::from(x)).collect()
        };
        for (i, &y) in y.iter().enumerate() {
            let inputs: Vec<_> = inputs.iter().map(|x| row(x, i)).collect();
            let (value, want) =
                formulas(component, &inputs, f64::from(gy.data()[i]), f64::from(floor));
            // Exponents of up to some tens: their rounding by 2⁻²⁴, a few times over.
            let close = |a: f64, b: f64, size: f64| (a - b).abs() <= 2e-5 * size.max(1e-3);
            assert!(close(f64::from(y), value, value.abs().max(1.)), "row {i}: {y} {value}");
            for (n, (found, want)) in grads.iter().zip(want).enumerate() {
                let size = want.iter().fold(0f64, |size, g| size.max(g.abs()));
                for (found, want) in row(found, i).into_iter().zip(want) {
                    assert!(close(found, want, size), "row {i}, input {n}: {found} {want}");
                }
            }
        }
    }
}

#[test]
fn mixtures_are_their_formulas() {
    // One component and more than a vector, one row and more than a tile.
    for sizes @ (rows, dims, m) in [(1, 2, 1), (5, 1, 3), (3, 3, 20), (300, 2, 33)] {
        let wide = [rows, dims * m];
        compare(&DIAGONAL, diagonal, sizes, [numbers(&wide, 3), positive(&wide, 4)]);
        if dims == 2 {
            let rho = numbers(&[rows, m], 5).map(|x| 0.45 * x);
            compare(&BIVARIATE, bivariate, sizes, [numbers(&wide, 3), positive(&wide, 4), rho]);
        }
    }
}

/// A row as f64, y, and the gradients for ȳ.
fn of_row<const P: usize>(mixture: &Mixture<P>, gy: Real) -> (Vec<Vec<f64>>, Real, Vec<Vec<f64>>) {
    let mut y = [Real::NAN];
    mixture.log_prob(&mut y);
    let f64s = |x: &Tensor| x.data().iter().map(|&x| f64::from(x)).collect();
    let inputs = [&mixture.x, &mixture.logits].into_iter().chain(&mixture.params);
    let grads = mixture.gradients(&y, &[gy]);
    (inputs.map(f64s).collect(), y[0], grads.iter().map(f64s).collect())
}

/// Every gradient of a logit is as exact as r and π are, and the largest π's as the sum of the others.
#[track_caller]
fn compare_logits<const P: usize>(mixture: &Mixture<P>, component: Component) {
    let gy: Real = 0.7;
    let (row, _, grads) = of_row(mixture, gy);
    let (gy, floor) = (f64::from(gy), f64::from(mixture.floor));
    let (_, want) = formulas(component, &row, gy, floor);
    let total: f64 = row[1].iter().map(|l| l.exp()).sum();
    let pi = |k: usize| row[1][k].exp() / total;
    // |f| + F π ≤ |f − F π| + 2π, each from an eˣ with |x| < 128: rounded by 2⁻¹⁸, and three times so on the way.
    let size = |k: usize| want[1][k].abs() + 2. * gy * pi(k);
    let bound = |k: usize| 3. * 3.9e-6 * size(k) + 2. * f64::from(TINY);
    let largest = (1..row[1].len()).fold(0, |k, j| if pi(j) > pi(k) { j } else { k });
    let others = (0..row[1].len()).filter(|&k| k != largest);
    let of_largest: f64 = others.map(bound).sum();
    for (k, (found, want)) in grads[1].iter().zip(&want[1]).enumerate() {
        let bound = if k == largest { of_largest } else { bound(k) };
        assert!(
            (found - want).abs() <= bound,
            "logit {k} of {:?}: {found:e}, want {want:e}",
            row[1]
        );
    }
    let size = grads[1].iter().fold(0f64, |size, g| size.max(g.abs()));
    let sum: f64 = grads[1].iter().sum();
    // Seven roundings of a running sum.
    assert!(sum.abs() <= 7. * 6e-8 * size, "they sum to {sum:e}, the largest is {size:e}");
}

fn one_row(data: &[Real]) -> Tensor {
    Tensor::new(&[1, data.len()], data.to_vec())
}

#[test]
fn gradients_of_logits_keep_their_digits_where_one_component_has_nearly_all_the_weight() {
    let x = one_row(&[0.3, -0.2]);
    let means = [0.9, 0.3, -2., 1.7, 0., 4., -0.1];
    let spreads = [0.8, 0.2, 0.6, 0.3, 0.1, 2., 0.5];
    let [mean, std] = [means, spreads].map(|p| one_row(&[p, p].concat()));
    let rho = one_row(&[0.1, 0.8, -0.3, 0., 0.5, -0.6, 0.2]);
    for first in [0., 4., 8., 12., 16., 20., 30.] {
        for floor in [0., 1e-6] {
            let logits = one_row(&[first, 0.5, -1., 0.25, -2.5, -4., 1.5]);
            let params = [mean.clone(), std.clone()];
            let (x, l) = (x.clone(), logits.clone());
            let one = Mixture { family: &DIAGONAL, x: x.clone(), logits, params, floor };
            compare_logits(&one, diagonal);
            let params = [mean.clone(), std.clone(), rho.clone()];
            compare_logits(&Mixture { family: &BIVARIATE, x, logits: l, params, floor }, bivariate);
        }
    }
}

#[test]
fn a_component_whose_weight_is_too_small_for_a_number_still_has_its_gradient() {
    let (x, logits) = (one_row(&[0.25]), one_row(&[0., -106.])); // e⁻¹⁰⁶ is 0 in f32
    let params = [one_row(&[15., 0.25]), one_row(&[1., 0.5])];
    compare_logits(&Mixture { family: &DIAGONAL, x, logits, params, floor: 0. }, diagonal);
}

#[test]
fn what_fades_becomes_0_and_no_gradient_is_too_small_to_multiply() {
    let tiny = f64::from(TINY);
    // Responsibilities from 1 down to e⁻¹²⁰, through everything that is subnormal in f32.
    let means: Vec<Real> = (0..40).map(|k| (6. * k as Real).sqrt()).collect();
    let m = means.len();
    let [x, ones, logits] = [&[0., 0.][..], &vec![1.; 2 * m], &vec![0.; m]].map(one_row);
    let mean = one_row(&[means.clone(), means].concat());
    let params = [mean.clone(), ones.clone()];
    let (x2, logits2) = (x.clone(), logits.clone());
    let one = Mixture { family: &DIAGONAL, x: x2, logits: logits2, params, floor: 0. };
    let params = [mean, ones, one_row(&vec![0.; m])];
    let two = Mixture { family: &BIVARIATE, x, logits, params, floor: 0. };
    for (component, (row, y, grads)) in
        [(diagonal as Component, of_row(&one, 1e-3)), (bivariate, of_row(&two, 1e-3))]
    {
        let (value, want) = formulas(component, &row, f64::from(1e-3 as Real), 0.);
        assert!((f64::from(y) - value).abs() < 1e-6, "{y} {value}");
        let (mut faded, mut kept) = (0, 0);
        for (found, want) in grads.iter().flatten().zip(want.iter().flatten()) {
            assert!(*found == 0. || found.abs() >= tiny, "{found:e}");
            // A gradient is r times at most u² < 240; what is lost of r is below TINY.
            assert!(
                (found - want).abs() < 1e-4 * want.abs() + 240. * tiny + 1e-9,
                "{found:e} {want:e}"
            );
            faded += usize::from(*found == 0. && *want != 0.);
            kept += usize::from(*found != 0.);
        }
        assert!(faded > m && kept > m, "{faded} faded, {kept} kept");
    }
}
