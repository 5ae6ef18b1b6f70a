//! Importing handwriting: IAM-OnDB and DeepWriting.

use super::{Files, object, print_written, refuse_to_replace, write};
use crate::cli::{print_json, thousands};
use crate::data::prepare::{deepwriting, iam};
use crate::data::{DataSet, Dtype, Normalisation, Normalise, Split};
use crate::error::Result;
use crate::file::in_shell;
use crate::kernel::math::ln_f64;
use clap::Parser;
use serde_json::json;

/// IAM-OnDB: handwritten lines as XML in folders or archives, and the lists of its splits
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare iam-ondb --input IAM-OnDB --output lines.npz\n  \
    stcn train --preset ink --data lines.npz --set data.normalise=chung-scalar\n\n\
    IAM-OnDB is a folder with lineStrokes-all.tar.gz and task1/trainset.txt, testset_v.txt, testset_t.txt, \
    testset_f.txt. If it also has ascii-all.tar.gz and original-xml-all.tar.gz, lines.npz also \
    holds texts and writers: `unzip -p lines.npz meta.csv`. The archives may be packed or unpacked."
)]
pub(in crate::cli) struct IamOndb {
    #[command(flatten)]
    files: Files,
    /// vrnn: testset_v for validation, all others for training; official (or clean): trainset for training, testset_v
    /// for validation, testset_f for testing, testset_t left out
    #[arg(long, default_value = "vrnn", value_name = "P")]
    protocol: String,
    /// The normalisation to put into the training command that is printed (the file itself is raw): channel, or vrnn
    /// (one mean and std for dx and dy, as Chung et al. 2015)
    #[arg(long, default_value = "channel", value_name = "N")]
    normalise: String,
}

/// DeepWriting: the training and validation .npz of its release, version 1 or 2
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare deepwriting --input deepwriting_training.npz --output deepwriting.npz\n  \
    stcn data prepare deepwriting --input deepwriting_validation.npz --output valid.npz --only valid\n\n\
    Without --only, the other file must be in the same folder. Python objects in the files are read without running code."
)]
pub(in crate::cli) struct Deepwriting {
    #[command(flatten)]
    files: Files,
    /// Import one of the two files alone, train or valid; all its sequences are for training
    #[arg(long, value_name = "SPLIT")]
    only: Option<String>,
}

pub(super) fn iam_ondb(args: IamOndb) -> Result<()> {
    let files = &args.files;
    let protocol = match args.protocol.as_str() {
        "clean" => iam::Protocol::Official, // a common name for it
        word => iam::Protocol::parse(word)?,
    };
    let chosen = match args.normalise.as_str() {
        "vrnn" => Normalise::ChungScalar,
        "channel" => Normalise::PerChannel,
        word => Normalise::parse(word)?,
    };
    let mut report = None;
    let written = write(files, (Dtype::F4, 3), &iam::COLUMNS, |writer, progress| {
        report = Some(iam::import(&files.input, protocol, writer, progress)?);
        Ok(())
    })?;
    let report = report.expect("imported");
    let set = DataSet::open(&files.output, None)?;
    let kinds = [Normalise::PerChannel, Normalise::ChungScalar, Normalise::ChungFloor];
    let fitted = kinds.map(|kind| Normalisation::fit(&set, kind, 2).map(|of| (kind, of)));
    let statistics = fitted.into_iter().collect::<Result<Vec<_>>>()?;
    // How much higher a log-likelihood per step is than with per-channel normalisation.
    let shift = |of: &Normalisation| of.log_std_sum(ln_f64) - statistics[0].1.log_std_sum(ln_f64);
    let counts = report.counts.iter().zip(&iam::PUBLISHED);
    if files.json {
        let mut line = object(&written);
        let count =
            |c: &iam::Count| json!({ "forms": c.forms, "lines": c.lines, "steps": c.steps });
        let row = |(found, published): (&iam::Count, _)| json!({ "name": found.name, "found": count(found), "published": count(published) });
        line["protocol"] = json!(protocol);
        line["lists"] = counts.map(row).collect();
        line["absent"] = json!(report.absent);
        let row = |(kind, statistics): &(Normalise, Normalisation)| json!({ "normalise": kind, "mean": statistics.mean[..2], "std": statistics.std[..2], "shift_per_step": shift(statistics) });
        line["normalisations"] = statistics.iter().map(row).collect();
        line["normalise"] = json!(chosen);
        print_json(&line);
        return Ok(());
    }
    print_written(&written);
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
        println!("  {count} forms of the lists have no lines, such as {form}");
    }
    println!(
        "normalisations from the train split, and the difference each makes to a log-likelihood per step"
    );
    for (kind, of) in &statistics {
        let [mx, my, sx, sy] = [of.mean[0], of.mean[1], of.std[0], of.std[1]];
        let shift = shift(of);
        println!("  {kind:12} mean {mx:.4}, {my:.4}  std {sx:.4}, {sy:.4}  {shift:+.5}");
    }
    let path = in_shell(&files.output);
    println!("to train: stcn train --preset ink --data {path} --set data.normalise={chosen}");
    Ok(())
}

pub(super) fn deepwriting(args: Deepwriting) -> Result<()> {
    let files = &args.files;
    let only = args.only.as_deref().map(str::parse::<Split>).transpose()?;
    let found = deepwriting::files(&files.input, only)?;
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_path()).collect();
    refuse_to_replace(&files.output, &paths)?;
    let mut report = None;
    let written = write(files, (Dtype::F4, 3), &deepwriting::COLUMNS, |writer, progress| {
        report = Some(deepwriting::import(&files.input, only, writer, progress)?);
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
    print_written(&written);
    let undone = if version == 1 { ", its standardisation undone" } else { "" };
    let rows = match dropped {
        true => "the zero row at the beginning of each sequence was dropped",
        false => "first rows were kept, since not every sequence begins with a zero row",
    };
    println!("  DeepWriting version {version}{undone}; dy points up; {rows}");
    Ok(())
}
