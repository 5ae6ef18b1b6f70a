//! The door: what was typed becomes calls of the floors below, and what came back becomes words.
//!
//! One file a command. Not here: anything that a program could not do through the library.

mod args;
mod bench;
mod data;
mod evaluate;
mod exchange;
mod gradcheck;
mod inspect;
mod list;
mod sample;
mod train;

pub use args::Args;

use crate::error::Result;
use args::{Bench, Command, Data};

/// Runs one command.
pub fn run(args: Args) -> Result<()> {
    let threads = args.threads.unwrap_or(0);
    crate::parallel::with_threads(threads, move || match args.command {
        Command::Train(words) => train::run(words),
        Command::Evaluate(words) => evaluate::run(words),
        Command::Sample(words) => sample::run(words),
        Command::Inspect(words) => inspect::run(words),
        Command::Gradcheck(words) => gradcheck::run(words),
        Command::Data { command: Data::Show(words) } => data::show(words),
        Command::Export(words) => exchange::export(words),
        Command::Import(words) => exchange::import(words),
        Command::Bench { command: Bench::Step(words) } => bench::step(words),
        Command::Bench { command: Bench::Generate(words) } => bench::generate(words),
        Command::List(words) => list::run(words),
    })?
}

/// Prints one JSON object on its own line.
fn print_json(value: &serde_json::Value) {
    println!("{value}");
}

/// `1,234,567`
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}
