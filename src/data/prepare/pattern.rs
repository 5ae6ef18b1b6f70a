//! [`Pattern`]: names with holes, as shells have them: `*`, `?`, `[0-4]`.

use crate::error::{Error, Result};

/// A pattern that whole names match or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// `*`: any characters, also none, also `/`.
    Any,
    /// One character of these ranges: `[a-cx]`; `?` is one range of all.
    One(Vec<(char, char)>),
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn new(text: &str) -> Result<Self> {
        let mut parts = vec![];
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::Any,
                '?' => Part::One(vec![('\0', char::MAX)]),
                '[' => {
                    let (class, after) = rest.as_str().split_once(']').unwrap_or_default();
                    rest = after.chars();
                    if class.is_empty() {
                        return Err(Error::usage(format!(
                            "the pattern `{text}` has a `[` without characters up to a `]`: write \
                             it as in `*_[0-4].wav`"
                        )));
                    }
                    Part::One(ranges(&class.chars().collect::<Vec<_>>()))
                }
                c => Part::One(vec![(c, c)]),
            });
        }
        Ok(Self { text: text.into(), parts })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether all of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        // Which beginnings of the pattern fit what was read of the name; in n·m steps whatever the pattern.
        let mut fits = vec![false; self.parts.len() + 1];
        fits[0] = true;
        self.skip_stars(&mut fits);
        for c in name.chars() {
            for (i, part) in self.parts.iter().enumerate().rev() {
                fits[i + 1] = match part {
                    Part::Any => fits[i + 1] || fits[i],
                    Part::One(ranges) => {
                        fits[i] && ranges.iter().any(|(a, b)| (a..=b).contains(&&c))
                    }
                };
            }
            fits[0] = false;
            self.skip_stars(&mut fits);
        }
        fits[self.parts.len()]
    }

    /// A star fits nothing too.
    fn skip_stars(&self, fits: &mut [bool]) {
        for (i, part) in self.parts.iter().enumerate() {
            fits[i + 1] |= fits[i] && *part == Part::Any;
        }
    }
}

/// `a-cx` as (a, c), (x, x).
fn ranges(mut class: &[char]) -> Vec<(char, char)> {
    let mut ranges = vec![];
    loop {
        match class {
            [a, '-', b, rest @ ..] => {
                ranges.push((*a, *b));
                class = rest;
            }
            [a, rest @ ..] => {
                ranges.push((*a, *a));
                class = rest;
            }
            [] => return ranges,
        }
    }
}
