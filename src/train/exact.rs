//! Models whose likelihood is known, by which bounds are checked, in tests and by `stcn verify --bounds`.
//!
//! [`LinearGaussian`]: `z_1 ~ N(0, 1)`, `z_t ~ N(A z_{t−1}, Q)`, `x_t ~ N(z_t, R)`, by their variances. ln p(x) is that of a Kalman filter (Kalman
//! 1960), and the posterior is normal, so what z_t is drawn from can be the prior, the posterior, or something between.
//!
//! [`Spikes`]: a density that claims more than is possible of data on a grid, unless these are dequantised.

use crate::data::Batch;
use crate::dist::Normal;
use crate::kernel::math::ln_f64;
use crate::kernel::reduce::log_mean;
use crate::models::{Bound, Context, Elbo, Kl, Sampler, SequenceModel, Step, StepModel};
use crate::nn::Module;
use crate::noise::Noise;
use crate::ops::{concat, normal_log_prob, slice_channels, slice_time};
use crate::tape::{Param, Tape, Var};
use crate::tensor::{Real, Tensor};

/// The sequence.
pub const X: [f64; 5] = [0.3, -0.2, 0.8, 1.1, 0.4];
const A: f64 = 0.9;
const Q: f64 = 0.4;
const R: f64 = 0.5;

/// `ln p(X)`, by a Kalman filter.
pub fn log_likelihood() -> f64 {
    let (mut mean, mut variance, mut log_p) = (0., 1., 0.);
    for (t, x) in X.iter().enumerate() {
        if t > 0 {
            (mean, variance) = (A * mean, A * A * variance + Q);
        }
        let spread = variance + R;
        log_p -= 0.5 * ((x - mean) * (x - mean) / spread + ln_f64(std::f64::consts::TAU * spread));
        let gain = variance / spread;
        (mean, variance) = (mean + gain * (x - mean), (1. - gain) * variance);
    }
    log_p
}

/// What z_t is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// p(z_t | z_{t−1})
    Prior,
    /// p(z_t | z_{t−1}, x_t)
    Present,
    /// p(z_t | z_{t−1}, x_t, …, x_T), which is the posterior
    Future,
}

/// The model. Of [`X`] and no other sequence: what is drawn from is its context.
pub struct LinearGaussian(pub Proposal);

impl LinearGaussian {
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

impl StepModel for LinearGaussian {
    fn context<'t>(&self, x: Var<'t>, _: &[usize]) -> Context<Var<'t>> {
        let (rows, ..) = x.value().btc("LinearGaussian");
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

impl Module for LinearGaussian {
    fn visit<'m>(&'m self, _: &mut dyn FnMut(&'m Param)) {}
    fn visit_mut<'m>(&'m mut self, _: &mut dyn FnMut(&'m mut Param)) {}
}

impl SequenceModel for LinearGaussian {
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
        unreachable!("nothing is sampled from it")
    }
}

/// [`X`] n times, each with noise of its own.
pub fn copies(n: usize) -> Batch {
    let x: Vec<Real> = X.iter().map(|&x| x as Real).collect();
    Batch {
        x: Tensor::new(&[n, 5, 1], x.repeat(n)),
        lengths: vec![5; n],
        samples: (0..n as u64).collect(),
    }
}

/// The values of a fair die, whose entropy is ln 6.
pub const DIE: usize = 6;

/// `p(x) = 1/6 Σ_k N(x; k, σ²)`, k = 0 … 5: for a small σ a density as large as one likes at every value of a die.
pub struct Spikes {
    /// σ
    pub std: f64,
}

impl Module for Spikes {
    fn visit<'m>(&'m self, _: &mut dyn FnMut(&'m Param)) {}
    fn visit_mut<'m>(&'m mut self, _: &mut dyn FnMut(&'m mut Param)) {}
}

impl SequenceModel for Spikes {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, _: &Noise, _: Kl) -> Elbo<'t> {
        let log_density = |&x: &Real| {
            let logs: [f64; DIE] = std::array::from_fn(|k| {
                let z = (f64::from(x) - k as f64) / self.std;
                -0.5 * (z * z + ln_f64(std::f64::consts::TAU)) - ln_f64(self.std)
            });
            log_mean(&logs) as Real
        };
        let rows = batch.x.data().iter().map(log_density).collect();
        let log_px = tape.constant(Tensor::new(&batch.x.shape()[..2], rows));
        Elbo { log_px, kl: vec![], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Exact
    }

    fn sampler<'m>(&'m self, _: &[u64]) -> Box<dyn Sampler + 'm> {
        unreachable!("nothing is sampled from it")
    }
}
