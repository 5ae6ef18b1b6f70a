//! Bounds against a model whose likelihood is known (rivals.md §11.2).

use stcn::data::Batch;
use stcn::dist::Normal;
use stcn::internals::bounds::increments;
use stcn::internals::particles::{MOST_PARTICLES, addresses};
use stcn::models::{Bound, Context, Elbo, Kl, Sampler, SequenceModel, Step, StepModel};
use stcn::nn::Module;
use stcn::ops::{concat, normal_log_prob, slice_channels, slice_time};
use stcn::tape::Param;
use stcn::train::{Ancestors, Resample, fivo, iwae};
use stcn::{Noise, Real, Tape, Tensor, Var};

const X: [f64; 5] = [0.3, -0.2, 0.8, 1.1, 0.4];
const LOG_P: f64 = -5.721371104404458;
/// z_1 ~ N(0, 1), z_t ~ N(A z_{t−1}, Q), x_t ~ N(z_t, R), by their variances.
const A: f64 = 0.9;
const Q: f64 = 0.4;
const R: f64 = 0.5;

/// What z_t is drawn from.
#[derive(Clone, Copy, PartialEq)]
enum Proposal {
    /// p(z_t | z_{t−1})
    Prior,
    /// p(z_t | z_{t−1}, x_t)
    Present,
    /// p(z_t | z_{t−1}, x_t, …, x_T), which is the posterior
    Future,
}

/// A linear model with normal noise. Of X and no other sequence: what is drawn from is its context.
struct Linear(Proposal);

impl Linear {
    /// Of every step: the prior's coefficient of z_{t−1} and its σ; q's coefficient, its mean at 0, its σ.
    fn context(&self) -> Vec<[f64; 5]> {
        let (mut precision, mut shift) = (0., 0.); // of p(x_{t+1..T} | z_t) as a function of z_t
        let step = |(t, x): (usize, &f64)| {
            let (a, variance) = if t == 0 { (0., 1.) } else { (A, Q) };
            let (j, g) = match self.0 {
                Proposal::Prior => (0., 0.),
                Proposal::Present => (1. / R, x / R),
                Proposal::Future => (1. / R + precision, x / R + shift),
            };
            precision = A * A * j / (1. + Q * j);
            shift = A * g / (1. + Q * j);
            let total = 1. / variance + j;
            [a, variance.sqrt(), a / variance / total, g / total, total.sqrt().recip()]
        };
        let mut steps: Vec<[f64; 5]> = X.iter().enumerate().rev().map(step).collect();
        steps.reverse();
        steps
    }

    /// q and p of z_t, from z_{t−1}.   context: (rows, 1, 5)
    fn latent<'t>(&self, context: Var<'t>, before: Var<'t>) -> [Normal<'t>; 2] {
        let number = |i| slice_channels(context, i, 1);
        let p = Normal { mean: number(0) * before, std: number(1) };
        let q = Normal { mean: number(2) * before + number(3), std: number(4) };
        [q, p]
    }
}

fn log_px<'t>(x: Var<'t>, z: Var<'t>) -> Var<'t> {
    let std = Tensor::zeros(z.value().shape()).map(|_| R.sqrt() as Real);
    normal_log_prob(x, z, z.tape().constant(std))
}

impl StepModel for Linear {
    fn context<'t>(&self, x: Var<'t>, _: &[usize]) -> Context<Var<'t>> {
        let (rows, ..) = x.value().btc("Linear");
        let one: Vec<Real> = self.context().concat().iter().map(|&x| x as Real).collect();
        let seen = vec![x.tape().constant(Tensor::new(&[rows, 5, 5], one.repeat(rows)))];
        Context { past: vec![], seen }
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, 1])]
    }

    fn step<'t>(
        &self,
        context: &Context<Var<'t>>,
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t> {
        let [q, p] = self.latent(context.seen[0], state[0]);
        let z = draw("z.1", q);
        Step { log_px: log_px(x, z), log_ratio: p.log_prob(z) - q.log_prob(z), state: vec![z] }
    }
}

impl Module for Linear {
    fn visit<'m>(&'m self, _: &mut dyn FnMut(&'m Param)) {}
    fn visit_mut<'m>(&'m mut self, _: &mut dyn FnMut(&'m mut Param)) {}
}

impl SequenceModel for Linear {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone());
        let context = StepModel::context(self, x, &batch.lengths).seen[0];
        let mut z = tape.constant(self.start(batch.lengths.len()).remove(0));
        let (mut px, mut kls) = (vec![], vec![]);
        for t in 0..5 {
            let [q, p] = self.latent(slice_time(context, t, 1), z);
            z = q.rsample_from(t, noise, "z.1", &batch.samples, 1.);
            px.push(log_px(slice_time(x, t, 1), z));
            kls.push(kl.of(q, p, z));
        }
        Elbo { log_px: concat(&px), kl: vec![concat(&kls)], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Lower
    }

    fn steps(&self) -> Option<&dyn StepModel> {
        Some(self)
    }

    fn sampler<'m>(&'m self, _: &[u64]) -> Box<dyn Sampler + 'm> {
        unreachable!("nothing is drawn here")
    }
}

/// X so many times, each with noise of its own.
fn copies(n: usize) -> Batch {
    let x: Vec<Real> = X.iter().map(|&x| x as Real).collect();
    Batch {
        x: Tensor::new(&[n, 5, 1], x.repeat(n)),
        lengths: vec![5; n],
        samples: (0..n as u64).collect(),
    }
}

fn noise() -> Noise {
    Noise::new(1, "bounds")
}

const ESS: (Resample, Ancestors) = (Resample::Ess, Ancestors::Multinomial);

/// The ELBO of every copy, IWAE-K, and FIVO-K as `how` says.
fn elbos(q: Proposal, n: usize, kl: Kl) -> Vec<f64> {
    let tape = Tape::inference();
    let elbo = Linear(q).elbo(&tape, &copies(n), &noise(), kl);
    let a = increments(&elbo, 1.).value();
    a.data().chunks(5).map(|row| row.iter().fold(0., |sum, &a| sum + f64::from(a))).collect()
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.);
    (mean, (variance / n).sqrt())
}

/// Within 4 standard errors, `known` being the error of `want` itself.
#[track_caller]
fn assert_mean(values: &[f64], want: f64, known: f64, what: &str) {
    let (mean, error) = mean_and_error(values);
    let error = (error * error + known * known).sqrt();
    println!("{what}: {mean:.4} ± {error:.4}, want {want:.4}");
    assert!((mean - want).abs() < 4. * error, "{what}: {mean} ± {error}, want {want}");
}

#[test]
fn a_kalman_filter_has_the_likelihood_that_the_bounds_are_held_to() {
    let (mut mean, mut variance, mut log_p) = (0., 1., 0.);
    for (t, x) in X.iter().enumerate() {
        if t > 0 {
            (mean, variance) = (A * mean, A * A * variance + Q);
        }
        let spread = variance + R;
        log_p -= 0.5 * ((x - mean) * (x - mean) / spread + (std::f64::consts::TAU * spread).ln());
        let gain = variance / spread;
        (mean, variance) = (mean + gain * (x - mean), (1. - gain) * variance);
    }
    assert!((log_p - LOG_P).abs() < 1e-14, "{log_p}");
}

#[test]
fn bounds_have_their_means_and_weights_are_unbiased() {
    // From the prior: ELBO exactly; the others are means of 10⁵ runs, measured once with errors ≤ 0.006.
    assert_mean(&elbos(Proposal::Prior, 20_000, Kl::Sampled), -11.7392893246235, 0., "ELBO");
    let known =
        [(4, -6.554, -6.287), (8, -6.062, -5.935), (16, -5.868, -5.818), (64, -5.754, -5.744)];
    let model = Linear(Proposal::Prior);
    for (k, iwae_mean, fivo_mean) in known {
        let batch = copies(80_000 / k);
        let (by_weights, per_step) = iwae(&model, &batch, &noise(), k);
        assert!(!per_step);
        let by_filter = fivo(&model, &batch, &noise(), k, ESS);
        assert_mean(&by_weights, iwae_mean, 0.006, &format!("IWAE-{k}"));
        assert_mean(&by_filter, fivo_mean, 0.006, &format!("FIVO-{k}"));
        for (values, name) in [(by_weights, "IWAE"), (by_filter, "FIVO")] {
            let ratios: Vec<f64> = values.iter().map(|l| (l - LOG_P).exp()).collect();
            assert_mean(&ratios, 1., 0., &format!("p̂/p by {name}-{k}"));
        }
    }
}

#[test]
fn other_ways_to_draw_particles_anew_are_unbiased_too() {
    let (model, batch) = (Linear(Proposal::Prior), copies(5000));
    for when in [Resample::Ess, Resample::Always, Resample::Never] {
        for how in [Ancestors::Multinomial, Ancestors::Systematic] {
            let values = fivo(&model, &batch, &noise(), 16, (when, how));
            let ratios: Vec<f64> = values.iter().map(|l| (l - LOG_P).exp()).collect();
            assert_mean(&ratios, 1., 0., &format!("{when:?} {how:?}"));
        }
    }
}

#[test]
fn a_proposal_that_sees_the_present_has_its_elbo_and_bounds_above_it() {
    let want = -5.955579188761793;
    let (drawn, integral) = (
        elbos(Proposal::Present, 20_000, Kl::Sampled),
        elbos(Proposal::Present, 20_000, Kl::Analytic),
    );
    assert_mean(&drawn, want, 0., "ELBO, sampled");
    assert_mean(&integral, want, 0., "ELBO, analytic");
    let model = Linear(Proposal::Present);
    let by_weights = mean_and_error(&iwae(&model, &copies(5000), &noise(), 8).0);
    let by_filter = mean_and_error(&fivo(&model, &copies(5000), &noise(), 8, ESS));
    for (mean, error) in [by_weights, by_filter] {
        assert!(mean > want + 10. * error && mean < LOG_P + 4. * error, "{mean} ± {error}");
    }
}

#[test]
fn drawn_from_the_posterior_every_weight_is_the_likelihood_whatever_is_drawn() {
    // In f32, fifteen logarithms of up to 10 nats, each rounded a few times by 2⁻²⁴ of itself.
    let tolerance = if cfg!(feature = "f64") { 1e-12 } else { 5e-5 };
    let model = Linear(Proposal::Future);
    let never = (Resample::Never, Ancestors::Multinomial);
    let mut values = elbos(Proposal::Future, 200, Kl::Sampled);
    for k in [1, 2, 7] {
        values.extend(iwae(&model, &copies(100), &noise(), k).0);
        values.extend(fivo(&model, &copies(100), &noise(), k, never));
    }
    for value in values {
        assert!((value - LOG_P).abs() < tolerance, "{value}");
    }
    // A filter that draws anew weighs particles by what they were so far, and is unbiased only in the mean.
    let always = (Resample::Always, Ancestors::Multinomial);
    let values = fivo(&model, &copies(5000), &noise(), 8, always);
    assert!(mean_and_error(&values).1 > 1e-3);
    let ratios: Vec<f64> = values.iter().map(|l| (l - LOG_P).exp()).collect();
    assert_mean(&ratios, 1., 0., "posterior, always");
}

#[test]
fn every_particle_has_noise_of_its_own_and_the_first_that_of_the_elbo() {
    assert_eq!(addresses(&[3, 9], 1), [3, 9]);
    let all = addresses(&[3, 9, (1 << 26) - 1], MOST_PARTICLES);
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 3 * MOST_PARTICLES);
    assert!(all.iter().all(|&address| address < 1 << 36), "beyond what noise has");
    let one = fivo(&Linear(Proposal::Prior), &copies(9), &noise(), 1, ESS);
    assert_eq!(one, elbos(Proposal::Prior, 9, Kl::Sampled));
    assert_eq!(one, iwae(&Linear(Proposal::Prior), &copies(9), &noise(), 1).0);
    let two = |how| {
        fivo(&Linear(Proposal::Prior), &copies(9), &noise(), 2, (how, Ancestors::Multinomial))
    };
    assert_eq!(
        two(Resample::Ess),
        two(Resample::Never),
        "half of two is one, and less there is not"
    );
}
