//! `stcn data prepare`: data sets as their owners hand them out become one .npz each.

mod ink;
mod music;
mod recordings;

use super::args::{Files, Prepare};
use super::{print_json, thousands};
use crate::data::{Kind, Writer, writer::Written};
use crate::error::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::Path;

pub(super) fn run(kind: Prepare) -> Result<()> {
    match kind {
        Prepare::IamOndb(words) => ink::iam_ondb(words),
        Prepare::Deepwriting(words) => ink::deepwriting(words),
        Prepare::Timit(words) => recordings::timit(words),
        Prepare::Blizzard(words) => recordings::blizzard(words),
        Prepare::Wav(words) => recordings::wav(words),
        Prepare::Music(words) => music::music(words),
    }
}

/// [`write`], and tells the figures.
fn prepare(
    files: &Files,
    (kind, channels): (Kind, usize),
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> Result<()>,
) -> Result<Written> {
    let written = write(files, (kind, channels), columns, import)?;
    if files.json {
        print_json(&object(&written));
    } else {
        tell(&written);
    }
    Ok(written)
}

/// Runs `import` with a bar, and puts the file in its place.
fn write(
    files: &Files,
    (kind, channels): (Kind, usize),
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> Result<()>,
) -> Result<Written> {
    if files.output.extension().is_none_or(|e| e != "npz") {
        let name = files.output.display();
        return Err(Error::usage(format!("--output {name}: want a name that ends in .npz")));
    }
    refuse_to_replace(&files.output, &[&files.input])?;
    let bar = if files.json { ProgressBar::hidden() } else { ProgressBar::new(1000) };
    let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left");
    bar.set_style(style.expect("a template"));
    let mut writer = Writer::create_as(kind, &files.output, channels, columns)?;
    for file in writer.leftovers() {
        eprintln!("removed {}, which a run had left that was killed", file.display());
    }
    let temporaries = writer.temporaries();
    // A second handler in one process is refused; the first does what is needed.
    let _ = ctrlc::set_handler(move || {
        // Once they are gone, what they became is whole.
        match temporaries.iter().filter(|file| std::fs::remove_file(file).is_ok()).count() {
            0 => eprintln!("error: stopped"),
            _ => eprintln!("error: stopped; nothing was written"),
        }
        std::process::exit(130);
    });
    let imported = import(&mut writer, &mut |share| bar.set_position((share * 1000.) as u64));
    bar.finish_and_clear();
    imported?;
    writer.finish()
}

/// A file that is read must not be the one that is written.
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

fn tell(written: &Written) {
    for file in &written.files {
        println!("{}", file.display());
    }
    for summary in &written.splits {
        println!("  {summary}");
    }
    say_figures(written.scalar, &written.channels);
    let steps = written.splits.iter().map(|summary| summary.steps).sum::<usize>();
    println!("  {} steps in all", thousands(steps));
}

/// Mean and standard deviation of the train part, over all values and of few channels each.
pub(super) fn say_figures((mean, std): (f64, f64), channels: &[(f64, f64)]) {
    println!("  train mean {mean:.4}, std {std:.4} over all values");
    for (d, (mean, std)) in channels.iter().enumerate().filter(|_| channels.len() <= 8) {
        println!("  train mean {mean:.4}, std {std:.4} of channel {}", d + 1);
    }
}

fn object(written: &Written) -> serde_json::Value {
    json!({
        "files": written.files,
        "splits": written.splits,
        "mean": written.scalar.0,
        "std": written.scalar.1,
        "channel_means": written.channels.iter().map(|c| c.0).collect::<Vec<_>>(),
        "channel_stds": written.channels.iter().map(|c| c.1).collect::<Vec<_>>(),
    })
}

/// The number of a word, if it is within bounds.
fn within(name: &str, n: u32, least: u32, most: u32) -> Result<usize> {
    match (least..=most).contains(&n) {
        true => Ok(n as usize),
        false => Err(Error::usage(format!("--{name} {n}: want {least} to {most}"))),
    }
}

/// What a person should know of the import; beside the object on stdout, not in it.
fn note(files: &Files, text: &str) {
    match files.json {
        true => eprintln!("{text}"),
        false => println!("  {text}"),
    }
}
