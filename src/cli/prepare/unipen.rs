//! Importing UNIPEN.

use super::{Files, note, note_found, object, print_written, within, write};
use crate::cli::{print_json, thousands};
use crate::data::Dtype;
use crate::data::prepare::unipen::{self, Contributor, Contributors, Units};
use crate::error::{Error, Result};
use clap::Parser;
use serde_json::json;

/// UNIPEN's train_r01_v07: lines of handwriting, or words or characters, from its .dat files
///
/// Without further arguments it makes the set of the book's tables from the whole release: lines of text of 50 to 2000
/// steps by contributors whose tablets are fine enough, each contributor's dx and dy divided by one number, writers kept
/// apart.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare unipen --input train_r01_v07 --output unipen_text.npz\n  \
    stcn data prepare unipen --input train_r01_v07 --output words.npz --category 6 --shortest 10 --longest 1000 \
    --contributors all\n\n\
    train_r01_v07 is a folder with the folders data and include, as the release is packed. The output holds contributors, \
    writers and texts too: `unzip -p unipen_text.npz meta.csv`."
)]
pub(in crate::cli) struct Unipen {
    #[command(flatten)]
    files: Files,
    /// The folder in data: 8 is text, 6 and 7 are words, 1a to 3 are characters
    #[arg(long, default_value = "8", value_name = "C")]
    category: String,
    /// Leave out sequences of fewer steps
    #[arg(long, default_value_t = 50, value_name = "STEPS")]
    shortest: u32,
    /// Leave out sequences of more steps; none is cut
    #[arg(long, default_value_t = 2000, value_name = "STEPS")]
    longest: u32,
    /// lines: those whose tablets are fine and whose sequences are mostly lines of text, judged by the files that are
    /// there; all
    #[arg(long, default_value = "lines", value_name = "RULE")]
    contributors: String,
    /// scaled: dx and dy divided by their standard deviation over the contributor; tablet: the integers as recorded
    #[arg(long, default_value = "scaled", value_name = "U")]
    units: String,
    /// Leave out files that cannot be read, and say how many
    #[arg(long)]
    skip_damaged: bool,
}

pub(super) fn unipen(args: Unipen) -> Result<()> {
    let files = &args.files;
    let steps = |name, n| within(name, n, 1, 1 << 24);
    let lengths = [steps("shortest", args.shortest)?, steps("longest", args.longest)?];
    if lengths[0] > lengths[1] {
        let [shortest, longest] = lengths;
        let what = format!("--shortest {shortest} is more than --longest {longest}: swap them");
        return Err(Error::usage(what));
    }
    let options = unipen::Options {
        category: args.category,
        lengths,
        contributors: Contributors::parse(&args.contributors)?,
        units: Units::parse(&args.units)?,
        skip_damaged: args.skip_damaged,
    };
    let mut report = unipen::Report::default();
    let written = write(files, (Dtype::F4, 3), &unipen::COLUMNS, |writer, progress| {
        report = unipen::import(&files.input, &options, writer, progress)?;
        Ok(())
    })?;
    let (taken, left_out): (Vec<_>, Vec<_>) =
        report.contributors.iter().partition(|contributor| contributor.verdict.is_none());
    if files.json {
        let mut line = object(&written);
        let row = |of: &Contributor| {
            let Contributor { name, verdict, sequences, writers, scale } = of;
            json!({
                "name": name, "left_out_since_its": verdict, "sequences": sequences, "writers": writers,
                "scale": scale,
            })
        };
        line["contributors"] = report.contributors.iter().map(row).collect();
        print_json(&line);
    } else {
        print_written(&written);
        println!("contributor  train  valid  test  writers  standard deviation of dx and dy");
        for Contributor { name, sequences: [train, valid, test], writers, scale, .. } in &taken {
            println!("  {name:9} {train:>6} {valid:>6} {test:>5} {writers:>8}  {scale:.6}");
        }
    }
    for Contributor { name, verdict, sequences, .. } in left_out {
        let (n, why) = (sequences[0], verdict.as_deref().unwrap_or_default());
        note(files, &format!("left out {n} sequences of {name}, since its {why}"));
    }
    for (n, what) in [
        (report.bad, "of quality BAD"),
        (report.partial, "that do not name whole components of their file"),
        (report.other_lengths, "that are shorter or longer"),
        (report.repeated, "that equal an earlier one"),
    ] {
        if n > 0 {
            note(files, &format!("left out {n} of {} segments {what}", thousands(report.segments)));
        }
    }
    let found = taken
        .iter()
        .fold([0; 3], |sum, of| std::array::from_fn(|split| sum[split] + of.sequences[split]));
    if options == unipen::Options::default() {
        note_found(files, found, "sequences", unipen::PUBLISHED, "whole release");
    }
    if found[1] == 0 {
        note(
            files,
            "none is for validation, since each of the few writers would be too large a part of it; the whole release has \
             enough",
        );
    }
    if let Some(first) = report.first_damaged {
        eprintln!(
            "warning: left out {} files that cannot be read, such as {first}",
            report.damaged
        );
    }
    Ok(())
}
