//! Bounds against the exact value: a model so small that its latents can be integrated over.
//!
//! The exact value is an implementation of its own: stcn.md §3–5 in f64 on the model's parameters, read by
//! path, and its contexts; z² and z¹ on a grid. Nothing of the model's own prior, decoder or head is used.

use super::{batch, has, is_dense, masked_sums, model, name, new_stcn, size, tiny, with};
use stcn::data::Batch;
use stcn::models::stcn::{Config, Draws, Precision};
use stcn::models::{HeadKind, ModelConfig, Task};
use stcn::models::{Kl, Latents, ModelKind, STCN, STCN_DENSE, SWAVENET, SequenceModel, parameters};
use stcn::nn::Module;
use stcn::{Noise, Tape, Tensor};
use std::collections::BTreeMap;

/// Mean of `values` and its standard error.
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.);
    (mean, (variance / n).sqrt())
}

/// The parameters of the oracle, by path.
struct Oracle(BTreeMap<String, (usize, Vec<f64>)>);

impl Oracle {
    fn layer(&self, path: &str, x: &[f64]) -> Vec<f64> {
        let (outputs, w) = &self.0[&format!("{path}.weight")];
        let mut y = self.0[&format!("{path}.bias")].1.clone();
        for (x, w) in x.iter().zip(w.chunks_exact(*outputs)) {
            y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
        }
        y
    }

    fn relu(&self, path: &str, x: &[f64]) -> Vec<f64> {
        self.layer(path, x).iter().map(|y| y.max(0.)).collect()
    }

    /// μ and σ of a latent.
    fn latent(&self, path: &str, x: &[f64]) -> (f64, f64) {
        let net = |name: &str| {
            self.layer(&format!("{path}.{name}.2"), &self.relu(&format!("{path}.{name}.1"), x))[0]
        };
        (net("mean"), net("std").exp().ln_1p().clamp(1e-3, 5.))
    }

    /// p(x | y)
    fn density(&self, y: &[f64], x: f64) -> f64 {
        let h = self.relu("output.1", y);
        let std = self.layer("head.std", &h)[0].exp().ln_1p().clamp(1e-3, 50.);
        normal(x, self.layer("head.mean", &h)[0], std)
    }
}

fn normal(x: f64, mean: f64, std: f64) -> f64 {
    (-0.5 * ((x - mean) / std).powi(2)).exp() / (std * std::f64::consts::TAU.sqrt())
}

/// ε from −8 to 8 and what each weighs under N(0, 1).
fn grid(n: usize) -> Vec<(f64, f64)> {
    let step = 16. / (n - 1) as f64;
    (0..n).map(|i| -8. + i as f64 * step).map(|e| (e, step * normal(e, 0., 1.))).collect()
}

/// `p(x_t | x_{<t})` by the trapezoid rule over ±8σ of every latent. For a smooth integrand a step of ¼σ is
/// exact to f64; a rectifier's kink leaves at most step²/8 of its change of slope there: 10⁻³ and less.
fn exact(oracle: &Oracle, config: &ModelConfig, d: [&[f64]; 2], x: f64) -> f64 {
    let dense = is_dense(config.kind);
    let two_draws = dense && config.own::<Config>().draws == Draws::Fresh;
    let grid = grid(if two_draws { 65 } else { 129 });
    let (m2, s2) = oracle.latent("prior.2", d[1]);
    let mut total = 0.;
    for (e2, w2) in &grid {
        let z2 = m2 + s2 * e2;
        let (m1, s1) = oracle.latent("prior.1", &[d[0], &[z2]].concat());
        for (e1, w1) in &grid {
            let z1 = m1 + s1 * e1;
            total += w2
                * w1
                * if two_draws {
                    // The output sees a z² of its own, independent of the one below which z¹ was drawn.
                    grid.iter().map(|(e, w)| w * oracle.density(&[z1, m2 + s2 * e], x)).sum()
                } else {
                    oracle.density(&[z1, z2][..if dense { 2 } else { 1 }], x)
                };
        }
    }
    total
}

const STEPS: usize = 3;
const COPIES: usize = 2048;
const DRAWS: usize = 16;

/// Mean and error of the IWAE-S bound of the sequence, from `ln w_t` of independent draws at each step.
fn iwae(log_w: &[Vec<f64>; STEPS], s: usize) -> (f64, f64) {
    let groups = log_w[0].len() / s;
    let bound = |group: usize| -> f64 {
        let step = |log_w: &Vec<f64>| {
            let log_w = &log_w[group * s..][..s];
            (log_w.iter().map(|w| w.exp()).sum::<f64>() / s as f64).ln()
        };
        log_w.iter().map(step).sum()
    };
    mean_and_error(&(0..groups).map(bound).collect::<Vec<_>>())
}

fn assert_bounds(config: &ModelConfig) {
    let mut stcn = new_stcn(0, config);
    // An estimate much wider than its prior, so that q has the tails that a weight of finite variance wants.
    let lively = model(config);
    let values: BTreeMap<String, Tensor> = parameters(&*lively)
        .into_iter()
        .map(|(path, value)| (path.to_string(), value.clone()))
        .collect();
    stcn.visit_mut(&mut |p| {
        p.value = values[p.path()].map(|w| 0.8 * w);
        match p.path() {
            "prior.1.std.2.bias" | "prior.2.std.2.bias" => p.value.data_mut().fill(1.),
            "infer.1.std.2.bias" | "infer.2.std.2.bias" => p.value.data_mut().fill(2.5),
            _ => (),
        }
    });
    let found = parameters(&stcn).into_iter().map(|(path, value)| {
        (path.to_string(), (value.cols(), value.data().iter().map(|&w| f64::from(w)).collect()))
    });
    let oracle = Oracle(found.collect());

    // One sequence, and copies of it that differ in their noise.
    let one = batch(config, &[STEPS]);
    let x: Vec<f64> = one.x.data().iter().map(|&x| f64::from(x)).collect();
    let tape = Tape::inference();
    let contexts = stcn.contexts(tape.constant(one.x.clone()));
    let contexts: Vec<Vec<f64>> =
        contexts.iter().map(|d| d.value().data().iter().map(|&d| f64::from(d)).collect()).collect();
    let width = size(config, "channels");
    let at = |t: usize| [0, 1].map(|l| &contexts[l][t * width..][..width]); // row t of s is the step before x_{t+1}
    let exact: f64 = (0..STEPS).map(|t| exact(&oracle, config, at(t), x[t]).ln()).sum();

    let copies = Batch {
        x: Tensor::new(&[COPIES, STEPS, 1], one.x.data().repeat(COPIES)),
        lengths: vec![STEPS; COPIES],
        samples: (0..COPIES as u64).collect(),
    };
    let two_draws = config.own::<Config>().draws == Draws::Fresh && is_dense(config.kind);
    let values = (0..DRAWS as u64).flat_map(|draw| {
        let tape = Tape::inference();
        let elbo = stcn.elbo(&tape, &copies, &Noise::new(1, "elbo").at(draw), Kl::Analytic);
        let mut total = elbo.kl.iter().fold(elbo.log_px, |sum, &kl| sum - kl);
        if two_draws {
            total = total - elbo.kl[1]; // the second draw of z² is charged too: stcn.md §0, (ii)
        }
        masked_sums(&total.value(), &copies.lengths)
    });
    let elbo = mean_and_error(&values.collect::<Vec<_>>());
    let weights = stcn.importance_weights(&copies, &Noise::new(2, "weights"), DRAWS).unwrap();
    let by_step = |weights: &[Tensor]| -> [Vec<f64>; STEPS] {
        std::array::from_fn(|t| {
            let step = |w: &Tensor| -> Vec<f64> {
                w.data().chunks_exact(STEPS).map(|row| f64::from(row[t])).collect()
            };
            weights.iter().flat_map(step).collect()
        })
    };
    let log_w = by_step(&weights);
    let [one, two, sixteen, many] = [1, 2, 16, 512].map(|s| iwae(&log_w, s));

    // 4 standard errors: 6·10⁻⁵ of false alarms a line, whatever noise there is.
    let what = format!(
        "{}: ELBO {elbo:?}, IWAE-1 {one:?}, 2 {two:?}, 16 {sixteen:?}, 512 {many:?}, exact {exact}",
        name(config)
    );
    let together = |a: (f64, f64), b: (f64, f64)| 4. * (a.1 + b.1);
    assert!((elbo.0 - one.0).abs() < together(elbo, one), "IWAE-1 is the ELBO in the mean. {what}");
    let rising = [elbo, two, sixteen, many, (exact, 0.)];
    for pair in rising.windows(2) {
        assert!(pair[0].0 <= pair[1].0 + together(pair[0], pair[1]), "not rising. {what}");
    }
    assert!((many.0 - exact).abs() < 0.01 + 4. * many.1, "IWAE-512 is not yet there. {what}");
    let apart = sixteen.0 - elbo.0 > 0.05 + together(elbo, sixteen);
    assert!(apart && exact - sixteen.0 > 0., "a bound that tight shows nothing. {what}");
    // And w_t is unbiased: its mean is the probability itself.
    let all = iwae(&log_w, DRAWS * COPIES / 16);
    assert!((all.0 - exact).abs() < 1e-3 + 4. * all.1, "w is biased. {what}, mean of w {all:?}");
    // So is p(x_t | z_t) with z_t from the prior: the weight of a proposal that is the prior.
    let noise = Noise::new(2, "prior");
    let likelihoods = stcn.likelihoods(&copies, &noise, DRAWS, Latents::Prior).unwrap();
    let prior = iwae(&by_step(&likelihoods), DRAWS * COPIES / 16);
    assert!((prior.0 - exact).abs() < 1e-3 + 4. * prior.1, "{what}, by the prior {prior:?}");
}

fn config(kind: ModelKind, draws: Draws, precision: Precision) -> ModelConfig {
    let mut config = tiny(kind, (Task::Speech, HeadKind::Normal));
    config.obs.input = 1;
    let config = with(&with(&config, "channels", 4), "latents", vec![1, 1]);
    let layers = ["blocks_per_latent", "latent_layers", "output_layers"];
    let config = layers.iter().fold(config, |config, key| with(&config, key, 1));
    let config = with(&config, "decoder", "pointwise");
    with(&with(&config, "draws", draws.name()), "precision", precision.name())
}

#[test]
fn the_elbo_and_the_weights_bound_the_likelihood_of_stcn() {
    assert_bounds(&config(STCN, Draws::Shared, Precision::Product));
    assert_bounds(&config(STCN, Draws::Fresh, Precision::Product));
}

#[test]
fn the_elbo_and_the_weights_bound_the_likelihood_of_dense_stcn() {
    assert_bounds(&config(STCN_DENSE, Draws::Shared, Precision::Product));
}

#[test]
fn charged_for_both_draws_the_released_objective_bounds_the_two_draw_model() {
    assert_bounds(&config(STCN_DENSE, Draws::Fresh, Precision::Product));
}

#[test]
fn the_released_spread_gives_a_bound_too() {
    assert_bounds(&config(STCN, Draws::Fresh, Precision::AsReleased));
    assert_bounds(&config(STCN_DENSE, Draws::Shared, Precision::AsReleased));
}

/// So that copies of the data can each have draws of their own.
#[test]
fn a_draw_has_the_noise_of_so_many_steps_later() {
    for kind in [STCN_DENSE, SWAVENET] {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let config = with(&config, "latents", vec![3]);
        let pointwise = || with(&config, "decoder", "pointwise");
        let config = if has(&config, "decoder") { pointwise() } else { config };
        let (model, batch) = (model(&config), batch(&config, &[5, 3]));
        let weights = |step, draws| {
            model.importance_weights(&batch, &Noise::new(3, "iwae").at(step), draws).unwrap()
        };
        let three = weights(0, 3);
        assert_eq!((&three[1], &three[2]), (&weights(1, 2)[0], &weights(2, 1)[0]));
        assert_ne!(three[0], three[1]);
    }
}
