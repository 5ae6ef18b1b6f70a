//! `stcn data show`: what a data set holds.

use super::args::Show;
use super::prepare::say_figures;
use super::sample::open;
use crate::data::{Split, normalise::figures};
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::inspect::page::Drawing;
use crate::inspect::{ink, png, roll, wave};
use crate::models::config::Task;
use crate::train::fit::check_values;
use std::io::Write;
use std::path::Path;

pub(super) fn show(words: Show) -> Result<()> {
    let picture = words.out.as_deref().map(picture).transpose()?;
    check_rate(words.rate)?;
    let asked = words.kind.as_deref().map(Task::parse).transpose()?;
    let set = open(&words.file)?;
    for &i in &words.index {
        if i == 0 || i > set.len() {
            let what = format!("has sequences 1 to {}, not {i}: choose another --index", set.len());
            return Err(Error::invalid(&words.file, what));
        }
    }
    let task = match asked {
        Some(task) => task,
        None if set.channels() == 3 => Task::Ink,
        None if set.check_binary().is_ok() => Task::Music,
        None => Task::Speech,
    };
    // Three channels with a pen half down are damaged ink sooner than sound.
    if picture.is_some() || asked.is_some() {
        let checked = check_values(task, &set);
        checked.map_err(|e| if asked.is_some() { unlike(task, &words.file) } else { e })?;
    }
    println!("{}: {} sequences, D = {}", set.name().display(), set.len(), set.channels());
    for split in Split::ALL {
        if let Some(summary) = set.summary(split) {
            println!("  {summary}");
        }
    }
    if !set.split(Split::Train).is_empty() {
        let (all, channels) = figures(&set)?;
        say_figures(all, &channels);
    }
    let Some((out, picture)) = words.out.as_deref().zip(picture) else { return Ok(()) };
    let index = if words.index.is_empty() { (1..=set.len().min(6)).collect() } else { words.index };
    let rows = index.iter().map(|&i| set.sequence(i - 1)).collect::<Result<Vec<_>>>()?;
    let drawings = rows.iter().map(|rows| Drawing { rows, primed: 0 });
    let svg = draw(task, &drawings.collect::<Vec<_>>(), set.channels(), words.rate);
    match picture {
        Picture::Svg => write_whole(out, |file| file.write_all(svg.as_bytes()))?,
        Picture::Png => png::png(&svg, out)?,
    }
    println!("{}", out.display());
    Ok(())
}

/// Why a set cannot be drawn as what was asked for.
fn unlike(task: Task, file: &Path) -> Error {
    let wanted = match task {
        Task::Ink => "three channels (dx, dy, pen), the pen 0 or 1",
        Task::Music => "numbers that are 0 or 1",
        Task::Speech => "frames of samples",
    };
    Error::invalid(
        file,
        format!("cannot be drawn as {task}, which wants {wanted}; choose another --as"),
    )
}

/// The picture of sequences of a kind, as the text of an SVG file.
pub(super) fn draw(task: Task, drawings: &[Drawing], channels: usize, rate: u32) -> String {
    match task {
        Task::Ink => ink::svg(drawings),
        Task::Music => roll::svg(drawings, channels),
        Task::Speech => wave::svg(drawings, channels, rate),
    }
}

/// Whether sound can have so many samples a second.
pub(super) fn check_rate(rate: u32) -> Result<()> {
    match rate {
        1000..=768_000 => Ok(()),
        _ => Err(Error::usage(format!(
            "--rate {rate}: want samples a second from 1000 to 768000, such as 16000"
        ))),
    }
}

enum Picture {
    Svg,
    Png,
}

/// What the name of a file promises.
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
