//! RNN: the recurrent network without latents that VRNN is compared with (Chung et al., NIPS 2015).
//!
//! | paper | here |
//! |---|---|
//! | φ_x | `embed` |
//! | h_t | `lstm` |
//! | the output's layers | `decode`, then `head` |
//!
//! ```text
//! h_t = LSTM(φ_x(x_t), h_{t−1}),  h_0 = 0
//! p(x_t | x_{<t}) = head(dec(h_{t−1}))
//! ```
//! No latents: the value is the exact log-likelihood. Facts: rivals.md §2.

use super::{
    Bound, Elbo, Generator, Kl, ModelConfig, SequenceModel, each_step, exact_weights, first_steps,
    head,
};
use crate::data::Batch;
use crate::dist::Observation;
use crate::nn::{Head, Init, Lstm, Mlp, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// An LSTM between layers.
pub struct Rnn {
    embed: Mlp,
    lstm: Lstm,
    decode: Mlp,
    head: Head,
}
module!(Rnn: embed, lstm, decode, head);

impl Rnn {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let (width, layers) = (config.embedding, config.output_layers);
        Self {
            embed: init.scope("embed", |init| Mlp::new(init, config.input, width, layers)),
            lstm: init.scope("lstm", |init| Lstm::new(init, width, config.channels, 1.)),
            decode: init.scope("decode", |init| Mlp::new(init, config.channels, width, layers)),
            head: head(init, config, width),
        }
    }
}

impl Rnn {
    /// `p(x_t | x_{<t})` of every step.   x: (B, T, D)
    fn predict<'t>(&self, x: Var<'t>) -> Observation<'t> {
        let h = self.lstm.forward(self.embed.forward(x)).named("h");
        let before = slice_time(prepend_zero(h), 0, x.value().shape()[1]); // 0, h_1 … h_{T−1}
        self.head.forward(self.decode.forward(before))
    }

    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that [`Generator`] uses: if x is what [`generate`](super::generate) made of its
    /// first `given` steps, it comes back to the bit.   x, result: (B, T, D)
    pub fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let px = self.predict(tape.constant(x.clone()));
        first_steps(given, x, &px.sample(noise, samples, 0, 1.))
    }
}

impl SequenceModel for Rnn {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, _noise: &Noise, _: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let px = self.predict(x).named("head");
        Elbo { log_px: px.log_prob(x).named("log_px"), kl: vec![], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Exact
    }

    fn importance_weights(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
    ) -> Option<Vec<Tensor>> {
        Some(exact_weights(self, batch, noise, draws))
    }

    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm> {
        let state = self.lstm.start(samples.len());
        Box::new(Writer { model: self, samples: samples.to_vec(), state, t: 0 })
    }
}

/// Sequences under way.
struct Writer<'m> {
    model: &'m Rnn,
    samples: Vec<u64>,
    /// h_{t−1}, c_{t−1}
    state: [Tensor; 2],
    t: usize,
}

impl Writer<'_> {
    fn advance(&mut self, x: Var) {
        let state = self.state.clone().map(|state| x.tape().constant(state));
        let state = self.model.lstm.step(self.model.embed.forward(x), state);
        self.state = state.map(Var::value);
        self.t += 1;
    }
}

impl Generator for Writer<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let h = tape.constant(self.state[0].clone());
        let px = self.model.head.forward(self.model.decode.forward(h));
        let x = px.sample(noise, &self.samples, self.t, temperature);
        self.advance(tape.constant(x.clone()));
        x
    }

    fn observe(&mut self, x: &Tensor, _noise: &Noise) {
        each_step(x).for_each(|x| self.advance(Tape::inference().constant(x)));
    }
}
