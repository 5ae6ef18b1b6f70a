//! Polyphonic music.

use super::{object, tell, write};
use crate::cli::args::Music;
use crate::cli::print_json;
use crate::data::Kind;
use crate::data::prepare::music::{self, Figures};
use crate::error::Result;
use serde_json::json;

pub(super) fn music(words: Music) -> Result<()> {
    let files = &words.files;
    let mut figures = vec![];
    let written = write(files, (Kind::U1, music::KEYS), &[], |writer, progress| {
        figures = music::import(&files.input, writer, progress)?;
        Ok(())
    })?;
    if files.json {
        let mut line = object(&written);
        let part = |part: &Figures| {
            json!({
                "split": part.split, "steps": part.steps, "longest": part.longest,
                "notes_per_step": part.notes_per_step(), "repeated": part.share_repeated(),
            })
        };
        line["music"] = figures.iter().map(part).collect();
        print_json(&line);
    } else {
        tell(&written);
        figures.iter().for_each(|figures| println!("  {figures}"));
    }
    let repeats = |part: &&Figures| part.share_repeated() > music::MOST_REPEATED;
    if let Some(part) = figures.iter().find(repeats) {
        eprintln!(
            "warning: {:.1} % of the steps of {} repeat the one before, as where a step is half of what \
             others score: do not compare nats per step with theirs",
            100. * part.share_repeated(),
            part.split
        );
    }
    Ok(())
}
