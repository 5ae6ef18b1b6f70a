//! STCN: Stochastic Temporal Convolutional Networks, and LadderRNN (Aksan & Hilliges, ICLR 2019).
//!
//! | paper | here |
//! |---|---|
//! | d_t^l, the context of level l | `stack`, output of block or LSTM cell l·K |
//! | f_p^(l), f_q^(l) | `prior`, `infer` |
//! | f^(o) | `output`, then `head` |
//!
//! ```text
//! d_t^l = Conv^(l)(d_t^{l−1}, d_{t−j}^{l−1})                           Eq. 2   bottom up
//! d_t^l = LSTM^(l)(d_t^{l−1}, d_{t−1}^l)                               LadderRNN, the paper's ablation
//! p(z_t^l | z_t^{l+1}, d_{t−1}^l) = N(f_p^(l)(z_t^{l+1}, d_{t−1}^l))   Eq. 8   top down, sees x_{<t}
//! q̂_t^l = N(f_q^(l)(z_t^{l+1}, d_t^l))                                 Eq. 10  sees x_{≤t}
//! q(z_t^l | z_t^{l+1}, d_t^l) ∝ q̂_t^l · p_t^l                          Eq. 11
//! p(x_t | z_t) = f^(o)(z_t^1),   dense: f^(o)(z_t^1, …, z_t^L)         Eq. 9
//! ```
//! Prior and posterior contexts are rows t−1 and t of one pass over (0, x_1, …, x_T).

use super::config::{Decoder, Draws, Precision};
use super::{
    Bound, Elbo, Generator, Kl, ModelConfig, SequenceModel, Step, StepModel, each_step,
    first_steps, head,
};
use crate::data::Batch;
use crate::dist::Normal;
use crate::nn::{Head, Init, NormalNet, OutputNet, Past, Stack, StackPast, Tcn, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// STCN and STCN-dense, LadderRNN and LadderRNN-dense.
pub struct Stcn {
    stack: Stack,
    prior: Vec<NormalNet>,
    infer: Vec<NormalNet>,
    output: OutputNet,
    head: Head,
    config: ModelConfig,
}
module!(Stcn: stack, prior, infer, output, head);

/// One level of one pass down: the distributions, and where its draws went.
struct Level<'t> {
    prior: Normal<'t>,
    estimate: Normal<'t>,
    posterior: Normal<'t>,
    /// To the prior below, and to the output (a and c of the spec); the same under [`Draws::Shared`].
    to_prior: Var<'t>,
    to_output: Var<'t>,
}

impl Level<'_> {
    /// Puts their names on prior and posterior of level `l`, from 0.
    fn name(&self, l: usize) {
        self.prior.named(&format!("p.{}", l + 1));
        self.posterior.named(&format!("q.{}", l + 1));
    }
}

impl Stcn {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let ModelConfig { latents, channels, .. } = config;
        let levels = latents.len();
        let (widths, k) = ((config.input, *channels), config.blocks_per_latent);
        let stack = if config.kind.is_ladder() {
            Stack::cells(init, "lstm", widths, levels * k)
        } else {
            Stack::Blocks(Tcn::new(init, "tcn", widths, (levels, k), config.kernel_size))
        };
        let nets = |init: &mut Init, l: usize| {
            let above = latents.get(l + 1).unwrap_or(&0); // width of z^{l+1}
            let width = config.latent_width();
            NormalNet::new(init, channels + above, width, config.latent_layers, latents[l])
        };
        let prior = init.list("prior", levels, nets);
        let infer = init.list("infer", levels, nets);
        let y = if config.kind.is_dense() { latents.iter().sum::<usize>() } else { latents[0] };
        let (width, layers) = (config.output_width(), config.output_layers);
        let output = init.scope("output", |init| match config.decoder {
            Decoder::Pointwise => OutputNet::pointwise(init, y, width, layers),
            Decoder::Gated => OutputNet::gated(init, y, width, layers),
        });
        Self {
            stack,
            prior,
            infer,
            output,
            head: head(init, config, width),
            config: config.clone(),
        }
    }

    /// d^1 … d^L over (0, x_1 … x_T): the output of the last block or cell of every level.   (B, T + 1, F) each
    pub fn contexts<'t>(&self, x: Var<'t>) -> Vec<Var<'t>> {
        let layers = self.stack.forward(prepend_zero(x));
        let ends = layers.chunks(self.config.blocks_per_latent).map(|level| level[level.len() - 1]);
        ends.enumerate().map(|(l, d)| d.named(&format!("d.{}", l + 1))).collect()
    }

    /// Top down, all steps in parallel; level 1 first in the result. The second row of `d` belongs to
    /// step `first` of the sequences, from 0.
    fn descend<'t>(
        &self,
        d: &[Var<'t>],
        first: usize,
        noise: &Noise,
        samples: &[u64],
    ) -> Vec<Level<'t>> {
        let steps = d[0].value().shape()[1] - 1;
        let around = |l: usize| [slice_time(d[l], 0, steps), slice_time(d[l], 1, steps)];
        self.descend_by(around, &|name, q| q.rsample_from(first, noise, name, samples, 1.))
    }

    /// The same from d_{t−1}^l and d_t^l, of any steps, with latents that `draw(name, posterior)` draws.
    fn descend_by<'t>(
        &self,
        around: impl Fn(usize) -> [Var<'t>; 2],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Vec<Level<'t>> {
        let combine = self.combine();
        let mut levels: Vec<Level> = vec![];
        let (mut a, mut b) = (None, None); // z^{l+1}, as the prior and as the posterior below see it
        for l in (0..self.prior.len()).rev() {
            let name = format!("z.{}", l + 1);
            let [past, present] = around(l); // x_{<t}, x_{≤t}
            let prior = self.prior[l].forward(join(past, a)); // Eq. 8
            let estimate = self.infer[l].forward(join(present, b)); // Eq. 10
            let posterior = estimate.combined(prior, combine); // Eq. 11
            let to_prior = draw(&name, posterior);
            let (to_posterior, to_output) = match self.config.draws {
                Draws::Shared => (to_prior, to_prior),
                Draws::Fresh => {
                    let other = |what: &str| draw(&format!("{name}.{what}"), posterior);
                    (other("posterior"), other("output"))
                }
            };
            (a, b) = (Some(to_prior), Some(to_posterior));
            levels.push(Level { prior, estimate, posterior, to_prior, to_output });
        }
        levels.reverse(); // z^1 first, as the paper counts
        levels
    }

    /// Top down with every latent drawn from its prior: what the output network sees of the steps `first`,
    /// `first + 1`, … of sequences whose contexts of the steps before are `d`.
    fn dream<'t>(
        &self,
        d: &[Var<'t>],
        first: usize,
        noise: &Noise,
        samples: &[u64],
        temperature: Real,
    ) -> Var<'t> {
        let (mut above, mut z) = (None, vec![]);
        for l in (0..d.len()).rev() {
            let prior = self.prior[l].forward(join(d[l], above)); // Eq. 8
            let name = format!("z.{}", l + 1);
            let draw = |name: &str| prior.rsample_from(first, noise, name, samples, temperature);
            let to_prior = draw(&name);
            z.push(match self.config.draws {
                Draws::Shared => to_prior,
                Draws::Fresh => draw(&format!("{name}.output")),
            });
            above = Some(to_prior);
        }
        z.reverse();
        self.join_latents(z)
    }

    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that [`Generator`] uses: if x is what [`generate`](super::generate) made of its
    /// first `given` steps, it comes back to the bit.   x, result: (B, T, D)
    pub fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let d = self.contexts(tape.constant(x.clone()));
        let before: Vec<Var> = d.iter().map(|&d| slice_time(d, 0, x.shape()[1])).collect();
        let dreamt = self.dream(&before, 0, noise, samples, 1.).value();
        let levels = self.descend(&d, 0, noise, samples);
        let seen = self.join_latents(levels.iter().map(|level| level.to_output)).value();
        let y = tape.constant(first_steps(given, &seen, &dreamt));
        let px = self.head.forward(self.output.forward(y)); // Eq. 9
        first_steps(given, x, &px.sample(noise, samples, 0, 1.))
    }

    /// `ln q(z_t^l | ·) − ln p(z_t^l | ·)` of every draw that the generative model has: one per level; under
    /// Fresh, for the dense output a second of every level above 1.
    fn sampled_kl<'t>(&self, l: usize, level: &Level<'t>) -> Vec<Var<'t>> {
        let draws = match self.config.draws {
            Draws::Shared => vec![level.to_prior],
            Draws::Fresh if l == 0 => vec![level.to_output],
            Draws::Fresh if self.config.kind.is_dense() => vec![level.to_prior, level.to_output],
            Draws::Fresh => vec![level.to_prior],
        };
        let ratio = |z| level.posterior.log_prob(z) - level.prior.log_prob(z);
        draws.into_iter().map(ratio).collect()
    }

    fn combine(&self) -> Combine {
        match self.config.precision {
            Precision::Product => Combine::Product,
            Precision::AsReleased => Combine::AsReleased,
        }
    }

    /// What the output network sees: z^1, or z^1 ∘ … ∘ z^L.
    fn join_latents<'t>(&self, z: impl IntoIterator<Item = Var<'t>>) -> Var<'t> {
        let z: Vec<Var> = z.into_iter().collect();
        if self.config.kind.is_dense() { concat(&z) } else { z[0] }
    }
}

impl SequenceModel for Stcn {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let levels = self.descend(&self.contexts(x), 0, noise, &batch.samples);
        let of_level = |(l, level): (usize, &Level<'t>)| {
            level.name(l);
            let kl = match kl {
                Kl::Analytic => level.estimate.combined_kl(level.prior, self.combine()),
                Kl::Sampled => {
                    let draws = self.sampled_kl(l, level);
                    draws[1..].iter().fold(draws[0], |sum, &kl| sum + kl)
                }
            };
            kl.named(&format!("kl.{}", l + 1))
        };
        let kl = levels.iter().enumerate().map(of_level).collect(); // Eq. 15
        let y = self.join_latents(levels.iter().map(|level| level.to_output));
        let px = self.head.forward(self.output.forward(y)).named("head"); // Eq. 9
        Elbo { log_px: px.log_prob(x).named("log_px"), kl, auxiliary: vec![] } // Eqs. 16, 17
    }

    fn bound(&self) -> Bound {
        let fresh = self.config.draws == Draws::Fresh;
        if fresh && self.config.kind.is_dense() { Bound::Objective } else { Bound::Lower }
    }

    /// `ln w_t = ln p(x_t | z_t) + Σ_l ln p(z_t^l | ·) − ln q(z_t^l | ·)`
    fn importance_weights(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
    ) -> Option<Vec<Tensor>> {
        if self.output.looks_back() {
            return None;
        }
        let tape = Tape::inference();
        let contexts = self.contexts(tape.constant(batch.x.clone()));
        let contexts: Vec<Tensor> = contexts.into_iter().map(Var::value).collect();
        let weights = |draw: usize| {
            let tape = Tape::inference();
            let d: Vec<Var> = contexts.iter().map(|d| tape.constant(d.clone())).collect();
            let levels = self.descend(&d, 0, &noise.later(draw as u64), &batch.samples);
            let y = self.join_latents(levels.iter().map(|level| level.to_output));
            let px = self.head.forward(self.output.forward(y));
            let log_px = px.log_prob(tape.constant(batch.x.clone()));
            let kl = levels.iter().enumerate().flat_map(|(l, level)| self.sampled_kl(l, level));
            kl.fold(log_px, |log_w, kl| log_w - kl).value()
        };
        Some((0..draws).map(weights).collect())
    }

    /// None where draws are charged only once: each of a latent's two draws would have to be a particle's.
    fn steps(&self) -> Option<&dyn StepModel> {
        (self.bound() == Bound::Lower).then_some(self)
    }

    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm> {
        let mut past = self.stack.past(samples.len());
        let start = Tensor::zeros(&[samples.len(), 1, self.config.input]);
        let contexts = self.context_step(&start, &mut past);
        let decoder = self.output.past(samples.len());
        Box::new(Writer { model: self, samples: samples.to_vec(), past, contexts, decoder, t: 0 })
    }
}

impl StepModel for Stcn {
    /// d_{t−1}^l and d_t^l of every level
    fn context<'t>(&self, x: Var<'t>, _lengths: &[usize]) -> Vec<Var<'t>> {
        let steps = x.value().shape()[1];
        let around = |d| [slice_time(d, 0, steps), slice_time(d, 1, steps)];
        self.contexts(x).into_iter().flat_map(around).collect()
    }

    /// What a decoder that looks back has seen: no row yet, and later the last ones. Not rows of zeros, which
    /// its layers would answer where `forward` has zeros between the layers.
    fn start(&self, rows: usize) -> Vec<Tensor> {
        let ModelConfig { latents, kind, .. } = &self.config;
        let y = if kind.is_dense() { latents.iter().sum::<usize>() } else { latents[0] };
        if self.output.looks_back() { vec![Tensor::zeros(&[rows, 0, y])] } else { vec![] }
    }

    fn step<'t>(
        &self,
        context: &[Var<'t>],
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t> {
        let levels = self.descend_by(|l| [context[2 * l], context[2 * l + 1]], draw);
        levels.iter().enumerate().for_each(|(l, level)| level.name(l));
        let kls: Vec<Var> =
            levels.iter().enumerate().flat_map(|(l, level)| self.sampled_kl(l, level)).collect();
        let kl = kls[1..].iter().fold(kls[0], |sum, &kl| sum + kl);
        let y = self.join_latents(levels.iter().map(|level| level.to_output));
        let seen = state.first().map_or(y, |&before| concat_time(&[before, y]));
        let rows = seen.value().shape()[1];
        let h = self.output.forward(seen);
        let px = self.head.forward(slice_time(h, rows - 1, 1)).named("head");
        let kept = rows.min(self.config.output_layers); // blocks of two taps, one step apart
        let last = |_: &Var<'t>| slice_time(seen, rows - kept, kept);
        Step {
            log_px: px.log_prob(x).named("log_px"),
            log_ratio: affine(kl, -1., 0.),
            state: state.iter().map(last).collect(),
        }
    }
}

impl Stcn {
    /// d_t^1 … d_t^L from x_t.
    fn context_step(&self, x: &Tensor, past: &mut StackPast) -> Vec<Tensor> {
        let layers = self.stack.step(x, past);
        let levels = layers.chunks(self.config.blocks_per_latent);
        levels.map(|level| level[level.len() - 1].clone()).collect()
    }
}

/// Sequences under way (spec §10).
struct Writer<'m> {
    model: &'m Stcn,
    samples: Vec<u64>,
    past: StackPast,
    /// d_{t−1}^l, (B, 1, F) each
    contexts: Vec<Tensor>,
    decoder: Vec<Past>,
    t: usize,
}

impl Generator for Writer<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let Self { model, samples, t, .. } = self;
        let tape = Tape::inference();
        let d: Vec<Var> = self.contexts.iter().map(|d| tape.constant(d.clone())).collect();
        let y = model.dream(&d, *t, noise, samples, temperature).value();
        let h = model.output.step(&y, &mut self.decoder);
        let px = model.head.forward(tape.constant(h));
        let x = px.sample(noise, samples, *t, temperature);
        self.advance(&x);
        x
    }

    /// A decoder that looks back is fed the latents; another has nothing to remember of them.
    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        for x in each_step(x) {
            let before = self.contexts.clone();
            let t = self.t;
            self.advance(&x);
            if self.model.output.looks_back() {
                let tape = Tape::inference();
                let both = before.iter().zip(&self.contexts).map(|(before, now)| {
                    concat_time(&[before, now].map(|d| tape.constant(d.clone())))
                });
                let both: Vec<Var> = both.collect();
                let levels = self.model.descend(&both, t, noise, &self.samples);
                let y = self.model.join_latents(levels.iter().map(|level| level.to_output)).value();
                self.model.output.step(&y, &mut self.decoder);
            }
        }
    }
}

impl Writer<'_> {
    fn advance(&mut self, x: &Tensor) {
        self.contexts = self.model.context_step(x, &mut self.past);
        self.t += 1;
    }
}

/// `[d, z]`, or d alone at the top.
fn join<'t>(d: Var<'t>, z: Option<Var<'t>>) -> Var<'t> {
    z.map_or(d, |z| concat(&[d, z]))
}
