//! Importing polyphonic music.

use super::{Files, object, print_written, write};
use crate::cli::print_json;
use crate::data::Kind;
use crate::data::prepare::music::{self, Figures};
use crate::error::Result;
use clap::Parser;
use serde_json::json;

/// Polyphonic music: lists of MIDI notes as JSON, or piano rolls as .mat or .npz
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare music --input jsb-chorales-quarter.json --output jsb.npz\n\n\
    The JSON is {\"train\": [...], \"valid\": [...], \"test\": [...]} of pieces, a piece a list of steps, a step \
    a list of the MIDI notes that sound, 21 to 108 (-1: a resting voice). The .mat (version 5 to 7, not \
    7.3) holds traindata, validdata and testdata, cells of matrices [steps, 88] of 0 and 1; the .npz holds samples \
    [total, 88] of 0 and 1, lengths and split. Convert a pickle to such JSON first."
)]
pub(in crate::cli) struct Music {
    #[command(flatten)]
    files: Files,
}

pub(super) fn music(args: Music) -> Result<()> {
    let files = &args.files;
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
        print_written(&written);
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
