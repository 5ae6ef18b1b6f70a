//! Variational Bi-LSTM: the latent stands in for a network that reads backwards, of which it draws what the
//! forward one hears (Shabanian et al., 2017).
//!
//! | paper | here |
//! |---|---|
//! | h_t, b_t | `lstm`, `backward` |
//! | p(z_t \| h_{t−1}), q(z_t \| h_{t−1}, b_t) | `prior`, `infer` |
//! | p_ψ(b \| z_t), p_ξ(h \| z_t) | `tell_back`, `tell_state` |
//! | the output's layer | `decode`, then `head` |
//!
//! ```text
//! b_t = LSTM←(e(x_{t−1}), b_{t+1})                                    has read x_T … x_{t−1}
//! p(z_t | x_{<t−1}, z_{<t}) = N(prior(h_{t−1}))                       h_{t−1} has read x_{<t−1}
//! q(z_t | x, z_{<t}) = N(infer(h_{t−1}, b_t))                         sees the future
//! b̃_t ~ p_ψ(b | z_t) = N(tell_back(z_t))                              in training too
//! h_t = LSTM([e(x_{t−1}), z_t, b̃_t], h_{t−1}),  h_0 = x_0 = 0
//! p(x_t | x_{<t}, z_{≤t}, b̃_{≤t}) = head(decode(h_t))
//! ```
//! The latent of a step is (z_t, b̃_t), with `q(b̃_t | z_t) = p_ψ(b̃_t | z_t)`: b̃_t costs nothing, and whoever
//! generates needs no network that reads backwards. Training also adds `α ln p_ψ(b_t | z_t)` and
//! `β ln p_ξ(h_{t−1} | z_t)`, with the states taken as given: part of no bound.
//! Facts: rivals.md §6; there is no released code. What we chose: decision 0018.

use super::config::AuxiliaryTarget;
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
pub struct VarBilstm {
    embed: Linear,
    prior: LogVarLayers,
    infer: LogVarLayers,
    tell_back: LogVarLayers,
    lstm: Lstm,
    decode: Linear,
    head: Head,
    backward: Lstm,
    tell_state: LogVarLayers,
    sizes: Sizes,
    auxiliary_weight: Real,
    state_weight: Real,
    target: AuxiliaryTarget,
}
module!(VarBilstm: embed, prior, infer, tell_back, lstm, decode, head, backward, tell_state);

/// D, and the channels of z_t and of b̃_t.
struct Sizes {
    input: usize,
    latent: usize,
    units: usize,
}

/// What a walk over all steps leaves, (B, T, ·) each.
struct Walk<'t> {
    /// h_{t−1}
    before: Var<'t>,
    h: Var<'t>,
    z: Var<'t>,
    /// The distribution that z_t came from.
    from: Normal<'t>,
    /// p_ψ(b | z_t)
    told: Normal<'t>,
}

impl VarBilstm {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let ModelConfig { input, channels: units, embedding, .. } = *config;
        let (z, width) = (config.latents[0], config.latent_width());
        let normal = |init: &mut Init, name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| LogVarLayers::new(init, inputs, width, outputs))
        };
        let lstm = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| Lstm::new(init, inputs, units, 1.))
        };
        Self {
            embed: init.scope("embed", |init| Linear::new(init, input, embedding)),
            prior: normal(init, "prior", units, z),
            infer: normal(init, "infer", 2 * units, z),
            tell_back: normal(init, "tell_back", z, units),
            lstm: lstm(init, "lstm", embedding + z + units),
            decode: init.scope("decode", |init| Linear::new(init, units, embedding)),
            head: head(init, config, embedding),
            backward: lstm(init, "backward", embedding),
            tell_state: normal(init, "tell_state", z, units),
            sizes: Sizes { input, latent: z, units },
            auxiliary_weight: config.auxiliary_weight as Real,
            state_weight: config.state_weight as Real,
            target: config.auxiliary_target,
        }
    }

    /// b_t of all but the last step that is read.   embedded: (B, T + 1, ·) of x_0 … x_T → (B, T, ·)
    fn read_back<'t>(&self, embedded: Var<'t>, lengths: &[usize]) -> Var<'t> {
        let (steps, with_first) = (embedded.value().shape()[1] - 1, lengths.iter().map(|n| n + 1));
        let with_first: Vec<usize> = with_first.collect();
        let b = self.backward.forward(reverse_time(embedded, &with_first));
        slice_time(reverse_time(b, &with_first), 0, steps).named("b")
    }

    /// e(x_{t−1}) and b_t.   x: (B, T, D)
    fn read<'t>(&self, x: Var<'t>, lengths: &[usize]) -> [Var<'t>; 2] {
        let embedded = self.embed.forward(prepend_zero(x)); // of x_0 … x_T
        [slice_time(embedded, 0, x.value().shape()[1]), self.read_back(embedded, lengths)]
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
        let epsilon = |name: &str, channels: usize| {
            let epsilon = noise.normal_tensor(name, samples, steps, channels);
            tape.constant(epsilon).named(&format!("noise.{name}"))
        };
        let (of_z, of_b) =
            (epsilon("z.1", self.sizes.latent), epsilon("b.drawn", self.sizes.units));
        let mut state = self.lstm.start(samples.len()).map(|zeros| tape.constant(zeros));
        let (mut hs, mut zs, mut froms, mut tolds) = (vec![state[0]], vec![], vec![], vec![]);
        for t in 0..steps {
            let from = if t < given {
                self.infer.forward(concat(&[state[0], slice_time(b, t, 1)]))
            } else {
                self.prior.forward(state[0])
            };
            let z = rsample(from.mean, from.std, slice_time(of_z, t, 1));
            let told = self.tell_back.forward(z);
            let back = rsample(told.mean, told.std, slice_time(of_b, t, 1));
            state = self.lstm.step(concat(&[slice_time(e, t, 1), z, back]), state);
            hs.push(state[0]);
            zs.push(z);
            froms.push(from);
            tolds.push(told);
        }
        let [before, h] = [&hs[..steps], &hs[1..]].map(concat_time);
        let z = concat_time(&zs).named("z.1");
        let [from, told] = [froms, tolds].map(|steps| Normal::concat_time(&steps));
        Walk { before, h, z, from, told }
    }

    /// `p(x_t | x_{<t}, z_{≤t}, b̃_{≤t})`
    fn output<'t>(&self, h: Var<'t>) -> Observation<'t> {
        self.head.forward(clipped_leaky_relu(self.decode.forward(h)))
    }

    /// `α ln p_ψ(b_t | z_t)` and `β ln p_ξ(h_{t−1} | z_t)`; a term of weight 0 too, so that its parameters
    /// have a gradient.
    fn auxiliary_terms<'t>(&self, b: Var<'t>, walk: &Walk<'t>) -> Vec<Var<'t>> {
        let back = walk.told.log_prob(target(b, self.target));
        let state = self.tell_state.forward(walk.z).log_prob(target(walk.before, self.target));
        vec![
            affine(back, self.auxiliary_weight, 0.).named("auxiliary"),
            affine(state, self.state_weight, 0.).named("auxiliary.state"),
        ]
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

impl SequenceModel for VarBilstm {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let [e, b] = self.read(x, &batch.lengths);
        let walk = self.walk([e, b], batch.x.shape()[1], noise, &batch.samples);
        let (q, p) = (walk.from.named("q.1"), self.prior.forward(walk.before).named("p.1"));
        let kl = kl.of(q, p, walk.z).named("kl.1");
        let log_px = self.output(walk.h).named("head").log_prob(x).named("log_px");
        let training = tape.is_training();
        let auxiliary = if training { self.auxiliary_terms(b, &walk) } else { vec![] };
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
        let last = Tensor::zeros(&[samples.len(), 1, self.sizes.input]);
        Box::new(Writer { model: self, samples: samples.to_vec(), state, last, t: 0 })
    }
}

impl StepModel for VarBilstm {
    /// e(x_{t−1}) and b_t
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Vec<Var<'t>> {
        self.read(x, lengths).into()
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        self.lstm.start(rows).into()
    }

    /// The ratio is that of z_t alone: b̃_t is drawn from what the model says of it.
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
        let back = draw("b.drawn", self.tell_back.forward(z));
        let state = self.lstm.step(concat(&[e, z, back]), [h, state[1]]);
        Step {
            log_px: self.output(state[0]).named("head").log_prob(x).named("log_px"),
            log_ratio: p.log_prob(z) - q.log_prob(z),
            state: state.into(),
        }
    }
}

/// Sequences under way.
struct Writer<'m> {
    model: &'m VarBilstm,
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
        let draw = |name: &str, from: Normal<'t>| {
            from.rsample_from(self.t, noise, name, &self.samples, temperature)
        };
        let z = draw("z.1", from);
        let back = draw("b.drawn", self.model.tell_back.forward(z));
        let e = self.model.embed.forward(tape.constant(self.last.clone()));
        let state = self.model.lstm.step(concat(&[e, z, back]), state);
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
        let rows = concat_time(&[&self.last, x].map(|x| tape.constant(x.clone())));
        let embedded = self.model.embed.forward(rows);
        let b = self.model.read_back(embedded, &vec![x.shape()[1]; self.samples.len()]).value();
        for (x, b) in each_step(x).zip(each_step(&b)) {
            let tape = Tape::inference();
            self.advance(&tape, Some(tape.constant(b)), noise, 1.);
            self.last = x;
        }
    }
}
