//! Importing Omniglot.

use super::{Files, note, note_found, object, print_written, split_rule, write};
use crate::cli::print_json;
use crate::data::prepare::omniglot;
use crate::data::{Dtype, Split};
use crate::error::Result;
use clap::Parser;
use serde_json::json;

/// Omniglot: drawn characters, from its stroke files, packed or unpacked
///
/// Without further arguments it makes the set of the book's tables from strokes_background_small1.zip and
/// strokes_background_small2.zip: Tagalog validates, Early_Aramaic tests, the other six alphabets train, and alphabets of
/// the larger sets are left out. With --split, --valid or --test, all alphabets that are there are taken.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare omniglot --input omniglot/python --output omniglot.npz\n  \
    stcn data prepare omniglot --input strokes_background.zip --output all.npz --split fractions:0.1,0.1,1\n\n\
    The input is a folder with zip files named strokes_…, or with what was in them, or one zip file. Patterns are of \
    alphabets: `*` matches any characters, `?` one, `[A-K]` one of these."
)]
pub(in crate::cli) struct Omniglot {
    #[command(flatten)]
    files: Files,
    /// fractions:VALID,TEST,SEED (random alphabets, chosen by the seed), or all-train
    #[arg(long, value_name = "RULE", conflicts_with_all = ["valid", "test"])]
    split: Option<String>,
    /// Alphabets for validation, all others for training; can be repeated
    #[arg(long, value_name = "PATTERN")]
    valid: Vec<String>,
    /// Alphabets for testing; can be repeated
    #[arg(long, value_name = "PATTERN")]
    test: Vec<String>,
}

pub(super) fn omniglot(args: Omniglot) -> Result<()> {
    let Omniglot { files, split, valid, test } = args;
    let rule = split_rule(split, valid, test)?;
    let mut report = omniglot::Report::default();
    let written = write(&files, (Dtype::F4, 3), &omniglot::COLUMNS, |writer, progress| {
        report = omniglot::import(&files.input, rule.as_ref(), writer, progress)?;
        Ok(())
    })?;
    if files.json {
        let mut line = object(&written);
        let named = Split::ALL.iter().zip(&report.alphabets);
        line["alphabets"] = named.map(|(split, names)| (split.to_string(), json!(names))).collect();
        print_json(&line);
    } else {
        print_written(&written);
        for (split, names) in Split::ALL.iter().zip(&report.alphabets) {
            println!("  {split:5} {}", names.join(", "));
        }
    }
    for (n, what) in [
        (report.unlisted, "alphabets that are in neither small background set; --split takes all"),
        (report.repeated, "copies of drawings, taken once"),
        (report.short, "drawings of fewer than two points"),
    ] {
        if n > 0 {
            note(&files, &format!("left out {n} {what}"));
        }
    }
    if rule.is_none() {
        let count = |wanted: Split| {
            written.splits.iter().find(|of| of.split == wanted).map_or(0, |of| of.sequences)
        };
        let found = Split::ALL.map(count);
        note_found(&files, found, "drawings", omniglot::PUBLISHED, "two small sets");
    }
    Ok(())
}
