//! `stcn data prepare`: data sets as their owners hand them out become one .npz each.

use super::args::{Blizzard, Files, Prepare, Timit, Wav};
use super::{print_json, thousands};
use crate::data::prepare::{blizzard, pattern::Pattern, timit, wav};
use crate::data::{Writer, writer::Written};
use crate::error::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

pub(super) fn run(kind: Prepare) -> Result<()> {
    match kind {
        Prepare::Timit(words) => timit(words),
        Prepare::Blizzard(words) => blizzard(words),
        Prepare::Wav(words) => wav(words),
    }
}

fn timit(words: Timit) -> Result<()> {
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
    prepare(&files, timit::FRAME, &timit::COLUMNS, |writer, progress| {
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

fn blizzard(words: Blizzard) -> Result<()> {
    let Blizzard { files, block, streams } = words;
    let block = within("block", block, 1, u32::MAX)?;
    let options = blizzard::Options { block, streams: within("streams", streams, 1, 1024)? };
    let mut counts = None;
    prepare(&files, blizzard::FRAME, &[], |writer, progress| {
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

fn wav(words: Wav) -> Result<()> {
    let Wav { files, rate, frame, split, valid, test } = words;
    let patterns = |texts: Vec<String>| -> Result<Vec<_>> {
        texts.iter().map(|text| Pattern::new(text)).collect()
    };
    let split = match split {
        Some(rule) => wav::Rule::Shares(rule.parse()?),
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
    prepare(&files, options.frame, &wav::COLUMNS, |writer, progress| {
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

/// The number of a word, if it is within bounds.
fn within(name: &str, n: u32, least: u32, most: u32) -> Result<usize> {
    match (least..=most).contains(&n) {
        true => Ok(n as usize),
        false => Err(Error::usage(format!("--{name} {n}: want {least} to {most}"))),
    }
}

/// What a person should know of the import; beside the object on stdout, not in it.
fn note(files: &Files, text: &str) {
    match files.json {
        true => eprintln!("{text}"),
        false => println!("  {text}"),
    }
}

/// Runs `import` with a bar, puts the file in its place, and tells its figures.
fn prepare(
    files: &Files,
    channels: usize,
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> Result<()>,
) -> Result<Written> {
    if files.output.extension().is_none_or(|e| e != "npz") {
        let name = files.output.display();
        return Err(Error::usage(format!("--output {name}: want a name that ends in .npz")));
    }
    let bar = if files.json { ProgressBar::hidden() } else { ProgressBar::new(1000) };
    let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left");
    bar.set_style(style.expect("a template"));
    let mut writer = Writer::create(&files.output, channels, columns)?;
    let imported = import(&mut writer, &mut |share| bar.set_position((share * 1000.) as u64));
    bar.finish_and_clear();
    imported?;
    let written = writer.finish()?;
    if files.json {
        print_json(&object(&written));
    } else {
        tell(&written);
    }
    Ok(written)
}

fn tell(written: &Written) {
    for file in &written.files {
        println!("{}", file.display());
    }
    for summary in &written.splits {
        println!("  {summary}");
    }
    let (mean, std) = written.scalar;
    println!("  train mean {mean:.4}, std {std:.4} over all values");
    if written.channels.len() <= 8 {
        for (d, (mean, std)) in written.channels.iter().enumerate() {
            println!("  train mean {mean:.4}, std {std:.4} of channel {}", d + 1);
        }
    }
    let steps = written.splits.iter().map(|summary| summary.steps).sum::<usize>();
    println!("  {} steps in all", thousands(steps));
}

fn object(written: &Written) -> serde_json::Value {
    json!({
        "files": written.files,
        "splits": written.splits,
        "mean": written.scalar.0,
        "std": written.scalar.1,
        "channel_means": written.channels.iter().map(|c| c.0).collect::<Vec<_>>(),
        "channel_stds": written.channels.iter().map(|c| c.1).collect::<Vec<_>>(),
    })
}
