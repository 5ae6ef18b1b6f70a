//! `stcn data show`: what a data set holds.

use super::args::Show;
use super::sample::open;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::inspect::{ink, png};

pub(super) fn show(words: Show) -> Result<()> {
    let set = open(&words.file)?;
    println!("{}: {} sequences, D = {}", set.name().display(), set.len(), set.channels());
    for split in Split::ALL {
        if let Some(summary) = set.summary(split) {
            println!("  {summary}");
        }
    }
    let Some(out) = words.out else { return Ok(()) };
    set.check_ink()?;
    let index = if words.index.is_empty() { (1..=set.len().min(6)).collect() } else { words.index };
    for &i in &index {
        if i == 0 || i > set.len() {
            let what = format!("has sequences 1 to {}, not {i}: choose another --index", set.len());
            return Err(Error::invalid(&words.file, what));
        }
    }
    let lines = index.iter().map(|&i| ink::Drawing { rows: set.sequence(i - 1), primed: 0 });
    let svg = ink::svg(&lines.collect::<Vec<_>>());
    match out.extension().and_then(|e| e.to_str()) {
        Some("svg") => std::fs::write(&out, svg).map_err(Error::write(&out))?,
        Some("png") => png::png(&svg, &out)?,
        _ => {
            let name = out.display();
            return Err(Error::usage(format!(
                "--out {name}: want a name that ends in .svg or .png"
            )));
        }
    }
    println!("{}", out.display());
    Ok(())
}
