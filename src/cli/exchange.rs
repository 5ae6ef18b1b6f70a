//! `stcn export` and `stcn import`: weights by parameter path, in the format other frameworks read.

use super::args::{Export, Import};
use crate::error::{Error, Result};
use crate::inspect::dump::Dump;
use crate::models::{self, parameters};
use crate::tensor::{Real, Tensor};
use crate::train::checkpoint::{Checkpoint, Header, Named};
use crate::train::{Config, RunDir, Trained};
use safetensors::{Dtype, SafeTensors};
use serde_json::json;

pub(super) fn export(words: Export) -> Result<()> {
    let trained = Trained::open(&words.run)?;
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
    let file = &words.file;
    let bytes = std::fs::read(file).map_err(Error::read(file))?;
    let wrong =
        |e: &dyn std::fmt::Display| Error::invalid(file, format!("is no safetensors file: {e}"));
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| wrong(&e))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| wrong(&e))?;
    let about = metadata.metadata().as_ref().and_then(|about| about.get("stcn"));
    let foreign = || {
        Error::invalid(
            file,
            "has no metadata key `stcn` with config, mean and std: want a file from `stcn export`",
        )
    };
    let about: serde_json::Value =
        serde_json::from_str(about.ok_or_else(foreign)?).map_err(|_| foreign())?;
    let config = Config::from_toml(about["config"].as_str().ok_or_else(foreign)?, file)?;
    let numbers = |key: &str| -> Option<Vec<f64>> {
        about[key].as_array()?.iter().map(|x| x.as_f64()).collect()
    };
    let whole = |x: &Vec<f64>| x.len() == config.model.input;
    let (mean, std) = (numbers("mean").filter(whole), numbers("std").filter(whole));
    let (mean, std) = mean.zip(std).ok_or_else(foreign)?;

    let mut params = vec![];
    for (path, shape) in models::shapes(&config.model)? {
        // Of a tensor of another shape nothing is copied: it may be large, and is not wanted.
        let view = tensors.tensor(&path).ok().filter(|view| view.dtype() == Dtype::F32);
        let Some(view) = view else {
            let what =
                format!("has no f32 tensor {path}, which its config asks for: export it again");
            return Err(Error::invalid(file, what));
        };
        if view.shape() != shape {
            let found = view.shape();
            let what = format!(
                "holds {path} {found:?} where the model has {path} {shape:?}: it belongs to another config"
            );
            return Err(Error::invalid(file, what));
        }
        let numbers = view.data().chunks_exact(4);
        let numbers = numbers.map(|b| Real::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        params.push(Named { value: Tensor::new(&shape, numbers.collect()), path });
    }
    let (run, _lock) = RunDir::create(&words.out, &config)?;
    let step = about["step"].as_u64().unwrap_or(0);
    let header = Header { step, mean, std, ..Header::new(config.portable_toml()) };
    let checkpoint = Checkpoint { header, params, adam_m: vec![], adam_v: vec![] };
    checkpoint.save(&run.latest())?;
    checkpoint.save(&run.best())?;
    println!("{}", words.out.display());
    Ok(())
}
