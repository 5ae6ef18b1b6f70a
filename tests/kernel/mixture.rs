//! Mixtures against their formulas, row by row, in f64.

use crate::ops::{numbers, positive};
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
