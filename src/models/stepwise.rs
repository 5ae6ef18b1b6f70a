//! Models with one latent per step, which run one step after another. Each writes its step in the paper's letters;
//! the unrolled ELBO, the particle filter's step and the sampler are derived from it here.
//!
//! ```text
//! past_t, seen_t = context(x)                what x_{<t} says, and what x_t (and later steps) say
//! p(z_t | ·) = prior(past_t, s_{t−1})
//! q(z_t | ·) = posterior(past_t, seen_t, s_{t−1})
//! h_t = latent(past_t, s_{t−1}, z_t)         what the step knows once z_t is drawn
//! p(x_t | ·) = output(past_t, s_{t−1}, h_t)
//! s_t = advance(seen_t, s_{t−1}, h_t)
//! ```
//! In the ELBO, `context`, `prior` and `output` are called once with all T steps; `shared`, `posterior`, `latent` and
//! `advance` once per step. The particle filter calls `context` once, and the others with one step.
//! Not here: models whose latents form a ladder (`stcn`, `swavenet`).

use super::sequence::{
    Addresses, Bound, Context, Elbo, Kl, Sampler, SequenceModel, Step, StepModel, each_draw,
    each_step,
};
use crate::choice::choice;
use crate::data::Batch;
use crate::dist::{Normal, Observation};
use crate::nn::Module;
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};
use std::cell::RefCell;

choice! {
    /// What an auxiliary term is the density of.
    AuxiliaryTarget, "kind of auxiliary target":
    /// The state as a constant: the term's gradient reaches only the network that predicts it.
    Stop = "stop",
    /// The state itself: gradients also reach the network that computes it.
    ///
    /// Training can make it trivially predictable, and then the density is unbounded.
    Full = "full",
}

impl AuxiliaryTarget {
    /// The state, or the state as a constant.
    pub fn of(self, state: Var) -> Var {
        match self {
            AuxiliaryTarget::Stop => stop_gradient(state),
            AuxiliaryTarget::Full => state,
        }
    }
}

/// Draws the latent of this name from this distribution.
pub type Draw<'a, 't> = &'a dyn Fn(&str, Normal<'t>) -> Var<'t>;

/// The same variables of one step, (rows, 1, ·), or of all steps, joined in time when they are first needed.
pub struct Steps<'t> {
    steps: Vec<Vec<Var<'t>>>,
    joined: RefCell<Vec<Option<Var<'t>>>>,
}

impl<'t> Steps<'t> {
    /// Of one step.
    pub fn one(vars: Vec<Var<'t>>) -> Self {
        Self::all(vec![vars])
    }

    /// Of all steps, in order.
    pub fn all(steps: Vec<Vec<Var<'t>>>) -> Self {
        let joined = vec![None; steps.first().map_or(0, Vec::len)];
        Self { steps, joined: joined.into() }
    }

    /// Variable `i`, counted from 0.   (rows, T, ·)
    #[track_caller]
    pub fn at(&self, i: usize) -> Var<'t> {
        let join = || concat_time(&self.steps.iter().map(|vars| vars[i]).collect::<Vec<_>>());
        let one = || self.steps[0][i];
        let make = if self.steps.len() == 1 { &one as &dyn Fn() -> _ } else { &join };
        *self.joined.borrow_mut()[i].get_or_insert_with(make)
    }

    /// All of them, in order.   (rows, T, ·) each
    pub fn vars(&self) -> Vec<Var<'t>> {
        let count = self.joined.borrow().len();
        (0..count).map(|i| self.at(i)).collect()
    }
}

/// A model with one latent variable z_t per step. Implementing this trait also implements [`SequenceModel`].
///
/// The default methods are those of a Markov chain of latents, `s_t = h_t = z_t`, which reads nothing of x_{<t}.
///
/// Variables are (rows, 1, ·) for one step and (B, T, ·) for all; the formulas are the same.
pub trait Stepwise: Module + Sync + Send {
    /// What the sampler keeps for [`past`](Self::past), before the first step: for example x_0 = 0, or the initial
    /// state of a recurrent layer over x. [`remember`](Self::remember) updates it.   (rows, 1, ·) each
    ///
    /// Required, with `past` and `remember`, if [`Context::past`] is not empty: otherwise sampling panics.
    fn memory(&self, _rows: usize) -> Vec<Tensor> {
        vec![]
    }

    /// All that the steps see of x, for all steps at once. `memory` is the memory before the first of them; `None`
    /// means that of [`memory`](Self::memory), and must give the same result.
    fn context<'t>(
        &self,
        x: Var<'t>,
        lengths: &[usize],
        memory: Option<&[Var<'t>]>,
    ) -> Context<Var<'t>>;

    /// [`Context::past`] of the next step alone, from the memory before it.
    fn past<'t>(&self, _memory: &[Var<'t>]) -> Vec<Var<'t>> {
        vec![]
    }

    /// [`Context::seen`] of a step that was just sampled. Required if [`advance`](Self::advance) reads `seen`: by
    /// default it is empty, and such a model would train, then panic when it samples.
    fn present<'t>(&self, _x: Var<'t>) -> Vec<Var<'t>> {
        vec![]
    }

    /// The memory after the step x_t.
    fn remember<'t>(&self, x: Var<'t>, _past: &[Var<'t>]) -> Vec<Var<'t>> {
        vec![x]
    }

    /// s_0, the state before the first step.   (rows, 1, ·) each
    fn start(&self, rows: usize) -> Vec<Tensor>;

    /// What prior and posterior share, computed once from s_{t−1} and appended to it, such as SRNN's μ⁰.
    fn shared<'t>(&self, _past: &[Var<'t>], _s: &[Var<'t>]) -> Vec<Var<'t>> {
        vec![]
    }

    /// `p(z_t | ·)`.
    fn prior<'t>(&self, past: &[Var<'t>], s: &Steps<'t>) -> Normal<'t>;

    /// `q(z_t | ·)`.
    fn posterior<'t>(&self, c: &Context<Var<'t>>, s: &Steps<'t>) -> Normal<'t>;

    /// h_t, from z_t. `draw` draws any further random variable of the step. It must come from the model's own
    /// distribution, not from an inference network, because the bound contains only the KL of z_t.
    fn latent<'t>(
        &self,
        _past: &[Var<'t>],
        _s: &Steps<'t>,
        z: Var<'t>,
        _draw: Draw<'_, 't>,
    ) -> Vec<Var<'t>> {
        vec![z]
    }

    /// `p(x_t | ·)`.
    fn output<'t>(&self, past: &[Var<'t>], s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t>;

    /// s_t, the state after the step; the same number of variables and shapes as [`start`](Self::start).
    fn advance<'t>(&self, _seen: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Vec<Var<'t>> {
        h.vars()
    }

    /// Terms that the paper adds to the objective in training, weighted, (B, T) each. Terms of weight 0 are
    /// included, so that their parameters have a gradient.
    fn auxiliary<'t>(&self, _x: Var<'t>, _pass: &Unrolled<'t>) -> Vec<Var<'t>> {
        vec![]
    }
}

/// A pass over all steps, every latent drawn from its posterior.   (B, T, ·) each
pub struct Unrolled<'t> {
    /// What the steps saw of x.
    pub context: Context<Var<'t>>,
    /// s_{t−1}, followed by what is [shared](Stepwise::shared)
    pub s: Steps<'t>,
    /// h_t
    pub h: Steps<'t>,
    /// z_t
    pub z: Var<'t>,
    /// `q(z_t | ·)`
    pub q: Normal<'t>,
}

/// s_{t−1} and what prior and posterior share.
fn with_shared<'t, M: Stepwise + ?Sized>(
    model: &M,
    past: &[Var<'t>],
    state: Vec<Var<'t>>,
) -> Steps<'t> {
    let shared = model.shared(past, &state);
    Steps::one([state, shared].concat())
}

/// x_0 … x_T, with x_0 from memory, or 0 at the start of sequences.   x: (B, T, D) → (B, T + 1, D)
pub(super) fn with_before<'t>(x: Var<'t>, memory: Option<&[Var<'t>]>) -> Var<'t> {
    memory.map_or_else(|| prepend_zero(x), |memory| concat_time(&[memory[0], x]))
}

/// Runs all steps of `context` in order, with z_t drawn from `from(c_t, s_{t−1}, t)`.
pub fn unroll<'t, M: Stepwise + ?Sized>(
    model: &M,
    context: Context<Var<'t>>,
    tape: &'t Tape,
    steps: usize,
    noise: &Noise,
    samples: &[u64],
    from: impl Fn(&Context<Var<'t>>, &Steps<'t>, usize) -> Normal<'t>,
) -> Unrolled<'t> {
    // One node has ε of all steps, as tables and dumps show it.
    let epsilons: RefCell<Vec<(String, Var)>> = vec![].into();
    let epsilon = |name: &str, channels: usize| {
        let mut all = epsilons.borrow_mut();
        if let Some((_, known)) = all.iter().find(|(known, _)| known == name) {
            return *known;
        }
        let drawn = tape.constant(noise.normal_tensor(name, samples, steps, channels));
        all.push((name.into(), drawn.named(&format!("noise.{name}"))));
        drawn
    };
    let start = model.start(samples.len());
    let mut state: Vec<Var> = start.into_iter().map(|s| tape.constant(s)).collect();
    let (mut ss, mut hs, mut zs, mut froms) = (vec![], vec![], vec![], vec![]);
    for t in 0..steps {
        let draw = |name: &str, from: Normal<'t>| {
            let epsilon = epsilon(name, from.mean.value().cols());
            rsample(from.mean, from.std, slice_time(epsilon, t, 1))
        };
        let c = context.map(|&x| slice_time(x, t, 1));
        let s = with_shared(model, &c.past, state);
        let from = from(&c, &s, t);
        let z = draw("z.1", from);
        let h = Steps::one(model.latent(&c.past, &s, z, &draw));
        state = model.advance(&c.seen, &s, &h);
        ss.push(s.vars());
        hs.push(h.vars());
        zs.push(z);
        froms.push(from);
    }
    let q = Normal::concat_time(&froms).named("q.1");
    let z = concat_time(&zs).named("z.1");
    Unrolled { context, s: Steps::all(ss), h: Steps::all(hs), z, q }
}

/// The terms of the bound, from the context of x.
fn elbo_of<'t>(
    model: &impl Stepwise,
    context: Context<Var<'t>>,
    x: Var<'t>,
    noise: &Noise,
    samples: &[u64],
    kl: Kl,
) -> Elbo<'t> {
    let (tape, steps) = (x.tape(), x.value().shape()[1]);
    let posterior = |c: &Context<Var<'t>>, s: &Steps<'t>, _| model.posterior(c, s);
    let pass = unroll(model, context, tape, steps, noise, samples, posterior);
    let p = model.prior(&pass.context.past, &pass.s).named("p.1");
    let kl = kl.of(pass.q, p, pass.z).named("kl.1");
    let px = model.output(&pass.context.past, &pass.s, &pass.h).named("head");
    let log_px = px.log_prob(x).named("log_px");
    let auxiliary = if tape.is_training() { model.auxiliary(x, &pass) } else { vec![] };
    Elbo { log_px, kl: vec![kl], auxiliary }
}

impl<M: Stepwise> SequenceModel for M {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let context = Stepwise::context(self, x, &batch.lengths, None);
        elbo_of(self, context, x, noise, &batch.samples, kl)
    }

    fn elbos(&self, batch: &Batch, kl: Kl, draws: &[Addresses], see: &mut dyn FnMut(&Elbo)) {
        each_draw(
            batch,
            |x| Stepwise::context(self, x, &batch.lengths, None),
            draws,
            |c, x, (noise, samples)| see(&elbo_of(self, c.clone(), x, noise, samples, kl)),
        );
    }

    fn is_recurrent(&self) -> bool {
        true
    }

    fn bound(&self) -> Bound {
        Bound::Lower
    }

    fn steps(&self) -> Option<&dyn StepModel> {
        Some(self)
    }

    fn sampler<'m>(&'m self, samples: &[u64]) -> Box<dyn Sampler + 'm> {
        let (memory, state) = (self.memory(samples.len()), Stepwise::start(self, samples.len()));
        Box::new(StepwiseSampler { model: self, samples: samples.to_vec(), memory, state, t: 0 })
    }
}

impl<M: Stepwise> StepModel for M {
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Context<Var<'t>> {
        Stepwise::context(self, x, lengths, None)
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        Stepwise::start(self, rows)
    }

    /// The ratio is that of z_t alone: what else [`Stepwise::latent`] draws has the same distribution in prior and
    /// posterior, and cancels.
    fn step<'t>(
        &self,
        c: &Context<Var<'t>>,
        x: Var<'t>,
        state: &[Var<'t>],
        draw: Draw<'_, 't>,
    ) -> Step<'t> {
        let s = with_shared(self, &c.past, state.to_vec());
        let p = self.prior(&c.past, &s).named("p.1");
        let q = self.posterior(c, &s).named("q.1");
        let z = draw("z.1", q);
        let h = Steps::one(self.latent(&c.past, &s, z, draw));
        let px = self.output(&c.past, &s, &h).named("head");
        Step {
            log_px: px.log_prob(x).named("log_px"),
            log_ratio: p.log_prob(z) - q.log_prob(z),
            state: self.advance(&c.seen, &s, &h),
        }
    }
}

/// Sequences being sampled.
struct StepwiseSampler<'m, M> {
    model: &'m M,
    samples: Vec<u64>,
    memory: Vec<Tensor>,
    /// s_{t−1}
    state: Vec<Tensor>,
    t: usize,
}

impl<M: Stepwise> StepwiseSampler<'_, M> {
    /// h_t with z_t drawn from `from`.
    fn predict<'t>(
        &self,
        past: &[Var<'t>],
        s: &Steps<'t>,
        from: Normal<'t>,
        noise: &Noise,
        temperature: Real,
    ) -> Steps<'t> {
        let draw = |name: &str, from: Normal<'t>| {
            from.rsample_from(self.t, noise, name, &self.samples, temperature)
        };
        Steps::one(self.model.latent(past, s, draw("z.1", from), &draw))
    }

    /// Moves past x_t.
    fn advance<'t>(&mut self, x: Var<'t>, c: &Context<Var<'t>>, s: &Steps<'t>, h: &Steps<'t>) {
        self.state = self.model.advance(&c.seen, s, h).into_iter().map(Var::value).collect();
        self.memory = self.model.remember(x, &c.past).into_iter().map(Var::value).collect();
        self.t += 1;
    }
}

/// The values as constants on a tape.
fn on<'t>(tape: &'t Tape, values: &[Tensor]) -> Vec<Var<'t>> {
    values.iter().map(|value| tape.constant(value.clone())).collect()
}

impl<M: Stepwise> Sampler for StepwiseSampler<'_, M> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let past = self.model.past(&on(&tape, &self.memory));
        let s = with_shared(self.model, &past, on(&tape, &self.state));
        let prior = self.model.prior(&past, &s);
        let h = self.predict(&past, &s, prior, noise, temperature);
        let px = self.model.output(&past, &s, &h);
        let drawn = px.sample(noise, &self.samples, self.t, temperature);
        let x = tape.constant(drawn.clone());
        self.advance(x, &Context { past, seen: self.model.present(x) }, &s, &h);
        drawn
    }

    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        let tape = Tape::inference();
        let lengths = vec![x.shape()[1]; self.samples.len()];
        let memory = on(&tape, &self.memory);
        let all = Stepwise::context(self.model, tape.constant(x.clone()), &lengths, Some(&memory));
        let all = all.map(|x| x.value());
        for (t, x) in each_step(x).enumerate() {
            let tape = Tape::inference();
            let c = all.map(|x| slice_time(tape.constant(x.clone()), t, 1));
            let s = with_shared(self.model, &c.past, on(&tape, &self.state));
            let q = self.model.posterior(&c, &s);
            let h = self.predict(&c.past, &s, q, noise, 1.);
            self.advance(tape.constant(x), &c, &s, &h);
        }
    }
}
