//! What a model is built from: its kind, sizes, and the switches between a paper and its released code.
//!
//! Every switch is an enum with both readings (decision 0008). [`ModelConfig::default`] takes the honest
//! one of each, [`ModelConfig::as_released`] the released one. Not here: data and training (`train::config`).

use crate::choice::choice;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

choice! {
    /// Which model.
    ModelKind, "model":
    /// Stochastic temporal convolutional network: the output sees z¹ (Eq. 9).
    Stcn = "stcn",
    /// STCN whose output sees every latent.
    StcnDense = "stcn-dense",
    /// WaveNet, the deterministic control: the sum of all skip outputs.
    Wavenet = "wavenet",
    /// WaveNet whose output sees a tap of every level, "analogously to STCN-dense".
    WavenetDense = "wavenet-dense",
    /// The recurrent network without latents that VRNN is compared with (Chung et al. 2015).
    Rnn = "rnn",
    /// The variational recurrent network (Chung et al. 2015): a latent at every step, which the recurrent state reads.
    Vrnn = "vrnn",
    /// SRNN (Fraccaro et al. 2016): a chain of latents beside a recurrent network; the posterior sees all of x.
    Srnn = "srnn",
    /// SRNN whose posterior sees x as far as its step.
    SrnnFilter = "srnn-filter",
    /// Z-forcing (Goyal et al. 2017): the posterior sees a network that reads backwards, which the latent is to predict.
    ZForcing = "z-forcing",
    /// The variational bidirectional LSTM (Shabanian et al. 2017): the latent stands in for the network that reads backwards.
    VarBilstm = "var-bilstm",
    /// LadderRNN: STCN with stacked LSTM cells in the place of its blocks.
    LadderRnn = "ladder-rnn",
    /// LadderRNN whose output sees every latent.
    LadderRnnDense = "ladder-rnn-dense",
    /// SWaveNet (Lai et al. 2018): a WaveNet with latents in its layers; the posterior sees later steps of x.
    Swavenet = "swavenet",
}

impl ModelKind {
    /// Whether the output sees every level.
    pub fn is_dense(self) -> bool {
        matches!(self, Self::StcnDense | Self::WavenetDense | Self::LadderRnnDense)
    }

    /// Whether it is one of the rivals made of recurrent units, which have one latent a step at most.
    pub fn is_recurrent(self) -> bool {
        use ModelKind::*;
        matches!(self, Rnn | Vrnn | Srnn | SrnnFilter | ZForcing | VarBilstm)
    }

    /// Whether STCN's contexts come from LSTM cells.
    pub fn is_ladder(self) -> bool {
        matches!(self, Self::LadderRnn | Self::LadderRnnDense)
    }

    /// Whether it is one of the deterministic controls made of convolutions.
    pub fn is_wavenet(self) -> bool {
        matches!(self, Self::Wavenet | Self::WavenetDense)
    }

    /// Whether the posterior of a step's latents sees later steps of x: a bound all the same, but to be named
    /// beside those of models whose posterior does not.
    pub fn sees_future(self) -> bool {
        matches!(self, Self::Srnn | Self::ZForcing | Self::VarBilstm | Self::Swavenet)
    }

    /// Whether there are latents, so that the value is a bound and not the exact log-likelihood.
    pub fn has_latents(self) -> bool {
        !matches!(self, Self::Wavenet | Self::WavenetDense | Self::Rnn)
    }
}

choice! {
    /// The density of a step.
    HeadKind, "head":
    /// One diagonal Gaussian.
    Normal = "normal",
    /// A mixture of diagonal Gaussians with one component index for all channels.
    Gmm = "gmm",
    /// A mixture of bivariate Gaussians with correlation; ink only.
    Bigmm = "bigmm",
    /// One Bernoulli per channel; music only.
    Bernoulli = "bernoulli",
}

choice! {
    /// What a step of the data is.
    Task, "task":
    /// (dx, dy, pen): real offsets and a pen that is 1 on the last point of a stroke.
    Ink = "ink",
    /// A frame of real numbers.
    Speech = "speech",
    /// One key per channel, each 0 or 1.
    Music = "music",
}

choice! {
    /// Draws of one latent (stcn.md §0, row 1).
    Draws, "kind of draws":
    /// Paper: the same draw of z^l goes to the nets below and to the output.
    Shared = "shared",
    /// Release: independent draws for the prior below, the posterior below and the output; with a dense
    /// output the objective is then no lower bound.
    Fresh = "fresh",
}

choice! {
    /// The spread of the combined posterior, Eq. 11 (row 2).
    Precision, "precision":
    /// Paper: precisions add, `σ_q² = 1/(σ̂⁻² + σ_p⁻²)`.
    Product = "product",
    /// Release: the same right side taken as σ_q itself, without the square root.
    AsReleased = "as-released",
}

choice! {
    /// Floors inside the likelihoods (row 11).
    Floors, "kind of floors":
    /// Paper: none; the densities integrate to 1.
    Exact = "exact",
    /// Release: π ≥ 1e-6, θ and 1−θ ≥ 1e-5 inside the logarithms, variance ≥ 1e-6.
    AsReleased = "as-released",
}

choice! {
    /// The first step of a WaveNet (row 12).
    FirstStep, "first step":
    /// Ours: x_1 is scored from a zero start row, T terms as STCN has.
    Scored = "scored",
    /// Release: x_1 is input only, T − 1 terms.
    Skipped = "skipped",
}

choice! {
    /// What the output of WaveNet-dense sees (row 13).
    DenseTaps, "kind of dense taps":
    /// Paper: the last block of every level, "analogously to STCN-dense".
    EveryLevel = "every-level",
    /// Release: the last block of levels 1, 3 and 5 only (blocks 5, 15, 25 of 25); of every second level,
    /// the last included, where there are not 5.
    Release = "release",
}

choice! {
    /// The output network of the latent models (row 9).
    Decoder, "decoder":
    /// Ink: 1×1 convolutions, so x_t sees z_t only, as Eq. 9 says.
    Pointwise = "pointwise",
    /// Speech as released: causal gated blocks, so x_t sees z_{t−5..t}.
    Gated = "gated",
}

choice! {
    /// The pen in samples (row 18).
    PenDraw, "pen draw":
    /// Drawn from its Bernoulli, as the model says.
    Bernoulli = "bernoulli",
    /// Release: 1 where θ > ½.
    Threshold = "threshold",
}

choice! {
    /// What SWaveNet puts between streams, latents and skips (rivals.md §7).
    GateKind, "kind of gate":
    /// Speech: a linear layer of `latent_hidden` units, a rectifier, a linear layer.
    TwoLayer = "two-layer",
    /// Ink: a rectifier, then one linear layer, to which negative values of a latent are all the same.
    PreReluLinear = "pre-relu-linear",
}

choice! {
    /// What SWaveNet's blocks multiply tanh with (rivals.md §12, row 14).
    GateAct, "gate activation":
    /// Paper: a sigmoid.
    Sigmoid = "sigmoid",
    /// Release: what the sigmoid should have been of; its result went into a misspelt variable.
    LinearAsReleased = "linear-as-released",
}

choice! {
    /// What an auxiliary density of a state is of (rivals.md §5, §6).
    AuxiliaryTarget, "kind of auxiliary target":
    /// The state taken as given: the term's gradient does not go into it, only on to what z_t came from.
    Stop = "stop",
    /// The state itself, which can then make itself easy to tell, to where the density knows no bound; and
    /// what a gradient check by differences can follow.
    Full = "full",
}

/// Sizes and switches of one model; everything needed to build it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Which model.
    pub kind: ModelKind,
    /// The density of a step.
    pub head: HeadKind,
    /// What a step is; `ink` puts a pen beside the head's density.
    pub task: Task,
    /// D, numbers in a step.
    pub input: usize,
    /// F, filters of every convolution and width of the output network; of a recurrent model its units, in
    /// LadderRNN those of each cell, in SWaveNet the width of its streams.
    pub channels: usize,
    /// Width of the layers before and behind the units of a recurrent model; of the output network of LadderRNN
    /// and SWaveNet.
    pub embedding: usize,
    /// Width of the layers between a recurrent model's latent and its units.
    pub latent_embedding: usize,
    /// Taps of a dilated convolution; SWaveNet has 2, whatever stands here.
    pub kernel_size: usize,
    /// Sizes of z^1 … z^L, lowest first. WaveNet has no latents and reads only how many levels there are; the
    /// recurrent models read the first, RNN none.
    pub latents: Vec<usize>,
    /// K, gated blocks per level, dilations 1, 2, 4 … starting again at each. WaveNet on ink has 6 to match
    /// STCN's receptive field, 5 as released. LadderRNN has as many LSTM cells per level.
    pub blocks_per_latent: usize,
    /// Hidden layers of each net of a latent, in STCN and LadderRNN; the rivals' nets are their papers'.
    pub latent_layers: usize,
    /// Their width, and that of SWaveNet's gates; 0: as many as `channels`.
    pub latent_hidden: usize,
    /// SWaveNet's layers before those with latents, which are as many as `latents`: dilations 1, 2, 4 … through all.
    pub pre_layers: usize,
    /// What SWaveNet's gates are.
    pub gate_kind: GateKind,
    /// What SWaveNet's blocks multiply tanh with.
    pub gate_act: GateAct,
    /// Layers of the output network before the head; of each net of RNN and VRNN, of SRNN's before and behind
    /// its units. Z-forcing and Bi-LSTM have one, SWaveNet two.
    pub output_layers: usize,
    /// M, components of a mixture head.
    pub mixtures: usize,
    /// The output network of STCN and LadderRNN.
    pub decoder: Decoder,
    /// Draws of one latent.
    pub draws: Draws,
    /// The spread of the combined posterior.
    pub precision: Precision,
    /// Floors inside the likelihoods.
    pub floors: Floors,
    /// The first step of a WaveNet.
    pub first_step: FirstStep,
    /// What the output of WaveNet-dense sees.
    pub dense_taps: DenseTaps,
    /// The pen in samples.
    pub pen_draw: PenDraw,
    /// Z-forcing and Bi-LSTM: weight of `ln p(b_t | z_t, ·)` in training, with b_t the state of the network that
    /// reads backwards; α of the latter.
    pub auxiliary_weight: f64,
    /// Bi-LSTM: β, the weight of `ln p(h_{t−1} | z_t)` in training.
    pub state_weight: f64,
    /// Z-forcing: weight of `ln p(x_{t−1} | b_t)` in training.
    pub backward_weight: f64,
    /// What auxiliary densities are of.
    pub auxiliary_target: AuxiliaryTarget,
}

impl Default for ModelConfig {
    /// The paper's STCN-dense on ink with a mixture head, the honest reading of every switch.
    fn default() -> Self {
        Self {
            kind: ModelKind::StcnDense,
            head: HeadKind::Gmm,
            task: Task::Ink,
            input: 3,
            channels: 256,
            embedding: 300,
            latent_embedding: 150,
            kernel_size: 2,
            latents: vec![32, 16, 8, 4, 2],
            blocks_per_latent: 6,
            latent_layers: 2,
            latent_hidden: 0,
            pre_layers: 0,
            gate_kind: GateKind::TwoLayer,
            gate_act: GateAct::Sigmoid,
            output_layers: 5,
            mixtures: 20,
            decoder: Decoder::Pointwise,
            draws: Draws::Shared,
            precision: Precision::Product,
            floors: Floors::Exact,
            first_step: FirstStep::Scored,
            dense_taps: DenseTaps::EveryLevel,
            pen_draw: PenDraw::Bernoulli,
            auxiliary_weight: 5e-3,
            state_weight: 0.,
            backward_weight: 1.,
            auxiliary_target: AuxiliaryTarget::Stop,
        }
    }
}

/// How far a stack may look back: a minute of sound at 16 kHz.
const MOST_STEPS_BACK: usize = 1 << 20;

impl ModelConfig {
    /// The same sizes with every switch on the value of the model's own release; a WaveNet on ink loses its
    /// sixth block per level, as 5×\[1..16\] was released. Rivals but SWaveNet have no switch; LadderRNN was
    /// not released.
    pub fn as_released(self) -> Self {
        if self.kind == ModelKind::Swavenet {
            return Self { gate_act: GateAct::LinearAsReleased, ..self };
        }
        if self.kind.is_recurrent() || self.kind.is_ladder() {
            return self;
        }
        let short = self.kind.is_wavenet() && self.task == Task::Ink;
        Self {
            blocks_per_latent: if short {
                self.blocks_per_latent.min(5)
            } else {
                self.blocks_per_latent
            },
            draws: Draws::Fresh,
            precision: Precision::AsReleased,
            floors: Floors::AsReleased,
            first_step: FirstStep::Skipped,
            dense_taps: DenseTaps::Release,
            pen_draw: PenDraw::Threshold,
            ..self
        }
    }

    /// Whether probabilities are floored, so that together they are more than 1 and a value is no bound: those of
    /// keys, pens and mixtures (stcn.md §5).
    pub fn is_floored(&self) -> bool {
        let floored = self.task != Task::Speech || self.head != HeadKind::Normal;
        self.floors == Floors::AsReleased && floored
    }

    /// L, the number of levels.
    pub fn levels(&self) -> usize {
        self.latents.len()
    }

    /// The width of the output network of STCN and LadderRNN.
    pub fn output_width(&self) -> usize {
        if self.kind.is_ladder() { self.embedding } else { self.channels }
    }

    /// The width of the latents' hidden layers.
    pub fn latent_width(&self) -> usize {
        if self.latent_hidden == 0 { self.channels } else { self.latent_hidden }
    }

    /// Whether a model can be built from this; the error says which key and the cure.
    pub fn validate(&self) -> Result<()> {
        if self.latents.is_empty() {
            let cure = "give the size of each, lowest first, such as [32, 16, 8, 4, 2]";
            return Err(Error::usage(format!("model.latents is empty: {cure}")));
        }
        for &size in &self.latents {
            within("an entry of model.latents", size, 1, 1 << 16)?;
        }
        within("the number of model.latents", self.latents.len(), 1, 64)?;
        within("model.input", self.input, 1, 1 << 16)?;
        within("model.channels", self.channels, 1, 1 << 16)?;
        within("model.embedding", self.embedding, 1, 1 << 16)?;
        within("model.latent_embedding", self.latent_embedding, 1, 1 << 16)?;
        within("model.kernel_size", self.kernel_size, 1, 64)?;
        within("model.blocks_per_latent", self.blocks_per_latent, 1, 24)?;
        // Dilations double, and whoever draws has to remember every row.
        let per_level = (self.kernel_size - 1) * ((1 << self.blocks_per_latent) - 1);
        let back = self.levels().saturating_mul(per_level);
        within("model.pre_layers", self.pre_layers, 0, 64)?;
        if self.kind == ModelKind::Swavenet {
            let key = "the sum of model.pre_layers and the number of model.latents";
            within(key, self.pre_layers + self.levels(), 1, MOST_STEPS_BACK.ilog2() as usize)?;
        } else if back > MOST_STEPS_BACK && !self.kind.is_ladder() {
            return Err(Error::usage(format!(
                "model.blocks_per_latent is {} and model.kernel_size {}, so that {} levels look {back} steps \
                 back: choose smaller ones, for {MOST_STEPS_BACK} at most",
                self.blocks_per_latent,
                self.kernel_size,
                self.levels()
            )));
        }
        within("model.latent_layers", self.latent_layers, 1, 64)?;
        within("model.latent_hidden", self.latent_hidden, 0, 1 << 16)?;
        within("model.output_layers", self.output_layers, 1, 64)?;
        within("model.mixtures", self.mixtures, 1, 1 << 12)?;
        weight("model.auxiliary_weight", self.auxiliary_weight)?;
        weight("model.state_weight", self.state_weight)?;
        weight("model.backward_weight", self.backward_weight)?;
        self.validate_head()
    }

    fn validate_head(&self) -> Result<()> {
        let Self { head, task, input, .. } = self;
        let complaint = match (task, head) {
            (Task::Ink, _) if *input != 3 => format!(
                "model.input is {input} but ink has 3 channels (dx, dy, pen): set it to 3, or \
                 model.task to speech"
            ),
            (Task::Ink | Task::Speech, HeadKind::Bernoulli) => format!(
                "head bernoulli takes keys that are 0 or 1, and model.task is {task}: choose head \
                 normal or gmm, or the preset music-small"
            ),
            (Task::Music, HeadKind::Normal | HeadKind::Gmm | HeadKind::Bigmm) => format!(
                "head {head} is a density of real numbers, and music has keys that are 0 or 1: \
                 choose head bernoulli"
            ),
            (Task::Speech, HeadKind::Bigmm) => "head bigmm is a density of (dx, dy) beside a pen, \
                 and model.task is speech: choose head normal or gmm, or an ink preset"
                .to_string(),
            _ => return Ok(()),
        };
        Err(Error::usage(complaint))
    }
}

/// Whether a term can be weighed by it, in f32 too; NaN cannot.
fn weight(key: &str, weight: f64) -> Result<()> {
    if (0. ..=1e6).contains(&weight) {
        return Ok(());
    }
    let cure = "choose a number from 0 to 1000000, such as 0.005";
    Err(Error::usage(format!("{key} is {weight}: {cure}")))
}

/// Whether `least ≤ size ≤ most`.
pub(crate) fn within(key: &str, size: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&size) {
        return Ok(());
    }
    Err(Error::usage(format!("{key} is {size}: choose a number from {least} to {most}")))
}
