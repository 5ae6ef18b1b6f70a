//! What clap's message about an argument lacks: how to say what was meant.

use super::Args;
use crate::error::near;
use crate::train::Config;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use std::error::Error;
use std::num::{ParseFloatError, ParseIntError};

/// The program's arguments; where they are refused, ends the program with clap's message and the cure.
pub(super) fn parsed() -> Args {
    Args::try_parse().unwrap_or_else(|refused| {
        let Some(cure) = cure(&refused) else { refused.exit() };
        let _ = refused.print();
        eprintln!("\n{cure}");
        std::process::exit(refused.exit_code())
    })
}

fn cure(refused: &clap::Error) -> Option<String> {
    match refused.kind() {
        ErrorKind::UnknownArgument => {
            let Some(ContextValue::String(given)) = refused.get(ContextKind::InvalidArg) else {
                return None;
            };
            let name = given.trim_start_matches('-');
            if name.parse::<f64>().is_ok() {
                return Some(format!("`{given}`: want a number of 0 or more"));
            }
            let key = key(&name.replace('-', "_"))?;
            Some(format!("`{key}` is a key of the config: give it as --set {key}=VALUE"))
        }
        // clap asks itself for a command, but not for one after `help`.
        ErrorKind::InvalidSubcommand if refused.get(ContextKind::SuggestedSubcommand).is_none() => {
            let Some(ContextValue::String(given)) = refused.get(ContextKind::InvalidSubcommand)
            else {
                return None;
            };
            let command = Args::command();
            let near = near(given, command.get_subcommands().map(|command| command.get_name()))?;
            Some(format!("did you mean `{near}`?"))
        }
        ErrorKind::MissingRequiredArgument => Some(format!("For example: {}", example(refused)?)),
        ErrorKind::ValueValidation => {
            let source = refused.source()?;
            match (source.is::<ParseIntError>(), source.is::<ParseFloatError>()) {
                (true, _) => Some("want a whole number, 0 or more".into()),
                (_, true) => Some("want a number, such as 0.5".into()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The key of a config that ends in this word.
fn key(word: &str) -> Option<String> {
    Config::default().keys().into_iter().find(|key| key.rsplit('.').next() == Some(word))
}

/// The first example in the help of the command that was called, which the message shows as `Usage: stcn data show …`.
fn example(refused: &clap::Error) -> Option<String> {
    let message = refused.render().to_string();
    let (_, usage) = message.split_once("Usage: stcn ")?;
    let mut command = Args::command();
    for word in usage.split_whitespace() {
        let Some(inner) = command.find_subcommand(word) else { break };
        command = inner.clone();
    }
    let help = command.get_after_help()?.to_string();
    let line = help.lines().skip_while(|line| *line != "Example:").nth(1)?;
    Some(line.trim().to_string())
}
