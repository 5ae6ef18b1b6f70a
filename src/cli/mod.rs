//! The door: what was typed becomes calls of the floors below, and what came back becomes words.
//!
//! One file a command. Not here: anything that a program could not do through the library.

/// As std's, but a reader that goes away (`| head`) ends the program quietly, where std panics.
macro_rules! println {
    ($($args:tt)*) => { $crate::cli::print_or_exit(format_args!("{}\n", format_args!($($args)*))) };
}

/// Likewise.
macro_rules! print {
    ($($args:tt)*) => { $crate::cli::print_or_exit(format_args!($($args)*)) };
}

/// As std's, but if nobody listens any more, the work goes on, where std panics.
macro_rules! eprintln {
    ($($args:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($args)*);
    }};
}

mod bench;
mod config;
mod data;
mod evaluate;
mod gradcheck;
mod inspect;
mod list;
mod prepare;
mod profile;
mod safetensors;
mod sample;
mod train;

use crate::error::{Error, Result};
use crate::models::Registry;
use crate::train::memory::peak_resident;
use clap::{Parser, Subcommand};
use indicatif::ProgressBar;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Duration;

/// More threads than this are a slip of the finger; starting so many would take the machine down.
const MOST_THREADS: usize = 1024;

/// Stochastic temporal convolutional networks on a CPU: train, evaluate, draw, and look at every gradient.
#[derive(Parser)]
#[command(name = "stcn", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Threads to work on; any number gives the same bits [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Args),
    Evaluate(evaluate::Args),
    Sample(sample::Args),
    Inspect(inspect::Args),
    Gradcheck(gradcheck::Args),
    /// Prepare data sets, and look at them
    Data {
        #[command(subcommand)]
        command: data::Command,
    },
    Export(safetensors::Export),
    Import(safetensors::Import),
    /// Time training steps or generation
    Bench {
        #[command(subcommand)]
        command: bench::Command,
    },
    List(list::Args),
}

/// The program: parses its arguments, runs the command with the models of `registry`, prints the error. A crate
/// with a model of its own has the whole command line for it by calling this in its `main`.
pub fn main(registry: &Registry) -> ExitCode {
    match run(Args::parse(), registry) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(e.exit_code())
        }
    }
}

/// Runs one command with the models of `registry`.
pub fn run(args: Args, registry: &Registry) -> Result<()> {
    let threads = args.threads.unwrap_or(0);
    if threads > MOST_THREADS {
        return Err(Error::usage(format!(
            "--threads {threads} is more than {MOST_THREADS}: want about as many as there are \
             cores, or leave it out"
        )));
    }
    crate::parallel::with_threads(threads, move || match args.command {
        Command::Train(args) => train::run(args, registry),
        Command::Evaluate(args) => evaluate::run(args, registry),
        Command::Sample(args) => sample::run(args, registry),
        Command::Inspect(args) => inspect::run(args, registry),
        Command::Gradcheck(args) => gradcheck::run(args, registry),
        Command::Data { command } => data::run(command),
        Command::Export(args) => safetensors::export(args, registry),
        Command::Import(args) => safetensors::import(args, registry),
        Command::Bench { command } => bench::run(command, registry),
        Command::List(args) => list::run(args, registry),
    })?
}

/// Prints one JSON object on its own line.
fn print_json(value: &serde_json::Value) {
    println!("{value}");
}

/// Writes to stdout, or ends the program.
fn print_or_exit(text: fmt::Arguments) {
    match try_print(text) {
        Ok(()) => (),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            eprintln!("error: cannot write to stdout: {e}");
            std::process::exit(2);
        }
    }
}

/// Writes to stdout at once.
fn try_print(text: fmt::Arguments) -> io::Result<()> {
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
