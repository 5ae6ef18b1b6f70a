//! What every model can do: score sequences by a bound, run step by step in a particle filter, and sample.

use crate::data::Batch;
use crate::dist::Normal;
use crate::nn::Module;
use crate::noise::Noise;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// The terms of the bound, (B, T) each: the log-likelihood, and one KL per latent, z^1 first. The trainer masks and
/// adds them.
pub struct Elbo<'t> {
    /// `ln p(x_t | ·)`
    pub log_px: Var<'t>,
    /// `KL(q(z_t^l | ·) ‖ p(z_t^l | ·))`, as [`Kl`] says; empty without latents.
    pub kl: Vec<Var<'t>>,
    /// Terms that some papers add to the objective in training, already weighted. They are part of no bound, and
    /// computed only on tapes for training.
    pub auxiliary: Vec<Var<'t>>,
}

/// How the divergence of the posterior from the prior is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kl {
    /// The integral `KL(q ‖ p)`, for the ELBO.
    Analytic,
    /// `ln q(z) − ln p(z)` at the draw z itself, for importance weights.
    Sampled,
}

impl Kl {
    /// The divergence of posterior `q` from prior `p`, given the draw `z` from q.   (B, T)
    pub fn of<'t>(self, q: Normal<'t>, p: Normal<'t>, z: Var<'t>) -> Var<'t> {
        match self {
            Kl::Analytic => q.kl(p),
            Kl::Sampled => q.log_prob(z) - p.log_prob(z),
        }
    }
}

/// What the sum of the terms of [`SequenceModel::elbo`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The exact log-likelihood: no latents.
    Exact,
    /// A lower bound of the model's log-likelihood.
    Lower,
    /// Neither: the objective of a released code that draws a latent more than once but counts its KL once.
    Objective,
}

/// Latents in place of those of the posterior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latents {
    /// Drawn from the prior, as in a sample.
    Prior,
    /// Of the posterior, but z^l, counted from 0, as it is at another step of the sequence: its steps are permuted.
    Shuffled(usize),
}

/// A generative model of sequences.
pub trait SequenceModel: Module + Sync + Send {
    /// Per-step log-likelihood and KLs of a batch, with one reparameterised draw per latent from `noise`. A sequence's
    /// values must not depend on the others in the batch or on padding: batches are split and evaluated in parts.
    ///
    /// `stcn inspect` looks for nodes labelled `x`, `log_px`, and for each latent `z.1` and `kl.1`, `z.2` and `kl.2` …
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t>;

    /// The terms of [`elbo`](Self::elbo) for several draws of the latents, without gradients: calls `see` once for each
    /// draw, in order. A model may compute once what does not depend on the latents; the values are the same.
    fn elbos(&self, batch: &Batch, kl: Kl, draws: &[Addresses], see: &mut dyn FnMut(&Elbo)) {
        for (noise, samples) in draws {
            let batch = Batch { samples: samples.clone(), ..batch.clone() };
            see(&self.elbo(&Tape::inference(), &batch, noise, kl));
        }
    }

    /// What the sum of the terms of [`elbo`](Self::elbo) is.
    fn bound(&self) -> Bound;

    /// Whether it multiplies by the same weights at every step of a sequence, reading them anew: then a part of a batch
    /// that is computed by itself should not be too small.
    fn is_recurrent(&self) -> bool {
        false
    }

    /// Importance weights: `ln w_t` of `draws` independent draws of all latents, (B, T) each, with
    /// `p(x_t | x_{<t}) = E w_t` at every step. Draw k uses the noise of k steps later. Without latents a weight is
    /// the likelihood itself. `None` if later steps depend on z_t: then no weight belongs to one step alone.
    fn importance_weights(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
    ) -> Option<Vec<Tensor>> {
        if self.bound() != Bound::Exact {
            return None;
        }
        let log_px = || self.elbo(&Tape::inference(), batch, noise, Kl::Analytic).log_px.value();
        Some(if draws == 0 { vec![] } else { vec![log_px(); draws] })
    }

    /// `ln p(x_t | z_t)` of `draws` draws of latents that are not those of the posterior at step t, (B, T) each: a
    /// control of what the output reads from them. Draw k uses the noise of k steps later. `None` if the model has
    /// no latents, or later steps depend on z_t.
    fn likelihoods(
        &self,
        _batch: &Batch,
        _noise: &Noise,
        _draws: usize,
        _latents: Latents,
    ) -> Option<Vec<Tensor>> {
        None
    }

    /// The model one step at a time, for particle filters; `None` if it has no latents or no such form.
    fn steps(&self) -> Option<&dyn StepModel> {
        None
    }

    /// A sampler of new sequences, one for each of `samples`, which address their noise.
    fn sampler<'m>(&'m self, samples: &[u64]) -> Box<dyn Sampler + 'm>;
}

/// The noise of one draw, and what addresses each sequence's part of it, in place of [`Batch::samples`].
pub type Addresses = (Noise, Vec<u64>);

/// Those of `count` draws by the sequences' own addresses: draw k uses the noise of k steps later.
pub fn addresses(noise: &Noise, batch: &Batch, count: usize) -> Vec<Addresses> {
    (0..count as u64).map(|draw| (noise.later(draw), batch.samples.clone())).collect()
}

/// `of` the terms of each draw, in order.
///
/// # Panics
/// If the model's [`elbos`](SequenceModel::elbos) does not give one for each draw.
pub fn of_draws<T>(
    model: &(impl SequenceModel + ?Sized),
    batch: &Batch,
    kl: Kl,
    draws: &[Addresses],
    of: impl Fn(&Elbo) -> T,
) -> Vec<T> {
    let mut all = vec![];
    model.elbos(batch, kl, draws, &mut |elbo| all.push(of(elbo)));
    assert_eq!(all.len(), draws.len(), "elbos: one call for each draw");
    all
}

/// All that the steps of a sequence see of x, whatever the latents are. As variables or values: (B, T, ·) each for
/// all steps, (rows, 1, ·) for one.
#[derive(Clone)]
pub struct Context<V> {
    /// Functions of x_{<t}: what the model itself may see at step t.
    pub past: Vec<V>,
    /// Functions of x_t and, where the posterior looks ahead, of later steps.
    pub seen: Vec<V>,
}

impl<V> Context<V> {
    /// Applies `f` to each.
    pub fn map<U>(&self, f: impl Fn(&V) -> U) -> Context<U> {
        Context {
            past: self.past.iter().map(&f).collect(),
            seen: self.seen.iter().map(&f).collect(),
        }
    }
}

impl Context<Tensor> {
    /// Its values, computed without gradients.   x: (B, T, D)
    pub fn values(x: &Tensor, of: impl for<'t> Fn(Var<'t>) -> Context<Var<'t>>) -> Self {
        let tape = Tape::inference();
        of(tape.constant(x.clone())).map(|x| x.value())
    }
}

/// Calls `of(context, x, draw)` for every draw, each on a tape of its own, with a context that is computed once; for no
/// draw, not at all.
pub(super) fn each_draw<D>(
    batch: &Batch,
    context: impl for<'t> Fn(Var<'t>) -> Context<Var<'t>>,
    draws: impl IntoIterator<Item = D>,
    mut of: impl for<'t> FnMut(&Context<Var<'t>>, Var<'t>, D),
) {
    let mut draws = draws.into_iter().peekable();
    if draws.peek().is_none() {
        return;
    }
    let values = Context::values(&batch.x, context);
    for draw in draws {
        let tape = Tape::inference();
        let on_tape = |x: &Tensor| tape.constant(x.clone());
        of(&values.map(on_tape), on_tape(&batch.x), draw);
    }
}

/// A model with latents, a step at a time. A row is a sequence or a particle, and independent of the others.
pub trait StepModel: Sync {
    /// For all steps at once.   x: (B, T, D)
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Context<Var<'t>>;

    /// The state before the first step, (rows, 1, ·) each.
    fn start(&self, rows: usize) -> Vec<Tensor>;

    /// One step of every row from its `context` and x_t, (rows, 1, ·) each. `draw(name, posterior)` draws the
    /// latents.
    fn step<'t>(
        &self,
        context: &Context<Var<'t>>,
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t>;
}

/// The result of one step.
pub struct Step<'t> {
    /// `ln p(x_t | ·)`, (rows, 1)
    pub log_px: Var<'t>,
    /// `Σ_l ln p(z_t^l | ·) − ln q(z_t^l | ·)` of what was drawn, (rows, 1)
    pub log_ratio: Var<'t>,
    /// The state after it, as [`StepModel::start`] has it.
    pub state: Vec<Var<'t>>,
}

/// Sequences being sampled, with all that the model remembers of them. The cost of a step does not grow with their
/// length.
pub trait Sampler {
    /// Draws x_t from `p(x_t | x_{<t})` and moves to the next step.   Result: (B, 1, D)
    ///
    /// `temperature` multiplies every σ and divides every logit.
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor;

    /// Takes x as the next T > 0 steps and moves past them. Their latents are drawn from the posterior, which sees all
    /// of these steps if it looks ahead.   x: (B, T, D)
    fn observe(&mut self, x: &Tensor, noise: &Noise);
}

/// Samples `steps` steps that continue the sequences in `prime`, which may have none.
///
/// prime: (B, P, D), result: (B, P + steps, D), beginning with `prime`
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
    let mut sampler = model.sampler(samples);
    let mut x = Tensor::zeros(&[batch, given + steps, channels]);
    let mut write = |at: usize, rows: &Tensor| {
        let (to, from) = ((given + steps) * channels, rows.shape()[1] * channels);
        for (x, row) in x.data_mut().chunks_exact_mut(to).zip(rows.data().chunks_exact(from)) {
            x[at * channels..][..from].copy_from_slice(row);
        }
        progress(at + rows.shape()[1]);
    };
    if given > 0 {
        sampler.observe(prime, noise);
        write(0, prime);
    }
    (given..given + steps).for_each(|t| write(t, &sampler.draw(noise, temperature)));
    x
}

/// The steps of x, one by one, (B, 1, D) each.   x: (B, T, D)
pub fn each_step(x: &Tensor) -> impl Iterator<Item = Tensor> {
    let (batch, steps, c) = x.btc("each_step");
    (0..steps).map(move |t| {
        let rows = x.data().chunks_exact(steps * c).flat_map(|x| &x[t * c..][..c]);
        Tensor::new(&[batch, 1, c], rows.copied().collect())
    })
}

/// Path and value of every parameter, in order.
pub fn parameters(model: &dyn SequenceModel) -> Vec<(&str, &Tensor)> {
    let mut found = vec![];
    model.visit(&mut |p| found.push((p.path(), &p.value)));
    found
}
