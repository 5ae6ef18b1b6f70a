//! `stcn data`: statistics of data sets, and pictures of their sequences.
//!
//! Not here: the importers' command lines (`prepare`).

use super::prepare::{self, Prepare, print_statistics};
use crate::data::{DataSet, MissingSplit, Split, handwriting, normalise::statistics};
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::inspect::page::Drawing;
use crate::inspect::{ink, png, roll, series, wave};
use crate::models::config::Task;
use crate::train::data::check_values;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Convert a published data set into one .npz, and print its statistics
    Prepare {
        #[command(subcommand)]
        kind: Prepare,
    },
    Show(Show),
}

/// Print the statistics of a data set, and draw its sequences
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data show lines.npz --index 1 --index 7 --out lines.png\n  \
    stcn data show digits.npz --rate 8000 --out digits.svg"
)]
pub(super) struct Show {
    /// A .npz file, or `embedded` for the embedded handwriting
    file: PathBuf,
    /// Sequences to draw, from 1 [default: the first six]
    #[arg(long, value_name = "I")]
    index: Vec<usize>,
    /// The picture to write; without it, only statistics are printed
    #[arg(long, value_name = "FILE.svg|.png")]
    out: Option<PathBuf>,
    /// Draw as ink, music, speech or series [default: ink if D = 3, music if all values are 0 or 1, speech if they are
    /// whole numbers, else series]
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<String>,
    /// Sampling rate of speech, in Hz
    #[arg(long, default_value_t = 16_000, value_name = "N")]
    rate: u32,
}

pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Prepare { kind } => prepare::run(kind),
        Command::Show(args) => show(args),
    }
}

fn show(args: Show) -> Result<()> {
    let picture = args.out.as_deref().map(picture).transpose()?;
    check_rate(args.rate)?;
    let asked = args.kind.as_deref().map(Task::parse).transpose()?;
    let set = open(&args.file)?;
    for &i in &args.index {
        if i == 0 || i > set.len() {
            let what = format!("has sequences 1 to {}, not {i}: choose another --index", set.len());
            return Err(Error::invalid(&args.file, what));
        }
    }
    let task = match asked {
        Some(task) => task,
        None if set.channels() == 3 => Task::Ink,
        None if set.check_binary().is_ok() => Task::Music,
        None if set.check_grid(set.channels()).is_ok() => Task::Speech,
        None => Task::Series,
    };
    // Three channels with a pen that is not 0 or 1 may be damaged ink: nobody guesses.
    if picture.is_some() || asked.is_some() {
        let checked = check_values(task, &set);
        checked.map_err(|e| if asked.is_some() { not_drawable(task, &args.file) } else { e })?;
    }
    println!("{}: {} sequences, D = {}", set.name().display(), set.len(), set.channels());
    for split in Split::ALL {
        if let Some(summary) = set.summary(split) {
            println!("  {summary}");
        }
    }
    if !set.split(Split::Train).is_empty() {
        let (all, channels) = statistics(&set)?;
        print_statistics(all, &channels);
    }
    let Some((out, picture)) = args.out.as_deref().zip(picture) else { return Ok(()) };
    let index = if args.index.is_empty() { (1..=set.len().min(6)).collect() } else { args.index };
    let rows = index.iter().map(|&i| set.sequence(i - 1)).collect::<Result<Vec<_>>>()?;
    let drawings = rows.iter().map(|rows| Drawing { rows, primed: 0 });
    let svg = draw(task, &drawings.collect::<Vec<_>>(), set.channels(), args.rate);
    match picture {
        Picture::Svg => write_whole(out, |file| file.write_all(svg.as_bytes()))?,
        Picture::Png => png::png(&svg, out)?,
    }
    println!("{}", out.display());
    Ok(())
}

/// Opens a data set by its file, or the embedded handwriting by the name `embedded`.
pub(super) fn open(file: &Path) -> Result<DataSet> {
    if file == Path::new("embedded") {
        return handwriting::data_set();
    }
    DataSet::open(file, Some(MissingSplit::AllTrain))
}

/// The error for a set that cannot be drawn as chosen with `--as`.
fn not_drawable(task: Task, file: &Path) -> Error {
    let wanted = match task {
        Task::Ink => "three channels (dx, dy, pen), the pen 0 or 1",
        Task::Music => "values that are 0 or 1",
        Task::Speech => "frames of samples",
        Task::Series => "numbers",
    };
    Error::invalid(
        file,
        format!("cannot be drawn as {task}, which needs {wanted}; choose another --as"),
    )
}

/// The picture of some sequences, as the text of an SVG file. Notes on stderr if it leaves channels out.
pub(super) fn draw(task: Task, drawings: &[Drawing], channels: usize, rate: u32) -> String {
    match task {
        Task::Ink => ink::svg(drawings),
        Task::Music => roll::svg(drawings, channels),
        Task::Speech => wave::svg(drawings, channels, rate),
        Task::Series => {
            let most = series::MOST_CHANNELS;
            if channels > most {
                let left = channels - most;
                eprintln!("note: the picture shows channels 1 to {most}, and leaves {left} out");
            }
            series::svg(drawings, channels)
        }
    }
}

/// Refuses an implausible sampling rate.
pub(super) fn check_rate(rate: u32) -> Result<()> {
    match rate {
        1000..=768_000 => Ok(()),
        _ => Err(Error::usage(format!(
            "--rate {rate}: want samples per second from 1000 to 768000, such as 16000"
        ))),
    }
}

enum Picture {
    Svg,
    Png,
}

/// The format by the extension of `--out`.
fn picture(out: &Path) -> Result<Picture> {
    match out.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(Picture::Svg),
        Some("png") => Ok(Picture::Png),
        _ => {
            let name = out.display();
            Err(Error::usage(format!("--out {name}: want a name that ends in .svg or .png")))
        }
    }
}
