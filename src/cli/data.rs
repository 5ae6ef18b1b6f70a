//! `stcn data show`: what a data set holds.

use super::args::Show;
use super::sample::open;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::inspect::{ink, png};
use std::path::Path;

pub(super) fn show(words: Show) -> Result<()> {
    let picture = words.out.as_deref().map(picture).transpose()?;
    let set = open(&words.file)?;
    for &i in &words.index {
        if i == 0 || i > set.len() {
            let what = format!("has sequences 1 to {}, not {i}: choose another --index", set.len());
            return Err(Error::invalid(&words.file, what));
        }
    }
    if picture.is_some() {
        set.check_ink()?;
    }
    println!("{}: {} sequences, D = {}", set.name().display(), set.len(), set.channels());
    for split in Split::ALL {
        if let Some(summary) = set.summary(split) {
            println!("  {summary}");
        }
    }
    let Some((out, picture)) = words.out.as_deref().zip(picture) else { return Ok(()) };
    let index = if words.index.is_empty() { (1..=set.len().min(6)).collect() } else { words.index };
    let rows = index.iter().map(|&i| set.sequence(i - 1)).collect::<Result<Vec<_>>>()?;
    let lines = rows.iter().map(|rows| ink::Drawing { rows, primed: 0 });
    let svg = ink::svg(&lines.collect::<Vec<_>>());
    match picture {
        Picture::Svg => std::fs::write(out, svg).map_err(Error::write(out))?,
        Picture::Png => png::png(&svg, out)?,
    }
    println!("{}", out.display());
    Ok(())
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
