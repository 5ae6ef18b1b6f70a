//! Evaluation of a model on a split: ELBO, IWAE and FIVO with their standard errors.

use super::bounds::{Sums, fivo, has_weights_per_step, iwae};
use super::config::{Config, Objective, TrainConfig};
use super::particles::{Ancestors, MOST_PARTICLES, Resample};
use super::ranks::{Crew, Map, Others};
use crate::data::{Batch, DataSet, Dequantise, Limit, Normalisation, Split, Window, by_length};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::math::ln_f64;
use crate::models::{Bound, Kl, SequenceModel, addresses, of_draws};
use crate::noise::Noise;
use serde::{Deserialize, Serialize};

/// The results on one split, in nats of normalised data; `_seq`: per sequence, `_step`: per step.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Number of sequences.
    pub sequences: usize,
    /// Number of steps of all sequences together.
    pub steps: usize,
    /// Number of independent draws of all latents that the ELBO is averaged over.
    pub draws: usize,
    /// Mean over sequences of the mean over draws of `ln p(x|z) − KL`.
    pub elbo_seq: f64,
    /// Its standard error over sequences; `None` for a single one.
    pub elbo_se: Option<f64>,
    /// The standard error due to the draws alone, which more draws would reduce. `None` for a single draw.
    pub elbo_se_draws: Option<f64>,
    /// The sum over all sequences divided by the number of all steps.
    pub elbo_step: f64,
    /// The mean over sequences of each one's mean per step, which some papers on music report.
    pub elbo_step_mean: f64,
    /// `E_q ln p(x | z)`
    pub log_px_seq: f64,
    /// One KL per latent, z^1 first.
    pub kl: Vec<f64>,
    /// IWAE, if asked for.
    pub iwae: Option<Weighted>,
    /// Whether its mean over draws was taken at each step rather than over whole sequences: tighter, and valid only
    /// where steps are independent given those before.
    pub iwae_per_step: bool,
    /// FIVO, if asked for.
    pub fivo: Option<Weighted>,
    /// Bits per channel for a cell one raw unit wide: the negative ELBO with the normalisation undone.
    pub bits_per_dim: f64,
    /// Whether the ELBO is exact, a lower bound, or neither.
    pub bound: Bound,
    /// The ELBO of every sequence, mean over draws, in the order of the data set.
    pub per_sequence: Vec<f64>,
}

impl Evaluation {
    /// The advantage over `other` on the same sequences: the mean of the paired differences of their bounds, and its
    /// standard error over sequences (`None` for a single one).
    ///
    /// # Panics
    /// If the numbers of sequences differ.
    pub fn paired_difference(&self, other: &Evaluation) -> (f64, Option<f64>) {
        assert_eq!(self.sequences, other.sequences, "paired_difference: want the same sequences");
        let pairs = self.per_sequence.iter().zip(&other.per_sequence);
        let differences: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
        let sum = differences.iter().fold(0., |sum, x| sum + x);
        (sum / differences.len() as f64, standard_error(&differences))
    }
}

/// A bound from the weights of K draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// K: number of draws or particles.
    pub k: usize,
    /// Mean over sequences.
    pub seq: f64,
    /// Its standard error over sequences; `None` for a single one.
    pub se: Option<f64>,
    /// The sum over all sequences divided by the number of all steps.
    pub step: f64,
    /// The mean over sequences of each one's mean per step.
    pub step_mean: f64,
    /// The bound of every sequence, in the order of the data set.
    pub per_sequence: Vec<f64>,
}

impl Weighted {
    /// Of the bounds of sequences; `None` for K = 0.
    pub(super) fn new(k: usize, per_sequence: Vec<f64>, lengths: &[usize]) -> Option<Self> {
        let sum = per_sequence.iter().fold(0., |sum, x| sum + x);
        (k > 0).then(|| Self {
            k,
            seq: sum / per_sequence.len() as f64,
            se: standard_error(&per_sequence),
            step: sum / lengths.iter().sum::<usize>() as f64,
            step_mean: step_mean(&per_sequence, lengths),
            per_sequence,
        })
    }
}

/// What to evaluate, and with how many draws.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The split.
    pub split: Split,
    /// At most this many of its sequences, chosen by `seed`; 0: all.
    pub sequences: usize,
    /// Draws of the latents for the ELBO; a model without latents is evaluated with one.
    pub draws: usize,
    /// Draws for IWAE; 0 leaves it out.
    pub iwae: usize,
    /// Particles for FIVO; 0 leaves it out.
    pub fivo: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Dequantised copies of the data to average over; `None`: the data as they are.
    pub copies: Option<Copies>,
}

impl Plan {
    /// All of `split`, with one draw by seed 1, and no other bound than the ELBO.
    pub fn new(split: Split) -> Self {
        Self { split, sequences: 0, draws: 1, iwae: 0, fivo: 0, seed: 1, copies: None }
    }

    /// That of the checks during training.
    pub(super) fn of_check(config: &Config) -> Self {
        let TrainConfig { objective, particles, valid_sequences, .. } = config.train;
        let particles = |of| if objective == of { particles } else { 0 };
        let (iwae, fivo) = (particles(Objective::Iwae), particles(Objective::Fivo));
        let real = config.model.obs.real_channels();
        let copies = config.data.dequantise.then(|| Copies::new(1, real));
        let (sequences, seed) = (valid_sequences, config.seed);
        Self { sequences, iwae, fivo, seed, copies, ..Self::new(Split::Valid) }
    }

    /// The sequences to evaluate, in the order of the data.
    pub fn samples(&self, set: &DataSet) -> Vec<usize> {
        let all = set.split(self.split);
        if self.sequences == 0 {
            return all.to_vec();
        }
        let mut chosen = Noise::new(self.seed, "evaluate").shuffle("sequences", all.len());
        chosen.truncate(self.sequences);
        chosen.sort();
        chosen.into_iter().map(|i| all[i]).collect()
    }
}

/// Copies of the data, each dequantised by its own noise, which is the same for every model and seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    count: usize,
    real_channels: usize,
}

impl Copies {
    /// The number of copies behind every reported number.
    pub const REPORTED: usize = 4;

    /// `count` copies with noise in the first `real_channels` channels.
    pub fn new(count: usize, real_channels: usize) -> Self {
        Self { count, real_channels }
    }

    pub(super) fn noise(self, copy: usize) -> Dequantise {
        Dequantise::new(Noise::new(0, "evaluate").at(copy as u64), self.real_channels)
    }
}

/// The largest batch of an evaluation, in sequences and padded steps; a longer sequence is evaluated alone.
pub(super) const LIMIT: Limit = Limit { sequences: 32, steps: 4 * 1024 };

/// The most draws of the ELBO, and of IWAE where every step has its own weights.
const MOST_DRAWS: usize = 1 << 16;

/// Draws whose terms are held at the same time …
const DRAWS_AT_ONCE: usize = 64;

/// … and how many sequences of so many steps, if all draws have a number for every step.
pub(super) fn with_draws(draws: usize, steps: usize) -> usize {
    (DRAWS_AT_ONCE * LIMIT.steps / draws / steps).max(1)
}

/// Whether IWAE is averaged at each step. Refuses bounds that the model does not have, and too many draws.
fn check_draws(model: &dyn SequenceModel, plan: Plan, channels: usize) -> Result<bool> {
    let per_step = plan.iwae > 0 && has_weights_per_step(model, channels);
    for (name, asked, most) in [
        ("draws", plan.draws, MOST_DRAWS),
        ("iwae", plan.iwae, if per_step { MOST_DRAWS } else { MOST_PARTICLES }),
        ("fivo", plan.fivo, MOST_PARTICLES),
    ] {
        if asked > most {
            return Err(Error::usage(format!(
                "--{name} {asked}: want {most} at most for this model"
            )));
        }
    }
    if plan.fivo == 0 || model.steps().is_some() {
        return Ok(per_step);
    }
    let missing = match model.bound() {
        Bound::Exact => {
            "this model has no latents, and its log-likelihood is exact: leave --fivo out"
        }
        _ => {
            "this model has no step-by-step form, or draws a latent more than once: use --iwae instead"
        }
    };
    Err(Error::usage(format!("--fivo: {missing}")))
}

/// Evaluates `model`; calls `progress` with the fraction done, from 0 to 1. Fails if the data can no longer be read,
/// if the model does not have the bound, or if the bound of a sequence is not finite.
pub fn evaluate(
    model: &dyn SequenceModel,
    set: &DataSet,
    normalisation: &Normalisation,
    plan: Plan,
    progress: impl FnMut(f64),
) -> Result<Evaluation> {
    evaluate_on(Others::NONE, model, set, normalisation, plan, progress)
}

/// The same on several processes, with the same digits.
pub fn evaluate_on(
    others: Others,
    model: &dyn SequenceModel,
    set: &DataSet,
    normalisation: &Normalisation,
    plan: Plan,
    mut progress: impl FnMut(f64),
) -> Result<Evaluation> {
    let draws = if model.bound() == Bound::Exact { 1 } else { plan.draws.max(1) };
    let iwae_per_step = check_draws(model, plan, set.channels())?;
    let seed = plan.seed;
    let crew = Crew::new(others, model);
    let samples = plan.samples(set);
    let lengths: Vec<_> = samples.iter().map(|&i| set.length(i)).collect();
    let (sequences, steps) = (samples.len(), lengths.iter().sum::<usize>());
    let copies = plan.copies.map_or(1, |copies| copies.count);
    let mut found = BySequence::new(sequences, draws, copies);
    let mut done = 0;
    let count = sequences as f64;
    for places in by_length(set, &samples, LIMIT) {
        let windows: Vec<Window> = places.iter().map(|&i| Window::whole(set, samples[i])).collect();
        for copy in 0..copies {
            let dequantise = plan.copies.map(|copies| copies.noise(copy));
            let batch = Batch::new(set, normalisation, &windows, dequantise)?;
            let of_draws = (0..draws).step_by(DRAWS_AT_ONCE).flat_map(|first| {
                let now = DRAWS_AT_ONCE.min(draws - first);
                let job = OfElbo { seed, first: (copy * draws + first) as u64, draws: now };
                joined(crew.map(&batch, &job))
            });
            of_draws.enumerate().for_each(|(draw, pass)| found.add_pass(draw, &places, &pass));
            let step = (copy * plan.iwae.max(1)) as u64;
            for (fivo, particles) in [(false, plan.iwae), (true, plan.fivo)] {
                if particles == 0 {
                    continue;
                }
                let at_once = match fivo {
                    true => (LIMIT.steps / particles).max(1), // as many rows of a step as a pass has
                    false => with_draws(particles, batch.x.shape()[1]),
                };
                let of = OfParticles { fivo, seed, step, particles };
                for (i, places) in places.chunks(at_once).enumerate() {
                    let part = batch.slice(i * at_once..i * at_once + places.len());
                    found.add_bound(fivo, places, &crew.map(&part, &of).concat());
                }
            }
        }
        done += places.len();
        progress(done as f64 / count);
    }
    let name = if model.bound() == Bound::Exact { "log-likelihood" } else { "ELBO" };
    found.refuse_non_finite(name, set, &samples)?;
    let BySequence { objectives, by_draw, log_px, kl, iwae, fivo, .. } = found;
    let sum = |values: &[f64]| values.iter().fold(0., |sum, x| sum + x);
    let mean = |values: &Vec<f64>| sum(values) / count;
    let total = sum(&objectives);
    let by_draw: Vec<f64> = by_draw.iter().map(mean).collect();
    let nats = total / steps as f64 - normalisation.log_std_sum(ln_f64); // of a cell of raw units
    Ok(Evaluation {
        sequences,
        steps,
        draws,
        elbo_seq: total / count,
        elbo_se: standard_error(&objectives),
        elbo_se_draws: standard_error(&by_draw),
        elbo_step: total / steps as f64,
        elbo_step_mean: step_mean(&objectives, &lengths),
        log_px_seq: mean(&log_px),
        kl: kl.iter().map(mean).collect(),
        iwae: Weighted::new(plan.iwae, iwae, &lengths),
        iwae_per_step,
        fivo: Weighted::new(plan.fivo, fivo, &lengths),
        bits_per_dim: -nats / (std::f64::consts::LN_2 * set.channels() as f64),
        bound: model.bound(),
        per_sequence: objectives,
    })
}

/// Means over draws and copies of every sequence, in the order of the data, whatever the order of the batches: so are
/// the sums at the end.
struct BySequence {
    copies: f64,
    objectives: Vec<f64>,
    /// The objective of each draw, mean over copies.
    by_draw: Vec<Vec<f64>>,
    log_px: Vec<f64>,
    /// Of each latent.
    kl: Vec<Vec<f64>>,
    iwae: Vec<f64>,
    fivo: Vec<f64>,
}

impl BySequence {
    fn new(sequences: usize, draws: usize, copies: usize) -> Self {
        let zeros = vec![0.; sequences];
        Self {
            copies: copies as f64,
            by_draw: vec![zeros.clone(); draws],
            kl: vec![],
            log_px: zeros.clone(),
            iwae: zeros.clone(),
            fivo: zeros.clone(),
            objectives: zeros,
        }
    }

    /// Adds the terms of one draw of the sequences at `places`.
    fn add_pass(&mut self, draw: usize, places: &[usize], pass: &Sums) {
        let passes = self.by_draw.len() as f64 * self.copies;
        self.kl.resize(pass.kl.len(), vec![0.; self.objectives.len()]);
        for (row, (&i, &log)) in places.iter().zip(&pass.log_px).enumerate() {
            let spent = pass.kl.iter().fold(0., |sum, kl| sum + kl[row]);
            self.objectives[i] += (log - spent) / passes;
            self.by_draw[draw][i] += (log - spent) / self.copies;
            self.log_px[i] += log / passes;
            for (kl, of_pass) in self.kl.iter_mut().zip(&pass.kl) {
                kl[i] += of_pass[row] / passes;
            }
        }
    }

    /// Adds FIVO, or IWAE, of one copy of the sequences at `places`.
    fn add_bound(&mut self, fivo: bool, places: &[usize], values: &[f64]) {
        let sums = if fivo { &mut self.fivo } else { &mut self.iwae };
        places.iter().zip(values).for_each(|(&i, x)| sums[i] += x / self.copies);
    }

    /// Refuses numbers that are not finite; `samples` are the numbers of the sequences in `set`.
    fn refuse_non_finite(&self, elbo: &str, set: &DataSet, samples: &[usize]) -> Result<()> {
        for (name, values) in [(elbo, &self.objectives), ("IWAE", &self.iwae), ("FIVO", &self.fivo)]
        {
            if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                let (x, number) = (values[i], samples[i] + 1); // as `data show` counts
                let what = format!(
                    "the {name} of sequence {number} of {} is {x}: look at that sequence with `stcn data show`",
                    set.name().display()
                );
                return Err(ErrorKind::Diverged(what).into());
            }
        }
        Ok(())
    }
}

/// The ELBO of sequences for each of so many draws of their latents, by noise of this seed from step `first` on.
#[derive(Serialize, Deserialize)]
pub(super) struct OfElbo {
    seed: u64,
    first: u64,
    draws: usize,
}

impl Map for OfElbo {
    const NAME: &'static str = "ELBO";
    type Answer = Vec<Sums>;

    fn run(&self, model: &dyn SequenceModel, sequences: &Batch) -> Vec<Sums> {
        let noise = Noise::new(self.seed, "evaluate").at(self.first);
        forward(model, sequences, &noise, self.draws)
    }
}

/// IWAE, or FIVO, with this many draws.
#[derive(Serialize, Deserialize)]
pub(super) struct OfParticles {
    fivo: bool,
    seed: u64,
    step: u64,
    particles: usize,
}

impl Map for OfParticles {
    const NAME: &'static str = "IWAE or FIVO";
    type Answer = Vec<f64>;

    fn run(&self, model: &dyn SequenceModel, sequences: &Batch) -> Vec<f64> {
        let noise = Noise::new(self.seed, "iwae").at(self.step);
        if !self.fivo {
            return iwae(model, sequences, &noise, self.particles).0;
        }
        let how = (Resample::Ess, Ancestors::Multinomial);
        let steps = model.steps().expect("checked before");
        fivo(steps, sequences, &noise, self.particles, how)
    }
}

/// The forward pass of sequences for each of so many draws of their latents. Draw k uses the noise of k steps later.
pub fn forward(model: &dyn SequenceModel, batch: &Batch, noise: &Noise, draws: usize) -> Vec<Sums> {
    let draws = addresses(noise, batch, draws);
    of_draws(model, batch, Kl::Analytic, &draws, |elbo| Sums::new(elbo, &batch.lengths))
}

/// For each draw, that of all parts of a batch.
fn joined(parts: Vec<Vec<Sums>>) -> Vec<Sums> {
    let mut all = vec![];
    for part in parts {
        all.resize_with(part.len(), Sums::default);
        all.iter_mut().zip(part).for_each(|(all, part)| all.extend(part));
    }
    all
}

/// Mean over sequences of `x_i / T_i`.
fn step_mean(x: &[f64], lengths: &[usize]) -> f64 {
    let sum = x.iter().zip(lengths).fold(0., |sum, (x, &steps)| sum + x / steps as f64);
    sum / x.len() as f64
}

/// `s/√n` with the sample standard deviation s; `None` for fewer than two numbers.
pub fn standard_error(x: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let mean = x.iter().fold(0., |sum, x| sum + x) / n;
    let squares = x.iter().fold(0., |sum, x| sum + (x - mean) * (x - mean));
    (x.len() > 1).then(|| (squares / (n - 1.) / n).sqrt())
}
