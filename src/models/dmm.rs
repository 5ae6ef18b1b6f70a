//! DMM: the deep Markov model, a nonlinear state space model with a structured inference network
//! (Krishnan, Shalit, Sontag, AAAI 2017).
//!
//! | paper | here |
//! |---|---|
//! | G_α, S_β: g_t, h_t, W_μp, W_σp | `prior`: `gate`, `proposal`, `linear`, `var` |
//! | F_κ | `emission`, then `head` |
//! | h_t^right | `backward` |
//! | h_combined, W_μ, W_σ | `infer`: `combine`, `mean`, `var` |
//!
//! ```text
//! g_t = σ(W max(W z_{t−1} + b, 0) + b),  h_t = W max(W z_{t−1} + b, 0) + b          gated transition
//! p(z_t | z_{t−1}) = N((1 − g_t) ⊙ (W_μp z_{t−1} + b_μp) + g_t ⊙ h_t, softplus(W_σp max(h_t, 0) + b_σp))
//! p(x_t | z_t) = head(F_κ(z_t))                                       F_κ: two layers with rectifiers
//! h_t^right = LSTM←(x_t, h_{t+1}^right)                               has read x_T … x_t
//! h_combined = ½ (tanh(W z_{t−1} + b) + h_t^right)
//! q(z_t | z_{t−1}, x_{≥t}) = N(W_μ h_combined + b_μ, softplus(W_σ h_combined + b_σ))   the paper's ST-R, or DKS
//! ```
//! The second argument of N is a variance, W_μp starts as the identity, z_0 = 0. Given z_t, neither x_t nor z_{t+1}
//! depends on earlier steps: all memory is in z. Choices of ours: decision 0022.

use super::config::{ObservationConfig, Preset};
use super::stepwise::{Steps, Stepwise};
use super::{Architecture, Context, Description};
use crate::dist::{Normal, Observation};
use crate::nn::{Head, Init, Linear, Lstm, Mlp, module};
use crate::ops::*;
use crate::settings;
use crate::tape::{Param, Var};
use crate::tensor::Tensor;

settings! {
    /// Sizes of a DMM.
    pub struct Config {
        /// Size of z_t.
        pub latent_size: usize = 1..=1 << 16,
        /// Width of the hidden layers of the transition.
        pub transition_size: usize = 1..=1 << 16,
        /// Width of the two layers from z_t to the head.
        pub emission_size: usize = 1..=1 << 16,
        /// Units of the LSTM that reads backwards, for the posterior.
        pub hidden_size: usize = 1..=1 << 16,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("prior", "G_α, S_β: the gated transition of z_{t−1}"),
    ("p", "p(z_t | z_{t−1})"),
    ("backward", "h_t^right = LSTM←(x_t, h_{t+1}^right)"),
    ("b", "h_t^right"),
    ("infer", "h_combined = ½ (tanh(W z_{t−1} + b) + h_t^right), and q from it"),
    ("q", "q(z_t | z_{t−1}, x_{≥t})"),
    ("z", "z_t ~ q(z_t | z_{t−1}, x_{≥t})"),
    ("emission", "F_κ(z_t)"),
    ("head", "p(x_t | z_t)"),
    ("kl", "KL(q(z_t | ·) ‖ p(z_t | z_{t−1}))"),
    ("log_px", "ln p(x_t | z_t)"),
    ("loss", "−ELBO"),
];

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = Dmm;

    fn description(&self) -> Description {
        Description {
            name: "dmm",
            about: "The deep Markov model (Krishnan et al. 2017): all memory in a chain of latents; the posterior sees later steps of x.",
            looks_ahead: true,
            inference_only: &["infer", "backward"],
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Small presets have as many parameters as those of the other models. `ink` and `speech` have the paper's sizes
    /// for music, as it never ran on ink or speech.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let [latent_size, transition_size, emission_size, hidden_size] = match preset {
            Preset::InkTiny | Preset::SeriesTiny => [32, 64, 64, 136],
            Preset::InkSmall | Preset::SeriesSmall => [64, 128, 128, 334],
            Preset::MusicSmall => [64, 128, 128, 300],
            Preset::SpeechSmall => [64, 128, 128, 275],
            Preset::Ink | Preset::Speech | Preset::SpeechLarge => [100, 200, 100, 600],
        };
        Config { latent_size, transition_size, emission_size, hidden_size }
    }

    fn gradcheck(&self, _: Config) -> Config {
        Config { latent_size: 3, transition_size: 4, emission_size: 4, hidden_size: 5 }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Dmm {
        Dmm::new(init, config, obs)
    }
}

/// A Markov chain of latents, and one step of x from each.
pub struct Dmm {
    prior: Transition,
    emission: Mlp,
    head: Head,
    backward: Lstm,
    infer: Combiner,
    latent: usize,
}
module!(Dmm: prior, emission, head, backward, infer);

/// G_α and S_β.
struct Transition {
    gate: Layers,
    proposal: Layers,
    linear: Identity,
    var: Linear,
}
module!(Transition: gate, proposal, linear, var);

/// A hidden layer with a rectifier, then a linear one.
struct Layers {
    hidden: Mlp,
    output: Linear,
}
module!(Layers: hidden, output);

impl Layers {
    fn new(init: &mut Init, inputs: usize, width: usize, outputs: usize) -> Self {
        let hidden = Mlp::new(init, inputs, width, 1);
        Self { hidden, output: init.scope("2", |init| Linear::new(init, width, outputs)) }
    }

    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.output.forward(self.hidden.forward(x))
    }
}

/// `z W + b`, which starts as the identity.   z: (B, T, latent)
struct Identity {
    weight: Param, // (latent, latent)
    bias: Param,   // (latent)
}
module!(Identity: weight, bias);

impl Identity {
    fn new(init: &mut Init, size: usize) -> Self {
        let weight = init.param("weight", &[size, size], |_, _, weight| {
            weight.iter_mut().step_by(size + 1).for_each(|w| *w = 1.);
        });
        Self { weight, bias: init.bias(size) }
    }

    fn forward<'t>(&self, z: Var<'t>) -> Var<'t> {
        linear(z, z.tape().param(&self.weight), z.tape().param(&self.bias))
    }
}

impl Transition {
    fn new(init: &mut Init, size: usize, width: usize) -> Self {
        Self {
            gate: init.scope("gate", |init| Layers::new(init, size, width, size)),
            proposal: init.scope("proposal", |init| Layers::new(init, size, width, size)),
            linear: init.scope("linear", |init| Identity::new(init, size)),
            var: init.scope("var", |init| Linear::new(init, size, size)),
        }
    }

    /// `p(z_t | z_{t−1})`
    fn forward<'t>(&self, z: Var<'t>) -> Normal<'t> {
        let (g, h) = (sigmoid(self.gate.forward(z)), self.proposal.forward(z));
        let linear = self.linear.forward(z);
        Normal { mean: linear + g * (h - linear), std: std(self.var.forward(relu(h))) }
    }
}

/// h_combined, and the posterior from it.
struct Combiner {
    combine: Linear,
    mean: Linear,
    var: Linear,
}
module!(Combiner: combine, mean, var);

impl Combiner {
    fn new(init: &mut Init, latent: usize, units: usize) -> Self {
        let mut layer = |name: &str, inputs, outputs| {
            init.scope(name, |init| Linear::new(init, inputs, outputs))
        };
        Self {
            combine: layer("combine", latent, units),
            mean: layer("mean", units, latent),
            var: layer("var", units, latent),
        }
    }

    /// `q(z_t | z_{t−1}, x_{≥t})`
    fn forward<'t>(&self, right: Var<'t>, z: Var<'t>) -> Normal<'t> {
        let h = affine(tanh(self.combine.forward(z)) + right, 0.5, 0.);
        Normal { mean: self.mean.forward(h), std: std(self.var.forward(h)) }
    }
}

/// `σ = √(softplus(v) + 10⁻⁶)`
fn std(var: Var) -> Var {
    sqrt(affine(softplus(var), 1., 1e-6))
}

impl Dmm {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig) -> Self {
        let Config { latent_size: z, transition_size, emission_size, hidden_size: h } = *config;
        Self {
            prior: init.scope("prior", |init| Transition::new(init, z, transition_size)),
            emission: init.scope("emission", |init| Mlp::new(init, z, emission_size, 2)),
            head: obs.build(init, emission_size),
            backward: init.scope("backward", |init| Lstm::new(init, obs.input, h, 1.)),
            infer: init.scope("infer", |init| Combiner::new(init, z, h)),
            latent: z,
        }
    }
}

/// `seen_t` is h_t^right; `s_t` and `h_t` are both z_t. Only the posterior reads x.
impl Stepwise for Dmm {
    fn context<'t>(
        &self,
        x: Var<'t>,
        lengths: &[usize],
        _: Option<&[Var<'t>]>,
    ) -> Context<Var<'t>> {
        Context { past: vec![], seen: vec![self.backward.forward_reversed(x, lengths).named("b")] }
    }

    /// z_0
    fn start(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, self.latent])]
    }

    fn prior<'t>(&self, _past: &[Var<'t>], s: &Steps<'t>) -> Normal<'t> {
        self.prior.forward(s.at(0))
    }

    fn posterior<'t>(&self, c: &Context<Var<'t>>, s: &Steps<'t>) -> Normal<'t> {
        self.infer.forward(c.seen[0], s.at(0))
    }

    fn output<'t>(&self, _past: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t> {
        self.head.forward(self.emission.forward(h.at(0)))
    }
}
