//! Heads: they integrate to one, and draws follow them.
// Golden values are written as they came; in f32 they are rounded.
#![allow(clippy::excessive_precision)]

use stcn::dist::{Density, Normal, Observation};
use stcn::tape::{Tape, Var};
use stcn::{Noise, Real, Tensor};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Head {
    Normal,
    Gmm,
    Bigmm,
}
const HEADS: [Head; 3] = [Head::Normal, Head::Gmm, Head::Bigmm];

/// ln π up to a constant, μ and σ (component fastest), ρ, and the pen's logit.
const LOGITS: [Real; 3] = [0.3, -0.5, 1.1];
const MEAN: [Real; 6] = [-2., 0.5, 1.5, 1., -1.5, 0.4];
const STD: [Real; 6] = [0.6, 0.9, 0.7, 0.8, 0.5, 1.1];
const RHO: [Real; 3] = [0.7, -0.5, 0.2];
const PEN: Real = -1.2;

/// The same head at each of `n` steps.
fn head(tape: &Tape, kind: Head, n: usize) -> Observation<'_> {
    let repeat = |row: &[Real]| tape.constant(Tensor::new(&[1, n, row.len()], row.repeat(n)));
    let (logits, mean, std) = (repeat(&LOGITS), repeat(&MEAN), repeat(&STD));
    let density = match kind {
        Head::Normal => {
            Density::Normal(Normal { mean: repeat(&MEAN[..2]), std: repeat(&STD[..2]) })
        }
        Head::Gmm => Density::Mixture { logits, mean, std },
        Head::Bigmm => Density::Bivariate { logits, mean, std, rho: repeat(&RHO) },
    };
    Observation {
        density: Some(density),
        bits: Some(repeat(&[PEN])),
        floors: false,
        threshold: false,
    }
}

/// p(x) at every row of x, three numbers each.
fn density(kind: Head, x: Vec<Real>) -> Vec<f64> {
    let (tape, n) = (Tape::inference(), x.len() / 3);
    let log_prob = head(&tape, kind, n).log_prob(tape.constant(Tensor::new(&[1, n, 3], x))).value();
    assert_eq!(log_prob.shape(), [1, n]);
    log_prob.data().iter().map(|&y| f64::from(y).exp()).collect()
}

/// Centres of the squares of side h over [−7, 7]², row by row.
fn grid(h: f64, pen: Real) -> Vec<Real> {
    let n = (14. / h).round() as usize;
    let at = |i: usize| (-7. + (i as f64 + 0.5) * h) as Real;
    (0..n * n).flat_map(|i| [at(i / n), at(i % n), pen]).collect()
}

#[test]
fn a_name_goes_to_every_part_that_a_head_has() {
    for (kind, parts) in [
        (Head::Normal, &["mean", "std", "bits"][..]),
        (Head::Gmm, &["logits", "mean", "std", "bits"]),
        (Head::Bigmm, &["logits", "mean", "std", "rho", "bits"]),
    ] {
        let tape = Tape::new();
        head(&tape, kind, 2).named("head");
        let mut labels = vec![];
        tape.each(|node| labels.push(node.label.to_string()));
        labels.retain(|label| !label.is_empty());
        labels.sort();
        let mut want: Vec<String> = parts.iter().map(|part| format!("head.{part}")).collect();
        want.sort();
        assert_eq!(labels, want, "{kind:?}");
    }
}

#[test]
fn every_head_integrates_to_one_over_plane_and_pen() {
    // Six σ lie inside the square; the midpoint rule on a normal of σ ≥ 0.4 errs by e^{−2π²σ²/h²}, nothing;
    // what is left is f32's error of a logarithm, some 1e-6.
    for kind in HEADS {
        let h = 0.14;
        let [up, down] =
            [0., 1.].map(|pen| density(kind, grid(h, pen)).iter().sum::<f64>() * h * h);
        assert!((up + down - 1.).abs() < 1e-5, "{kind:?}: {}", up + down);
        let theta = 1. / (1. + 1.2f64.exp());
        assert!((down - theta).abs() < 1e-5, "{kind:?}: {down}, want {theta}");
    }
}

fn draws(kind: Head, n: usize, temperature: Real) -> Tensor {
    let tape = Tape::inference();
    head(&tape, kind, n).sample(&Noise::new(11, "test"), &[5], 0, temperature)
}

#[test]
fn draws_fill_the_plane_as_the_density_says() {
    let (n, h, cell) = (40_000usize, 0.1, 10); // squares of side 1 from 10 × 10 points
    for kind in HEADS {
        let side = 14;
        let mut counts = vec![0f64; side * side];
        for x in draws(kind, n, 1.).data().chunks(3) {
            let [i, j] = [x[0], x[1]].map(|x| (x + 7.).floor().clamp(0., 13.) as usize);
            counts[i * side + j] += 1.;
        }
        let mut expected = vec![0f64; side * side];
        for pen in [0., 1.] {
            for (i, p) in density(kind, grid(h, pen)).into_iter().enumerate() {
                let (row, col) = (i / (side * cell) / cell, i % (side * cell) / cell);
                expected[row * side + col] += p * h * h * n as f64;
            }
        }
        for (i, (count, expected)) in counts.iter().zip(&expected).enumerate() {
            // Five standard errors, and five draws for the skewed tails.
            let tolerance = 5. * expected.sqrt() + 5.;
            assert!(
                (count - expected).abs() < tolerance,
                "{kind:?}, square {i}: {count}, want {expected}"
            );
        }
    }
}

#[test]
fn draws_have_the_moments_of_the_mixture() {
    let n = 40_000;
    let weights: Vec<f64> = LOGITS.iter().map(|&l| f64::from(l).exp()).collect();
    let total: f64 = weights.iter().sum();
    for kind in [Head::Gmm, Head::Bigmm] {
        let x = draws(kind, n, 1.);
        let average = |f: &dyn Fn(f64, f64) -> f64| {
            x.data().chunks(3).map(|x| f(f64::from(x[0]), f64::from(x[1]))).sum::<f64>() / n as f64
        };
        let exact =
            |f: &dyn Fn(usize) -> f64| (0..3).map(|k| weights[k] / total * f(k)).sum::<f64>();
        let (m, s) = (|i: usize| f64::from(MEAN[i]), |i: usize| f64::from(STD[i]));
        let rho = |k: usize| if kind == Head::Bigmm { f64::from(RHO[k]) } else { 0. };
        // Five standard errors; the standard deviations of x, y, xy, x² are below 2, 2, 5, 6.
        let se = |spread: f64| 5. * spread / (n as f64).sqrt();
        assert!((average(&|x, _| x) - exact(&|k| m(k))).abs() < se(2.), "{kind:?} x");
        assert!((average(&|_, y| y) - exact(&|k| m(3 + k))).abs() < se(2.), "{kind:?} y");
        let square = exact(&|k| m(k) * m(k) + s(k) * s(k));
        assert!((average(&|x, _| x * x) - square).abs() < se(6.), "{kind:?} x²");
        let cross = exact(&|k| m(k) * m(3 + k) + rho(k) * s(k) * s(3 + k));
        assert!((average(&|x, y| x * y) - cross).abs() < se(5.), "{kind:?} xy: want {cross}");
    }
}

#[test]
fn the_pen_is_down_as_often_as_its_probability() {
    let n = 40_000;
    let pens = |temperature| {
        let x = draws(Head::Gmm, n, temperature);
        assert!(x.data().chunks(3).all(|x| x[2] == 0. || x[2] == 1.));
        x.data().chunks(3).map(|x| f64::from(x[2])).sum::<f64>() / n as f64
    };
    for temperature in [1., 0.5, 2.] {
        let theta = 1. / (1. + (1.2 / f64::from(temperature)).exp());
        let error = 5. * (theta * (1. - theta) / n as f64).sqrt();
        let found = pens(temperature);
        assert!((found - theta).abs() < error, "T = {temperature}: {found}, want {theta}");
    }
}

#[test]
fn a_pen_by_threshold_is_down_where_its_logit_is_positive() {
    let tape = Tape::inference();
    let logits = tape.constant(Tensor::new(&[1, 4, 1], vec![-3., -0.01, 0.01, 3.]));
    let head = Observation { density: None, bits: Some(logits), floors: false, threshold: true };
    assert_eq!(head.sample(&Noise::new(1, "test"), &[0], 0, 1.).data(), [0., 0., 1., 1.]);
}

#[test]
fn at_no_temperature_a_draw_is_the_mean_of_the_likeliest_component() {
    for temperature in [1e-5, 0.] {
        for kind in HEADS {
            let likeliest = if kind == Head::Normal { 0 } else { 2 };
            let want = if kind == Head::Normal {
                [MEAN[0], MEAN[1]]
            } else {
                [MEAN[likeliest], MEAN[3 + likeliest]]
            };
            for x in draws(kind, 200, temperature).data().chunks(3) {
                let near = |x: Real, want: Real| (x - want).abs() < 1e-4; // |ε| < 6, σ < 1.2
                assert!(
                    near(x[0], want[0]) && near(x[1], want[1]) && x[2] == 0.,
                    "{kind:?}: {x:?}"
                );
            }
        }
    }
    // Also where the likeliest is not the last.
    let tape = Tape::inference();
    let row = |row: &[Real]| tape.constant(Tensor::new(&[1, 1, row.len()], row.to_vec()));
    let density = Density::Mixture {
        logits: row(&[0., 2., 1.]),
        mean: row(&[1., 2., 3.]),
        std: row(&[1.; 3]),
    };
    let head = Observation { density: Some(density), bits: None, floors: false, threshold: false };
    for temperature in [1e-6, 0.] {
        let x = head.sample(&Noise::new(1, "test"), &[0], 0, temperature);
        assert!((x.item() - 2.).abs() < 1e-4, "T = {temperature}: {}", x.item());
    }
}

#[test]
fn draws_are_addressed_by_sample_and_step() {
    for kind in HEADS {
        let tape = Tape::inference();
        let (many, few) = (head(&tape, kind, 10), head(&tape, kind, 3));
        let noise = Noise::new(3, "test");
        let all = many.sample(&noise, &[8], 0, 1.);
        assert_eq!(few.sample(&noise, &[8], 4, 1.).data(), &all.data()[12..21], "{kind:?}");
        assert_ne!(few.sample(&noise, &[9], 4, 1.).data(), &all.data()[12..21], "{kind:?}");
    }
}

/// The golden head of rivals.md §11.1.
fn golden<'t>(tape: &'t Tape, rho: Option<&[Real]>) -> Observation<'t> {
    let row = |row: &[Real]| tape.constant(Tensor::new(&[1, 1, row.len()], row.to_vec()));
    let (logits, mean, std) =
        (row(&[0.2, -0.3]), row(&[0., 1., 0.5, -1.]), row(&[0.5, 2., 1., 0.7]));
    let density = match rho {
        None => Density::Mixture { logits, mean, std },
        Some(rho) => Density::Bivariate { logits, mean, std, rho: row(rho) },
    };
    Observation {
        density: Some(density),
        bits: Some(row(&[-1.2])),
        floors: false,
        threshold: false,
    }
}

#[test]
fn ink_by_another_hand() {
    let tape = Tape::inference();
    let at =
        |pen: Real| -> Var<'_> { tape.constant(Tensor::new(&[1, 1, 3], vec![0.4, -0.2, pen])) };
    // In f32 ten roundings of numbers up to 4.
    let tolerance = if cfg!(feature = "f64") { 1e-12 } else { 3e-6 };
    let close = |found: Var<'_>, want: Real| {
        let found = found.value().item();
        assert!((found - want).abs() < tolerance, "{found}, want {want}");
    };
    let head = golden(&tape, Some(&[0.6, -0.3]));
    close(head.log_prob(at(1.)), -3.940321802403323);
    close(head.log_prob(at(0.)), -2.740321802403323);
    let pen_up = -2.740321802403323 - -2.4770393350652924;
    close(golden(&tape, None).log_prob(at(0.)), -2.010164562377115 + pen_up);
}

#[test]
fn a_network_of_zeros_has_the_likelihood_of_the_specification() {
    // stcn.md §13: σ = ln 2, π uniform, θ = ½ and x = 0: ink −1.7979984 per step with either head.
    let (tape, ln_2) = (Tape::inference(), std::f64::consts::LN_2 as Real);
    let filled = |n: usize, x: Real| tape.constant(Tensor::new(&[1, 1, n], vec![x; n]));
    let (mean, std) = (filled(40, 0.), filled(40, ln_2));
    let gmm = Density::Mixture { logits: filled(20, 0.), mean, std };
    let normal = Density::Normal(Normal { mean: filled(2, 0.), std: filled(2, ln_2) });
    for density in [gmm, normal] {
        let head = Observation {
            density: Some(density),
            bits: Some(filled(1, 0.)),
            floors: true,
            threshold: false,
        };
        let found = head.log_prob(filled(3, 0.)).value().item();
        assert!((found - -1.7979984).abs() < 1e-6, "{found}");
    }
    let speech = Normal { mean: filled(200, 0.), std: filled(200, ln_2) };
    let head = Observation {
        density: Some(Density::Normal(speech)),
        bits: None,
        floors: false,
        threshold: false,
    };
    let found = head.log_prob(filled(200, 0.)).value().item();
    // 200 additions of up to 110 in f32: 200 · 110 · 2⁻²⁴ at the worst.
    assert!((found - -110.4851225).abs() < 1.4e-3, "{found}");
}

#[test]
fn floors_bound_the_surprise_of_a_pen() {
    let tape = Tape::inference();
    let logits = tape.constant(Tensor::new(&[1, 1, 1], vec![-50.]));
    let down = tape.constant(Tensor::new(&[1, 1, 1], vec![1.]));
    let with = |floors| Observation { density: None, bits: Some(logits), floors, threshold: false };
    assert_eq!(with(false).log_prob(down).value().item(), -50.);
    assert!((with(true).log_prob(down).value().item() - (1e-5 as Real).ln()).abs() < 1e-5);
}

#[test]
#[should_panic(expected = "log_prob: the observation has neither a density nor bits")]
fn an_observation_of_nothing_is_refused() {
    let tape = Tape::inference();
    let x = tape.constant(Tensor::zeros(&[1, 1, 1]));
    Observation { density: None, bits: None, floors: false, threshold: false }.log_prob(x);
}
