//! VRNN: a recurrent network with a latent at every step (Chung et al., NIPS 2015).
//!
//! | paper | here |
//! |---|---|
//! | φ_x, φ_z | `embed`, `embed_latent` |
//! | φ_prior, φ_enc | `prior`, `infer` |
//! | φ_dec | `decode`, then `head` |
//! | h_t | `lstm` |
//!
//! ```text
//! p(z_t | x_{<t}, z_{<t}) = N(φ_prior(h_{t−1}))                       Eq. 5
//! p(x_t | z_{≤t}, x_{<t}) = head(φ_dec(φ_z(z_t), h_{t−1}))            Eq. 6
//! h_t = LSTM(φ_x(x_t), φ_z(z_t), h_{t−1}),  h_0 = 0                   Eq. 7
//! q(z_t | x_{≤t}, z_{<t}) = N(φ_enc(φ_x(x_t), h_{t−1}))               Eq. 9   sees x_{≤t}
//! ```
//! Choices of ours: decision 0020.

use super::config::{HeadKind, ObservationConfig, Preset};
use super::stepwise::{Draw, Steps, Stepwise};
use super::{Architecture, Context, Description};
use crate::dist::{Normal, Observation};
use crate::nn::{Head, Init, Lstm, Mlp, NormalLayers, module};
use crate::ops::*;
use crate::settings;
use crate::tape::Var;
use crate::tensor::Tensor;

settings! {
    /// Sizes of a VRNN.
    pub struct Config {
        /// Units of the LSTM.
        pub hidden_size: usize = 1..=1 << 16,
        /// Width of φ_x, the layers on x, and of φ_dec before the head.
        pub embedding_size: usize = 1..=1 << 16,
        /// Size of z_t.
        pub latent_size: usize = 1..=1 << 16,
        /// Width of φ_z, the layers on z.
        pub latent_embedding_size: usize = 1..=1 << 16,
        /// Width of φ_prior and φ_enc, the nets of prior and posterior.
        pub latent_hidden_size: usize = 1..=1 << 16,
        /// Number of layers of each net.
        pub layers: usize = 1..=64,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("embed", "φ_x(x_t)"),
    ("embed_latent", "φ_z(z_t)"),
    ("lstm", "h_t = LSTM(φ_x(x_t), φ_z(z_t), h_{t−1}): Eq. 7"),
    ("prior", "φ_{prior}(h_{t−1}): Eq. 5"),
    ("p", "p(z_t | x_{<t}, z_{<t}): Eq. 5"),
    ("infer", "φ_{enc}(φ_x(x_t), h_{t−1}): Eq. 9"),
    ("q", "q(z_t | x_{≤t}, z_{<t}): Eq. 9"),
    ("z", "z_t ~ q(z_t | ·): Eq. 9"),
    ("decode", "φ_{dec}(φ_z(z_t), h_{t−1}): Eq. 6"),
    ("head", "p(x_t | z_{≤t}, x_{<t}): Eq. 6"),
    ("kl", "KL(q(z_t | ·) ‖ p(z_t | ·)): Eq. 11"),
    ("log_px", "ln p(x_t | z_{≤t}, x_{<t}): Eq. 11"),
    ("loss", "−ELBO: Eq. 11"),
];

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = Vrnn;

    fn description(&self) -> Description {
        Description {
            name: "vrnn",
            about: "The variational recurrent network (Chung et al. 2015): a latent at every step, which the recurrent state reads.",
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Small presets have as many parameters as those of the other models. `ink` and `speech` have the paper's sizes
    /// for IAM-OnDB and Blizzard: those for TIMIT are not known for sure.
    fn preset(&self, preset: Preset, obs: &ObservationConfig) -> Config {
        let wide = if obs.head == HeadKind::Normal { 600 } else { 500 };
        let [
            hidden_size,
            embedding_size,
            latent_size,
            latent_embedding_size,
            latent_hidden_size,
            layers,
        ] = match preset {
            Preset::InkTiny | Preset::SeriesTiny => [130, 32, 8, 16, 32, 1],
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => [316, 64, 16, 32, 64, 1],
            Preset::SpeechSmall => [312, 96, 32, 48, 96, 1],
            Preset::Ink => [1200, 250, 50, 150, 150, 1],
            Preset::Speech | Preset::SpeechLarge => [4000, wide, 200, 500, 500, 4],
        };
        Config {
            hidden_size,
            embedding_size,
            latent_size,
            latent_embedding_size,
            latent_hidden_size,
            layers,
        }
    }

    fn gradcheck(&self, _: Config) -> Config {
        Config {
            hidden_size: 5,
            embedding_size: 5,
            latent_size: 3,
            latent_embedding_size: 4,
            latent_hidden_size: 5,
            layers: 2,
        }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Vrnn {
        Vrnn::new(init, config, obs)
    }
}

/// An LSTM that also reads the latents.
pub struct Vrnn {
    embed: Mlp,
    embed_latent: Mlp,
    prior: NormalLayers,
    infer: NormalLayers,
    decode: Mlp,
    head: Head,
    lstm: Lstm,
}
module!(Vrnn: embed, embed_latent, prior, infer, decode, head, lstm);

impl Vrnn {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig) -> Self {
        let Config { hidden_size: h, embedding_size: x, latent_embedding_size: u, .. } = *config;
        let (z, n) = (config.latent_size, config.layers);
        let mlp = |init: &mut Init, name: &str, inputs: usize, width: usize| {
            init.scope(name, |init| Mlp::new(init, inputs, width, n))
        };
        let normal = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| {
                NormalLayers::new(init, inputs, config.latent_hidden_size, n, z)
            })
        };
        Self {
            embed: mlp(init, "embed", obs.input, x),
            embed_latent: mlp(init, "embed_latent", z, u),
            prior: normal(init, "prior", h),
            infer: normal(init, "infer", x + h),
            decode: mlp(init, "decode", u + h, x),
            head: obs.build(init, x),
            lstm: init.scope("lstm", |init| Lstm::new(init, x + u, h, 1.)),
        }
    }
}

/// `past_t` is empty, `seen_t` is φ_x(x_t), `s_t` is the LSTM's (h_t, c_t), and `h_t` is φ_z(z_t).
impl Stepwise for Vrnn {
    fn context<'t>(
        &self,
        x: Var<'t>,
        _lengths: &[usize],
        _: Option<&[Var<'t>]>,
    ) -> Context<Var<'t>> {
        Context { past: vec![], seen: self.present(x) }
    }

    fn present<'t>(&self, x: Var<'t>) -> Vec<Var<'t>> {
        vec![self.embed.forward(x)]
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        self.lstm.start(rows).into()
    }

    fn prior<'t>(&self, _past: &[Var<'t>], s: &Steps<'t>) -> Normal<'t> {
        self.prior.forward(s.at(0)) // Eq. 5
    }

    fn posterior<'t>(&self, c: &Context<Var<'t>>, s: &Steps<'t>) -> Normal<'t> {
        self.infer.forward(concat(&[c.seen[0], s.at(0)])) // Eq. 9
    }

    fn latent<'t>(
        &self,
        _past: &[Var<'t>],
        _s: &Steps<'t>,
        z: Var<'t>,
        _draw: Draw<'_, 't>,
    ) -> Vec<Var<'t>> {
        vec![self.embed_latent.forward(z)]
    }

    fn output<'t>(&self, _past: &[Var<'t>], s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t> {
        self.head.forward(self.decode.forward(concat(&[h.at(0), s.at(0)]))) // Eq. 6
    }

    fn advance<'t>(&self, seen: &[Var<'t>], s: &Steps<'t>, h: &Steps<'t>) -> Vec<Var<'t>> {
        self.lstm.step(concat(&[seen[0], h.at(0)]), [s.at(0), s.at(1)]).into() // Eq. 7
    }
}
