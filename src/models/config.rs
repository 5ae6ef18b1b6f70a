//! What a model is built from: its kind, the density of a step, and its own sizes and switches.
//!
//! Each model file declares a typed `Config` by [`settings!`](crate::settings); the rest of the crate sees it as
//! a table of keys, so that files, `--set` and `stcn list` serve every model, also one of another crate. Where paper
//! and released code differ, an enum has a value for each (decision 0008).
//! Not here: data and training (`train::config`).

use super::{Architecture, ModelKind};
use crate::choice::{Words, choice};
use crate::error::{Error, Result, near};
use crate::nn::{Head, Init};
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::{Table, Value};

choice! {
    /// A set of sizes and training settings that belong together.
    Preset, "preset":
    /// the embedded handwriting, about 110 k parameters, learns in minutes
    InkTiny = "ink-tiny",
    /// ink on a small machine, 600 k parameters
    InkSmall = "ink-small",
    /// IAM-OnDB and DeepWriting as in the paper
    Ink = "ink",
    /// speech on a small machine, 900 k parameters
    SpeechSmall = "speech-small",
    /// TIMIT and Blizzard as in the paper
    Speech = "speech",
    /// the paper's STCN-dense-large, 512 channels
    SpeechLarge = "speech-large",
    /// polyphonic music, 88 keys, 600 k parameters
    MusicSmall = "music-small",
    /// series of real numbers of any width, about 110 k parameters
    SeriesTiny = "series-tiny",
    /// series of real numbers of any width, 600 k parameters
    SeriesSmall = "series-small",
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
    /// Each channel given those before it in the step, real ones by a mixture of Gaussians.
    Ar = "ar",
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
    /// Real numbers, one per channel, such as the readings of sensors.
    Series = "series",
}

choice! {
    /// Floors inside the likelihoods (decision 0008).
    Floors, "kind of floors":
    /// Paper: none; the densities integrate to 1.
    Exact = "exact",
    /// Release: π ≥ 1e-6, θ and 1−θ ≥ 1e-5 inside the logarithms, variance ≥ 1e-6.
    AsReleased = "as-released",
}

choice! {
    /// The pen in samples.
    PenDraw, "pen draw":
    /// Drawn from its Bernoulli, as the model says.
    Bernoulli = "bernoulli",
    /// Release: 1 where θ > ½.
    Threshold = "threshold",
}

/// One key of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// As it is typed after its section and a dot.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub about: &'static str,
    /// The words that it can be set to; empty for numbers, lists and text.
    pub values: &'static [&'static str],
}

/// A model's own sizes and switches: what [`settings!`](crate::settings) makes of a struct.
pub trait Settings: Serialize + DeserializeOwned {
    /// Every key, in order.
    const KEYS: &'static [Key];

    /// Whether every number is in its range; the error names the key and the cure.
    fn check(&self) -> Result<()>;
}

/// A type that a key of a config can have: a number, `bool`, `Vec<usize>`, text, or an enum of your own that implements
/// this trait with its words and (de)serialises as one of them.
pub trait Setting {
    /// The words it can be set to; empty for numbers, lists and text.
    const VALUES: &'static [&'static str] = &[];
}

impl Setting for usize {}
impl Setting for u32 {}
impl Setting for u64 {}
impl Setting for f64 {}
impl Setting for String {}
impl Setting for PathBuf {}
impl Setting for bool {
    const VALUES: &'static [&'static str] = &["true", "false"];
}
impl Setting for Vec<usize> {}
impl<W: Words> Setting for W {
    const VALUES: &'static [&'static str] = W::WORDS;
}

/// The values that a key may have.
pub trait Limits<T> {
    /// Whether `value` is one of them; the error names the `key` and the cure.
    fn check(&self, key: &str, value: &T) -> Result<()>;
}

impl Limits<usize> for RangeInclusive<usize> {
    fn check(&self, key: &str, value: &usize) -> Result<()> {
        if self.contains(value) {
            return Ok(());
        }
        let (least, most) = (self.start(), self.end());
        Err(Error::usage(format!("{key} is {value}: choose a number from {least} to {most}")))
    }
}

impl Limits<f64> for RangeInclusive<f64> {
    fn check(&self, key: &str, value: &f64) -> Result<()> {
        if self.contains(value) {
            return Ok(()); // NaN is in no range
        }
        let (least, most) = (self.start(), self.end());
        let cure = format!("choose a number from {least} to {most}");
        Err(Error::usage(format!("{key} is {value}: {cure}")))
    }
}

/// A list: the range of its length, and that of every entry.
impl Limits<Vec<usize>> for (RangeInclusive<usize>, RangeInclusive<usize>) {
    fn check(&self, key: &str, value: &Vec<usize>) -> Result<()> {
        if value.is_empty() {
            let cure = "give at least one number, such as [32, 16]";
            return Err(Error::usage(format!("{key} is empty: {cure}")));
        }
        self.0.check(&format!("the number of {key}"), &value.len())?;
        value.iter().try_for_each(|size| self.1.check(&format!("an entry of {key}"), size))
    }
}

/// A struct of settings, with serde's (de)serialisation, a documented [`Key`] per field, and a check of each field
/// against the range after its `=`: see [`Limits`]. The crate that uses it needs `serde` with its `derive`.
///
/// ```
/// stcn::settings! {
///     /// Sizes of a model.
///     pub struct Config {
///         /// Units of the recurrent layer.
///         pub hidden_size: usize = 1..=65_536,
///         /// Sizes of z^1 … z^L, lowest first.
///         pub latents: Vec<usize> = (1..=64, 1..=65_536),
///     }
/// }
/// use stcn::models::Settings;
/// assert_eq!(Config::KEYS[0].about, "Units of the recurrent layer.");
/// let refused = Config { hidden_size: 0, latents: vec![2] }.check().unwrap_err();
/// assert_eq!(refused.to_string(), "model.hidden_size is 0: choose a number from 1 to 65536");
/// ```
#[macro_export]
macro_rules! settings {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[doc = $about:literal])+ pub $key:ident: $type:ty $(= $range:expr)?,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $about])+ pub $key: $type,)+
        }

        impl $crate::models::Settings for $name {
            const KEYS: &'static [$crate::models::Key] = &[$($crate::models::Key {
                name: stringify!($key),
                about: concat!($($about),+).trim_ascii(),
                values: <$type as $crate::models::Setting>::VALUES,
            }),+];

            fn check(&self) -> $crate::Result<()> {
                $($(
                    let key = concat!("model.", stringify!($key));
                    $crate::models::Limits::check(&$range, key, &self.$key)?;
                )?)+
                Ok(())
            }
        }
    };
}

settings! {
    /// x_t: what a step of the data is, and its density given the features of a model. Every model has these.
    pub struct ObservationConfig {
        /// The density of a step.
        pub head: HeadKind,
        /// What a step is; `ink` puts a pen beside the head's density.
        pub task: Task,
        /// D, numbers in a step. A new run of the task `series` takes it from the data, unless it is set to another value
        /// than the preset's.
        pub input: usize = 1..=1 << 16,
        /// M, components of a mixture head.
        pub mixtures: usize = 1..=1 << 12,
        /// Floors inside the likelihoods.
        pub floors: Floors,
        /// The pen in samples of ink.
        pub pen_draw: PenDraw,
    }
}

impl ObservationConfig {
    /// That of a preset, with the given head, or by default one that suits its data.
    pub fn preset(preset: Preset, head: Option<HeadKind>) -> Self {
        let (task, input) = match preset {
            Preset::InkTiny | Preset::InkSmall | Preset::Ink => (Task::Ink, 3),
            Preset::SpeechSmall | Preset::Speech | Preset::SpeechLarge => (Task::Speech, 200),
            Preset::MusicSmall => (Task::Music, 88),
            Preset::SeriesTiny | Preset::SeriesSmall => (Task::Series, 1),
        };
        let usual = if task == Task::Music { HeadKind::Bernoulli } else { HeadKind::Gmm };
        let head = head.unwrap_or(usual);
        let mixtures = match (task, head) {
            (Task::Speech, HeadKind::Ar) => 1, // of each of 200 channels
            _ if preset == Preset::SpeechSmall => 5,
            _ => 20,
        };
        let (floors, pen_draw) = (Floors::Exact, PenDraw::Bernoulli);
        Self { head, task, input, mixtures, floors, pen_draw }
    }

    /// As in STCN's released code: floored probabilities, and a pen drawn by threshold.
    pub fn as_released(self) -> Self {
        Self { floors: Floors::AsReleased, pen_draw: PenDraw::Threshold, ..self }
    }

    /// How many channels hold real numbers: the first ones. The others hold bits: a pen, or keys.
    pub fn real_channels(&self) -> usize {
        match self.task {
            Task::Ink => self.input - 1,
            Task::Speech | Task::Series => self.input,
            Task::Music => 0,
        }
    }

    /// The layers that turn features into the density.   features: (B, T, width)
    pub fn build(&self, init: &mut Init, width: usize) -> Head {
        let real = self.real_channels();
        let channels = (real, self.input - real);
        let head = init.scope("head", |init| match self.head {
            HeadKind::Normal | HeadKind::Bernoulli => Head::new(init, width, channels, 0, false),
            HeadKind::Gmm => Head::new(init, width, channels, self.mixtures, false),
            HeadKind::Bigmm => Head::new(init, width, channels, self.mixtures, true),
            HeadKind::Ar => Head::autoregressive(init, width, channels, self.mixtures),
        });
        head.with_released(self.floors == Floors::AsReleased, self.pen_draw == PenDraw::Threshold)
    }

    /// Whether probabilities are floored: they then sum to more than 1, and no value is a bound. Those of keys, pens
    /// and mixtures can be.
    pub fn is_floored(&self) -> bool {
        let floored = self.real_channels() < self.input || self.head != HeadKind::Normal;
        self.floors == Floors::AsReleased && floored
    }

    /// Whether the head suits the task.
    fn check_head(&self) -> Result<()> {
        let Self { head, task, input, .. } = self;
        let complaint = match (task, head) {
            (Task::Ink, _) if *input != 3 => format!(
                "model.input is {input} but ink has 3 channels (dx, dy, pen): set it to 3, or \
                 model.task to series"
            ),
            (Task::Ink | Task::Speech | Task::Series, HeadKind::Bernoulli) => format!(
                "head bernoulli takes keys that are 0 or 1, and model.task is {task}: choose head \
                 normal or gmm, or the preset music-small"
            ),
            (Task::Music, HeadKind::Normal | HeadKind::Gmm | HeadKind::Bigmm) => format!(
                "head {head} is a density of real numbers, and music has keys that are 0 or 1: \
                 choose head bernoulli"
            ),
            (Task::Speech | Task::Series, HeadKind::Bigmm) => format!(
                "head bigmm is a density of (dx, dy) beside a pen, and model.task is {task}: choose \
                 head normal or gmm, or an ink preset"
            ),
            _ => return Ok(()),
        };
        Err(Error::usage(complaint))
    }
}

/// `[model]` of a config: everything needed to build one.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which model.
    pub kind: ModelKind,
    /// What a step of the data is.
    pub obs: ObservationConfig,
    /// The model's own config, as TOML: valid for its type, in the order of its fields.
    own: Table,
}

impl ModelConfig {
    /// The model `kind` with its own `config`.
    pub fn new<A: Architecture>(
        kind: &'static A,
        obs: ObservationConfig,
        config: &A::Config,
    ) -> Self {
        Self { kind: ModelKind::new(kind), obs, own: table(config) }
    }

    /// The sizes of `preset`, with the given head, or by default one that suits its data.
    pub fn preset(kind: ModelKind, preset: Preset, head: Option<HeadKind>) -> Self {
        let obs = ObservationConfig::preset(preset, head);
        Self { kind, own: kind.0.preset(preset, &obs), obs }
    }

    /// Small sizes on which every parameter's gradient is checked.
    pub fn gradcheck(kind: ModelKind, head: HeadKind) -> Self {
        let (task, input) =
            if head == HeadKind::Bernoulli { (Task::Music, 4) } else { (Task::Ink, 3) };
        let obs = ObservationConfig::preset(Preset::InkTiny, Some(head));
        Self {
            kind,
            obs: ObservationConfig { task, input, mixtures: 3, ..obs },
            own: kind.0.gradcheck(),
        }
    }

    /// The same sizes with every switch as in the model's released code.
    pub fn as_released(mut self) -> Self {
        self.kind.0.as_released(&mut self.own, &mut self.obs);
        self
    }

    /// The model's own config, typed. Panics if C is another model's.
    #[track_caller]
    pub fn own<C: Settings>(&self) -> C {
        let kind = self.kind;
        let typed = self.own.clone().try_into();
        typed.unwrap_or_else(|e| panic!("{kind} has another config: {e}"))
    }

    /// The keys of every model, then the model's own, with their values.
    pub fn keys(&self) -> Vec<(Key, Value)> {
        let table = self.table();
        let keys = ObservationConfig::KEYS.iter().chain(self.kind.keys());
        keys.map(|key| (*key, table[key.name].clone())).collect()
    }

    /// The same with one key set to a TOML value; the error names the key.
    ///
    /// ```
    /// use stcn::models::{self, ModelConfig, Preset};
    /// let vrnn = ModelConfig::preset(models::VRNN, Preset::InkTiny, None);
    /// assert!(vrnn.clone().with("hidden_size", 16).is_ok());
    /// let refused = vrnn.with("channels", 16).unwrap_err().to_string();
    /// assert!(refused.starts_with("vrnn has no key `model.channels`"), "{refused}");
    /// ```
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Result<Self> {
        let mut table = self.table();
        let place = table.get_mut(key).ok_or_else(|| unknown_key(self.kind, key))?;
        *place = value.into();
        Self::from_table(self.kind, table).map_err(|e| Error::usage(format!("model.{key}: {e}")))
    }

    /// As TOML: `kind`, the keys of every model, and the model's own.
    pub fn table(&self) -> Table {
        let kind = ("kind".to_string(), Value::String(self.kind.name().into()));
        let own = self.own.iter().map(|(key, value)| (key.clone(), value.clone()));
        [kind].into_iter().chain(table(&self.obs)).chain(own).collect()
    }

    /// The inverse of [`table`](Self::table); the error says which key is wrong.
    pub fn from_table(kind: ModelKind, mut table: Table) -> Result<Self> {
        let named = table.remove("kind");
        if named.as_ref().and_then(Value::as_str) != Some(kind.name()) {
            return Err(Error::usage(format!("model.kind is not {kind}: choose it with --model")));
        }
        let of_all = |key: &str| ObservationConfig::KEYS.iter().any(|known| known.name == key);
        let (shared, own): (Table, Table) = table.into_iter().partition(|(key, _)| of_all(key));
        let obs = shared.try_into().map_err(usage)?;
        Ok(Self { kind, obs, own: kind.0.typed(own)? })
    }

    /// Whether a model can be built from this; the error says which key and the cure.
    pub fn validate(&self) -> Result<()> {
        self.obs.check()?;
        self.kind.0.check(&self.own)?;
        self.obs.check_head()
    }

    /// The model with parameters from `init`, not checked.
    pub(super) fn construct(&self, init: &mut Init) -> Box<dyn super::SequenceModel> {
        self.kind.0.build(init, &self.own, &self.obs)
    }
}

impl Serialize for ModelConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.kind.name())?;
        for (key, value) in self.keys() {
            map.serialize_entry(key.name, &value)?;
        }
        map.end()
    }
}

/// How far a stack may look back: a minute of sound at 16 kHz.
const MOST_STEPS_BACK: usize = 1 << 20;

/// Refuses stacks of `levels` × `blocks` dilated convolutions that look back further: dilations double, and a
/// sampler has to remember every row.
pub(super) fn check_receptive_field(
    key: &str,
    kernel_size: usize,
    levels: usize,
    blocks: usize,
) -> Result<()> {
    let back = levels.saturating_mul((kernel_size - 1) * ((1 << blocks) - 1));
    if back <= MOST_STEPS_BACK {
        return Ok(());
    }
    Err(Error::usage(format!(
        "model.{key} is {blocks} and model.kernel_size {kernel_size}, so that {levels} levels look {back} steps \
         back: choose smaller values, for {MOST_STEPS_BACK} steps at most"
    )))
}

/// As TOML, keys in the order of the fields.
pub(super) fn table<S: Settings>(config: &S) -> Table {
    Table::try_from(config).expect("numbers, words and lists are TOML")
}

/// The typed config back again.
pub(super) fn typed<S: Settings>(table: Table) -> Result<S> {
    table.try_into().map_err(usage)
}

fn usage(e: toml::de::Error) -> Error {
    Error::usage(e.message())
}

/// The error for a key that a model does not have, with the nearest that it has, if one is near.
pub fn unknown_key(kind: ModelKind, key: &str) -> Error {
    let keys = ObservationConfig::KEYS.iter().chain(kind.keys()).map(|key| key.name);
    Error::usage(match near(key, keys) {
        Some(near) => format!(
            "{kind} has no key `model.{key}`: did you mean `model.{near}`? (`stcn list --model {kind}` shows all)"
        ),
        None => format!("{kind} has no key `model.{key}`: `stcn list --model {kind}` shows all"),
    })
}
