//! Reading weights that `stcn export` wrote as safetensors: tensors by parameter path, and one metadata key `stcn`
//! with config, step, mean and standard deviation.
//!
//! Anything else in the file is ignored. Not here: writing one (`inspect::dump`), the run directory made from it
//! (`cli::safetensors`).

use super::checkpoint::{Checkpoint, Header, LONGEST, Named};
use super::config::Config;
use crate::error::{Error, Result};
use crate::file::read_whole;
use crate::models;
use crate::models::Registry;
use crate::tensor::{Real, Tensor};
use ::safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::path::Path;

/// The value of the metadata key `stcn`.
#[derive(Deserialize)]
struct About {
    config: String,
    #[serde(default)]
    step: u64,
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// Reads a file.
pub fn load(path: &Path, registry: &Registry) -> Result<(Config, Checkpoint)> {
    from_bytes(&read_whole(path, LONGEST, "a file from `stcn export`")?, path, registry)
}

/// The config, and a checkpoint without the optimiser's state; `path` is for the messages.
pub fn from_bytes(bytes: &[u8], path: &Path, registry: &Registry) -> Result<(Config, Checkpoint)> {
    let (header, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|e| Error::invalid(path, format!("is not a safetensors file: {e}")))?;
    let about = metadata.metadata().as_ref().and_then(|about| about.get("stcn"));
    let about: Option<About> = about.and_then(|about| serde_json::from_str(about).ok());
    let About { config, step, mean, std } = about.ok_or_else(|| {
        let cure = "want a file from `stcn export`";
        let what = format!("has no metadata key `stcn` with config, mean and std: {cure}");
        Error::invalid(path, what)
    })?;
    let config = Config::from_toml(&config, path, registry)?;
    let (found, wanted) = (mean.len(), config.model.obs.input);
    if found != wanted {
        let what =
            format!("has means of {found} channels where its config has {wanted}: export it again");
        return Err(Error::invalid(path, what));
    }

    let data = &bytes[size_of::<u64>() + header..];
    let mut params = vec![];
    for (name, shape) in models::shapes(&config.model)? {
        // Shapes are compared before anything is copied: a wrong tensor may be large.
        let Some(found) = metadata.info(&name).filter(|found| found.dtype == Dtype::F32) else {
            let cure = "export it again";
            let what = format!("has no f32 tensor {name}, which its config requires: {cure}");
            return Err(Error::invalid(path, what));
        };
        if found.shape != shape {
            let found = &found.shape;
            let what = format!(
                "holds {name} {found:?} where the model has {name} {shape:?}: it belongs to another \
                 config"
            );
            return Err(Error::invalid(path, what));
        }
        let (start, end) = found.data_offsets;
        let numbers = data[start..end].chunks_exact(4);
        let numbers = numbers.map(|b| Real::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        params.push(Named { value: Tensor::new(&shape, numbers.collect()), path: name });
    }
    let header = Header { step, best_step: 0, mean, std, ..Header::new(config.portable_toml()) };
    let checkpoint = Checkpoint { header, params, adam_m: vec![], adam_v: vec![] };
    checkpoint.check().map_err(|what| Error::invalid(path, what))?;
    Ok((config, checkpoint))
}
