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
//! No latents: the value is the exact log-likelihood. Choices of ours: decision 0020.

use super::config::{HeadKind, ObservationConfig, Preset};
use super::sequence::{Bound, Elbo, Kl, Sampler, SequenceModel, each_step};
use super::{Architecture, Description};
use crate::data::Batch;
use crate::dist::Observation;
use crate::nn::{Head, Init, Lstm, Mlp, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::settings;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

settings! {
    /// Sizes of an RNN.
    pub struct Config {
        /// Units of the LSTM.
        pub hidden_size: usize = 1..=1 << 16,
        /// Width of the layers before and after the LSTM.
        pub embedding_size: usize = 1..=1 << 16,
        /// Number of layers before the LSTM, and of those after it.
        pub layers: usize = 1..=64,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("embed", "φ_x(x_t)"),
    ("lstm", "h_t = LSTM(φ_x(x_t), h_{t−1})"),
    ("h", "h_t"),
    ("decode", "dec(h_{t−1})"),
    ("head", "p(x_t | x_{<t})"),
    ("log_px", "ln p(x_t | x_{<t}), exact"),
    ("loss", "−ln p(x)"),
];

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = Rnn;

    fn description(&self) -> Description {
        Description {
            name: "rnn",
            about: "The recurrent network without latents that VRNN is compared with (Chung et al. 2015).",
            has_latents: false,
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Small presets have as many parameters as those of the other models. `ink` and `speech` have the paper's sizes
    /// for IAM-OnDB and Blizzard, whose layers are wider before a normal head.
    fn preset(&self, preset: Preset, obs: &ObservationConfig) -> Config {
        let normal = obs.head == HeadKind::Normal;
        let (hidden_size, embedding_size, layers) = match preset {
            Preset::InkTiny | Preset::SeriesTiny => (146, 32, 1),
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => (346, 64, 1),
            Preset::SpeechSmall => (358, 96, 1),
            Preset::Ink => (1200, if normal { 340 } else { 300 }, 1),
            Preset::Speech | Preset::SpeechLarge => (4000, if normal { 800 } else { 700 }, 4),
        };
        Config { hidden_size, embedding_size, layers }
    }

    fn gradcheck(&self, _: Config) -> Config {
        Config { hidden_size: 5, embedding_size: 5, layers: 2 }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Rnn {
        Rnn::new(init, config, obs)
    }
}

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
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig) -> Self {
        let Config { hidden_size, embedding_size, layers } = *config;
        let mlp = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| Mlp::new(init, inputs, embedding_size, layers))
        };
        Self {
            embed: mlp(init, "embed", obs.input),
            lstm: init.scope("lstm", |init| Lstm::new(init, embedding_size, hidden_size, 1.)),
            decode: mlp(init, "decode", hidden_size),
            head: obs.build(init, embedding_size),
        }
    }

    /// `p(x_t | x_{<t})` of every step.   x: (B, T, D)
    pub fn predict<'t>(&self, x: Var<'t>) -> Observation<'t> {
        let h = self.lstm.forward(self.embed.forward(x)).named("h");
        let before = slice_time(prepend_zero(h), 0, x.value().shape()[1]); // 0, h_1 … h_{T−1}
        self.head.forward(self.decode.forward(before))
    }
}

impl SequenceModel for Rnn {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, _noise: &Noise, _: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let px = self.predict(x).named("head");
        Elbo { log_px: px.log_prob(x).named("log_px"), kl: vec![], auxiliary: vec![] }
    }

    fn is_recurrent(&self) -> bool {
        true
    }

    fn bound(&self) -> Bound {
        Bound::Exact
    }

    fn sampler<'m>(&'m self, samples: &[u64]) -> Box<dyn Sampler + 'm> {
        let state = self.lstm.start(samples.len());
        Box::new(RnnSampler { model: self, samples: samples.to_vec(), state, t: 0 })
    }
}

/// Sequences being sampled.
struct RnnSampler<'m> {
    model: &'m Rnn,
    samples: Vec<u64>,
    /// h_{t−1}, c_{t−1}
    state: [Tensor; 2],
    t: usize,
}

impl RnnSampler<'_> {
    fn advance(&mut self, x: Var) {
        let state = self.state.clone().map(|state| x.tape().constant(state));
        let state = self.model.lstm.step(self.model.embed.forward(x), state);
        self.state = state.map(Var::value);
        self.t += 1;
    }
}

impl Sampler for RnnSampler<'_> {
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
