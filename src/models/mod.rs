//! Models of sequences: one paper, one file, and the traits for one of your own.
//!
//! A model is a plain struct of layers that computes per-step log-likelihoods and KL divergences; it has no
//! loop over numbers, no thread and no generator state. Its file has the equations, the typed config with its
//! sizes in every preset, and what the rest of the crate must know of it ([`Architecture`]). Adding one takes a
//! file, a line in [`ALL`] and a test; another crate adds one by [`Registry::with`].
//! Not here: masks and losses (`train`).

pub(crate) mod config;
pub mod dmm;
pub mod ladder;
pub mod rnn;
mod sequence;
pub mod srnn;
pub mod stcn;
mod stepwise;
pub mod swavenet;
pub mod var_bilstm;
pub mod vrnn;
pub mod wavenet;
pub mod z_forcing;

pub use config::{
    Floors, HeadKind, Key, Limits, ModelConfig, ObservationConfig, PenDraw, Preset, Setting,
    Settings, Task,
};
pub use sequence::{
    Addresses, Bound, Context, Elbo, Kl, Latents, Sampler, SequenceModel, Step, StepModel,
    addresses, each_step, generate, of_draws, parameters,
};
pub use stepwise::{AuxiliaryTarget, Draw, Steps, Stepwise, Unrolled, unroll};

use crate::choice::unknown;
use crate::error::{Error, Result};
use crate::nn::Init;
use config::{table, typed};
use std::fmt;
use toml::Table;

/// STCN: the output sees z¹ (Eq. 9).
pub const STCN: ModelKind = ModelKind::new(&stcn::Paper { dense: false });
/// STCN whose output sees every latent.
pub const STCN_DENSE: ModelKind = ModelKind::new(&stcn::Paper { dense: true });
/// WaveNet, the deterministic control: the sum of all skip outputs.
pub const WAVENET: ModelKind = ModelKind::new(&wavenet::Paper { dense: false });
/// WaveNet whose output sees a tap of every level.
pub const WAVENET_DENSE: ModelKind = ModelKind::new(&wavenet::Paper { dense: true });
/// The recurrent network without latents that VRNN is compared with.
pub const RNN: ModelKind = ModelKind::new(&rnn::Paper);
/// The variational recurrent network.
pub const VRNN: ModelKind = ModelKind::new(&vrnn::Paper);
/// SRNN: a chain of latents beside a recurrent network.
pub const SRNN: ModelKind = ModelKind::new(&srnn::Paper { smooth: true });
/// SRNN whose posterior sees x up to its step.
pub const SRNN_FILTER: ModelKind = ModelKind::new(&srnn::Paper { smooth: false });
/// Z-forcing.
pub const Z_FORCING: ModelKind = ModelKind::new(&z_forcing::Paper);
/// The variational bidirectional LSTM.
pub const VAR_BILSTM: ModelKind = ModelKind::new(&var_bilstm::Paper);
/// LadderRNN: STCN with stacked LSTM cells in place of its blocks.
pub const LADDER_RNN: ModelKind = ModelKind::new(&ladder::Paper { dense: false });
/// LadderRNN whose output sees every latent.
pub const LADDER_RNN_DENSE: ModelKind = ModelKind::new(&ladder::Paper { dense: true });
/// SWaveNet: a WaveNet with latents in its layers.
pub const SWAVENET: ModelKind = ModelKind::new(&swavenet::Paper);
/// The deep Markov model.
pub const DMM: ModelKind = ModelKind::new(&dmm::Paper);

/// Every model of this crate, in the order of `stcn list`.
pub const ALL: [ModelKind; 14] = [
    STCN,
    STCN_DENSE,
    WAVENET,
    WAVENET_DENSE,
    RNN,
    VRNN,
    SRNN,
    SRNN_FILTER,
    Z_FORCING,
    VAR_BILSTM,
    LADDER_RNN,
    LADDER_RNN_DENSE,
    SWAVENET,
    DMM,
];

/// What the rest of the crate must know of a model: names, sizes, and how it is built.
pub trait Architecture: Sync {
    /// Its sizes and switches.
    type Config: Settings;

    /// The model itself.
    type Model: SequenceModel + 'static;

    /// Its name, and what users are told about it.
    fn description(&self) -> Description;

    /// Its sizes in a preset, with every switch as in the paper. A model of another crate may have the same for
    /// all presets.
    fn preset(&self, preset: Preset, obs: &ObservationConfig) -> Self::Config;

    /// Small sizes for checking every parameter's gradient against finite differences, made from `tiny`, those of
    /// [`Preset::InkTiny`]. Use few rectifiers: among hundreds, one is always so near its kink that the check fails.
    fn gradcheck(&self, tiny: Self::Config) -> Self::Config;

    /// Sets every switch as in the model's released code, if that differs from the paper.
    fn as_released(&self, _config: &mut Self::Config, _obs: &mut ObservationConfig) {}

    /// How the released code trains, where that differs from the preset.
    fn released_training(&self, _preset: Preset) -> ReleasedTraining {
        ReleasedTraining::default()
    }

    /// Whether sizes that are each in range also fit together; the error names the key and the cure.
    fn check(&self, _config: &Self::Config) -> Result<()> {
        Ok(())
    }

    /// The model, with parameters from `init`.
    fn build(&self, init: &mut Init, config: &Self::Config, obs: &ObservationConfig)
    -> Self::Model;
}

/// A model's name, and what users are told about it.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// As it is typed: `--model vrnn`.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Whether there are latents; must be false exactly if [`SequenceModel::bound`] is [`Bound::Exact`].
    pub has_latents: bool,
    /// Whether the posterior of a step's latents sees later steps of x: the bound is valid all the same, but a table should
    /// mark it beside those of models whose posterior does not.
    pub looks_ahead: bool,
    /// The parts that only inference and training need, not sampling, by the first word of their parameters' paths.
    pub inference_only: &'static [&'static str],
    /// What the paper says of a node, by the first word of its name or of its parameters' paths, shown beside it:
    /// `("kl", "KL_l, Eq. 15")`.
    pub equations: &'static [(&'static str, &'static str)],
}

impl Default for Description {
    /// A model with latents, whose posterior is `infer` and sees x up to its own step.
    fn default() -> Self {
        Self {
            name: "",
            about: "",
            has_latents: true,
            looks_ahead: false,
            inference_only: &["infer"],
            equations: &[],
        }
    }
}

/// Where the training of the released code differs from the preset.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReleasedTraining {
    /// Sequences per update.
    pub batch: Option<usize>,
    /// What is left of the learning rate after 1000 updates.
    pub lr_rate: Option<f64>,
}

/// An [`Architecture`] with the type of its config erased: what [`ModelKind`] points to.
trait Erased: Sync {
    fn description(&self) -> Description;
    fn keys(&self) -> &'static [Key];
    fn preset(&self, preset: Preset, obs: &ObservationConfig) -> Table;
    fn gradcheck(&self) -> Table;
    fn as_released(&self, own: &mut Table, obs: &mut ObservationConfig);
    fn released_training(&self, preset: Preset) -> ReleasedTraining;
    fn typed(&self, own: Table) -> Result<Table>;
    fn check(&self, own: &Table) -> Result<()>;
    fn build(
        &self,
        init: &mut Init,
        own: &Table,
        obs: &ObservationConfig,
    ) -> Box<dyn SequenceModel>;
}

impl<A: Architecture> Erased for A {
    fn description(&self) -> Description {
        Architecture::description(self)
    }
    fn keys(&self) -> &'static [Key] {
        A::Config::KEYS
    }
    fn preset(&self, preset: Preset, obs: &ObservationConfig) -> Table {
        table(&Architecture::preset(self, preset, obs))
    }
    fn gradcheck(&self) -> Table {
        let tiny = Architecture::preset(
            self,
            Preset::InkTiny,
            &ObservationConfig::preset(Preset::InkTiny, None),
        );
        table(&Architecture::gradcheck(self, tiny))
    }
    fn as_released(&self, own: &mut Table, obs: &mut ObservationConfig) {
        let mut config: A::Config = typed(own.clone()).expect("checked when it was made");
        Architecture::as_released(self, &mut config, obs);
        *own = table(&config);
    }
    fn released_training(&self, preset: Preset) -> ReleasedTraining {
        Architecture::released_training(self, preset)
    }
    fn typed(&self, own: Table) -> Result<Table> {
        Ok(table(&typed::<A::Config>(own)?))
    }
    fn check(&self, own: &Table) -> Result<()> {
        let config: A::Config = typed(own.clone())?;
        config.check()?;
        Architecture::check(self, &config)
    }
    fn build(
        &self,
        init: &mut Init,
        own: &Table,
        obs: &ObservationConfig,
    ) -> Box<dyn SequenceModel> {
        let config: A::Config = typed(own.clone()).expect("checked when it was made");
        Box::new(Architecture::build(self, init, &config, obs))
    }
}

/// Which model: a handle to its [`Architecture`]. Two of the same name are equal.
#[derive(Clone, Copy)]
pub struct ModelKind(&'static dyn Erased);

impl ModelKind {
    /// The handle of an architecture, of this crate or another.
    pub const fn new<A: Architecture>(architecture: &'static A) -> Self {
        Self(architecture)
    }

    /// As it is typed and written to files.
    pub fn name(self) -> &'static str {
        self.0.description().name
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        self.0.description().about
    }

    /// The keys of its own config.
    pub fn keys(self) -> &'static [Key] {
        self.0.keys()
    }

    /// Whether there are latents, so that the value is a bound and not the exact log-likelihood.
    pub fn has_latents(self) -> bool {
        self.0.description().has_latents
    }

    /// Whether the posterior of a step's latents sees later steps of x.
    pub fn looks_ahead(self) -> bool {
        self.0.description().looks_ahead
    }

    /// Whether sampling from the model reads the parameter of this path.
    pub fn generates_with(self, path: &str) -> bool {
        let first = path.split('.').next().unwrap_or_default();
        !self.0.description().inference_only.contains(&first)
    }

    /// What its paper says of its nodes, by the first word of their names.
    pub fn equations(self) -> &'static [(&'static str, &'static str)] {
        self.0.description().equations
    }

    /// How its released code trains, where that differs from the preset.
    pub fn released_training(self, preset: Preset) -> ReleasedTraining {
        self.0.released_training(preset)
    }
}

impl PartialEq for ModelKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ModelKind {}

impl fmt::Debug for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for ModelKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The models that can be chosen by name: this crate's, and those that another crate adds.
#[derive(Clone, Debug)]
pub struct Registry(Vec<ModelKind>);

impl Default for Registry {
    /// [`ALL`].
    fn default() -> Self {
        Self(ALL.into())
    }
}

impl Registry {
    /// Adds a model. Panics if there is one of that name.
    #[track_caller]
    pub fn with(mut self, kind: ModelKind) -> Self {
        assert!(!self.0.contains(&kind), "there is a model named {kind}: choose another name");
        self.0.push(kind);
        self
    }

    /// Every model, in order.
    pub fn models(&self) -> &[ModelKind] {
        &self.0
    }

    /// The model of that name; the error names the nearest one and all others.
    pub fn find(&self, name: &str) -> Result<ModelKind> {
        let found = self.0.iter().find(|kind| kind.name() == name).copied();
        found.ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|kind| kind.name()).collect();
            unknown("model", name, &known)
        })
    }
}

/// The most parameters a model may have: 4 GiB of them, and seven times that in training (gradients, Adam's moments, a
/// checkpoint being saved). Sizes that are each in range may together need terabytes, and a failed allocation would end
/// the program without one of our messages.
pub const MOST_PARAMETERS: usize = 1 << 30;

/// Builds a model with parameters from `init`.
pub fn build(config: &ModelConfig, mut init: Init) -> Result<Box<dyn SequenceModel>> {
    let count = count(config)?;
    if count > MOST_PARAMETERS {
        return Err(Error::usage(format!(
            "the sizes under [model] make a model of {count} parameters, which is more than {MOST_PARAMETERS}: \
             choose smaller ones"
        )));
    }
    Ok(config.construct(&mut init))
}

/// Path and shape of every parameter that [`build`] would make, in order, without making them.
pub fn shapes(config: &ModelConfig) -> Result<Vec<(String, Vec<usize>)>> {
    config.validate()?;
    let mut init = Init::unfilled();
    config.construct(&mut init);
    Ok(init.into_shapes())
}

/// How many numbers the parameters of [`build`] would have; `usize::MAX` if they are more than that.
pub fn count(config: &ModelConfig) -> Result<usize> {
    let size = |shape: &[usize]| shape.iter().fold(1, |n: usize, &axis| n.saturating_mul(axis));
    let shapes = shapes(config)?;
    Ok(shapes.iter().fold(0, |sum: usize, (_, shape)| sum.saturating_add(size(shape))))
}
