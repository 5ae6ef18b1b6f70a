//! Importing recordings: TIMIT, Blizzard, folders of .wav files.

use super::{Files, note, prepare, split_rule, within};
use crate::cli::check_rate;
use crate::data::prepare::{blizzard, timit, wav};
use crate::data::{Dtype, Split};
use crate::error::{Error, Result};
use clap::Parser;
use std::path::PathBuf;

/// TIMIT as distributed by the LDC, in frames of 200 samples
///
/// TEST is the test split, by other speakers than TRAIN. The validation split is one in 20 of TRAIN, chosen by a fixed
/// seed: 24 of its 462 speakers, or 231 of its utterances; or the utterances of a list with one path per line, of which
/// the last four components count.
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn data prepare timit --input TIMIT --output timit.npz\n  \
    stcn data prepare timit --input TIMIT --output timit.npz --split lists --valid-list valid.txt")]
pub(in crate::cli) struct Timit {
    #[command(flatten)]
    files: Files,
    /// What validates: speakers (none of whom is in training), utterances (all of their speakers are in training, as in
    /// most papers), or lists
    #[arg(long, default_value = "speakers", value_name = "RULE")]
    split: String,
    /// List of the utterances for validation
    #[arg(long, value_name = "FILE")]
    valid_list: Option<PathBuf>,
    /// List of those for training [default: all of TRAIN that is in no other list]
    #[arg(long, value_name = "FILE")]
    train_list: Option<PathBuf>,
    /// List of those for testing [default: all of TEST that is in no other list]
    #[arg(long, value_name = "FILE")]
    test_list: Option<PathBuf>,
    /// Join the utterances of train and valid, and cut them into pieces of P frames; 0 keeps utterances
    #[arg(long, default_value_t = 40, value_name = "P")]
    segment: u32,
    /// Order the pieces in N parallel streams (published: 64), so that batches continue each other [default: 1]
    #[arg(long, value_name = "N")]
    streams: Option<u32>,
}

/// Blizzard 2013, decoded to .wav or headerless .raw (16 bits, 16 kHz, mono), in rows of half a second
///
/// In a block, row piece·streams + stream holds that piece of that stream. Train, valid and test are 283, 16 and 16
/// hours as published if there is enough, else 90, 5 and 5 %.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare blizzard --input blizzard/wavs --output blizzard.npz"
)]
pub(in crate::cli) struct Blizzard {
    #[command(flatten)]
    files: Files,
    /// Recordings in a block
    #[arg(long, default_value_t = 200, value_name = "N")]
    block: u32,
    /// Streams in a block
    #[arg(long, default_value_t = 128, value_name = "N")]
    streams: u32,
}

/// A folder of .wav files and its subfolders, brought to one rate and cut into frames
///
/// The splits come from --split, or from patterns of the files' paths in the folder: `*` matches any characters,
/// `?` one, `[0-4]` one of these. A file that matches no pattern is for training.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare wav --input fsdd --output digits.npz --rate 8000 --test '*_[0-4].wav'\n  \
    stcn data prepare wav --input speech --output speech.npz --split fractions:0.1,0.1,1"
)]
pub(in crate::cli) struct Wav {
    #[command(flatten)]
    files: Files,
    /// Sampling rate of the data set, in Hz, to which recordings of another are resampled; `recorded` keeps that of the
    /// recordings, which must all have the same
    #[arg(long, default_value = "16000", value_name = "HZ|recorded")]
    rate: String,
    /// Samples in a frame, which are the channels of the data set
    #[arg(long, default_value_t = 200, value_name = "D")]
    frame: u32,
    /// fractions:VALID,TEST,SEED (random files, chosen by the seed), or all-train
    #[arg(long, value_name = "RULE", conflicts_with_all = ["valid", "test"])]
    split: Option<String>,
    /// Files for validation; can be repeated
    #[arg(long, value_name = "PATTERN")]
    valid: Vec<String>,
    /// Files for testing; can be repeated
    #[arg(long, value_name = "PATTERN")]
    test: Vec<String>,
}

pub(super) fn timit(args: Timit) -> Result<()> {
    let Timit { files, split, valid_list, train_list, test_list, segment, streams } = args;
    let is_listed = valid_list.is_some() || train_list.is_some() || test_list.is_some();
    let split = match (&split[..], valid_list) {
        ("lists", Some(valid)) => {
            timit::Rule::Lists(timit::Lists { valid, train: train_list, test: test_list })
        }
        ("lists", None) => {
            let what = "--split lists needs --valid-list, the list of utterances for validation";
            return Err(Error::usage(what));
        }
        ("speakers" | "utterances", _) if is_listed => {
            return Err(Error::usage(
                "--valid-list, --train-list and --test-list need --split lists: add it, or leave them out",
            ));
        }
        ("speakers", _) => timit::Rule::Speakers,
        ("utterances", _) => timit::Rule::Utterances,
        _ => {
            let what = format!("--split {split}: want speakers, utterances or lists");
            return Err(Error::usage(what));
        }
    };
    let streams = streams.map(|n| within("streams", n, 1, 1024)).transpose()?;
    let segment = within("segment", segment, 0, 1 << 20)?;
    let options = timit::Options { segment, streams, split };
    let mut counts = timit::Counts::default();
    prepare(&files, (Dtype::I2, timit::FRAME), &timit::COLUMNS, |writer, progress| {
        counts = timit::import(&files.input, &options, writer, progress)?;
        Ok(())
    })?;
    let ((train, test), (all_train, all_test)) = (counts.utterances, timit::UTTERANCES);
    let same = if counts.utterances == timit::UTTERANCES { "as" } else { "unlike" };
    note(
        &files,
        &format!("found {train} + {test} utterances, {same} the {all_train} + {all_test} of TIMIT"),
    );
    for (split, speakers) in [(Split::Valid, counts.valid), (Split::Test, counts.test)] {
        let timit::Speakers { all, in_train } = speakers;
        if all > 0 {
            let known = match in_train {
                0 => "none of whom is in training".into(),
                n => format!("of whom {n} are in training too"),
            };
            note(&files, &format!("{split} has {all} speakers, {known}"));
        }
    }
    if counts.valid.in_train > 0 {
        note(
            &files,
            "so validation says little about new speakers; --split speakers keeps them apart",
        );
    }
    for (n, what) in [
        (counts.elsewhere, "recordings outside TIMIT's folders"),
        (counts.unlisted, "utterances that are in no list"),
        (counts.short, "utterances shorter than a frame"),
    ] {
        if n > 0 {
            note(&files, &format!("left out {n} {what}"));
        }
    }
    Ok(())
}

pub(super) fn blizzard(args: Blizzard) -> Result<()> {
    let Blizzard { files, block, streams } = args;
    let block = within("block", block, 1, u32::MAX)?;
    let options = blizzard::Options { block, streams: within("streams", streams, 1, 1024)? };
    let mut counts = None;
    prepare(&files, (Dtype::I2, blizzard::FRAME), &[], |writer, progress| {
        counts = Some(blizzard::import(&files.input, &options, writer, progress)?);
        Ok(())
    })?;
    if let Some(blizzard::Counts { files: found, samples, unused }) = counts {
        let hours = |samples| samples as f64 / 16_000. / 3600.;
        note(
            &files,
            &format!(
                "found {found} recordings of {:.2} hours, of which {:.2} are in no row",
                hours(samples),
                hours(unused)
            ),
        );
    }
    Ok(())
}

fn parse_rate(rate: &str) -> Result<u32> {
    let number = rate.parse().map_err(|_| {
        Error::usage(format!("--rate {rate}: want samples per second, such as 16000, or recorded"))
    })?;
    check_rate(number).map(|()| number)
}

pub(super) fn wav(args: Wav) -> Result<()> {
    let Wav { files, rate, frame, split, valid, test } = args;
    let split = split_rule(split, valid, test)?.ok_or_else(|| {
        Error::usage(
            "there is no default split: choose --split fractions:0.1,0.1,1, --split all-train, or patterns with \
             --valid and --test",
        )
    })?;
    let rate = (rate != "recorded").then(|| parse_rate(&rate)).transpose()?;
    let options = wav::Options { rate, frame: within("frame", frame, 1, 1 << 16)?, split };
    let mut counts = wav::Counts::default();
    prepare(&files, (Dtype::I2, options.frame), &wav::COLUMNS, |writer, progress| {
        counts = wav::import(&files.input, &options, writer, progress)?;
        Ok(())
    })?;
    let wav::Counts { files: found, short, resampled, clipped } = counts;
    note(&files, &format!("found {found} recordings, of which {resampled} had another rate"));
    for (n, what) in
        [(short, "recordings shorter than a frame, left out"), (clipped, "samples clipped")]
    {
        if n > 0 {
            note(&files, &format!("{n} {what}"));
        }
    }
    Ok(())
}
