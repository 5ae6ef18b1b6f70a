//! Importing polyphonic music.

use super::{Files, object, print_written, write};
use crate::cli::colour::{WARNING, paint};
use crate::cli::print_json;
use crate::data::Dtype;
use crate::data::prepare::music::{self, Statistics};
use crate::error::Result;
use clap::Parser;
use serde_json::json;

/// Polyphonic music: lists of MIDI notes as JSON, or piano rolls as .mat or .npz
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare music --input jsb-chorales-quarter.json --output jsb.npz\n\n\
    The JSON is {\"train\": [...], \"valid\": [...], \"test\": [...]}, each a list of pieces; a piece is a list of steps, \
    a step a list of the sounding MIDI notes, 21 to 108 (-1: a rest). A .mat (version 5 to 7, not 7.3) holds \
    traindata, validdata and testdata, cell arrays of matrices [steps, 88] of 0 and 1. An .npz holds samples [total, 88] \
    of 0 and 1, lengths and split. Convert a pickle to such JSON first."
)]
pub(in crate::cli) struct Music {
    #[command(flatten)]
    files: Files,
}

pub(super) fn music(args: Music) -> Result<()> {
    let files = &args.files;
    let mut statistics = vec![];
    let written = write(files, (Dtype::U1, music::KEYS), &[], |writer, progress| {
        statistics = music::import(&files.input, writer, progress)?;
        Ok(())
    })?;
    if files.json {
        let mut line = object(&written);
        let row = |of: &Statistics| {
            json!({
                "split": of.split, "steps": of.steps, "longest": of.longest,
                "notes_per_step": of.notes_per_step(), "repeated": of.fraction_repeated(),
            })
        };
        line["music"] = statistics.iter().map(row).collect();
        print_json(&line);
    } else {
        print_written(&written);
        statistics.iter().for_each(|statistics| println!("  {statistics}"));
    }
    let repeats = |of: &&Statistics| of.fraction_repeated() > music::MOST_REPEATED;
    if let Some(half) = statistics.iter().find(repeats) {
        eprintln!(
            "{} {:.1} % of the steps of {} repeat the previous one, as if a step were half as long as \
             usual: do not compare nats per step with published ones",
            paint(WARNING, "warning:"),
            100. * half.fraction_repeated(),
            half.split
        );
    }
    Ok(())
}
