//! `stcn export` and `stcn import`: weights as safetensors, which other frameworks read.

use super::check_extension;
use super::trained::RunArgs;
use crate::error::{Error, Result};
use crate::inspect::dump::Dump;
use crate::models::{Registry, parameters};
use crate::train::{Checkpoint, RunDir, safetensors};
use clap::Parser;
use serde_json::json;
use std::path::PathBuf;

/// Write a run's weights alone: as safetensors, by parameter path, or as a checkpoint without the optimiser's state
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn export runs/ink --out ink.safetensors\n  stcn export runs/ink --out ink.stcn"
)]
pub(super) struct Export {
    #[command(flatten)]
    run: RunArgs,
    /// The file to write; one that ends in .stcn must not exist yet
    #[arg(long, value_name = "FILE.safetensors|FILE.stcn")]
    out: PathBuf,
}

/// Create a run directory from exported weights
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn import ink.safetensors --out runs/imported")]
pub(super) struct Import {
    /// A file written by `stcn export`
    file: PathBuf,
    /// The run directory to create
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn export(args: Export, registry: &Registry) -> Result<()> {
    check_extension("out", &args.out, &["safetensors", "stcn"])?;
    let as_checkpoint = args.out.extension().is_some_and(|found| found == "stcn");
    if as_checkpoint && args.out.exists() {
        return Err(Error::invalid(
            &args.out,
            "exists: choose another name, so that no checkpoint is replaced",
        ));
    }
    let trained = args.run.open(registry)?;
    if as_checkpoint {
        let mut checkpoint = Checkpoint::load(&trained.checkpoint)?;
        checkpoint.adam_m.clear();
        checkpoint.adam_v.clear();
        checkpoint.save(&args.out)?;
        println!("{}", args.out.display());
        return Ok(());
    }
    let mut dump = Dump::default();
    for (path, value) in parameters(&*trained.model) {
        dump.add(path, value);
    }
    let (mean, std) = (&trained.normalisation.mean, &trained.normalisation.std);
    let about = json!({ "config": trained.config.portable_toml(), "step": trained.step, "mean": mean, "std": std });
    dump.save(&args.out, &about)?;
    println!("{}", args.out.display());
    Ok(())
}

pub(super) fn import(args: Import, registry: &Registry) -> Result<()> {
    let (config, checkpoint) = safetensors::load(&args.file, registry)?;
    let (run, _lock) = RunDir::reserve(&args.out)?;
    checkpoint.save(&run.latest())?;
    checkpoint.save(&run.best())?;
    run.write_config(&config)?;
    println!("{}", args.out.display());
    Ok(())
}
