//! The door: what was typed becomes calls of the floors below, and what came back becomes words.
//!
//! One file a command. Not here: anything that a program could not do through the library.

/// As std's, but a reader that goes away (`| head`) ends the program quietly, where std panics.
macro_rules! println {
    ($($words:tt)*) => { $crate::cli::put(format_args!("{}\n", format_args!($($words)*))) };
}

/// Likewise.
macro_rules! print {
    ($($words:tt)*) => { $crate::cli::put(format_args!($($words)*)) };
}

/// As std's, but if nobody listens any more, the work goes on, where std panics.
macro_rules! eprintln {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod args;
mod bench;
mod data;
mod evaluate;
mod exchange;
mod gradcheck;
mod inspect;
mod list;
mod prepare;
mod profile;
mod sample;
mod train;

pub use args::Args;

use crate::error::{Error, Result};
use crate::train::memory::peak_resident;
use args::{Bench, Command, Data};
use indicatif::ProgressBar;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// More threads than this are a slip of the finger; starting so many would take the machine down.
const MOST_THREADS: usize = 1024;

/// Runs one command.
pub fn run(args: Args) -> Result<()> {
    let threads = args.threads.unwrap_or(0);
    if threads > MOST_THREADS {
        return Err(Error::usage(format!(
            "--threads {threads} is more than {MOST_THREADS}: want about as many as there are \
             cores, or leave it out"
        )));
    }
    crate::parallel::with_threads(threads, move || match args.command {
        Command::Train(words) => train::run(words),
        Command::Evaluate(words) => evaluate::run(words),
        Command::Sample(words) => sample::run(words),
        Command::Inspect(words) => inspect::run(words),
        Command::Gradcheck(words) => gradcheck::run(words),
        Command::Data { command: Data::Prepare { kind } } => prepare::run(kind),
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

/// Writes to stdout, or ends the program.
fn put(text: fmt::Arguments) {
    match write(text) {
        Ok(()) => (),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            eprintln!("error: cannot write to stdout: {e}");
            std::process::exit(2);
        }
    }
}

/// Writes to stdout at once.
fn write(text: fmt::Arguments) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_fmt(text).and_then(|()| stdout.flush())
}

/// The most memory this process has held, in MiB as other frameworks' benches count.
fn peak_mib() -> Option<f64> {
    peak_resident().map(|bytes| bytes as f64 / (1 << 20) as f64)
}

/// Does what reads a data set, with a sign of life on a terminal: one of hours of sound takes minutes.
fn reading<R>(quiet: bool, read: impl FnOnce() -> R) -> R {
    let sign = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    sign.set_message("reading and checking the data");
    sign.enable_steady_tick(Duration::from_secs(1));
    let result = read();
    sign.finish_and_clear();
    result
}

/// `1,234,567`
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}
