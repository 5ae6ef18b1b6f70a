//! Variational Bi-LSTM: the latent predicts the state of a network that reads backwards, and the forward network
//! reads that prediction (Shabanian et al., 2017).
//!
//! | paper | here |
//! |---|---|
//! | h_t, b_t | `lstm`, `backward` |
//! | p(z_t \| h_{t−1}), q(z_t \| h_{t−1}, b_t) | `prior`, `infer` |
//! | p_ψ(b \| z_t), p_ξ(h \| z_t) | `decode_backward`, `decode_state` (paths `tell_back`, `tell_state`) |
//! | the output's layer | `decode`, then `head` |
//!
//! ```text
//! b_t = LSTM←(e(x_{t−1}), b_{t+1})                                    has read x_T … x_{t−1}
//! p(z_t | x_{<t−1}, z_{<t}) = N(prior(h_{t−1}))                       h_{t−1} has read x_{<t−1}
//! q(z_t | x, z_{<t}) = N(infer(h_{t−1}, b_t))                         sees the future
//! b̃_t ~ p_ψ(b | z_t) = N(decode_backward(z_t))                        in training too
//! h_t = LSTM([e(x_{t−1}), z_t, b̃_t], h_{t−1}),  h_0 = x_0 = 0
//! p(x_t | x_{<t}, z_{≤t}, b̃_{≤t}) = head(decode(h_t))
//! ```
//! The latent of a step is (z_t, b̃_t), with `q(b̃_t | z_t) = p_ψ(b̃_t | z_t)`: the KL of b̃_t is 0, and sampling
//! needs no network that reads backwards. Training also adds `α ln p_ψ(b_t | z_t)` and `β ln p_ξ(h_{t−1} | z_t)`,
//! with the states as constants; these are part of no bound.
//! Facts: rivals.md §6; there is no released code. What we chose: decision 0018.

use super::config::{ObservationConfig, Preset};
use super::stepwise::{AuxiliaryTarget, Draw, Steps, Stepwise, Unrolled, with_before};
use super::{Architecture, Context, Description};
use crate::dist::{Normal, Observation};
use crate::nn::{Head, Init, Linear, LogVarLayers, Lstm, clipped_leaky_relu, module};
use crate::ops::*;
use crate::settings;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};

settings! {
    /// Sizes of a Variational Bi-LSTM.
    pub struct Config {
        /// Units of the LSTM that reads forwards, and of the one that reads backwards.
        pub hidden_size: usize = 1..=1 << 16,
        /// Width of the layers before the LSTMs and before the head.
        pub embedding_size: usize = 1..=1 << 16,
        /// Size of z_t.
        pub latent_size: usize = 1..=1 << 16,
        /// Width of the nets of prior, posterior and auxiliary densities.
        pub latent_hidden_size: usize = 1..=1 << 16,
        /// α, the weight of `ln p_ψ(b_t | z_t)` in training.
        pub auxiliary_weight: f64 = 0. ..=1e6,
        /// β, the weight of `ln p_ξ(h_{t−1} | z_t)` in training.
        pub state_weight: f64 = 0. ..=1e6,
        /// What the auxiliary terms are densities of.
        pub auxiliary_target: AuxiliaryTarget,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("embed", "e(x_t)"),
    ("backward", "b_t = LSTM←(e(x_{t−1}), b_{t+1})"),
    ("b", "b_t"),
    ("lstm", "h_t = LSTM([e(x_{t−1}), z_t, b̃_t], h_{t−1})"),
    ("prior", "p(z_t | ·) = N(prior(h_{t−1}))"),
    ("p", "p(z_t | ·)"),
    ("infer", "q(z_t | ·) = N(infer(h_{t−1}, b_t))"),
    ("q", "q(z_t | ·)"),
    ("z", "z_t ~ q(z_t | ·)"),
    ("tell_back", "b̃_t ~ p_ψ(b | z_t)"),
    ("tell_state", "β ln p_ξ(h_{t−1} | z_t), part of no bound"),
    ("decode", "decode(h_t)"),
    ("head", "p(x_t | x_{<t}, z_{≤t}, b̃_{≤t})"),
    ("kl", "KL(q(z_t | ·) ‖ p(z_t | ·))"),
    ("log_px", "ln p(x_t | ·)"),
    ("loss", "−ELBO − auxiliary terms"),
];

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = VarBilstm;

    fn description(&self) -> Description {
        Description {
            name: "var-bilstm",
            about: "The variational bidirectional LSTM (Shabanian et al. 2017): the latent predicts the state of the network that reads backwards.",
            looks_ahead: true,
            inference_only: &["infer", "backward", "tell_state"],
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Small presets have as many parameters as those of the other models. `speech` has the paper's sizes; `ink`,
    /// which the paper does not have, VRNN's layers and as many units as make it as large as VRNN.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let [hidden_size, embedding_size, latent_size, latent_hidden_size] = match preset {
            Preset::InkTiny | Preset::SeriesTiny => [74, 32, 8, 32],
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => [180, 64, 16, 64],
            Preset::SpeechSmall => [176, 96, 32, 96],
            Preset::Ink => [704, 250, 50, 150],
            Preset::Speech | Preset::SpeechLarge => [2048, 1024, 128, 1024],
        };
        Config {
            hidden_size,
            embedding_size,
            latent_size,
            latent_hidden_size,
            auxiliary_weight: 5e-3,
            state_weight: 0.,
            auxiliary_target: AuxiliaryTarget::Stop,
        }
    }

    fn gradcheck(&self, _: Config) -> Config {
        // Finite differences see through a stopped gradient.
        let auxiliary_target = AuxiliaryTarget::Full;
        Config {
            hidden_size: 5,
            embedding_size: 5,
            latent_size: 3,
            latent_hidden_size: 5,
            auxiliary_weight: 0.1,
            state_weight: 0.1,
            auxiliary_target,
        }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> VarBilstm {
        VarBilstm::new(init, config, obs)
    }
}

/// An LSTM that also reads the latents, and one that reads x backwards, for the posterior alone.
pub struct VarBilstm {
    embed: Linear,
    prior: LogVarLayers,
    infer: LogVarLayers,
    decode_backward: LogVarLayers,
    lstm: Lstm,
    decode: Linear,
    head: Head,
    backward: Lstm,
    decode_state: LogVarLayers,
    input: usize,
    auxiliary_weight: Real,
    state_weight: Real,
    target: AuxiliaryTarget,
}
module!(VarBilstm: embed, prior, infer, decode_backward, lstm, decode, head, backward, decode_state);

impl VarBilstm {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig) -> Self {
        let Config { hidden_size: h, embedding_size: e, latent_size: z, .. } = *config;
        let width = config.latent_hidden_size;
        let normal = |init: &mut Init, name: &str, inputs: usize, outputs: usize| {
            init.scope(name, |init| LogVarLayers::new(init, inputs, width, outputs))
        };
        let lstm = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| Lstm::new(init, inputs, h, 1.))
        };
        Self {
            embed: init.scope("embed", |init| Linear::new(init, obs.input, e)),
            prior: normal(init, "prior", h, z),
            infer: normal(init, "infer", 2 * h, z),
            decode_backward: normal(init, "tell_back", z, h), // the old name: it keys the noise of the weights
            lstm: lstm(init, "lstm", e + z + h),
            decode: init.scope("decode", |init| Linear::new(init, h, e)),
            head: obs.build(init, e),
            backward: lstm(init, "backward", e),
            decode_state: normal(init, "tell_state", z, h),
            input: obs.input,
            auxiliary_weight: config.auxiliary_weight as Real,
            state_weight: config.state_weight as Real,
            target: config.auxiliary_target,
        }
    }
}

/// `past_t` is e(x_{t−1}), `seen_t` is b_t, `s_t` is the LSTM's (h_t, c_t), and `h_t` is these and the parameters of
/// `p_ψ(b | z_t)`.
impl Stepwise for VarBilstm {
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
        let past = vec![slice_time(e, 0, steps)];
        let with_first: Vec<usize> = lengths.iter().map(|n| n + 1).collect();
        let b = self.backward.forward_reversed(e, &with_first);
        let b = slice_time(b, 0, steps).named("b");
        Context { past, seen: vec![b] }
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
        draw: Draw<'_, 't>,
    ) -> Vec<Var<'t>> {
        let of_b = self.decode_backward.forward(z);
        let b = draw("b.drawn", of_b); // b̃_t
        let [h, c] = self.lstm.step(concat(&[past[0], z, b]), [s.at(0), s.at(1)]);
        vec![h, c, of_b.mean, of_b.std]
    }

    fn output<'t>(&self, _past: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t> {
        self.head.forward(clipped_leaky_relu(self.decode.forward(h.at(0))))
    }

    fn advance<'t>(&self, _seen: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Vec<Var<'t>> {
        vec![h.at(0), h.at(1)]
    }

    /// `α ln p_ψ(b_t | z_t)` and `β ln p_ξ(h_{t−1} | z_t)`.
    fn auxiliary<'t>(&self, _x: Var<'t>, pass: &Unrolled<'t>) -> Vec<Var<'t>> {
        let of_b = Normal { mean: pass.h.at(2), std: pass.h.at(3) };
        let b = of_b.log_prob(self.target.of(pass.context.seen[0]));
        let state = self.decode_state.forward(pass.z).log_prob(self.target.of(pass.s.at(0)));
        vec![
            affine(b, self.auxiliary_weight, 0.).named("auxiliary"),
            affine(state, self.state_weight, 0.).named("auxiliary.state"),
        ]
    }
}
