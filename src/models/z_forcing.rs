//! Z-forcing: a latent at every step whose posterior sees the state of a network that reads backwards
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
//! Training also adds `w ln p(b_t | z_t, h_{t−1})`, with b_t as a constant, and `v ln p(x_{t−1} | b_t)`, so that
//! the latent carries information and b_t is worth predicting; these are part of no bound.
//! Facts: rivals.md §5; what differs from the paper and its release: decision 0018.

use super::config::{HeadKind, ObservationConfig, Preset};
use super::stepwise::{AuxiliaryTarget, Draw, Steps, Stepwise, Unrolled, with_before};
use super::{Architecture, Context, Description};
use crate::dist::{Normal, Observation};
use crate::nn::{Head, Init, Linear, LogVarLayers, Lstm, clipped_leaky_relu, module};
use crate::ops::*;
use crate::settings;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};

settings! {
    /// Sizes of Z-forcing.
    pub struct Config {
        /// Units of the LSTM that reads forwards, and of the one that reads backwards.
        pub hidden_size: usize = 1..=1 << 16,
        /// Width of the layers before the LSTMs and before the head.
        pub embedding_size: usize = 1..=1 << 16,
        /// Size of z_t.
        pub latent_size: usize = 1..=1 << 16,
        /// Width of the nets of prior, posterior and auxiliary density, and of the layer on z.
        pub latent_hidden_size: usize = 1..=1 << 16,
        /// w, the weight of `ln p(b_t | z_t, h_{t−1})` in training.
        pub auxiliary_weight: f64 = 0. ..=1e6,
        /// v, the weight of `ln p(x_{t−1} | b_t)` in training.
        pub backward_weight: f64 = 0. ..=1e6,
        /// What the auxiliary term is the density of.
        pub auxiliary_target: AuxiliaryTarget,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("embed", "e(x_t)"),
    ("backward", "b_t = LSTM←(e(x_t), b_{t+1})"),
    ("b", "b_t"),
    ("lstm", "h_t = LSTM([e(x_{t−1}), z_t], h_{t−1})"),
    ("prior", "p(z_t | ·) = N(prior(h_{t−1}))"),
    ("p", "p(z_t | ·)"),
    ("infer", "q(z_t | ·) = N(infer(h_{t−1}, b_t))"),
    ("q", "q(z_t | ·)"),
    ("z", "z_t ~ q(z_t | ·)"),
    ("auxiliary", "w ln p(b_t | z_t, h_{t−1}), part of no bound"),
    ("backward_head", "v ln p(x_{t−1} | b_t), part of no bound"),
    ("decode", "decode(h_t)"),
    ("head", "p(x_t | x_{<t}, z_{≤t})"),
    ("kl", "KL(q(z_t | ·) ‖ p(z_t | ·))"),
    ("log_px", "ln p(x_t | x_{<t}, z_{≤t})"),
    ("loss", "−ELBO − auxiliary terms"),
];

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = ZForcing;

    fn description(&self) -> Description {
        Description {
            name: "z-forcing",
            about: "Z-forcing (Goyal et al. 2017): the posterior sees a network that reads backwards, which the latent is to predict.",
            looks_ahead: true,
            inference_only: &["infer", "backward", "auxiliary"],
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Small presets have as many parameters as those of the other models. `speech` has the paper's sizes; `ink`,
    /// which the paper does not have, VRNN's layers and as many units as make it as large as VRNN.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let [hidden_size, embedding_size, latent_size, latent_hidden_size] = match preset {
            Preset::InkTiny | Preset::SeriesTiny => [83, 32, 8, 32],
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => [204, 64, 16, 64],
            Preset::SpeechSmall => [182, 96, 32, 96],
            Preset::Ink => [816, 250, 50, 150],
            Preset::Speech | Preset::SpeechLarge => [1024, 512, 256, 512],
        };
        Config {
            hidden_size,
            embedding_size,
            latent_size,
            latent_hidden_size,
            auxiliary_weight: 5e-3,
            backward_weight: 1.,
            auxiliary_target: AuxiliaryTarget::Stop,
        }
    }

    fn gradcheck(&self, tiny: Config) -> Config {
        // Finite differences see through a stopped gradient.
        let auxiliary_target = AuxiliaryTarget::Full;
        Config {
            hidden_size: 5,
            embedding_size: 5,
            latent_size: 3,
            latent_hidden_size: 5,
            auxiliary_weight: 0.1,
            auxiliary_target,
            ..tiny
        }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> ZForcing {
        ZForcing::new(init, config, obs)
    }
}

/// An LSTM that also reads the latents, and one that reads x backwards, for the posterior alone.
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
    auxiliary_weight: Real,
    backward_weight: Real,
    target: AuxiliaryTarget,
}
module!(ZForcing: embed, embed_latent, prior, infer, lstm, decode, head, backward, auxiliary,
    backward_head);

impl ZForcing {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig) -> Self {
        let Config { hidden_size: h, embedding_size: e, latent_size: z, .. } = *config;
        let width = config.latent_hidden_size;
        let linear = |init: &mut Init, name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| Linear::new(init, inputs, outputs))
        };
        let normal = |init: &mut Init, name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| LogVarLayers::new(init, inputs, width, outputs))
        };
        let lstm = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| Lstm::new(init, inputs, h, 1.))
        };
        let plain = match obs.real_channels() {
            0 => HeadKind::Bernoulli,
            _ => HeadKind::Normal,
        };
        let plain = ObservationConfig { head: plain, ..obs.clone() };
        Self {
            embed: linear(init, "embed", obs.input, e),
            embed_latent: linear(init, "embed_latent", z, width),
            prior: normal(init, "prior", h, z),
            infer: normal(init, "infer", 2 * h, z),
            lstm: lstm(init, "lstm", e + width),
            decode: linear(init, "decode", h, e),
            head: obs.build(init, e),
            backward: lstm(init, "backward", e),
            auxiliary: normal(init, "auxiliary", h + z, h),
            backward_head: init.scope("backward", |init| plain.build(init, h)),
            input: obs.input,
            auxiliary_weight: config.auxiliary_weight as Real,
            backward_weight: config.backward_weight as Real,
            target: config.auxiliary_target,
        }
    }
}

/// `past_t` is e(x_{t−1}), `seen_t` is b_t, and `s_t` and `h_t` are both the LSTM's (h_t, c_t).
impl Stepwise for ZForcing {
    fn memory(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, self.input])]
    }

    fn context<'t>(
        &self,
        x: Var<'t>,
        lengths: &[usize],
        memory: Option<&[Var<'t>]>,
    ) -> Context<Var<'t>> {
        let steps = x.value().shape()[1];
        let e = self.embed.forward(with_before(x, memory)); // of x_0 … x_T
        let b = self.backward.forward_reversed(slice_time(e, 1, steps), lengths).named("b");
        Context { past: vec![slice_time(e, 0, steps)], seen: vec![b] }
    }

    fn past<'t>(&self, memory: &[Var<'t>]) -> Vec<Var<'t>> {
        vec![self.embed.forward(memory[0])]
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        self.lstm.start(rows).into()
    }

    fn prior<'t>(&self, _past: &[Var<'t>], s: &Steps<'t>) -> Normal<'t> {
        self.prior.forward(s.at(0))
    }

    fn posterior<'t>(&self, c: &Context<Var<'t>>, s: &Steps<'t>) -> Normal<'t> {
        self.infer.forward(concat(&[s.at(0), c.seen[0]]))
    }

    fn latent<'t>(
        &self,
        past: &[Var<'t>],
        s: &Steps<'t>,
        z: Var<'t>,
        _draw: Draw<'_, 't>,
    ) -> Vec<Var<'t>> {
        let inputs = concat(&[past[0], self.embed_latent.forward(z)]);
        self.lstm.step(inputs, [s.at(0), s.at(1)]).into()
    }

    fn output<'t>(&self, _past: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t> {
        self.head.forward(clipped_leaky_relu(self.decode.forward(h.at(0))))
    }

    /// `w ln p(b_t | z_t, h_{t−1})` and, for t ≥ 2, `v ln p(x_{t−1} | b_t)`.
    fn auxiliary<'t>(&self, x: Var<'t>, pass: &Unrolled<'t>) -> Vec<Var<'t>> {
        let (tape, (batch, steps, _)) = (x.tape(), x.value().btc("auxiliary"));
        let b = pass.context.seen[0];
        let p = self.auxiliary.forward(concat(&[pass.s.at(0), pass.z]));
        let p = Normal { mean: tanh(p.mean), ..p }; // b_t is in ±1
        let predicted = affine(p.log_prob(self.target.of(b)), self.auxiliary_weight, 0.);

        let before = slice_time(prepend_zero(x), 0, steps);
        let log_prob = self.backward_head.forward(b).named("backward.head").log_prob(before);
        let mut weights = Tensor::zeros(&[batch, steps]); // x_0 is no data
        let rows = weights.data_mut().chunks_exact_mut(steps);
        rows.for_each(|row| row[1..].fill(self.backward_weight));
        vec![predicted.named("auxiliary"), (log_prob * tape.constant(weights)).named("backward")]
    }
}
