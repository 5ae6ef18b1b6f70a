//! A particle filter over the sequences of a batch: K particles each, their weights, and resampling.
//!
//! Gradients flow through its steps on a recording tape. Not here: bounds from the weights (`bounds`, `objective`).

use crate::data::Batch;
use crate::dist::Normal;
use crate::kernel::{
    math::{exp_f64, ln_f64},
    reduce::log_mean,
};
use crate::models::{Context, Step, StepModel};
use crate::noise::Noise;
use crate::ops::{affine, gather_rows, rsample, slice_time};
use crate::parallel;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};

/// The most particles of one sequence: a particle's number is in the upper bits of its noise address.
pub const MOST_PARTICLES: usize = 1 << 10;

/// The noise address of each particle, row k·B + b. Particle 0 has the address of its sequence, so that with K = 1 the
/// draws are those of the ELBO. The order of sequences in the batch does not matter.
pub fn addresses(samples: &[u64], particles: usize) -> Vec<u64> {
    assert!(particles <= MOST_PARTICLES, "{particles} particles: want {MOST_PARTICLES} at most");
    (0..particles as u64).flat_map(|k| samples.iter().map(move |b| b + (k << 26))).collect()
}

/// Every sequence K times, row k·B + b.
pub fn tiled(batch: &Batch, particles: usize) -> Batch {
    let (b, t, c) = batch.x.btc("tiled");
    Batch {
        x: Tensor::new(&[particles * b, t, c], batch.x.data().repeat(particles)),
        lengths: batch.lengths.repeat(particles),
        samples: addresses(&batch.samples, particles),
    }
}

/// When the particles of a sequence are resampled. Never after its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Where the effective sample size is at most half: `(Σ w)² / Σ w² ≤ K/2`.
    Ess,
    /// Never: the estimate is then IWAE's.
    Never,
    /// After every step.
    Always,
}

/// How ancestors are drawn, in proportion to the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestors {
    /// Independently.
    Multinomial,
    /// Evenly spaced from one uniform number: the count of each differs from its expectation by less than 1.
    Systematic,
}

/// K particles of every sequence of a batch, row k·B + b, between two steps.
pub struct Particles {
    noise: Noise,
    samples: Vec<u64>,
    /// The sequence (row of the batch) of each particle.
    sequence: Vec<usize>,
    /// Their weights, and the estimate of the likelihood.
    pub filter: Filter,
}

impl Particles {
    /// Before the first step.
    pub fn new(batch: &Batch, noise: &Noise, particles: usize, how: (Resample, Ancestors)) -> Self {
        let (noise, samples) = (*noise, addresses(&batch.samples, particles));
        let sequences = batch.lengths.len();
        let sequence = (0..samples.len()).map(|row| row % sequences).collect();
        let filter = Filter::new(particles, batch.lengths.clone(), how);
        Self { noise, samples, sequence, filter }
    }

    /// K·B.
    pub fn rows(&self) -> usize {
        self.samples.len()
    }

    /// Step t of all particles: a_t with `weight` before its KL term, and the state of each particle's ancestor
    /// for the next step.   context, x: (B, T, ·), state: (K·B, ·, ·), a_t: (K·B, 1)
    pub fn step<'t>(
        &mut self,
        model: &dyn StepModel,
        context: &Context<Var<'t>>,
        x: Var<'t>,
        state: &[Var<'t>],
        t: usize,
        weight: f64,
    ) -> (Var<'t>, Vec<Var<'t>>) {
        let now = |x: Var<'t>| gather_rows(slice_time(x, t, 1), &self.sequence);
        let context = context.map(|&c| now(c));
        let draw = |name: &str, q: Normal<'t>| self.draw(name, q, t);
        let Step { log_px, log_ratio, state } = model.step(&context, now(x), state, &draw);
        let a = log_px + affine(log_ratio, weight as Real, 0.);
        let Some(from) = self.filter.advance(t, a.value().data(), &self.noise, &self.samples)
        else {
            return (a, state);
        };
        let rows = from.iter().map(|&row| row as Real).collect();
        let rows = a.tape().constant(Tensor::new(&[from.len()], rows));
        rows.named(&format!("ancestors.{}", t + 1)); // for inspection
        (a, state.into_iter().map(|x| gather_rows(x, &from)).collect())
    }

    /// A draw with the same noise as step t of a pass over whole sequences.
    fn draw<'t>(&self, name: &str, q: Normal<'t>, t: usize) -> Var<'t> {
        let (rows, _, c) = q.mean.value().btc("draw");
        let mut epsilon = Tensor::scratch(&[rows, 1, c]);
        parallel::rows([epsilon.data_mut()], [c], 1, |range, [row]| {
            self.noise.normals(name, self.samples[range.start], (t * c) as u64, row);
        });
        let name = format!("{name}.{}", t + 1);
        let epsilon = q.mean.tape().constant(epsilon).named(&format!("noise.{name}"));
        rsample(q.mean, q.std, epsilon).named(&name)
    }
}

/// The bookkeeping of a filter, in f64: weights since the last resampling, and the estimate of `ln p(x)` so far.
pub struct Filter {
    particles: usize,
    lengths: Vec<usize>,
    how: (Resample, Ancestors),
    /// Log-weights, row k·B + b.
    weights: Vec<f64>,
    /// `ln p̂(x_{≤t})` of every sequence.
    pub values: Vec<f64>,
    /// The steps of every sequence up to which a mean of weights was taken: at each resampling and at its end.
    pub ends: Vec<Vec<usize>>,
}

impl Filter {
    /// Equal weights.
    pub fn new(particles: usize, lengths: Vec<usize>, how: (Resample, Ancestors)) -> Self {
        let n = lengths.len();
        let (weights, values, ends) = (vec![0.; particles * n], vec![0.; n], vec![vec![]; n]);
        Self { particles, lengths, how, weights, values, ends }
    }

    /// Adds a_t to the weights, resamples where due, and returns each row's ancestor, or `None` if no sequence was
    /// resampled. Uniform numbers come from the address ("ancestor", sequence, t). A sequence that has ended keeps
    /// its values.
    pub fn advance(
        &mut self,
        t: usize,
        a: &[Real],
        noise: &Noise,
        samples: &[u64],
    ) -> Option<Vec<usize>> {
        let (count, n) = (self.particles, self.lengths.len());
        let mut from: Option<Vec<usize>> = None;
        for b in (0..n).filter(|&b| t < self.lengths[b]) {
            let rows = || (0..count).map(|k| k * n + b);
            rows().for_each(|row| self.weights[row] += f64::from(a[row]));
            let weights: Vec<f64> = rows().map(|row| self.weights[row]).collect();
            let last = t + 1 == self.lengths[b];
            let due = match self.how.0 {
                Resample::Ess => log_ess(&weights) <= ln_f64(count as f64 / 2.),
                Resample::Never => false,
                Resample::Always => true,
            };
            if !last && !due {
                continue;
            }
            self.values[b] += log_mean(&weights);
            self.ends[b].push(t + 1);
            if !last {
                let from = from.get_or_insert_with(|| (0..count * n).collect());
                let chosen = self.ancestors(&weights, t, noise, samples[b]);
                rows().zip(chosen).for_each(|(row, k)| from[row] = k * n + b);
                rows().for_each(|row| self.weights[row] = 0.);
            }
        }
        from
    }

    /// K ancestors of one sequence, drawn in proportion to their weights.
    fn ancestors(&self, weights: &[f64], t: usize, noise: &Noise, sample: u64) -> Vec<usize> {
        let count = self.particles;
        let mut uniform = vec![0.; count];
        noise.uniforms("ancestor", sample, (t * count) as u64, &mut uniform);
        let log_mean = log_mean(weights);
        let mut sum = 0.;
        let up_to: Vec<f64> = weights
            .iter()
            .map(|w| {
                sum += exp_f64(w - log_mean);
                sum
            })
            .collect();
        let place = |k: usize| match self.how.1 {
            Ancestors::Multinomial => f64::from(uniform[k]) * sum,
            Ancestors::Systematic => (k as f64 + f64::from(uniform[0])) / count as f64 * sum,
        };
        let found = |place: f64| up_to.iter().position(|&up_to| place < up_to);
        (0..count).map(|k| found(place(k)).unwrap_or(count - 1)).collect()
    }
}

/// `ln (Σ w)² / Σ w²`: the logarithm of the effective sample size, which lies between 1 and K.
pub fn log_ess(log_weights: &[f64]) -> f64 {
    let squares: Vec<f64> = log_weights.iter().map(|w| 2. * w).collect();
    2. * log_mean(log_weights) - log_mean(&squares) + ln_f64(log_weights.len() as f64)
}
