//! Z-forcing: a latent at every step whose posterior hears what a network that reads backwards has read
//! (Goyal et al., NIPS 2017).
//!
//! | paper | here |
//! |---|---|
//! | h_t, b_t | `lstm`, `backward` |
//! | f_prior, f_infer, f_aux | `prior`, `infer`, `auxiliary` |
//! | the output's layers | `decode`, then `head` |
//! | p(x \| b) | `backward_head` |
//!
//! ```text
//! b_t = LSTM←(e(x_t), b_{t+1}),  b_{T+1} = 0
//! p(z_t | x_{<t−1}, z_{<t}) = N(prior(h_{t−1}))                       h_{t−1} has read x_{<t−1}
//! q(z_t | x, z_{<t}) = N(infer(h_{t−1}, b_t))                         sees all of x but x_{t−1}
//! h_t = LSTM([e(x_{t−1}), z_t], h_{t−1}),  h_0 = x_0 = 0
//! p(x_t | x_{<t}, z_{≤t}) = head(decode(h_t))
//! ```
//! Training also adds `w ln p(b_t | z_t, h_{t−1})`, where b_t is taken as given, and
//! `v ln p(x_{t−1} | b_t)`, so that the latent has something to say and b_t something to tell: part of no
//! bound. Only the posterior and the units go step by step; all else is one pass.
//! Facts: rivals.md §5; what differs from the paper and its release: decision 0018.

use super::config::{AuxiliaryTarget, HeadKind};
use super::{
    Bound, Elbo, Generator, Kl, ModelConfig, SequenceModel, Step, StepModel, each_step,
    first_steps, head, target,
};
use crate::data::Batch;
use crate::dist::{Normal, Observation};
use crate::nn::{Head, Init, Linear, LogVarLayers, Lstm, clipped_leaky_relu, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// An LSTM that reads what was drawn, and one that reads backwards, for the posterior alone.
pub struct ZForcing {
    embed: Linear,
    embed_latent: Linear,
    prior: LogVarLayers,
    infer: LogVarLayers,
    lstm: Lstm,
    decode: Linear,
    head: Head,
    backward: Lstm,
    auxiliary: LogVarLayers,
    backward_head: Head,
    input: usize,
    latent: usize,
    auxiliary_weight: Real,
    backward_weight: Real,
    target: AuxiliaryTarget,
}
module!(ZForcing: embed, embed_latent, prior, infer, lstm, decode, head, backward, auxiliary,
    backward_head);

/// What a walk over all steps leaves, (B, T, ·) each.
struct Walk<'t> {
    /// h_{t−1}
    before: Var<'t>,
    h: Var<'t>,
    z: Var<'t>,
    /// The distribution that z_t came from.
    from: Normal<'t>,
}

impl ZForcing {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let ModelConfig { input, channels: units, embedding, .. } = *config;
        let (z, width) = (config.latents[0], config.latent_width());
        let linear = |init: &mut Init, name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| Linear::new(init, inputs, outputs))
        };
        let normal = |init: &mut Init, name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| LogVarLayers::new(init, inputs, width, outputs))
        };
        let lstm = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| Lstm::new(init, inputs, units, 1.))
        };
        Self {
            embed: linear(init, "embed", input, embedding),
            embed_latent: linear(init, "embed_latent", z, width),
            prior: normal(init, "prior", units, z),
            infer: normal(init, "infer", 2 * units, z),
            lstm: lstm(init, "lstm", embedding + width),
            decode: linear(init, "decode", units, embedding),
            head: head(init, config, embedding),
            backward: lstm(init, "backward", embedding),
            auxiliary: normal(init, "auxiliary", units + z, units),
            backward_head: init.scope("backward", |init| {
                let plain = match config.head {
                    HeadKind::Bernoulli => HeadKind::Bernoulli,
                    _ => HeadKind::Normal,
                };
                head(init, &ModelConfig { head: plain, ..config.clone() }, units)
            }),
            input,
            latent: z,
            auxiliary_weight: config.auxiliary_weight as Real,
            backward_weight: config.backward_weight as Real,
            target: config.auxiliary_target,
        }
    }

    /// b_t, which has read x_T … x_t.   embedded: (B, T, ·) of x_1 … x_T
    fn read_back<'t>(&self, embedded: Var<'t>, lengths: &[usize]) -> Var<'t> {
        let b = self.backward.forward(reverse_time(embedded, lengths));
        reverse_time(b, lengths).named("b")
    }

    /// e(x_{t−1}) and b_t.   x: (B, T, D)
    fn read<'t>(&self, x: Var<'t>, lengths: &[usize]) -> [Var<'t>; 2] {
        let steps = x.value().shape()[1];
        let embedded = self.embed.forward(prepend_zero(x)); // of x_0 … x_T
        let b = self.read_back(slice_time(embedded, 1, steps), lengths);
        [slice_time(embedded, 0, steps), b]
    }

    /// h_t and c_t.   e: e(x_{t−1})
    fn advance<'t>(&self, e: Var<'t>, z: Var<'t>, state: [Var<'t>; 2]) -> [Var<'t>; 2] {
        self.lstm.step(concat(&[e, self.embed_latent.forward(z)]), state)
    }

    /// Step by step: z_t from the posterior where t < `given`, from the prior behind.   e, b: (B, T, ·)
    fn walk<'t>(
        &self,
        [e, b]: [Var<'t>; 2],
        given: usize,
        noise: &Noise,
        samples: &[u64],
    ) -> Walk<'t> {
        let (tape, steps) = (e.tape(), e.value().shape()[1]);
        let epsilon = noise.normal_tensor("z.1", samples, steps, self.latent);
        let epsilon = tape.constant(epsilon).named("noise.z.1");
        let mut state = self.lstm.start(samples.len()).map(|zeros| tape.constant(zeros));
        let (mut hs, mut zs, mut froms) = (vec![state[0]], vec![], vec![]);
        for t in 0..steps {
            let from = if t < given {
                self.infer.forward(concat(&[state[0], slice_time(b, t, 1)]))
            } else {
                self.prior.forward(state[0])
            };
            let z = rsample(from.mean, from.std, slice_time(epsilon, t, 1));
            state = self.advance(slice_time(e, t, 1), z, state);
            hs.push(state[0]);
            zs.push(z);
            froms.push(from);
        }
        let from = Normal::concat_time(&froms);
        let [before, h] = [&hs[..steps], &hs[1..]].map(concat_time);
        Walk { before, h, z: concat_time(&zs).named("z.1"), from }
    }

    /// `p(x_t | x_{<t}, z_{≤t})`
    fn output<'t>(&self, h: Var<'t>) -> Observation<'t> {
        self.head.forward(clipped_leaky_relu(self.decode.forward(h)))
    }

    /// `w ln p(b_t | z_t, h_{t−1})` and, for t ≥ 2, `v ln p(x_{t−1} | b_t)`; a term of weight 0 too, so that
    /// its parameters have a gradient.
    fn auxiliary_terms<'t>(&self, x: Var<'t>, b: Var<'t>, walk: &Walk<'t>) -> Vec<Var<'t>> {
        let (tape, (batch, steps, _)) = (x.tape(), x.value().btc("auxiliary_terms"));
        let p = self.auxiliary.forward(concat(&[walk.before, walk.z]));
        let p = Normal { mean: tanh(p.mean), ..p }; // b_t is in ±1
        let told = affine(p.log_prob(target(b, self.target)), self.auxiliary_weight, 0.);

        let before = slice_time(prepend_zero(x), 0, steps);
        let heard = self.backward_head.forward(b).named("backward.head");
        let log_prob = heard.log_prob(before);
        let mut weights = Tensor::zeros(&[batch, steps]); // x_0 is no data
        weights
            .data_mut()
            .chunks_exact_mut(steps)
            .for_each(|row| row[1..].fill(self.backward_weight));
        vec![told.named("auxiliary"), (log_prob * tape.constant(weights)).named("backward")]
    }

    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that [`Generator`] uses: if x is what [`generate`](super::generate) made of its
    /// first `given` steps, it comes back to the bit.   x, result: (B, T, D)
    pub fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let read = self.read(tape.constant(x.clone()), &vec![given; samples.len()]);
        let px = self.output(self.walk(read, given, noise, samples).h);
        first_steps(given, x, &px.sample(noise, samples, 0, 1.))
    }
}

impl SequenceModel for ZForcing {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let [e, b] = self.read(x, &batch.lengths);
        let walk = self.walk([e, b], batch.x.shape()[1], noise, &batch.samples);
        let (q, p) = (walk.from.named("q.1"), self.prior.forward(walk.before).named("p.1"));
        let kl = kl.of(q, p, walk.z).named("kl.1");
        let log_px = self.output(walk.h).named("head").log_prob(x).named("log_px");
        let training = tape.is_training();
        let auxiliary = if training { self.auxiliary_terms(x, b, &walk) } else { vec![] };
        Elbo { log_px, kl: vec![kl], auxiliary }
    }

    fn bound(&self) -> Bound {
        Bound::Lower
    }

    fn steps(&self) -> Option<&dyn StepModel> {
        Some(self)
    }

    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm> {
        let state = self.lstm.start(samples.len());
        let last = Tensor::zeros(&[samples.len(), 1, self.input]);
        Box::new(Writer { model: self, samples: samples.to_vec(), state, last, t: 0 })
    }
}

impl StepModel for ZForcing {
    /// e(x_{t−1}) and b_t
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Vec<Var<'t>> {
        self.read(x, lengths).into()
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        self.lstm.start(rows).into()
    }

    fn step<'t>(
        &self,
        context: &[Var<'t>],
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t> {
        let (e, b, h) = (context[0], context[1], state[0]);
        let p = self.prior.forward(h).named("p.1");
        let q = self.infer.forward(concat(&[h, b])).named("q.1");
        let z = draw("z.1", q);
        let state = self.advance(e, z, [h, state[1]]);
        Step {
            log_px: self.output(state[0]).named("head").log_prob(x).named("log_px"),
            log_ratio: p.log_prob(z) - q.log_prob(z),
            state: state.into(),
        }
    }
}

/// Sequences under way.
struct Writer<'m> {
    model: &'m ZForcing,
    samples: Vec<u64>,
    /// h_{t−1}, c_{t−1}
    state: [Tensor; 2],
    /// x_{t−1}
    last: Tensor,
    t: usize,
}

impl Writer<'_> {
    /// h_t, with z_t from the posterior where there is a b_t.
    fn advance<'t>(
        &mut self,
        tape: &'t Tape,
        b: Option<Var<'t>>,
        noise: &Noise,
        temperature: Real,
    ) -> Var<'t> {
        let state = self.state.clone().map(|state| tape.constant(state));
        let from = match b {
            Some(b) => self.model.infer.forward(concat(&[state[0], b])),
            None => self.model.prior.forward(state[0]),
        };
        let z = from.rsample_from(self.t, noise, "z.1", &self.samples, temperature);
        let e = self.model.embed.forward(tape.constant(self.last.clone()));
        let state = self.model.advance(e, z, state);
        self.state = state.map(Var::value);
        self.t += 1;
        state[0]
    }
}

impl Generator for Writer<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let h = self.advance(&tape, None, noise, temperature);
        let x = self.model.output(h).sample(noise, &self.samples, self.t - 1, temperature);
        self.last = x.clone();
        x
    }

    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        let tape = Tape::inference();
        let embedded = self.model.embed.forward(tape.constant(x.clone()));
        let b = self.model.read_back(embedded, &vec![x.shape()[1]; self.samples.len()]).value();
        for (x, b) in each_step(x).zip(each_step(&b)) {
            let tape = Tape::inference();
            self.advance(&tape, Some(tape.constant(b)), noise, 1.);
            self.last = x;
        }
    }
}
