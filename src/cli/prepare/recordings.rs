//! TIMIT, Blizzard, folders of wav.

use super::{note, prepare, within};
use crate::cli::args::{Blizzard, Timit, Wav};
use crate::data::Kind;
use crate::data::prepare::{blizzard, pattern::Pattern, timit, wav};
use crate::error::{Error, Result};

pub(super) fn timit(words: Timit) -> Result<()> {
    let Timit { files, split, valid_list, train_list, test_list, segment, streams } = words;
    let lists = match (&split[..], valid_list) {
        ("lists", Some(valid)) => Some(timit::Lists { valid, train: train_list, test: test_list }),
        ("lists", None) => {
            let what =
                "--split lists wants --valid-list, the file with the utterances that validate";
            return Err(Error::usage(what));
        }
        ("seeded", None) if train_list.is_none() && test_list.is_none() => None,
        ("seeded", _) => {
            return Err(Error::usage("lists are for --split lists: add it, or leave them out"));
        }
        _ => return Err(Error::usage(format!("--split {split}: want seeded or lists"))),
    };
    let streams = streams.map(|n| within("streams", n, 1, 1024)).transpose()?;
    let segment = within("segment", segment, 0, 1 << 20)?;
    let options = timit::Options { segment, streams, lists };
    let mut counts = timit::Counts::default();
    prepare(&files, (Kind::I2, timit::FRAME), &timit::COLUMNS, |writer, progress| {
        counts = timit::import(&files.input, &options, writer, progress)?;
        Ok(())
    })?;
    let ((train, test), (all_train, all_test)) = (counts.utterances, timit::UTTERANCES);
    let as_handed_out = if counts.utterances == timit::UTTERANCES { "as" } else { "unlike" };
    note(
        &files,
        &format!(
            "found {train} + {test} utterances, {as_handed_out} the {all_train} + {all_test} of TIMIT"
        ),
    );
    for (n, what) in [
        (counts.elsewhere, "recordings at other places than TIMIT's"),
        (counts.unlisted, "utterances that are in no list"),
        (counts.short, "utterances without a whole frame"),
    ] {
        if n > 0 {
            note(&files, &format!("left out {n} {what}"));
        }
    }
    Ok(())
}

pub(super) fn blizzard(words: Blizzard) -> Result<()> {
    let Blizzard { files, block, streams } = words;
    let block = within("block", block, 1, u32::MAX)?;
    let options = blizzard::Options { block, streams: within("streams", streams, 1, 1024)? };
    let mut counts = None;
    prepare(&files, (Kind::I2, blizzard::FRAME), &[], |writer, progress| {
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

pub(super) fn wav(words: Wav) -> Result<()> {
    let Wav { files, rate, frame, split, valid, test } = words;
    let patterns = |texts: Vec<String>| -> Result<Vec<_>> {
        texts.iter().map(|text| Pattern::new(text)).collect()
    };
    let split = match split {
        Some(rule) => wav::Rule::Shares(rule.parse().map_err(|_| {
            Error::usage(format!(
                "--split {rule}: want all-train or fractions:VALID,TEST,SEED with shares that leave \
                 something to train on, such as fractions:0.1,0.1,1"
            ))
        })?),
        None if valid.is_empty() && test.is_empty() => {
            return Err(Error::usage(
                "which files are for training is not guessed: choose --split fractions:0.1,0.1,1, \
                 --split all-train, or patterns with --valid and --test",
            ));
        }
        None => wav::Rule::Patterns { valid: patterns(valid)?, test: patterns(test)? },
    };
    let rate = within("rate", rate, 8000, 48_000)? as u32;
    let options = wav::Options { rate, frame: within("frame", frame, 1, 1 << 16)?, split };
    let mut counts = wav::Counts::default();
    prepare(&files, (Kind::I2, options.frame), &wav::COLUMNS, |writer, progress| {
        counts = wav::import(&files.input, &options, writer, progress)?;
        Ok(())
    })?;
    let wav::Counts { files: found, short, resampled, clipped } = counts;
    note(&files, &format!("found {found} recordings, of which {resampled} had another rate"));
    for (n, what) in
        [(short, "recordings without a whole frame, left out"), (clipped, "samples clipped")]
    {
        if n > 0 {
            note(&files, &format!("{n} {what}"));
        }
    }
    Ok(())
}
