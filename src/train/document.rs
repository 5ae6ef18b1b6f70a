//! A TOML file as a list of its `key = value` leaves, with line and column for error messages.

use crate::error::{Error, Result};
use crate::file::read_whole;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::{Table, Value, de::DeTable};

/// The most bytes of a config, fifty times one with every key: parsing can take hundreds of times the memory of
/// malformed text, and a damaged checkpoint may contain a long one.
const LONGEST: usize = 1 << 16;

/// A parsed TOML file.
pub(super) struct Document {
    pub path: PathBuf,
    pub leaves: Vec<Leaf>,
}

/// One `key = value` of a file.
pub(super) struct Leaf {
    pub key: String,
    pub value: Value,
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Leaf {
    pub fn error(&self, error: &Error) -> Error {
        at(&self.path, (self.line, self.column), &error.to_string())
    }
}

impl Document {
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_whole(path, LONGEST as u64, "a config such as config.toml")?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let cure = "want TOML such as config.toml of a run";
            Error::invalid(path, format!("is not text in UTF-8: {cure}"))
        })?;
        Self::parse(&text, path)
    }

    pub fn parse(text: &str, path: &Path) -> Result<Self> {
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
        let mut leaves = vec![];
        let mut leaf = |key: String, value: &Value, span| {
            let (line, column) = place(span);
            leaves.push(Leaf { key, value: value.clone(), path: path.into(), line, column });
        };
        for (key, spanned) in spans.get_ref() {
            let name = key.get_ref().to_string();
            let value = &values[&name];
            match (spanned.get_ref().as_table(), value.as_table()) {
                (Some(inner_spans), Some(inner)) if !inner.is_empty() => {
                    for key in inner_spans.keys() {
                        let inner_name: &str = key.get_ref();
                        leaf(format!("{name}.{inner_name}"), &inner[inner_name], key.span());
                    }
                }
                _ => leaf(name, value, key.span()),
            }
        }
        Ok(Self { path: path.into(), leaves })
    }

    /// The value of a text key, converted by `parse`.
    pub fn name<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        let Some(leaf) = self.leaves.iter().find(|leaf| leaf.key == key) else { return Ok(None) };
        let Some(name) = leaf.value.as_str() else {
            let complaint = format!("{key} is {}, want text in quotes", leaf.value);
            return Err(leaf.error(&Error::usage(complaint)));
        };
        parse(name).map(Some).map_err(|e| leaf.error(&e))
    }
}

/// An error at a position in a file.
fn at(path: &Path, (line, column): (usize, usize), what: &str) -> Error {
    Error::invalid(path, format!("line {line}, column {column}: {what}"))
}
