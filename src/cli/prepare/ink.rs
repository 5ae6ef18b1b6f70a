//! IAM-OnDB and DeepWriting.

use super::{object, refuse_to_replace, tell, write};
use crate::cli::args::{Deepwriting, IamOndb};
use crate::cli::{print_json, thousands};
use crate::data::prepare::{deepwriting, iam};
use crate::data::{DataSet, Kind, Normalisation, Normalise};
use crate::error::Result;
use crate::kernel::math::ln_f64;
use serde_json::json;

pub(super) fn iam_ondb(words: IamOndb) -> Result<()> {
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
    let written = write(files, (Kind::F4, 3), &iam::COLUMNS, |writer, progress| {
        report = Some(iam::import(&files.input, protocol, writer, progress)?);
        Ok(())
    })?;
    let report = report.expect("imported");
    let set = DataSet::open(&files.output, None)?;
    let kinds = [Normalise::PerChannel, Normalise::ChungScalar, Normalise::ChungFloor];
    let fitted = kinds.map(|kind| Normalisation::fit(&set, kind, 2).map(|of| (kind, of)));
    let figures = fitted.into_iter().collect::<Result<Vec<_>>>()?;
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

pub(super) fn deepwriting(words: Deepwriting) -> Result<()> {
    let files = &words.files;
    let pair = deepwriting::files(&files.input)?;
    refuse_to_replace(&files.output, &[&pair[0], &pair[1]])?;
    let mut report = None;
    let written = write(files, (Kind::F4, 3), &deepwriting::COLUMNS, |writer, progress| {
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
