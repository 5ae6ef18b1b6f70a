//! The command line: parses arguments, calls the library, and prints results as text or JSON.
//!
//! One file per command, its arguments at the top (`export` and `import` share `safetensors`). Arguments that several
//! commands share are in `config`, `pass` and `trained`. Not here: computing, which the library does.

/// As std's, but if stdout is closed (`| head`), ends the program quietly instead of panicking.
macro_rules! println {
    ($($args:tt)*) => { $crate::cli::print_or_exit(format_args!("{}\n", format_args!($($args)*))) };
}

/// As std's, with the same exception.
macro_rules! print {
    ($($args:tt)*) => { $crate::cli::print_or_exit(format_args!($($args)*)) };
}

/// As std's, but if stderr is closed, does nothing instead of panicking.
macro_rules! eprintln {
    ($($args:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($args)*);
    }};
}

mod bench;
mod colour;
mod completions;
mod config;
mod cure;
mod data;
mod evaluate;
mod explain;
mod gradcheck;
mod history;
mod inspect;
mod list;
mod pass;
mod plot;
mod prepare;
mod profile;
mod ranks;
mod safetensors;
mod sample;
mod schema;
mod screen;
mod table;
mod train;
mod trained;
mod verify;

use crate::data::DataSet;
use crate::error::{Error, ErrorKind as Kind, Result};
use crate::models::Registry;
use crate::train::Ranks;
use crate::train::memory::peak_resident;
use clap::{Parser, Subcommand};
use colour::{ERROR, paint};
use indicatif::ProgressBar;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The most threads: more is probably a typing error, and starting them could bring the machine down.
const MOST_THREADS: usize = 1024;

/// Stochastic temporal convolutional networks on a CPU: train, evaluate, draw, and look at every gradient.
#[derive(Parser)]
#[command(
    name = "stcn",
    version,
    max_term_width = 100,
    after_help = "Start here:\n  stcn sample pretrained --out drawn   draw from a small model that comes with the program\n  \
    stcn train --out runs/demo           train one like it, in a minute or two"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Number of threads; the results are the same bits for any [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Args),
    Evaluate(evaluate::Args),
    Sample(sample::Args),
    Inspect(inspect::Args),
    Explain(explain::Args),
    Gradcheck(gradcheck::Args),
    Table(table::Args),
    Plot(plot::Args),
    /// Prepare data sets, and show them
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
    Schema(schema::Args),
    Verify(verify::Args),
    Completions(completions::Completions),
    Man(completions::Man),
}

/// The program: parses its arguments, runs the command with the models of `registry`, prints the error. A crate with
/// its own model gets the whole command line by calling this in its `main`.
pub fn main(registry: &Registry) -> ExitCode {
    crate::train::allocator::settle();
    match together(registry) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{} {e}", paint(ERROR, "error:"));
            ExitCode::from(e.exit_code())
        }
    }
}

/// Rank 0 runs the command, with the help of the others, if there are any.
fn together(registry: &Registry) -> Result<()> {
    let session = ranks::Session::start()?;
    let (result, orderly) = match session.ranks.follows() {
        Some(link) => (Ok(()), ranks::run(link, registry)?),
        None => {
            let args = cure::parsed();
            session.ranks.begin(args.threads.unwrap_or(0));
            let result = run_on(args, registry, session.ranks);
            // mpirun passes Ctrl-C on as a signal, and from then on does not answer a process that ends in order.
            let by_signal = |e: &Error| matches!(e.kind(), Kind::Interrupted);
            let orderly = !result.as_ref().is_err_and(by_signal);
            session.ranks.end(orderly);
            (result, orderly)
        }
    };
    if orderly {
        session.end();
    }
    result
}

/// Runs one command with the models of `registry`.
pub fn run(args: Args, registry: &Registry) -> Result<()> {
    run_on(args, registry, Ranks::ALONE)
}

fn run_on(args: Args, registry: &Registry, ranks: Ranks) -> Result<()> {
    if args.threads == Some(0) {
        return Err(Error::usage("--threads 0: want 1 or more, or leave it out for all cores"));
    }
    let threads = args.threads.unwrap_or(0);
    if threads > MOST_THREADS {
        return Err(Error::usage(format!(
            "--threads {threads} is more than {MOST_THREADS}: want about as many as there are \
             cores, or leave it out"
        )));
    }
    match &args.command {
        Command::Train(_) | Command::Evaluate(_) | Command::Sample(_) => (),
        Command::Table(_) => ranks::only_alone(
            ranks,
            "start `stcn table` by itself, or its runs, as `stcn table SUITE --list` prints them, with mpirun one by one",
        )?,
        _ => ranks::only_alone(ranks, "start it without mpirun")?,
    }
    crate::parallel::with_threads(threads, move || match args.command {
        Command::Train(args) => train::run(args, registry, ranks),
        Command::Evaluate(args) => evaluate::run(args, registry, ranks),
        Command::Sample(args) => sample::run(args, registry, ranks),
        Command::Inspect(args) => inspect::run(args, registry),
        Command::Explain(args) => explain::run(args, registry),
        Command::Gradcheck(args) => gradcheck::run(args, registry),
        Command::Table(args) => table::run(args, registry),
        Command::Plot(args) => plot::run(args),
        Command::Data { command } => data::run(command),
        Command::Export(args) => safetensors::export(args, registry),
        Command::Import(args) => safetensors::import(args, registry),
        Command::Bench { command } => bench::run(command, registry),
        Command::List(args) => list::run(args, registry),
        Command::Schema(args) => schema::run(args, registry),
        Command::Verify(args) => verify::run(args),
        Command::Completions(args) => completions::completions(args),
        Command::Man(args) => completions::man(args),
    })?
}

/// Refuses an implausible sampling rate.
fn check_rate(rate: u32) -> Result<()> {
    let rates = DataSet::RATES;
    let (least, most) = (rates.start(), rates.end());
    match rates.contains(&rate) {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "--rate {rate}: want samples per second from {least} to {most}, such as 16000"
        ))),
    }
}

/// Refuses a file to write without one of its usual extensions: a name that was mistaken could be that of a checkpoint.
fn check_extension(flag: &str, path: &Path, extensions: &[&str]) -> Result<()> {
    match extensions.iter().any(|wanted| path.extension().is_some_and(|found| found == *wanted)) {
        true => Ok(()),
        false => {
            let (name, wanted) = (path.display(), extensions.join(" or ."));
            Err(Error::usage(format!("--{flag} {name}: want a name that ends in .{wanted}")))
        }
    }
}

/// Prints one JSON object on its own line.
fn print_json(value: &serde_json::Value) {
    println!("{value}");
}

/// Writes to stdout; ends the program if that fails.
fn print_or_exit(text: fmt::Arguments) {
    match try_print(text) {
        Ok(()) => (),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            eprintln!("{} cannot write to stdout: {e}", paint(ERROR, "error:"));
            std::process::exit(2);
        }
    }
}

/// Writes to stdout and flushes it.
fn try_print(text: fmt::Arguments) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_fmt(text).and_then(|()| stdout.flush())
}

/// Peak memory of this process, in MiB.
fn peak_mib() -> Option<f64> {
    peak_resident().map(|bytes| bytes as f64 / (1 << 20) as f64)
}

/// Runs `read`, which reads a data set, showing a spinner on a terminal, since hours of sound take minutes.
fn reading<R>(quiet: bool, read: impl FnOnce() -> R) -> R {
    let spinner = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.set_message("reading and checking the data");
    spinner.enable_steady_tick(Duration::from_secs(1));
    let result = read();
    spinner.finish_and_clear();
    result
}

/// `1,234,567`
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}
