//! `stcn export` and `stcn import`: weights by parameter path, in the format other frameworks read.

use super::args::{Export, Import};
use crate::error::Result;
use crate::inspect::dump::Dump;
use crate::models::parameters;
use crate::train::{RunDir, Trained, exchange};
use serde_json::json;

pub(super) fn export(words: Export) -> Result<()> {
    let trained = Trained::open(&words.run, &crate::models::Registry::default())?;
    let mut dump = Dump::default();
    for (path, value) in parameters(&*trained.model) {
        dump.add(path, value);
    }
    let (mean, std) = (&trained.normalisation.mean, &trained.normalisation.std);
    let about = json!({ "config": trained.config.portable_toml(), "step": trained.step, "mean": mean, "std": std });
    dump.save(&words.out, &about)?;
    println!("{}", words.out.display());
    Ok(())
}

pub(super) fn import(words: Import) -> Result<()> {
    let (config, checkpoint) = exchange::load(&words.file, &crate::models::Registry::default())?;
    let (run, _lock) = RunDir::create(&words.out, &config)?;
    checkpoint.save(&run.latest())?;
    checkpoint.save(&run.best())?;
    println!("{}", words.out.display());
    Ok(())
}
