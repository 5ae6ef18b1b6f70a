//! `stcn data prepare`: converts published data sets into one .npz each.

mod ink;
mod music;
mod omniglot;
mod recordings;
mod unipen;

use super::colour::{ERROR, paint};
use super::{check_extension, print_json, thousands};
use crate::data::prepare::pattern::{self, Rule};
use crate::data::{Dtype, Writer, writer::Written};
use crate::error::{Error, Result};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The data sets that can be prepared.
#[derive(Subcommand)]
pub(super) enum Prepare {
    IamOndb(ink::IamOndb),
    Deepwriting(ink::Deepwriting),
    Unipen(unipen::Unipen),
    Omniglot(omniglot::Omniglot),
    Timit(recordings::Timit),
    Blizzard(recordings::Blizzard),
    Wav(recordings::Wav),
    Music(music::Music),
}

/// Input and output, the same for every data set.
#[derive(clap::Args)]
pub(super) struct Files {
    /// The data set as published
    #[arg(long, value_name = "PATH")]
    input: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE.npz")]
    output: PathBuf,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn run(kind: Prepare) -> Result<()> {
    match kind {
        Prepare::IamOndb(args) => ink::iam_ondb(args),
        Prepare::Deepwriting(args) => ink::deepwriting(args),
        Prepare::Unipen(args) => unipen::unipen(args),
        Prepare::Omniglot(args) => omniglot::omniglot(args),
        Prepare::Timit(args) => recordings::timit(args),
        Prepare::Blizzard(args) => recordings::blizzard(args),
        Prepare::Wav(args) => recordings::wav(args),
        Prepare::Music(args) => music::music(args),
    }
}

/// [`write`], then prints the statistics.
fn prepare(
    files: &Files,
    (dtype, channels): (Dtype, usize),
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> Result<()>,
) -> Result<()> {
    let written = write(files, (dtype, channels), columns, import)?;
    if files.json {
        print_json(&object(&written));
    } else {
        print_written(&written);
    }
    Ok(())
}

/// Runs `import` with a progress bar, and moves the finished file to its place.
fn write(
    files: &Files,
    (dtype, channels): (Dtype, usize),
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> Result<()>,
) -> Result<Written> {
    check_extension("output", &files.output, &["npz"])?;
    refuse_to_replace(&files.output, &[&files.input])?;
    let bar = if files.json { ProgressBar::hidden() } else { ProgressBar::new(1000) };
    let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left");
    bar.set_style(style.expect("a template"));
    let mut writer = Writer::create_as(dtype, &files.output, channels, columns)?;
    if let Some(file) = writer.leftover() {
        eprintln!("removed {}, left by a run that was killed", file.display());
    }
    let temporary = writer.temporary().to_path_buf();
    // Fails if there is already a handler, which then does the same.
    let _ = ctrlc::set_handler(move || {
        // If the temporary file is gone, the finished one is in place.
        match std::fs::remove_file(&temporary) {
            Ok(()) => eprintln!("{} stopped; nothing was written", paint(ERROR, "error:")),
            Err(_) => eprintln!("{} stopped", paint(ERROR, "error:")),
        }
        std::process::exit(130);
    });
    let imported = import(&mut writer, &mut |share| bar.set_position((share * 1000.) as u64));
    bar.finish_and_clear();
    imported?;
    writer.finish()
}

/// Refuses an output that is also an input.
fn refuse_to_replace(output: &Path, inputs: &[&Path]) -> Result<()> {
    let place = |path: &Path| path.canonicalize().ok();
    match place(output) {
        Some(output_place)
            if inputs.iter().any(|input| place(input).as_ref() == Some(&output_place)) =>
        {
            let name = output.display();
            Err(Error::usage(format!("--output {name} is a file that is read: name another")))
        }
        _ => Ok(()),
    }
}

fn print_written(written: &Written) {
    println!("{}", written.file.display());
    for summary in &written.splits {
        println!("  {summary}");
    }
    print_statistics(written.scalar, &written.channels);
    let steps = written.splits.iter().map(|summary| summary.steps).sum::<usize>();
    println!("  {} steps in all", thousands(steps));
}

/// Prints mean and standard deviation of the train split: over all values, and of each channel if there are at most 8.
pub(super) fn print_statistics((mean, std): (f64, f64), channels: &[(f64, f64)]) {
    println!("  train mean {mean:.4}, std {std:.4} over all values");
    for (d, (mean, std)) in channels.iter().enumerate().filter(|_| channels.len() <= 8) {
        let constant = match *std == 0. {
            true => {
                ", which is constant: a model soon finds it certain, so its likelihood says nothing"
            }
            false => "",
        };
        println!("  train mean {mean:.4}, std {std:.4} of channel {}{constant}", d + 1);
    }
}

fn object(written: &Written) -> serde_json::Value {
    json!({
        "file": written.file.display().to_string(),
        "splits": written.splits,
        "mean": written.scalar.0,
        "std": written.scalar.1,
        "channel_means": written.channels.iter().map(|c| c.0).collect::<Vec<_>>(),
        "channel_stds": written.channels.iter().map(|c| c.1).collect::<Vec<_>>(),
    })
}

/// The number of an argument; refused if it is out of range.
fn within(name: &str, n: u32, least: u32, most: u32) -> Result<usize> {
    match (least..=most).contains(&n) {
        true => Ok(n as usize),
        false => Err(Error::usage(format!("--{name} {n}: want {least} to {most}"))),
    }
}

/// The rule of --split, or of patterns with --valid and --test; `None` without any.
fn split_rule(
    split: Option<String>,
    valid: Vec<String>,
    test: Vec<String>,
) -> Result<Option<Rule>> {
    let patterns = |texts: Vec<String>| -> Result<Vec<_>> {
        texts.iter().map(|text| pattern::parse(text)).collect()
    };
    Ok(match split {
        Some(rule) => Some(Rule::Fractions(rule.parse().map_err(|_| {
            Error::usage(format!(
                "--split {rule}: want all-train or fractions:VALID,TEST,SEED with fractions that leave something to train \
                 on, such as fractions:0.1,0.1,1"
            ))
        })?)),
        None if valid.is_empty() && test.is_empty() => None,
        None => Some(Rule::Patterns { valid: patterns(valid)?, test: patterns(test)? }),
    })
}

/// Notes how many `things` were found for training, validation and test, beside those that are known to be in `whole`.
fn note_found(files: &Files, found: [usize; 3], things: &str, published: [usize; 3], whole: &str) {
    let numbers = |[train, valid, test]: [usize; 3]| format!("{train} + {valid} + {test}");
    let same = if found == published { "as" } else { "unlike" };
    let (found, published) = (numbers(found), numbers(published));
    note(files, &format!("found {found} {things}, {same} the {published} of the {whole}"));
}

/// Prints a note; with --json to stderr, since stdout is only for the object.
fn note(files: &Files, text: &str) {
    match files.json {
        true => eprintln!("{text}"),
        false => println!("  {text}"),
    }
}
