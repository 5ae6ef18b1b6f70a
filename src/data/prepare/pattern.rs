//! Patterns of file names: `*` stands for any characters, `/` too, `?` for one, `[0-4]` for one of these.
//!
//! The crate `glob` matches them; here are the messages.

use crate::error::{Error, Result};
use glob::Pattern;

/// Reads a pattern, which then has to match a whole name.
pub fn parse(text: &str) -> Result<Pattern> {
    Pattern::new(text).map_err(|e| {
        let (place, what) = (e.pos + 1, e.msg);
        Error::usage(format!(
            "the pattern `{text}` is wrong at character {place} ({what}): write one such as `*_[0-4].wav`"
        ))
    })
}
