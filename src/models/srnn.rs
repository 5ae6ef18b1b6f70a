//! SRNN: a chain of latents beside a recurrent network (Fraccaro et al., NIPS 2016).
//!
//! | paper | here |
//! |---|---|
//! | d_t | `forward` |
//! | a_t | `smooth`, a GRU that reads backwards, or `filter`, layers that see one step |
//! | NN of p(z_t), of q(z_t) | `prior`, `infer`, each a net for the mean and one for the log-variance |
//! | layers before the GRUs, before x | `embed`; `decode`, then `head` |
//!
//! ```text
//! d_t = GRU(emb(x_{t−1}), d_{t−1}),  x_0 = d_0 = 0
//! p(z_t | z_{t−1}, d_t) = N(μ⁰, σ⁰²),  μ⁰, ln σ⁰² = NN([d_t; z_{t−1}]),  z_0 = 0
//! p(x_t | z_t, d_t) = head(gen([d_t; z_t]))
//! a_t = GRU([d_t; emb(x_t)], a_{t+1}),  a_{T+1} = 0                        sees all of x
//! q(z_t | z_{t−1}, a_t) = N(μ⁰ + μ̂, σ²),  μ̂, ln σ² = NN([a_t; z_{t−1}])    μ⁰ of the z_{t−1} drawn from q
//! ```
//! `srnn-filter` has `a_t = NN([d_t; emb(x_t)])` instead, which sees x_{≤t} only.
//! Facts: rivals.md §4, decision 0015.

use super::config::{ObservationConfig, Preset};
use super::stepwise::{Steps, Stepwise, with_before};
use super::{Architecture, Context, Description};
use crate::dist::{Normal, Observation};
use crate::nn::{Gru, Head, Init, Linear, Module, clipped_leaky_relu, module};
use crate::ops::*;
use crate::settings;
use crate::tape::{Param, Var};
use crate::tensor::{Real, Tensor};

settings! {
    /// Sizes of an SRNN.
    pub struct Config {
        /// Units of the GRU that reads forwards, and of the one that reads backwards.
        pub hidden_size: usize = 1..=1 << 16,
        /// Width of the layers before the GRUs and before the head.
        pub embedding_size: usize = 1..=1 << 16,
        /// Size of z_t.
        pub latent_size: usize = 1..=1 << 16,
        /// Width of the nets of prior and posterior.
        pub latent_hidden_size: usize = 1..=1 << 16,
        /// Number of layers before the GRUs, before the head and, in `srnn-filter`, before the posterior.
        pub layers: usize = 1..=64,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("embed", "emb(x_{t−1})"),
    ("forward", "d_t = GRU(emb(x_{t−1}), d_{t−1})"),
    ("d", "d_t"),
    ("smooth", "a_t = GRU([d_t; emb(x_t)], a_{t+1})"),
    ("filter", "a_t = NN([d_t; emb(x_t)])"),
    ("prior", "μ⁰, ln σ⁰² = NN([d_t; z_{t−1}])"),
    ("p", "p(z_t | z_{t−1}, d_t)"),
    ("infer", "μ̂, ln σ² = NN([a_t; z_{t−1}])"),
    ("q", "q(z_t | z_{t−1}, a_t) = N(μ⁰ + μ̂, σ²)"),
    ("z", "z_t ~ q(z_t | z_{t−1}, a_t)"),
    ("decode", "gen([d_t; z_t])"),
    ("head", "p(x_t | z_t, d_t)"),
    ("kl", "KL(q(z_t | ·) ‖ p(z_t | ·))"),
    ("log_px", "ln p(x_t | z_t, d_t)"),
    ("loss", "−ELBO"),
];

/// This model's [`Architecture`].
pub struct Paper {
    /// Whether the posterior sees all of x, or x up to its step.
    pub smooth: bool,
}

impl Architecture for Paper {
    type Config = Config;
    type Model = Srnn;

    fn description(&self) -> Description {
        Description {
            name: if self.smooth { "srnn" } else { "srnn-filter" },
            about: if self.smooth {
                "SRNN (Fraccaro et al. 2016): a chain of latents beside a recurrent network; the posterior sees all of x."
            } else {
                "SRNN whose posterior sees x up to its step."
            },
            looks_ahead: self.smooth,
            inference_only: &["smooth", "filter", "infer"],
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Small presets have as many parameters as those of the other models. `speech` has the paper's sizes; `ink`,
    /// which the paper does not have, those for music.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let or = |smooth, filter| if self.smooth { smooth } else { filter };
        let [hidden_size, embedding_size, latent_size, latent_hidden_size, layers] = match preset {
            Preset::InkTiny | Preset::SeriesTiny => [or(91, 131), 32, 8, 32, 1],
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => {
                [or(218, 316), 64, 16, 64, 1]
            }
            Preset::SpeechSmall => [or(218, 311), 96, 32, 96, 1],
            Preset::Ink => [300, 500, 100, 500, 1],
            Preset::Speech | Preset::SpeechLarge => [1024, 512, 256, 512, 2],
        };
        Config { hidden_size, embedding_size, latent_size, latent_hidden_size, layers }
    }

    fn gradcheck(&self, _: Config) -> Config {
        Config {
            hidden_size: 5,
            embedding_size: 5,
            latent_size: 3,
            latent_hidden_size: 5,
            layers: 2,
        }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Srnn {
        Srnn::new(init, config, obs, self.smooth)
    }
}

/// A chain of latents beside GRUs that do not read them.
pub struct Srnn {
    embed: Vec<Linear>,
    forward: Gru,
    smooth: Option<Gru>,
    filter: Vec<Linear>, // empty if there is `smooth`
    prior: NormalNets,
    infer: NormalNets,
    decode: Vec<Linear>,
    head: Head,
    input: usize,
    latent: usize,
}
module!(Srnn: embed, forward, smooth, filter, prior, infer, decode, head);

/// Layers `1 … n` of one width, each to be followed by [`clipped_leaky_relu`].
fn layers(init: &mut Init, name: &str, inputs: usize, width: usize, n: usize) -> Vec<Linear> {
    init.list(name, n, |init, i| Linear::new(init, if i == 0 { inputs } else { width }, width))
}

fn through<'t>(layers: &[Linear], x: Var<'t>) -> Var<'t> {
    layers.iter().fold(x, |h, layer| clipped_leaky_relu(layer.forward(h)))
}

/// `NN([u; z]) = V lrelu₃(W u + U z + b) + c`.   u: (B, T, units), z, result: (B, T, latent)
struct Net {
    units: Param,  // W: (units, hidden)
    latent: Param, // U: (latent, hidden)
    bias: Param,   // (hidden)
    output: Linear,
}
module!(Net: units, latent, bias, output);

impl Net {
    /// The bound of the uniform weights V of a new net: prior and posterior start near N(0, 1).
    const OUTPUT: f64 = 1e-3;

    fn new(init: &mut Init, units: usize, hidden: usize, latent: usize) -> Self {
        let mut weight = |name: &str, inputs: usize| {
            init.scope(name, |init| init.weight(&[inputs, hidden], units + latent, hidden))
        };
        let (units, latent_weight) = (weight("units", units), weight("latent", latent));
        let bias = init.bias(hidden);
        let mut output = init.scope("output", |init| Linear::new(init, hidden, latent));
        let glorot = (6. / (hidden + latent) as f64).sqrt();
        output.visit_mut(&mut |p| p.value = p.value.map(|w| (Self::OUTPUT / glorot) as Real * w));
        Self { units, latent: latent_weight, bias, output }
    }

    /// `W u + b`, the part that needs no latent.   (B, T, hidden)
    fn see<'t>(&self, u: Var<'t>) -> Var<'t> {
        linear(u, u.tape().param(&self.units), u.tape().param(&self.bias))
    }

    /// The net's output from that part and z.
    fn forward<'t>(&self, seen: Var<'t>, z: Var<'t>) -> Var<'t> {
        self.output.forward(clipped_leaky_relu(linear_onto(z, z.tape().param(&self.latent), seen)))
    }
}

/// A mean and a log-variance from nets that share nothing.
struct NormalNets {
    mean: Net,
    log_var: Net,
}
module!(NormalNets: mean, log_var);

impl NormalNets {
    fn new(init: &mut Init, name: &str, units: usize, hidden: usize, latent: usize) -> Self {
        let mut net = |part: &str| {
            init.scope(name, |init| init.scope(part, |init| Net::new(init, units, hidden, latent)))
        };
        Self { mean: net("mean"), log_var: net("log_var") }
    }
}

/// `σ = √(eˢ + 10⁻⁶)`
fn std(log_var: Var) -> Var {
    sqrt(affine(exp(log_var), 1., 1e-6))
}

impl Srnn {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig, smooth: bool) -> Self {
        let Config { hidden_size: d, embedding_size: m, latent_size: z, layers: n, .. } = *config;
        let hidden = config.latent_hidden_size;
        Self {
            embed: layers(init, "embed", obs.input, m, n),
            forward: init.scope("forward", |init| Gru::new(init, m, d)),
            smooth: smooth.then(|| init.scope("smooth", |init| Gru::new(init, d + m, d))),
            filter: layers(init, "filter", d + m, d, if smooth { 0 } else { n }),
            prior: NormalNets::new(init, "prior", d, hidden, z),
            infer: NormalNets::new(init, "infer", d, hidden, z),
            decode: layers(init, "decode", d + z, m, n),
            head: obs.build(init, m),
            input: obs.input,
            latent: z,
        }
    }

    /// a_1 … a_T   (B, T, d)
    fn summarise<'t>(&self, d: Var<'t>, e: Var<'t>, lengths: &[usize]) -> Var<'t> {
        let x = concat(&[d, e]);
        let a = match &self.smooth {
            Some(units) => reverse_time(units.forward(reverse_time(x, lengths)), lengths),
            None => through(&self.filter, x),
        };
        a.named("a")
    }

    /// d_t, and the part of μ⁰'s net that needs no latent.
    fn with_seen<'t>(&self, d: Var<'t>) -> Vec<Var<'t>> {
        vec![d, self.prior.mean.see(d)]
    }
}

/// `past_t` is d_t, `seen_t` the parts of the posterior's nets that need a_t and no latent; `s_t` and `h_t` are both
/// z_t. The GRUs read no latent, so they run over all steps at once, and so do the products with their outputs.
impl Stepwise for Srnn {
    /// x_0 and d_0
    fn memory(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, self.input]), self.forward.start(rows)]
    }

    fn context<'t>(
        &self,
        x: Var<'t>,
        lengths: &[usize],
        memory: Option<&[Var<'t>]>,
    ) -> Context<Var<'t>> {
        let steps = x.value().shape()[1];
        let e = through(&self.embed, with_before(x, memory)); // of x_0 … x_T
        let before = slice_time(e, 0, steps);
        let d = self.forward.forward_from(before, memory.map(|m| m[1])).named("d");
        let a = self.summarise(d, slice_time(e, 1, steps), lengths);
        let seen = vec![self.infer.mean.see(a), self.infer.log_var.see(a)];
        Context { past: self.with_seen(d), seen }
    }

    fn past<'t>(&self, memory: &[Var<'t>]) -> Vec<Var<'t>> {
        self.with_seen(self.forward.step(through(&self.embed, memory[0]), memory[1]))
    }

    fn remember<'t>(&self, x: Var<'t>, past: &[Var<'t>]) -> Vec<Var<'t>> {
        vec![x, past[0]]
    }

    /// z_0
    fn start(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, self.latent])]
    }

    /// μ⁰
    fn shared<'t>(&self, past: &[Var<'t>], s: &[Var<'t>]) -> Vec<Var<'t>> {
        vec![self.prior.mean.forward(past[1], s[0])]
    }

    fn prior<'t>(&self, past: &[Var<'t>], s: &Steps<'t>) -> Normal<'t> {
        let log_var = self.prior.log_var.forward(self.prior.log_var.see(past[0]), s.at(0));
        Normal { mean: s.at(1), std: std(log_var) }
    }

    fn posterior<'t>(&self, c: &Context<Var<'t>>, s: &Steps<'t>) -> Normal<'t> {
        let residual = self.infer.mean.forward(c.seen[0], s.at(0)); // μ̂
        let log_var = self.infer.log_var.forward(c.seen[1], s.at(0));
        Normal { mean: s.at(1) + residual, std: std(log_var) }
    }

    fn output<'t>(&self, past: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t> {
        self.head.forward(through(&self.decode, concat(&[past[0], h.at(0)])))
    }
}
