//! Bounds by many draws: importance weights, and the particle filter.
//!
//! A weight's logarithm is `Σ_t a_t`, where `a_t = ln p(x_t, z_t | ·) − ln q(z_t | ·)` of one draw of the
//! latents. IWAE is the logarithm of the mean of K weights (Burda et al. 2016); FIVO lets those draws, now
//! particles, be drawn anew on the way where few carry the weight (Maddison et al. 2017). Facts: rivals.md
//! §10, stcn.md §11. Not here: the ELBO and standard errors (`evaluate`), and which of the bounds is learnt
//! from (`objective`).

use crate::data::Batch;
use crate::dist::Normal;
use crate::kernel::{
    math::{exp_f64, ln_f64},
    reduce::log_mean,
};
use crate::models::{Elbo, Kl, SequenceModel, Step, StepModel};
use crate::noise::Noise;
use crate::ops::{affine, gather_rows, rsample, slice_time};
use crate::parallel;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// The most particles of one sequence: their numbers are the upper bits of their noise's address.
pub const MOST_PARTICLES: usize = 1 << 10;

/// Whose noise each particle has, row k·B + b: its own, that of the sequence itself for k = 0, wherever the
/// sequence stands in a batch.
pub fn addresses(samples: &[u64], particles: usize) -> Vec<u64> {
    assert!(particles <= MOST_PARTICLES, "{particles} particles: want {MOST_PARTICLES} at most");
    (0..particles as u64).flat_map(|k| samples.iter().map(move |b| b + (k << 26))).collect()
}

/// Every sequence as many times as there are particles, row k·B + b.
pub fn tiled(batch: &Batch, particles: usize) -> Batch {
    let (b, t, c) = batch.x.btc("tiled");
    Batch {
        x: Tensor::new(&[particles * b, t, c], batch.x.data().repeat(particles)),
        lengths: batch.lengths.repeat(particles),
        samples: addresses(&batch.samples, particles),
    }
}

/// `Σ_{t < len} x_{b,t}` of every sequence, in f64 over time.   x: (B, T)
pub fn per_sequence(x: &Tensor, lengths: &[usize]) -> Vec<f64> {
    let rows = x.data().chunks_exact(x.cols()).zip(lengths);
    rows.map(|(row, &len)| row[..len].iter().fold(0., |sum, &x| sum + x as f64)).collect()
}

/// `ln p(x_t | ·) − w Σ_l KL_l`: a_t where w = 1 and the divergence is that of the draw.   (B, T)
pub fn increments<'t>(elbo: &Elbo<'t>, weight: f64) -> Var<'t> {
    let Some((&first, others)) = elbo.kl.split_first() else { return elbo.log_px };
    let kl = others.iter().fold(first, |sum, &kl| sum + kl);
    elbo.log_px - affine(kl, weight as Real, 0.)
}

/// Whether the steps of x are independent given the steps before them, so that each has weights of its own.
pub fn has_weights_per_step(model: &dyn SequenceModel, channels: usize) -> bool {
    let one = Tensor::zeros(&[1, 1, channels]);
    let one = Batch { x: one, lengths: vec![1], samples: vec![0] };
    model.importance_weights(&one, &Noise::new(0, "probe"), 0).is_some()
}

/// IWAE-K of every sequence, and whether the mean was taken of the weights of each step, which is tighter and
/// only possible where steps are independent, or of those of whole sequences.
pub fn iwae(
    model: &dyn SequenceModel,
    batch: &Batch,
    noise: &Noise,
    particles: usize,
) -> (Vec<f64>, bool) {
    if let Some(weights) = model.importance_weights(batch, noise, particles) {
        let mut means = Tensor::zeros(weights[0].shape());
        for (i, mean) in means.data_mut().iter_mut().enumerate() {
            let of_step: Vec<f64> = weights.iter().map(|w| f64::from(w.data()[i])).collect();
            *mean = log_mean(&of_step) as Real;
        }
        return (per_sequence(&means, &batch.lengths), true);
    }
    let sequences = batch.lengths.len();
    let rows = addresses(&batch.samples, particles);
    let weights: Vec<Vec<f64>> = rows
        .chunks(sequences)
        .map(|samples| {
            let batch = Batch { samples: samples.to_vec(), ..batch.clone() };
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &batch, noise, Kl::Sampled);
            per_sequence(&increments(&elbo, 1.).value(), &batch.lengths)
        })
        .collect();
    let of = |b: usize| weights.iter().map(|of_particle| of_particle[b]).collect::<Vec<_>>();
    ((0..sequences).map(|b| log_mean(&of(b))).collect(), false)
}

/// FIVO-K of every sequence. A step is one pass of all particles; of earlier steps only the state is kept.
pub fn fivo(
    model: &dyn StepModel,
    batch: &Batch,
    noise: &Noise,
    particles: usize,
    how: (Resample, Ancestors),
) -> Vec<f64> {
    let mut cloud = Cloud::new(batch, noise, particles, how);
    let tape = Tape::inference();
    let context = model.context(tape.constant(batch.x.clone()), &batch.lengths);
    let context: Vec<Tensor> = context.into_iter().map(Var::value).collect();
    drop(tape);
    let mut state = model.start(cloud.samples.len());
    for t in 0..batch.x.shape()[1] {
        let tape = Tape::inference();
        let on_tape =
            |x: &[Tensor]| -> Vec<Var> { x.iter().map(|x| tape.constant(x.clone())).collect() };
        let x = tape.constant(batch.x.clone());
        let (_, next) = cloud.step(model, &on_tape(&context), x, &on_tape(&state), t, 1.);
        state = next.into_iter().map(Var::value).collect();
    }
    cloud.filter.values
}

/// When the particles of a sequence are drawn anew. Never after its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Where no more than half of them carry weight: `(Σ w)² / Σ w² ≤ K/2`.
    Ess,
    /// IWAE, by another way.
    Never,
    /// After every step.
    Always,
}

/// How they are drawn, in proportion to their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestors {
    /// Each by itself.
    Multinomial,
    /// All by one uniform number, evenly spaced: any is drawn as often as it should be, within one.
    Systematic,
}

/// K particles of every sequence of a batch under way, row k·B + b.
pub struct Cloud {
    noise: Noise,
    samples: Vec<u64>,
    /// The row of the batch that each belongs to.
    sequence: Vec<usize>,
    /// Their weights.
    pub filter: Filter,
}

impl Cloud {
    /// Before the first step.
    pub fn new(batch: &Batch, noise: &Noise, particles: usize, how: (Resample, Ancestors)) -> Self {
        let (noise, samples) = (*noise, addresses(&batch.samples, particles));
        let sequences = batch.lengths.len();
        let sequence = (0..samples.len()).map(|row| row % sequences).collect();
        let filter = Filter::new(particles, batch.lengths.clone(), how);
        Self { noise, samples, sequence, filter }
    }

    /// How many, of all sequences together.
    pub fn rows(&self) -> usize {
        self.samples.len()
    }

    /// Step t of all: a_t, (K·B, 1), with `weight` before what was paid for the latents, and the state that
    /// each goes on from.   context, x: (B, T, ·), state: (K·B, ·, ·)
    pub fn step<'t>(
        &mut self,
        model: &dyn StepModel,
        context: &[Var<'t>],
        x: Var<'t>,
        state: &[Var<'t>],
        t: usize,
        weight: f64,
    ) -> (Var<'t>, Vec<Var<'t>>) {
        let now = |x: Var<'t>| gather_rows(slice_time(x, t, 1), &self.sequence);
        let context: Vec<Var> = context.iter().map(|&c| now(c)).collect();
        let draw = |name: &str, q: Normal<'t>| self.draw(name, q, t);
        let Step { log_px, log_ratio, state } = model.step(&context, now(x), state, &draw);
        let a = log_px + affine(log_ratio, weight as Real, 0.);
        let Some(from) = self.filter.advance(t, a.value().data(), &self.noise, &self.samples)
        else {
            return (a, state);
        };
        let rows = from.iter().map(|&row| row as Real).collect();
        let rows = a.tape().constant(Tensor::new(&[from.len()], rows));
        rows.named(&format!("ancestors.{}", t + 1)); // for whoever looks at the tape
        (a, state.into_iter().map(|x| gather_rows(x, &from)).collect())
    }

    /// From the noise that a pass over whole sequences has at step t.
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

/// The bookkeeping of a filter, in f64: weights since they were last drawn anew, and what is known of `ln p`.
pub struct Filter {
    particles: usize,
    lengths: Vec<usize>,
    how: (Resample, Ancestors),
    /// Logarithms, row k·B + b.
    weights: Vec<f64>,
    /// `ln p̂(x)` of every sequence, as far as it is.
    pub values: Vec<f64>,
    /// The steps of every sequence before which a mean of weights was taken, its end included.
    pub ends: Vec<Vec<usize>>,
}

impl Filter {
    /// Equal weights.
    pub fn new(particles: usize, lengths: Vec<usize>, how: (Resample, Ancestors)) -> Self {
        let n = lengths.len();
        let (weights, values, ends) = (vec![0.; particles * n], vec![0.; n], vec![vec![]; n]);
        Self { particles, lengths, how, weights, values, ends }
    }

    /// Takes a_t of every row, and gives the row that each goes on from, if any is another. Uniform numbers
    /// come from the address ("ancestor", sequence, t). A sequence that has ended keeps what it has.
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

    /// One particle each, in proportion to its weight.
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

/// `ln (Σ w)² / Σ w²`: the logarithm of how many particles carry the weight, from 1 to all.
pub fn log_ess(log_weights: &[f64]) -> f64 {
    let squares: Vec<f64> = log_weights.iter().map(|w| 2. * w).collect();
    2. * log_mean(log_weights) - log_mean(&squares) + ln_f64(log_weights.len() as f64)
}
