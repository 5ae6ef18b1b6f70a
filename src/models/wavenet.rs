//! WaveNet, the deterministic control (van den Oord et al. 2016, as Aksan & Hilliges use it).
//!
//! | part | here |
//! |---|---|
//! | linear causal convolution D → F | `first` |
//! | gated blocks, skips u_b, outputs h_b | `tcn` |
//! | ReLU(Σ u_b), dense: ReLU(h_K ∘ h_2K ∘ …) | `skips` |
//! | 2 × (1×1 convolution, ReLU), head | `output`, `head` |
//!
//! ```text
//! h = blocks(conv(0, x_1, …, x_{T−1})),   p(x_t | x_{<t}) = head(output(skips(h)))
//! ```
//! No latents: the log-likelihood is exact.
//! The release leaves the first step out of its likelihood; here all T are scored (decision 0023).

use super::config::{ObservationConfig, Preset, Task, check_receptive_field};
use super::sequence::{Bound, Elbo, Kl, Sampler, SequenceModel, each_step};
use super::{Architecture, Description, ReleasedTraining};
use crate::choice::choice;
use crate::data::Batch;
use crate::dist::Observation;
use crate::error::{Error, Result};
use crate::nn::{CausalConv1d, Head, Init, Mlp, Past, Tcn, TcnPast, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::settings;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

choice! {
    /// What the output of WaveNet-dense sees (decision 0008).
    DenseTaps, "kind of dense taps":
    /// Paper: the last block of every level, "analogously to STCN-dense".
    EveryLevel = "every-level",
    /// Release: the last block of levels 1, 3 and 5 only (blocks 5, 15, 25 of 25).
    ///
    /// With another number of levels: of every second level, including the last.
    Release = "release",
}

settings! {
    /// Sizes and switches of a WaveNet.
    pub struct Config {
        /// F, filters of every convolution and width of the output network.
        pub channels: usize = 1..=1 << 16,
        /// Taps of a dilated convolution.
        pub kernel_size: usize = 1..=64,
        /// Levels of blocks; dilations start again from 1 at each.
        pub levels: usize = 1..=64,
        /// Gated blocks per level, dilations 1, 2, 4 …; on ink 6 match STCN's receptive field, 5 were released.
        pub blocks_per_level: usize = 1..=24,
        /// Layers of the output network before the head.
        pub output_layers: usize = 1..=64,
        /// What the output of WaveNet-dense sees; WaveNet has no taps.
        pub dense_taps: DenseTaps,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("first", "conv(0, x_1 … x_{T−1})"),
    ("tcn", "gated blocks: skips u_b, outputs h_b"),
    ("output", "output(skips(h))"),
    ("head", "p(x_t | x_{<t})"),
    ("log_px", "ln p(x_t | x_{<t}), exact"),
    ("loss", "−ln p(x)"),
];

/// This model's [`Architecture`].
pub struct Paper {
    /// Whether the output sees a tap of every level, or the sum of all skips.
    pub dense: bool,
}

impl Architecture for Paper {
    type Config = Config;
    type Model = WaveNet;

    fn description(&self) -> Description {
        Description {
            name: if self.dense { "wavenet-dense" } else { "wavenet" },
            about: if self.dense {
                "WaveNet whose output sees a tap of every level, \"analogously to STCN-dense\"."
            } else {
                "WaveNet, the deterministic control: the sum of all skip outputs."
            },
            has_latents: false,
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// The stack of STCN in the same preset; small presets have as many parameters as STCN.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let or = |dense, plain| if self.dense { dense } else { plain };
        let (channels, levels, blocks_per_level) = match preset {
            Preset::InkTiny | Preset::SeriesTiny => (37, 3, 5),
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => (or(61, 62), 5, 6),
            Preset::Ink => (256, 5, 6),
            Preset::SpeechSmall => (or(74, 75), 5, 5),
            Preset::Speech => (256, 5, 5),
            Preset::SpeechLarge => (512, 5, 5),
        };
        let dense_taps = DenseTaps::EveryLevel;
        Config { channels, kernel_size: 2, levels, blocks_per_level, output_layers: 2, dense_taps }
    }

    fn gradcheck(&self, tiny: Config) -> Config {
        Config { channels: 5, levels: 2, blocks_per_level: 2, ..tiny }
    }

    /// On ink the released code has 5 levels of 5 blocks, dilations 1 to 16.
    fn as_released(&self, config: &mut Config, obs: &mut ObservationConfig) {
        if self.dense {
            config.dense_taps = DenseTaps::Release;
        }
        if obs.task == Task::Ink {
            config.blocks_per_level = config.blocks_per_level.min(5);
        }
        *obs = obs.clone().as_released();
    }

    fn released_training(&self, preset: Preset) -> ReleasedTraining {
        match preset {
            Preset::Ink => ReleasedTraining { batch: Some(32), lr_rate: Some(0.95) },
            Preset::Speech => ReleasedTraining { batch: None, lr_rate: Some(0.92) },
            _ => ReleasedTraining::default(),
        }
    }

    fn check(&self, config: &Config) -> Result<()> {
        let Config { kernel_size, levels, blocks_per_level, dense_taps, .. } = *config;
        if !self.dense && dense_taps != DenseTaps::EveryLevel {
            let text = "model.dense_taps is read by --model wavenet-dense alone: choose that, or leave the key out";
            return Err(Error::usage(text));
        }
        check_receptive_field("blocks_per_level", kernel_size, levels, blocks_per_level)
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> WaveNet {
        WaveNet::new(init, config, obs, self.dense)
    }
}

/// WaveNet and WaveNet-dense.
pub struct WaveNet {
    first: CausalConv1d,
    tcn: Tcn,
    output: Mlp,
    head: Head,
    /// The blocks (from 0) whose outputs WaveNet-dense sees; empty: the sum of all skips.
    taps: Vec<usize>,
    input: usize,
}
module!(WaveNet: first, tcn, output, head);

impl WaveNet {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig, dense: bool) -> Self {
        let Config { channels: f, kernel_size: k, levels, blocks_per_level: n, .. } = *config;
        let first = init.scope("first", |init| CausalConv1d::new(init, obs.input, f, k, 1));
        let tcn = Tcn::new(init, "tcn", (f, f), (levels, n), k);
        let taps = if dense { taps(config) } else { vec![] };
        let output = init
            .scope("output", |init| Mlp::new(init, taps.len().max(1) * f, f, config.output_layers));
        Self { first, tcn, output, head: obs.build(init, f), taps, input: obs.input }
    }

    /// `p(x_t | x_{<t})` of every step.   x: (B, T, D)
    pub fn predict<'t>(&self, x: Var<'t>) -> Observation<'t> {
        let steps = x.value().shape()[1];
        let inputs = slice_time(prepend_zero(x), 0, steps); // 0, x_1 … x_{T−1}
        let blocks = self.tcn.forward_skip(self.first.forward(inputs));
        self.head.forward(self.output.forward(self.skips(&blocks)))
    }

    /// What the output network sees, from the (u, h) of every block.
    fn skips<'t>(&self, blocks: &[(Var<'t>, Var<'t>)]) -> Var<'t> {
        relu(if self.taps.is_empty() {
            let mut skips = blocks.iter().map(|(u, _)| *u);
            let first = skips.next().expect("a stack has blocks");
            skips.fold(first, |sum, u| sum + u)
        } else {
            concat(&self.taps.iter().map(|&b| blocks[b].1).collect::<Vec<_>>())
        })
    }
}

/// The last block of every level, or of every second level including the last.
fn taps(config: &Config) -> Vec<usize> {
    let every = match config.dense_taps {
        DenseTaps::EveryLevel => 1,
        DenseTaps::Release => 2, // levels 1, 3, 5
    };
    let levels = ((config.levels - 1) % every..config.levels).step_by(every);
    levels.map(|level| (level + 1) * config.blocks_per_level - 1).collect()
}

impl SequenceModel for WaveNet {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, _noise: &Noise, _: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let px = self.predict(x).named("head");
        Elbo { log_px: px.log_prob(x).named("log_px"), kl: vec![], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Exact
    }

    fn sampler<'m>(&'m self, samples: &[u64]) -> Box<dyn Sampler + 'm> {
        let batch = samples.len();
        let (first, past) = (self.first.past(batch), self.tcn.past(batch));
        let last = Tensor::zeros(&[batch, 1, self.input]);
        Box::new(WaveNetSampler { model: self, samples: samples.to_vec(), first, past, last, t: 0 })
    }
}

/// Sequences being sampled.
struct WaveNetSampler<'m> {
    model: &'m WaveNet,
    samples: Vec<u64>,
    first: Past,
    past: TcnPast,
    /// x_{t−1}
    last: Tensor,
    t: usize,
}

impl WaveNetSampler<'_> {
    /// The outputs (u, h) of every block for input x_{t−1}.
    fn blocks(&mut self) -> Vec<(Tensor, Tensor)> {
        self.first.push(self.last.clone());
        self.model.tcn.step(&self.model.first.step(&self.first), &mut self.past)
    }
}

impl Sampler for WaveNetSampler<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let blocks = self.blocks().into_iter().map(|(u, h)| (tape.constant(u), tape.constant(h)));
        let features = self.model.skips(&blocks.collect::<Vec<_>>());
        let px = self.model.head.forward(self.model.output.forward(features));
        self.last = px.sample(noise, &self.samples, self.t, temperature);
        self.t += 1;
        self.last.clone()
    }

    fn observe(&mut self, x: &Tensor, _noise: &Noise) {
        for x in each_step(x) {
            self.blocks();
            self.last = x;
            self.t += 1;
        }
    }
}
