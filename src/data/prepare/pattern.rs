//! Name patterns, and splits by them: `*` matches any characters including `/`, `?` matches one, `[0-4]` one of these.
//!
//! The crate `glob` matches them; here are the rules and the error messages.

use crate::data::split::{MissingSplit, Split};
use crate::error::{Error, Result};
use glob::Pattern;
use std::path::Path;

/// How a data set without published splits is split, by the names of its files or groups.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// All the same, or random fractions.
    Fractions(MissingSplit),
    /// By patterns; names that match none are train.
    Patterns {
        /// Names for validation.
        valid: Vec<Pattern>,
        /// Names for testing.
        test: Vec<Pattern>,
    },
}

impl Rule {
    /// The split of each of `names`, which are names of a `noun` in `input`; refused if none is left to train on.
    pub fn assign(&self, input: &Path, noun: &str, names: &[String]) -> Result<Vec<Split>> {
        let splits = match self {
            Self::Fractions(rule) => rule.assign(names.len()),
            Self::Patterns { valid, test } => by_patterns(input, noun, names, valid, test)?,
        };
        match splits.contains(&Split::Train) {
            true => Ok(splits),
            false => {
                let what = format!(
                    "has {} {noun}s, of which none is left to train on; choose smaller fractions or narrower patterns",
                    names.len()
                );
                Err(Error::invalid(input, what))
            }
        }
    }
}

fn by_patterns(
    input: &Path,
    noun: &str,
    names: &[String],
    valid: &[Pattern],
    test: &[Pattern],
) -> Result<Vec<Split>> {
    for pattern in valid.iter().chain(test) {
        if !names.iter().any(|name| pattern.matches(name)) {
            let what = format!(
                "holds no {noun} that matches the pattern `{}`; names look like {}, and `*` matches any characters",
                pattern.as_str(),
                names.first().map_or("none", |name| name)
            );
            return Err(Error::invalid(input, what));
        }
    }
    let matches = |patterns: &[Pattern], name: &str| patterns.iter().any(|p| p.matches(name));
    let split = |name: &String| match (matches(valid, name), matches(test, name)) {
        (true, true) => Err(Error::invalid(
            input,
            format!("{name} matches patterns of both --valid and --test; narrow them"),
        )),
        (true, false) => Ok(Split::Valid),
        (false, true) => Ok(Split::Test),
        (false, false) => Ok(Split::Train),
    };
    names.iter().map(split).collect()
}

/// Parses a pattern; it must match a whole name.
pub fn parse(text: &str) -> Result<Pattern> {
    Pattern::new(text).map_err(|e| {
        let (place, what) = (e.pos + 1, e.msg);
        Error::usage(format!(
            "the pattern `{text}` is invalid at character {place} ({what}): write one such as `*_[0-4].wav`"
        ))
    })
}
