//! File name patterns: `*` matches any characters including `/`, `?` matches one, `[0-4]` one of these.
//!
//! The crate `glob` matches them; here are the error messages.

use crate::error::{Error, Result};
use glob::Pattern;

/// Parses a pattern; it must match a whole name.
pub fn parse(text: &str) -> Result<Pattern> {
    Pattern::new(text).map_err(|e| {
        let (place, what) = (e.pos + 1, e.msg);
        Error::usage(format!(
            "the pattern `{text}` is invalid at character {place} ({what}): write one such as `*_[0-4].wav`"
        ))
    })
}
