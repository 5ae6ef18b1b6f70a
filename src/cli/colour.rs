//! What a terminal can show: colours, sparingly, and characters beyond ASCII.

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use std::{env, io};

/// `error:`, as clap has it.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What got better.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();

/// `text` in a style where stderr shows colours, else as it is. A pipe does not, nor does anything under `NO_COLOR`;
/// everything does under `CLICOLOR_FORCE`.
pub(super) fn paint(style: Style, text: &str) -> String {
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => text.into(),
        _ => format!("{style}{text}{style:#}"),
    }
}

/// Whether the locale has more characters than ASCII. Windows always has.
pub(super) fn is_utf8() -> bool {
    let set = |name| env::var(name).ok().filter(|locale| !locale.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    cfg!(windows) || locale.to_lowercase().replace('-', "").contains("utf8")
}
