//! `stcn data`: statistics of data sets, and their sequences as pictures, sound and music.
//!
//! Not here: the importers' command lines (`prepare`).

use super::check_rate;
use super::prepare::{self, Prepare, print_statistics};
use crate::data::{DataSet, MissingSplit, Split, handwriting, normalise::statistics};
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::inspect::page::Drawing;
use crate::inspect::{midi, png, series, wav};
use crate::models::config::Task;
use crate::train::data::check_values;
use crate::train::samples::{self, USUAL_RATE};
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

/// Print the statistics of a data set, and write its sequences as a picture, sound or MIDI
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data show lines.npz --index 1 --index 7 --out lines.png\n  \
    stcn data show digits.npz --index 3 --out digit.wav"
)]
pub(super) struct Show {
    /// A .npz file, or `embedded` for the embedded handwriting
    file: PathBuf,
    /// Sequences to write, from 1 [default: the first six; for .wav and .mid, which hold one, the first]
    #[arg(long, value_name = "I")]
    index: Vec<usize>,
    /// The file to write: a picture, the sound of speech as .wav, or music of 88 keys as .mid (a step is a quarter note,
    /// a key that stays on is held); without it, only statistics are printed
    #[arg(long, value_name = "FILE.svg|.png|.wav|.mid")]
    out: Option<PathBuf>,
    /// Take the data as ink, music, speech or series [default: speech if they have a sampling rate; else ink if D = 3,
    /// music if all values are 0 or 1, speech if they are whole numbers, else series]
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<String>,
    /// Sampling rate of speech, in Hz [default: that of the data set, or 16000 if it has none]
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
}

pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Prepare { kind } => prepare::run(kind),
        Command::Show(args) => show(args),
    }
}

fn show(args: Show) -> Result<()> {
    let format = args.out.as_deref().map(format).transpose()?;
    args.rate.map(check_rate).transpose()?;
    let asked = args.kind.as_deref().map(Task::parse).transpose()?;
    let set = open(&args.file)?;
    for &i in &args.index {
        if i == 0 || i > set.len() {
            let what = format!("has sequences 1 to {}, not {i}: choose another --index", set.len());
            return Err(Error::invalid(&args.file, what));
        }
    }
    if let (Some(Format::Wav | Format::Midi), [_, _, ..]) = (&format, &args.index[..]) {
        return Err(Error::usage("a .wav or .mid holds one sequence: give one --index"));
    }
    let task = match asked {
        Some(task) => task,
        None if set.rate().is_some() => Task::Speech,
        None if set.channels() == 3 => Task::Ink,
        None if set.check_binary().is_ok() => Task::Music,
        None if set.check_grid(set.channels()).is_ok() => Task::Speech,
        None => Task::Series,
    };
    // Three channels with a pen that is not 0 or 1 may be damaged ink: nobody guesses.
    if format.is_some() || asked.is_some() {
        let checked = check_values(task, &set);
        checked.map_err(|e| if asked.is_some() { not_drawable(task, &args.file) } else { e })?;
    }
    let holds = match format {
        Some(Format::Wav) => task == Task::Speech,
        Some(Format::Midi) => task == Task::Music && set.channels() == midi::KEYS,
        _ => true,
    };
    if !holds {
        let what = format!(
            "is {task} with D = {}, and a .wav takes speech, a .mid music with D = {}; write .svg, or choose another --as",
            set.channels(),
            midi::KEYS
        );
        return Err(Error::invalid(&args.file, what));
    }
    let rate = set.rate().map_or(String::new(), |rate| format!(", {rate} samples per second"));
    println!("{}: {} sequences, D = {}{rate}", set.name().display(), set.len(), set.channels());
    for split in Split::ALL {
        if let Some(summary) = set.summary(split) {
            println!("  {summary}");
        }
    }
    if !set.split(Split::Train).is_empty() {
        let (all, channels) = statistics(&set)?;
        print_statistics(all, &channels);
    }
    let Some((out, format)) = args.out.as_deref().zip(format) else { return Ok(()) };
    let index = if args.index.is_empty() { (1..=set.len().min(6)).collect() } else { args.index };
    let rows = index.iter().map(|&i| set.sequence(i - 1)).collect::<Result<Vec<_>>>()?;
    let drawings = rows.iter().map(|rows| Drawing { rows, primed: 0 }).collect::<Vec<_>>();
    let rate = || rate_of_sound(task, args.rate.or(set.rate()));
    let svg = || draw(task, &drawings, set.channels(), rate());
    match format {
        Format::Svg => write_whole(out, |file| file.write_all(svg().as_bytes()))?,
        Format::Png => png::png(&svg(), out)?,
        Format::Wav => {
            let clipped = wav::wav(&rows[0], rate(), out)?;
            if clipped > 0 {
                eprintln!("note: {clipped} samples are beyond 16 bits and were clipped");
            }
        }
        Format::Midi => midi::midi(&rows[0], out)?,
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
    let most = series::MOST_CHANNELS;
    if task == Task::Series && channels > most {
        let left = channels - most;
        eprintln!("note: the picture shows channels 1 to {most}, and leaves {left} out");
    }
    samples::draw(task, drawings, channels, rate)
}

/// The rate that is known, or else the usual one, with a note if the data are sound.
pub(super) fn rate_of_sound(task: Task, known: Option<u32>) -> u32 {
    known.unwrap_or_else(|| {
        if task == Task::Speech { eprintln!(
            "note: the sampling rate is unknown and taken to be {USUAL_RATE} Hz: give it with --rate"
        ); }
        USUAL_RATE
    })
}

enum Format {
    Svg,
    Png,
    Wav,
    Midi,
}

/// The format by the extension of `--out`.
fn format(out: &Path) -> Result<Format> {
    match out.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        Some("wav") => Ok(Format::Wav),
        Some("mid") => Ok(Format::Midi),
        _ => {
            let name = out.display();
            Err(Error::usage(format!(
                "--out {name}: want a name that ends in .svg, .png, .wav or .mid"
            )))
        }
    }
}
