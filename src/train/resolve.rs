//! Builds a config from a preset, then the keys of a file, then `--set`.
//!
//! A file is treated as a list of assignments like those of `--set`, so both accept the same keys and give the same
//! errors; those of a file have line and column.

use super::config::Config;
use super::document::Document;
use super::presets;
use crate::error::{Error, Result, near};
use crate::models::config::{HeadKind, Preset, unknown_key};
use crate::models::{ModelKind, Registry};
use std::path::Path;
use toml::{Table, Value};

/// The arguments that choose a config; what is not given comes from the file, else from the preset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// `--preset`
    pub preset: Option<&'a str>,
    /// `--model`
    pub model: Option<&'a str>,
    /// `--head`
    pub head: Option<&'a str>,
    /// `--released`: everything as in the model's released code
    pub released: bool,
    /// `--config`
    pub file: Option<&'a Path>,
    /// `--set`, in the order typed
    pub set: &'a [String],
}

/// The sections of a file, which may be empty.
const SECTIONS: [&str; 3] = ["data", "model", "train"];

/// The keys that select the defaults of all others.
const SELECTORS: [&str; 3] = ["preset", "model.kind", "model.head"];

impl Config {
    /// The config chosen by `overrides`, checked: the preset, then the file's keys, then `--set`.
    ///
    /// `preset`, `model.kind` and `model.head` select the defaults, so they are looked up first: in `--set`, then in
    /// the other flags, then in the file.
    pub fn resolve(overrides: &Overrides, registry: &Registry) -> Result<Self> {
        let file = overrides.file.map(Document::read).transpose()?;
        Self::resolve_with(overrides, file.as_ref(), registry)
    }

    /// The config in `text`, whose model must be in `registry`; `path` is for error messages.
    pub fn from_toml(text: &str, path: &Path, registry: &Registry) -> Result<Self> {
        let file = Document::parse(text, path)?;
        Self::resolve_with(&Overrides::default(), Some(&file), registry)
    }

    fn resolve_with(
        overrides: &Overrides,
        file: Option<&Document>,
        registry: &Registry,
    ) -> Result<Self> {
        let preset = pick(overrides, overrides.preset, file, "preset", Preset::parse)?;
        let find = |name: &str| registry.find(name);
        let kind: Option<ModelKind> = pick(overrides, overrides.model, file, "model.kind", find)?;
        let head = pick(overrides, overrides.head, file, "model.head", HeadKind::parse)?;
        let preset = preset.unwrap_or(presets::DEFAULT);
        let mut config = Self::of_preset(preset, kind.unwrap_or(presets::DEFAULT_MODEL), head);
        if overrides.released {
            config = config.as_released();
        }
        for leaf in file.iter().flat_map(|file| &file.leaves) {
            let empty = SECTIONS.contains(&leaf.key.as_str()) && leaf.value.is_table();
            if !empty && !SELECTORS.contains(&leaf.key.as_str()) {
                let set = config.set_value(&leaf.key, leaf.value.clone());
                set.map_err(|e| leaf.error(&e))?;
            }
        }
        for set in overrides.set {
            config.set(set)?;
        }
        config.validate().map_err(|e| match file {
            Some(file) if overrides.set.is_empty() => Error::invalid(&file.path, e.to_string()),
            _ => e,
        })?;
        Ok(config)
    }

    /// Applies one `key=value` as given to `--set`: text needs no quotes, a list no brackets.
    ///
    /// The config as a whole is not checked here, but by [`validate`](Self::validate).
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let (key, text) = split(assignment)?;
        let mut table = self.table();
        let now = find_mut(&mut table, key).ok_or_else(|| self.unknown_key(key))?;
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
        let place = find_mut(&mut table, key).ok_or_else(|| self.unknown_key(key))?;
        if let Some(wanted) = mismatch(place, &value) {
            return Err(Error::usage(format!("{key} is {value}, want {wanted}")));
        }
        *place = value;
        *self = Self::from_table(table, self.model.kind)
            .map_err(|e| Error::usage(format!("{key}: {e}")))?;
        Ok(())
    }

    /// Every dotted key that [`set`](Self::set) and a file may name.
    pub fn keys(&self) -> Vec<String> {
        self.values().into_iter().map(|(key, _)| key).collect()
    }

    /// Every dotted key with its value.
    pub(super) fn values(&self) -> Table {
        let mut values = Table::new();
        for (key, value) in self.table() {
            match value {
                Value::Table(inner) => {
                    values.extend(inner.into_iter().map(|(name, x)| (format!("{key}.{name}"), x)))
                }
                _ => drop(values.insert(key, value)),
            }
        }
        values
    }

    fn unknown_key(&self, key: &str) -> Error {
        if let Some(name) = key.strip_prefix("model.") {
            return unknown_key(self.model.kind, name);
        }
        let known = self.keys();
        // A key without a section is most likely one whose section was forgotten.
        let name = |full: &str| full.rsplit('.').next().unwrap_or_default().to_string();
        let found = if key.contains('.') {
            near(key, known.iter().map(String::as_str)).map(str::to_string)
        } else {
            let names: Vec<String> = known.iter().map(|full| name(full)).collect();
            let found = near(key, names.iter().map(String::as_str));
            found.and_then(|found| known.iter().find(|full| name(full) == found).cloned())
        };
        Error::usage(match found {
            Some(found) => format!("unknown key `{key}`: did you mean `{found}`?"),
            None => {
                format!("unknown key `{key}`: `stcn list --model {}` shows all", self.model.kind)
            }
        })
    }
}

/// The value of a key from the last `--set key=`, else the flag, else the file, converted by `parse`.
fn pick<T>(
    overrides: &Overrides,
    flag: Option<&str>,
    file: Option<&Document>,
    key: &str,
    parse: impl Fn(&str) -> Result<T>,
) -> Result<Option<T>> {
    for set in overrides.set.iter().rev() {
        let (name, value) = split(set)?;
        if name == key {
            return parse(value.trim_matches('"')).map(Some);
        }
    }
    match (flag, file) {
        (Some(flag), _) => parse(flag).map(Some),
        (None, Some(file)) => file.name(key, parse),
        (None, None) => Ok(None),
    }
}

/// `key=value`, both trimmed.
fn split(assignment: &str) -> Result<(&str, &str)> {
    let parts = assignment.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    parts.ok_or_else(|| {
        Error::usage(format!("`{assignment}`: want key=value, such as train.batch=8"))
    })
}

/// `toml` parsed as a TOML value, or `typed` as text if it is not TOML.
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

/// What type `now` has, if `new` has another.
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
