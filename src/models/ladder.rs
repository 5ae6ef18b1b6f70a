//! LadderRNN: STCN with stacked LSTM cells in place of its blocks (Aksan & Hilliges, ICLR 2019, an ablation).
//!
//! ```text
//! d_t^l = LSTM^(l)(d_t^{l−1}, d_{t−1}^l)                               instead of Eq. 2
//! ```
//! Everything above the contexts d^1 … d^L is STCN's (`stcn`). It was not released.

use super::config::{ObservationConfig, Preset};
use super::stcn::{Decoder, Draws, Precision, Sizes, Stcn, latents};
use super::{Architecture, Description};
use crate::nn::{Init, Stack};
use crate::settings;

settings! {
    /// Sizes and switches of a LadderRNN.
    pub struct Config {
        /// Units of every LSTM cell.
        pub hidden_size: usize = 1..=1 << 16,
        /// Sizes of z^1 … z^L, lowest first.
        pub latents: Vec<usize> = (1..=64, 1..=1 << 16),
        /// LSTM cells per level, in place of STCN's blocks.
        pub cells_per_latent: usize = 1..=24,
        /// Hidden layers of each net of a latent.
        pub latent_layers: usize = 1..=64,
        /// Their width.
        pub latent_hidden: usize = 1..=1 << 16,
        /// Layers of the output network before the head.
        pub output_layers: usize = 1..=64,
        /// Their width.
        pub output_size: usize = 1..=1 << 16,
        /// The output network.
        pub decoder: Decoder,
        /// Draws of one latent.
        pub draws: Draws,
        /// The spread of the combined posterior.
        pub precision: Precision,
        /// Whether every LSTM cell but the lowest adds its input to its output. Not in the paper.
        pub residual: bool,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("lstm", "d_t^l = LSTM^(l)(d_t^{l−1}, d_{t−1}^l), and + d_t^{l−1} if residual"),
    ("d", "d_t^l, the context of level l"),
    ("prior", "p(z_t^l | z_t^{l+1}, d_{t−1}^l) = N(f_p(·)): Eq. 8"),
    ("infer", "q̂(z_t^l | ·) = N(f_q(z_t^{l+1}, d_t^l)): Eq. 10"),
    ("p", "p(z_t^l | ·): Eq. 8"),
    ("q", "q(z_t^l | ·) ∝ q̂ · p: Eq. 11"),
    ("z", "z_t^l ~ q(z_t^l | ·): Eq. 11"),
    ("output", "f^(o)(z_t): Eq. 9"),
    ("kl", "KL(q ‖ p): Eq. 15"),
    ("log_px", "ln p(x_t | z_t): Eqs. 16, 17"),
    ("loss", "−ELBO: Eq. 15"),
];

/// LadderRNN's [`Architecture`]. There is no released code.
pub struct Paper {
    /// Whether the output sees every latent, or only z^1.
    pub dense: bool,
}

impl Architecture for Paper {
    type Config = Config;
    type Model = Stcn;

    fn description(&self) -> Description {
        Description {
            name: if self.dense { "ladder-rnn-dense" } else { "ladder-rnn" },
            about: if self.dense {
                "LadderRNN whose output sees every latent."
            } else {
                "LadderRNN: STCN with stacked LSTM cells in place of its blocks."
            },
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// 25 cells of 256 units, as published. Small presets have one cell per level, and nets as wide as STCN's; narrower
    /// ones on music, where 88 keys make the first cell large.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let (hidden_size, cells_per_latent, width) = match preset {
            Preset::InkTiny => (55, 1, 32),
            Preset::SeriesTiny => (56, 1, 32),
            Preset::InkSmall | Preset::SeriesSmall => (103, 1, 54),
            Preset::MusicSmall => (103, 1, 48),
            Preset::SpeechSmall => (108, 1, 60),
            Preset::Ink | Preset::Speech | Preset::SpeechLarge => (256, 5, 256),
        };
        Config {
            hidden_size,
            latents: latents(preset),
            cells_per_latent,
            latent_layers: 2,
            latent_hidden: width,
            output_layers: 5,
            output_size: width,
            decoder: Decoder::Pointwise,
            draws: Draws::Shared,
            precision: Precision::Product,
            residual: false,
        }
    }

    /// One cell per level, as in `tiny`: through four in a row, gradients become too small to check.
    fn gradcheck(&self, tiny: Config) -> Config {
        Config {
            hidden_size: 5,
            latents: vec![3, 2],
            latent_hidden: 5,
            output_layers: 2,
            output_size: 5,
            ..tiny
        }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Stcn {
        new(init, config, obs, self.dense)
    }
}

/// A LadderRNN with fresh parameters.
pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig, dense: bool) -> Stcn {
    let cells = config.latents.len() * config.cells_per_latent;
    let widths = (obs.input, config.hidden_size);
    let stack = Stack::cells(init, "lstm", widths, cells, config.residual);
    let sizes = Sizes {
        input: obs.input,
        dense,
        latents: config.latents.clone(),
        context: config.hidden_size,
        per_level: config.cells_per_latent,
        latent_layers: config.latent_layers,
        latent_hidden: config.latent_hidden,
        output_layers: config.output_layers,
        output_size: config.output_size,
        decoder: config.decoder,
        draws: config.draws,
        combine: config.precision.into(),
    };
    Stcn::on(stack, init, sizes, obs)
}
