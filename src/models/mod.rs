//! Papers: one paper, one file.
//!
//! A model is a plain struct of layers that computes per-step log-likelihoods and divergences; it holds no
//! loop over numbers, no thread and no generator state. Not here: masks and losses (`train`).

pub mod config;
mod rnn;
mod srnn;
mod stcn;
mod swavenet;
mod var_bilstm;
mod vrnn;
mod wavenet;
mod z_forcing;

pub use config::{ModelConfig, ModelKind};
pub use rnn::Rnn;
pub use srnn::Srnn;
pub use stcn::Stcn;
pub use swavenet::SWaveNet;
pub use var_bilstm::VarBilstm;
pub use vrnn::Vrnn;
pub use wavenet::WaveNet;
pub use z_forcing::ZForcing;

use crate::data::Batch;
use crate::dist::Normal;
use crate::error::{Error, Result};
use crate::nn::{Head, Init, Module};
use crate::noise::Noise;
use crate::ops::stop_gradient;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};
use config::{AuxiliaryTarget, Floors, HeadKind, PenDraw, Task};

/// The log-likelihood and one KL per latent, each (B, T), z^1 first, kept apart: the trainer masks and adds.
pub struct Elbo<'t> {
    /// `ln p(x_t | ·)`
    pub log_px: Var<'t>,
    /// `KL(q(z_t^l | ·) ‖ p(z_t^l | ·))`, as [`Kl`] says; empty without latents.
    pub kl: Vec<Var<'t>>,
    /// What some papers add to the objective in training, weighted already: part of no bound, and only on
    /// tapes for training.
    pub auxiliary: Vec<Var<'t>>,
}

/// How far the posterior is from the prior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kl {
    /// The integral `KL(q ‖ p)`: what the ELBO is made of.
    Analytic,
    /// `ln q(z) − ln p(z)` of the draw itself: what importance weights are made of.
    Sampled,
}

impl Kl {
    /// Of posterior `q`, prior `p`, and the draw `z` from q.   (B, T)
    pub fn of<'t>(self, q: Normal<'t>, p: Normal<'t>, z: Var<'t>) -> Var<'t> {
        match self {
            Kl::Analytic => q.kl(p),
            Kl::Sampled => q.log_prob(z) - p.log_prob(z),
        }
    }
}

/// What the number that [`SequenceModel::elbo`] adds up to may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The exact log-likelihood: no latents.
    Exact,
    /// A lower bound of the model's log-likelihood.
    Lower,
    /// Neither: the value of the released objective, whose independent draws are charged only once.
    Objective,
}

/// A generative model of sequences.
pub trait SequenceModel: Module + Sync + Send {
    /// Per-step log-likelihood and KLs of a batch, with one reparameterised draw per latent from `noise`.
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t>;

    /// What the sum of its parts is.
    fn bound(&self) -> Bound;

    /// `ln w_t` of `draws` independent draws of all latents, (B, T) each, such that per step
    /// `p(x_t | x_{<t}) = E w_t`; `None` where steps are coupled and no such form exists: where z_t goes on
    /// to the next step. Draw k has the noise k steps later.
    fn importance_weights(&self, _: &Batch, _: &Noise, _draws: usize) -> Option<Vec<Tensor>> {
        None
    }

    /// The model a step at a time, for filters; `None` without latents.
    fn steps(&self) -> Option<&dyn StepModel> {
        None
    }

    /// Starts sequences; `samples` are the addresses of their noise.
    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm>;
}

/// A model with latents, a step at a time. Rows are sequences or particles of them; each goes by itself.
pub trait StepModel: Sync {
    /// All that steps see of x alone, for all steps at once: (B, T, ·) each.   x: (B, T, D)
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Vec<Var<'t>>;

    /// The state before the first step, (rows, 1, ·) each.
    fn start(&self, rows: usize) -> Vec<Tensor>;

    /// One step of every row, from its `context` and x_t, (rows, 1, ·) each, with latents that
    /// `draw(name, posterior)` draws.
    fn step<'t>(
        &self,
        context: &[Var<'t>],
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t>;
}

/// What a step leaves.
pub struct Step<'t> {
    /// `ln p(x_t | ·)`, (rows, 1)
    pub log_px: Var<'t>,
    /// `Σ_l ln p(z_t^l | ·) − ln q(z_t^l | ·)` of what was drawn, (rows, 1)
    pub log_ratio: Var<'t>,
    /// The state after it, as [`StepModel::start`] has it.
    pub state: Vec<Var<'t>>,
}

/// Sequences under way: everything a model remembers of them. A step costs the same however long they are.
pub trait Generator {
    /// Draws x_t from `p(x_t | x_{<t})`, and goes on.   Result: (B, 1, D)
    ///
    /// `temperature` multiplies every σ and divides every logit.
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor;

    /// Takes the next steps as given, all at once, and goes on behind them: their latents are drawn from
    /// posteriors, and those that look ahead see all of these steps.   x: (B, T, D), T > 0
    fn observe(&mut self, x: &Tensor, noise: &Noise);
}

/// The most parameters a model may have, twenty times those of the largest preset: 4 GiB, and twice that
/// again while it is trained. The sizes in a config may each be fine and together ask for terabytes, for
/// which no allocator has an error that could be told.
pub const MOST_PARAMETERS: usize = 1 << 30;

/// Builds a model with parameters from `init`.
pub fn build(config: &ModelConfig, mut init: Init) -> Result<Box<dyn SequenceModel>> {
    let count = count(config)?;
    if count > MOST_PARAMETERS {
        return Err(Error::usage(format!(
            "model.channels {} and the other sizes make a model of {count} parameters, which is more \
             than {MOST_PARAMETERS}: choose smaller ones",
            config.channels
        )));
    }
    Ok(construct(config, &mut init))
}

/// Path and shape of every parameter that [`build`] would make, in order, without making them.
pub fn shapes(config: &ModelConfig) -> Result<Vec<(String, Vec<usize>)>> {
    config.validate()?;
    let mut init = Init::unfilled();
    construct(config, &mut init);
    Ok(init.into_shapes())
}

/// How many numbers [`build`] would make; the largest number there is where they are more.
pub fn count(config: &ModelConfig) -> Result<usize> {
    let size = |shape: &[usize]| shape.iter().fold(1, |n: usize, &axis| n.saturating_mul(axis));
    let shapes = shapes(config)?;
    Ok(shapes.iter().fold(0, |sum: usize, (_, shape)| sum.saturating_add(size(shape))))
}

fn construct(config: &ModelConfig, init: &mut Init) -> Box<dyn SequenceModel> {
    match config.kind {
        ModelKind::Stcn
        | ModelKind::StcnDense
        | ModelKind::LadderRnn
        | ModelKind::LadderRnnDense => Box::new(Stcn::new(init, config)),
        ModelKind::Wavenet | ModelKind::WavenetDense => Box::new(WaveNet::new(init, config)),
        ModelKind::Rnn => Box::new(Rnn::new(init, config)),
        ModelKind::Vrnn => Box::new(Vrnn::new(init, config)),
        ModelKind::Srnn | ModelKind::SrnnFilter => Box::new(Srnn::new(init, config)),
        ModelKind::ZForcing => Box::new(ZForcing::new(init, config)),
        ModelKind::VarBilstm => Box::new(VarBilstm::new(init, config)),
        ModelKind::Swavenet => Box::new(SWaveNet::new(init, config)),
    }
}

/// The head that `config` names, on features of so many channels.
fn head(init: &mut Init, config: &ModelConfig, width: usize) -> Head {
    let channels = match config.task {
        Task::Ink => (config.input - 1, 1),
        Task::Speech => (config.input, 0),
        Task::Music => (0, config.input),
    };
    let components = match config.head {
        HeadKind::Gmm | HeadKind::Bigmm => config.mixtures,
        HeadKind::Normal | HeadKind::Bernoulli => 0,
    };
    let correlated = config.head == HeadKind::Bigmm;
    let head = init.scope("head", |init| Head::new(init, width, channels, components, correlated));
    head.with_released(config.floors == Floors::AsReleased, config.pen_draw == PenDraw::Threshold)
}

/// What an auxiliary density is of: `x`, taken as given or not.
fn target(x: Var, how: AuxiliaryTarget) -> Var {
    match how {
        AuxiliaryTarget::Stop => stop_gradient(x),
        AuxiliaryTarget::Full => x,
    }
}

/// Continues sequences for `steps` steps from the given `prime` (may have no steps).
///
/// prime: (B, P, D), result: (B, P + steps, D), the given steps first
pub fn generate(
    model: &dyn SequenceModel,
    prime: &Tensor,
    steps: usize,
    noise: &Noise,
    samples: &[u64],
    temperature: Real,
    mut progress: impl FnMut(usize),
) -> Tensor {
    let (batch, given, channels) = prime.btc("generate");
    let mut generator = model.generator(samples);
    let mut x = Tensor::zeros(&[batch, given + steps, channels]);
    let mut write = |at: usize, rows: &Tensor| {
        let (to, from) = ((given + steps) * channels, rows.shape()[1] * channels);
        for (x, row) in x.data_mut().chunks_exact_mut(to).zip(rows.data().chunks_exact(from)) {
            x[at * channels..][..from].copy_from_slice(row);
        }
        progress(at + rows.shape()[1]);
    };
    if given > 0 {
        generator.observe(prime, noise);
        write(0, prime);
    }
    (given..given + steps).for_each(|t| write(t, &generator.draw(noise, temperature)));
    x
}

/// One step after another, (B, 1, D) each.   x: (B, T, D)
fn each_step(x: &Tensor) -> impl Iterator<Item = Tensor> {
    let (batch, steps, c) = x.btc("each_step");
    (0..steps).map(move |t| {
        let rows = x.data().chunks_exact(steps * c).flat_map(|x| &x[t * c..][..c]);
        Tensor::new(&[batch, 1, c], rows.copied().collect())
    })
}

/// The value of every parameter, by path, in order.
pub fn parameters(model: &dyn SequenceModel) -> Vec<(&str, &Tensor)> {
    let mut found = vec![];
    model.visit(&mut |p| found.push((p.path(), &p.value)));
    found
}

/// The importance weights of a model without latents: the likelihood itself, whatever is drawn.
fn exact_weights(
    model: &dyn SequenceModel,
    batch: &Batch,
    noise: &Noise,
    draws: usize,
) -> Vec<Tensor> {
    vec![model.elbo(&Tape::inference(), batch, noise, Kl::Analytic).log_px.value(); draws]
}

/// The first `n` steps of `a`, the others of `b`.   (B, T, C) each
fn first_steps(n: usize, a: &Tensor, b: &Tensor) -> Tensor {
    let (_, t, c) = b.btc("first_steps");
    let mut y = b.clone();
    for (y, a) in y.data_mut().chunks_exact_mut(t * c).zip(a.data().chunks_exact(t * c)) {
        y[..n * c].copy_from_slice(&a[..n * c]);
    }
    y
}
