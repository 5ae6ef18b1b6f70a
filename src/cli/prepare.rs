//! `stcn data prepare`: data sets as their owners hand them out become one .npz each.

use super::args::{Deepwriting, Files, IamOndb, Prepare};
use super::{print_json, thousands};
use crate::data::prepare::{deepwriting, iam};
use crate::data::{DataSet, Normalisation, Normalise, Writer, writer::Written};
use crate::error::{Error, Result};
use crate::kernel::math::ln_f64;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

pub(super) fn run(kind: Prepare) -> Result<()> {
    match kind {
        Prepare::IamOndb(words) => iam_ondb(words),
        Prepare::Deepwriting(words) => deepwriting(words),
    }
}

fn iam_ondb(words: IamOndb) -> Result<()> {
    let files = &words.files;
    let protocol = match words.protocol.as_str() {
        "clean" => iam::Protocol::Official, // as some say
        word => iam::Protocol::parse(word)?,
    };
    let chosen = match words.normalise.as_str() {
        "vrnn" => Normalise::ChungScalar,
        "channel" => Normalise::PerChannel,
        word => Normalise::parse(word)?,
    };
    let mut report = None;
    let written = write(files, 3, &iam::COLUMNS, |writer, progress| {
        report = Some(iam::import(&files.input, protocol, writer, progress)?);
        Ok(())
    })?;
    let report = report.expect("imported");
    let set = DataSet::open(&files.output, None)?;
    let kinds = [Normalise::PerChannel, Normalise::ChungScalar, Normalise::ChungFloor];
    let figures = kinds.map(|kind| (kind, Normalisation::fit(&set, kind, 2)));
    // What a log-likelihood per step gains over that of per-channel figures.
    let shift = |of: &Normalisation| of.log_std_sum(ln_f64) - figures[0].1.log_std_sum(ln_f64);
    let counts = report.counts.iter().zip(&iam::PUBLISHED);
    if files.json {
        let mut line = object(&written);
        let count =
            |c: &iam::Count| json!({ "forms": c.forms, "lines": c.lines, "steps": c.steps });
        let row = |(found, published): (&iam::Count, _)| json!({ "name": found.name, "found": count(found), "published": count(published) });
        line["protocol"] = json!(protocol);
        line["lists"] = counts.map(row).collect();
        line["absent"] = json!(report.absent);
        let row = |(kind, figures): &(Normalise, Normalisation)| json!({ "normalise": kind, "mean": figures.mean[..2], "std": figures.std[..2], "shift_per_step": shift(figures) });
        line["normalisations"] = figures.iter().map(row).collect();
        line["normalise"] = json!(chosen);
        print_json(&line);
        return Ok(());
    }
    tell(&written);
    println!("found / published      forms             lines                   steps");
    for (found, published) in counts {
        let pair =
            |found: usize, published| format!("{} / {}", thousands(found), thousands(published));
        println!(
            "  {:10} {:>15} {:>17} {:>23}{}",
            found.name,
            pair(found.forms, published.forms),
            pair(found.lines, published.lines),
            pair(found.steps, published.steps),
            if found == published { "" } else { "  differs" }
        );
    }
    if let Some(form) = report.absent.first() {
        let count = report.absent.len();
        println!("  {count} forms of the lists have no line, the first of them {form}");
    }
    println!("normalisations by the train part, and what each adds to a log-likelihood per step");
    for (kind, of) in &figures {
        let [mx, my, sx, sy] = [of.mean[0], of.mean[1], of.std[0], of.std[1]];
        let shift = shift(of);
        println!("  {kind:12} mean {mx:.4}, {my:.4}  std {sx:.4}, {sy:.4}  {shift:+.5}");
    }
    let path = files.output.display();
    println!("to train: stcn train --preset ink --data {path} --set data.normalise={chosen}");
    Ok(())
}

fn deepwriting(words: Deepwriting) -> Result<()> {
    let files = &words.files;
    let mut report = None;
    let written = write(files, 3, &deepwriting::COLUMNS, |writer, progress| {
        report = Some(deepwriting::import(&files.input, writer, progress)?);
        Ok(())
    })?;
    let deepwriting::Report { version, dropped } = report.expect("imported");
    if files.json {
        let mut line = object(&written);
        line["version"] = json!(version);
        line["dropped_first_rows"] = json!(dropped);
        print_json(&line);
        return Ok(());
    }
    tell(&written);
    let undone = if version == 1 { ", its standardisation undone" } else { "" };
    let rows = match dropped {
        true => "the row of nothing at the beginning of each sequence is dropped",
        false => "first rows are kept, for not every sequence begins with a row of nothing",
    };
    println!("  DeepWriting version {version}{undone}; {rows}");
    Ok(())
}

/// [`write`], and tells the figures.
#[allow(dead_code)] // until the first importer without figures of its own
fn prepare(
    files: &Files,
    channels: usize,
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> Result<()>,
) -> Result<Written> {
    let written = write(files, channels, columns, import)?;
    if files.json {
        print_json(&object(&written));
    } else {
        tell(&written);
    }
    Ok(written)
}

/// Runs `import` with a bar, and puts the file in its place.
fn write(
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
    writer.finish()
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
