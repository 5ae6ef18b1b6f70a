//! The config of a run: typed, complete, and the same text in a file, in a checkpoint and on a screen.
//!
//! There is one way to change a value by name, and a file is nothing but a list of such changes to a
//! preset; so `--set` and `--config` know the same keys and give the same errors, the file with line and
//! column. No key may be absent: 0 or "" means off or none, as each key's page says.
//! Not here: sizes of the presets (`presets`), switches of the models (`models::config`).

use crate::choice::choice;
use crate::data::{DataSet, MissingSplit, Normalise};
use crate::error::{Error, Result, nearest};
use crate::file::read_whole;
use crate::models::config::{HeadKind, ModelConfig, ModelKind, Task, within};
use crate::optim::schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::{Table, Value, de::DeTable};

choice! {
    /// How the objectives J_i of a batch's B sequences become one loss (stcn.md §6, rivals.md §9).
    Reduction, "reduction":
    /// `−(1/B) Σ J_i / len_i`: the mean over sequences of per-step means; ink as released.
    MeanStep = "mean-step",
    /// `−(1/B) Σ J_i`: the mean over sequences; speech as released, and every reported number.
    MeanSequence = "mean-sequence",
    /// `−Σ J_i / Σ len_i`: every step of the batch weighs the same; the small presets.
    PerStep = "per-step",
}

choice! {
    /// Which bound is learnt from. Updates that are paid for by K draws show `ln p(x | z)` and KL as means
    /// over the draws (with the divergence of the draws, even for K = 1), or not at all of a filter; checks
    /// on the validation part are made in the same bound, and beside it the ELBO.
    Objective, "objective":
    /// `ln p(x | z) − KL` of one draw, the divergence as an integral.
    Elbo = "elbo",
    /// The logarithm of the mean weight of `particles` draws: at each step where steps are independent,
    /// else of whole sequences.
    Iwae = "iwae",
    /// What a filter of `particles` particles says, as `evaluate --fivo`; nothing that a paper adds to the
    /// ELBO is part of it.
    Fivo = "fivo",
}

choice! {
    /// The course of the learning rate; its numbers are `lr_rate`, `lr_floor` and `lr_steps`.
    ScheduleKind, "schedule":
    /// `lr` throughout.
    Constant = "constant",
    /// `lr · lr_rate^(step / 1000)`.
    Exponential = "exponential",
    /// Half a cosine from `lr` to `lr_floor` over `lr_steps` updates.
    Cosine = "cosine",
}

/// Everything that decides a run's bits, the data's path beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Seed of every stream of noise; at most 2⁶³ − 1, the largest number of a TOML file.
    pub seed: u64,
    /// The preset that the sizes came from.
    pub preset: String,
    /// What is learnt from.
    pub data: DataConfig,
    /// What is built.
    pub model: ModelConfig,
    /// How it is trained.
    pub train: TrainConfig,
}

/// What is learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data set; empty: the embedded handwriting.
    pub path: PathBuf,
    /// SHA-256 of the data set, filled in when it is loaded; empty until then.
    pub fingerprint: String,
    /// What to do if the data set has no split of its own: `all-train`, `all-test` or
    /// `fractions:VALID,TEST,SEED`; empty: refuse it.
    pub split: String,
    /// How real channels are brought to unit scale.
    pub normalise: Normalise,
    /// Longest piece of a sequence to train on, cut at random; 0: whole sequences.
    pub crop: usize,
    /// Whether U(−½, ½) is added to every real value, in raw units, so that bounds are those of whole numbers:
    /// fresh in every update, fixed where a model is evaluated.
    pub dequantise: bool,
    /// MiB of samples that are held in memory; a stored file with more stays on the disk and is read as
    /// needed, to the same bits.
    pub in_memory: u64,
}

/// How it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Sequences per update.
    pub batch: usize,
    /// Updates after which the run is done; 0: no limit.
    pub steps: u64,
    /// Passes over the data after which the run is done; 0: no limit.
    pub epochs: u64,
    /// Updates between two checks on the validation part.
    pub eval_every: u64,
    /// Learning rate of Adam at step 0.
    pub lr: f64,
    /// Its course.
    pub schedule: ScheduleKind,
    /// `exponential`: what is left of the rate after 1000 updates.
    pub lr_rate: f64,
    /// `cosine`: where it ends.
    pub lr_floor: f64,
    /// `cosine`: after how many updates.
    pub lr_steps: u64,
    /// Adam's decay of the mean.
    pub beta1: f64,
    /// Adam's decay of the mean square.
    pub beta2: f64,
    /// Adam's ε, beside √v.
    pub eps: f64,
    /// Largest norm of the gradient over all parameters; 0: not clipped.
    pub grad_clip: f64,
    /// Updates over which the weight of the KL rises to 1; 0: always 1.
    pub kl_anneal: u64,
    /// Which bound is learnt from.
    pub objective: Objective,
    /// `iwae`, `fivo`: K, draws of the latents of each sequence, at most 256; memory and time grow by it.
    pub particles: usize,
    /// How the objectives of a batch become one loss.
    pub reduction: Reduction,
    /// Whether checks without progress end the run.
    pub early_stop: bool,
    /// So many in a row.
    pub patience: u64,
    /// Progress is a fall of the loss by more than this share of the best.
    pub min_gain: f64,
    /// Checks up to this step do not count against `patience`; the release counted from 0.
    pub after_step: u64,
}

/// What was typed to choose a config; whatever is left out comes from the file, then from the preset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// `--preset`
    pub preset: Option<&'a str>,
    /// `--model`
    pub model: Option<&'a str>,
    /// `--head`
    pub head: Option<&'a str>,
    /// `--config`
    pub file: Option<&'a Path>,
    /// `--set`, in the order typed
    pub set: &'a [String],
}

impl Default for Config {
    /// The preset [`presets::DEFAULT`](super::presets::DEFAULT) with its own model and head.
    fn default() -> Self {
        Self::preset(super::presets::DEFAULT, None, None).expect("the default preset is one")
    }
}

impl Config {
    /// The preset `name` with its sizes for `model` (default `stcn-dense`) and `head` (default the one
    /// that suits its data), checked.
    pub fn preset(name: &str, model: Option<&str>, head: Option<&str>) -> Result<Self> {
        let config = super::presets::build(name, model, head)?;
        config.validate()?;
        Ok(config)
    }

    /// The config that the words typed ask for, checked: the preset, then the file's keys, then `--set`.
    ///
    /// `preset`, `model.kind` and `model.head` choose the sizes that all else changes, so they are looked
    /// for first: in `--set`, in the other words, in the file.
    pub fn resolve(choice: &Choice) -> Result<Self> {
        let file = choice.file.map(Document::read).transpose()?;
        Self::resolve_with(choice, file.as_ref())
    }

    /// The config that `text` holds; `path` is for the errors only.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self> {
        Self::resolve_with(&Choice::default(), Some(&Document::parse(text, path)?))
    }

    fn resolve_with(choice: &Choice, file: Option<&Document>) -> Result<Self> {
        let pick = |word: Option<&str>, key: &str| -> Result<Option<String>> {
            for set in choice.set.iter().rev() {
                let (name, value) = split(set)?;
                if name == key {
                    return Ok(Some(value.trim_matches('"').to_string()));
                }
            }
            match (word, file) {
                (Some(word), _) => Ok(Some(word.to_string())),
                (None, Some(file)) => file.name(key),
                (None, None) => Ok(None),
            }
        };
        let preset = pick(choice.preset, "preset")?;
        let (kind, head) = (pick(choice.model, "model.kind")?, pick(choice.head, "model.head")?);
        let preset = preset.as_deref().unwrap_or(super::presets::DEFAULT);
        let mut config = super::presets::build(preset, kind.as_deref(), head.as_deref())?;
        for leaf in file.iter().flat_map(|file| &file.leaves) {
            if !CHOOSERS.contains(&leaf.key.as_str()) {
                let set = config.set_value(&leaf.key, leaf.value.clone());
                set.map_err(|e| leaf.error(&e))?;
            }
        }
        for set in choice.set {
            config.set(set)?;
        }
        config.validate().map_err(|e| match file {
            Some(file) if choice.set.is_empty() => Error::invalid(&file.path, e.to_string()),
            _ => e,
        })?;
        Ok(config)
    }

    /// Applies one `key=value` as typed after `--set`: a bare word is text, a bare list is a list.
    ///
    /// Whether the whole still makes sense is asked once, by [`validate`](Self::validate).
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let (key, text) = split(assignment)?;
        let now = self.get(key).ok_or_else(|| unknown_key(key))?;
        let quoted = text.starts_with(['"', '\'']);
        let value = match now {
            Value::String(_) if !quoted => Value::String(text.to_string()),
            Value::Array(_) if !text.starts_with('[') => value_or_text(&format!("[{text}]"), text),
            _ => value_or_text(text, text),
        };
        self.set_value(key, value)
    }

    /// Replaces the value of a dotted key; the error says what was wanted.
    fn set_value(&mut self, key: &str, value: Value) -> Result<()> {
        let mut table = self.table();
        let place = find_mut(&mut table, key).ok_or_else(|| unknown_key(key))?;
        if let Some(wanted) = mismatch(place, &value) {
            return Err(Error::usage(format!("{key} is {value}, want {wanted}")));
        }
        *place = value;
        *self = Self::deserialize(Value::Table(table))
            .map_err(|e| Error::usage(format!("{key}: {}", e.message())))?;
        Ok(())
    }

    /// The value of a dotted key.
    fn get(&self, key: &str) -> Option<Value> {
        find_mut(&mut self.table(), key).cloned()
    }

    /// Every dotted key that [`set`](Self::set) and a file may name.
    pub fn keys() -> Vec<String> {
        let mut keys = vec![];
        for (key, value) in Self::default().table() {
            match value {
                Value::Table(inner) => {
                    keys.extend(inner.keys().map(|name| format!("{key}.{name}")))
                }
                _ => keys.push(key),
            }
        }
        keys
    }

    fn table(&self) -> Table {
        Table::try_from(self).expect("numbers, text and lists are TOML, as `validate` sees to")
    }

    /// As TOML text, every key present. Panics on what [`validate`](Self::validate) refuses: a seed above
    /// 2⁶³ − 1, a path that is not UTF-8.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers, text and lists are TOML, as `validate` sees to")
    }

    /// The text that goes into a checkpoint: without the data's path, since the same data elsewhere (the
    /// fingerprint knows it) has to give the same bytes, and without where its samples are held.
    pub fn portable_toml(&self) -> String {
        let mut config = self.clone();
        config.data.path = PathBuf::new();
        config.data.in_memory = DataSet::IN_MEMORY >> 20;
        config.to_toml()
    }

    /// Every switch on its released value and the training as the release had it: stopping counted from
    /// step 0, and WaveNet with its own batch and learning rate.
    pub fn as_released(mut self) -> Self {
        let wavenet = self.model.kind.is_wavenet();
        self.model = self.model.as_released();
        self.train.after_step = 0;
        match self.preset.as_str() {
            "ink" if wavenet => (self.train.batch, self.train.lr_rate) = (32, 0.95),
            "speech" if wavenet => self.train.lr_rate = 0.92,
            _ => (),
        }
        self
    }

    /// Whether a run can be made of this; the error says which key and the cure.
    pub fn validate(&self) -> Result<()> {
        // TOML has no larger numbers, and these two come from words of their own, which have.
        for (key, value) in [("seed", self.seed), ("train.steps", self.train.steps)] {
            if i64::try_from(value).is_err() {
                let most = i64::MAX;
                return Err(Error::usage(format!("{key} is {value}: choose one up to {most}")));
            }
        }
        if self.data.path.to_str().is_none() {
            let path = self.data.path.display();
            return Err(Error::usage(format!("data.path {path} is not UTF-8: rename the file")));
        }
        if !self.data.split.is_empty() {
            self.data.split.parse::<MissingSplit>()?;
        }
        if self.data.dequantise && self.model.task == Task::Music {
            return Err(Error::usage(
                "data.dequantise is true, but music has keys that are 0 or 1, whose probabilities are no \
                 densities: set it to false",
            ));
        }
        self.model.validate()?;
        let (objective, kind) = (self.train.objective, self.model.kind);
        if objective != Objective::Elbo && !kind.has_latents() {
            return Err(Error::usage(format!(
                "train.objective is {objective}, but {kind} has no latents, and what it learns from is the \
                 likelihood itself: set it to elbo"
            )));
        }
        self.train.validate()
    }
}

impl TrainConfig {
    /// The course of the learning rate with its numbers.
    pub fn schedule(&self) -> Schedule {
        match self.schedule {
            ScheduleKind::Constant => Schedule::Constant,
            ScheduleKind::Exponential => Schedule::Exponential { rate: self.lr_rate },
            ScheduleKind::Cosine => Schedule::Cosine { floor: self.lr_floor, steps: self.lr_steps },
        }
    }

    fn validate(&self) -> Result<()> {
        within("train.batch", self.batch, 1, 1 << 20)?;
        within("train.particles", self.particles, 1, 256)?;
        let want = |key: &str, value: &dyn std::fmt::Display, holds: bool, wanted: &str| {
            let message = || Error::usage(format!("train.{key} is {value}: {wanted}"));
            if holds { Ok(()) } else { Err(message()) }
        };
        // `holds` is written so that NaN fails it.
        let share = |x: f64| (0. ..1.).contains(&x);
        let positive = |x: f64| x > 0. && x.is_finite();
        let at_least_0 = |x: f64| x >= 0. && x.is_finite();
        want("eval_every", &self.eval_every, self.eval_every > 0, "choose 1 or more updates")?;
        want("lr", &self.lr, positive(self.lr), "choose a number above 0, such as 0.001")?;
        want("beta1", &self.beta1, share(self.beta1), "choose a number from 0 to below 1")?;
        want("beta2", &self.beta2, share(self.beta2), "choose a number from 0 to below 1")?;
        let eps = (1e-30..=1.).contains(&self.eps); // below, it is 0 beside √v in f32
        want("eps", &self.eps, eps, "choose a number from 1e-30 to 1, such as 1e-8")?;
        let clip = at_least_0(self.grad_clip);
        want("grad_clip", &self.grad_clip, clip, "choose a norm above 0, or 0 for no clipping")?;
        let gain = at_least_0(self.min_gain);
        want("min_gain", &self.min_gain, gain, "choose a share such as 0.0025, or 0 for any fall")?;
        let patience = self.patience > 0 || !self.early_stop;
        let cure = "choose 1 or more checks, or turn off train.early_stop";
        want("patience", &self.patience, patience, cure)?;
        match self.schedule {
            ScheduleKind::Constant => Ok(()),
            ScheduleKind::Exponential => {
                let holds = positive(self.lr_rate) && self.lr_rate <= 1.;
                want("lr_rate", &self.lr_rate, holds, "choose a number above 0, at most 1")
            }
            ScheduleKind::Cosine => {
                let holds = at_least_0(self.lr_floor) && self.lr_floor <= self.lr;
                let wanted = format!("choose a number from 0 to train.lr, which is {}", self.lr);
                want("lr_floor", &self.lr_floor, holds, &wanted)?;
                want("lr_steps", &self.lr_steps, self.lr_steps > 0, "choose 1 or more updates")
            }
        }
    }
}

/// The keys that choose the sizes of all others.
const CHOOSERS: [&str; 3] = ["preset", "model.kind", "model.head"];

/// `key=value`, both trimmed.
fn split(assignment: &str) -> Result<(&str, &str)> {
    let parts = assignment.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    parts.ok_or_else(|| {
        Error::usage(format!("`{assignment}`: want key=value, such as model.channels=64"))
    })
}

/// What `toml` means in TOML, or the text typed where it means nothing.
fn value_or_text(toml: &str, typed: &str) -> Value {
    toml.parse().unwrap_or_else(|_| Value::String(typed.to_string()))
}

/// The leaf at a dotted key.
fn find_mut<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    let found = match key.split_once('.') {
        Some((section, name)) => table.get_mut(section)?.as_table_mut()?.get_mut(name),
        None => table.get_mut(key),
    };
    found.filter(|value| !value.is_table())
}

/// What has to stand where `now` stands, if `new` is something else.
fn mismatch(now: &Value, new: &Value) -> Option<&'static str> {
    let whole = |value: &Value| value.as_integer().is_some_and(|n| n >= 0);
    let (fits, wanted) = match now {
        Value::Integer(_) => (whole(new), "a whole number, 0 or more"),
        Value::Float(_) => (new.is_float() || new.is_integer(), "a number"),
        Value::Boolean(_) => (new.is_bool(), "true or false"),
        Value::Array(_) => (
            new.as_array().is_some_and(|list| list.iter().all(whole)),
            "a list of whole numbers, such as [32, 16, 8, 4, 2]",
        ),
        _ => (new.is_str(), "text in quotes"),
    };
    (!fits).then_some(wanted)
}

fn unknown_key(key: &str) -> Error {
    let known = Config::keys();
    // A word without a section is most likely a name whose section was forgotten.
    let name = |full: &str| full.rsplit('.').next().unwrap_or_default().to_string();
    let near = if key.contains('.') {
        nearest(key, known.iter().map(String::as_str)).map(str::to_string)
    } else {
        let names: Vec<String> = known.iter().map(|full| name(full)).collect();
        let near = nearest(key, names.iter().map(String::as_str));
        near.and_then(|near| known.iter().find(|full| name(full) == near).cloned())
    };
    let near = near.unwrap_or_default();
    Error::usage(format!("unknown key `{key}`: did you mean `{near}`?"))
}

/// Bytes of a config, fifty times those of one with every key: parsing takes hundreds of times the room of a
/// text of mistakes, and text of any length may stand in a checkpoint.
const LONGEST: usize = 1 << 16;

/// A TOML file as the list of its leaves, each with its place.
struct Document {
    path: PathBuf,
    leaves: Vec<Leaf>,
}

/// One `key = value` of a file.
struct Leaf {
    key: String,
    value: Value,
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Leaf {
    fn error(&self, error: &Error) -> Error {
        at(&self.path, (self.line, self.column), &error.to_string())
    }
}

impl Document {
    fn read(path: &Path) -> Result<Self> {
        let bytes = read_whole(path, LONGEST as u64, "a config such as config.toml")?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let cure = "want TOML such as config.toml of a run";
            Error::invalid(path, format!("is not text in UTF-8: {cure}"))
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        if text.len() > LONGEST {
            let found = text.len();
            let what = format!("has a config of {found} bytes: want {LONGEST} at most");
            return Err(Error::invalid(path, what));
        }
        let place = |span: Range<usize>| {
            let before = &text[..span.start.min(text.len())];
            let line_start = before.rfind('\n').map_or(0, |i| i + 1);
            (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
        };
        let syntax = |e: toml::de::Error| {
            at(path, place(e.span().unwrap_or_default()), e.message().trim_end())
        };
        // Parsed twice: once for the places, once for the values.
        let spans = DeTable::parse(text).map_err(syntax)?;
        let values: Table = text.parse().map_err(syntax)?;
        let known = Config::keys();
        let mut leaves = vec![];
        let mut leaf = |key: String, value: &Value, span| {
            let (line, column) = place(span);
            let leaf = Leaf { key, value: value.clone(), path: path.into(), line, column };
            if !known.contains(&leaf.key) {
                return Err(leaf.error(&unknown_key(&leaf.key)));
            }
            leaves.push(leaf);
            Ok(())
        };
        for (key, spanned) in spans.get_ref() {
            let name = key.get_ref().to_string();
            let value = &values[&name];
            let is_section = known.iter().any(|known| known.starts_with(&format!("{name}.")));
            match (spanned.get_ref().as_table(), value.as_table()) {
                (Some(inner_spans), Some(inner)) if is_section => {
                    for key in inner_spans.keys() {
                        let inner_name: &str = key.get_ref();
                        let value = &inner[inner_name];
                        leaf(format!("{name}.{inner_name}"), value, key.span())?;
                    }
                }
                _ => leaf(name, value, key.span())?,
            }
        }
        Ok(Self { path: path.into(), leaves })
    }

    /// The name that one of [`CHOOSERS`] has here, known to be one.
    fn name(&self, key: &str) -> Result<Option<String>> {
        let Some(leaf) = self.leaves.iter().find(|leaf| leaf.key == key) else { return Ok(None) };
        let Some(name) = leaf.value.as_str() else {
            let complaint = format!("{key} is {}, want text in quotes", leaf.value);
            return Err(leaf.error(&Error::usage(complaint)));
        };
        let known = match key {
            "model.kind" => ModelKind::parse(name).map(drop),
            "model.head" => HeadKind::parse(name).map(drop),
            _ => super::presets::check(name),
        };
        known.map_err(|e| leaf.error(&e))?;
        Ok(Some(name.to_string()))
    }
}

/// An error at a place of a file.
fn at(path: &Path, (line, column): (usize, usize), what: &str) -> Error {
    Error::invalid(path, format!("line {line}, column {column}: {what}"))
}
