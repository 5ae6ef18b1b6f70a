//! The data of a run: opened, checked against the model, and what is added to it.
//!
//! Not here: reading files (`crate::data`), batches (`trainer`).

use super::config::Config;
use crate::data::{DataSet, Dequantise, handwriting};
use crate::error::{Error, Result};
use crate::models::config::Task;
use crate::noise::Noise;

/// Opens the data set at `config.data.path`, or the embedded handwriting if that is empty; checks that it suits
/// the model and writes its fingerprint into `config`.
pub fn open_data(config: &mut Config) -> Result<DataSet> {
    let path = config.data.path.clone();
    let missing = match config.data.split.as_str() {
        "" => None,
        rule => Some(rule.parse()?),
    };
    let set = if path.as_os_str().is_empty() {
        handwriting::data_set()?
    } else {
        DataSet::open_within(&path, missing, config.data.in_memory.saturating_mul(1 << 20))?
    };
    let (found, wanted) = (set.channels(), config.model.obs.input);
    if found != wanted {
        let (head, preset) = (config.model.obs.head, &config.preset);
        let cure = "choose a preset for this data (`stcn list` shows them) or set model.input";
        let what = format!(
            "has D = {found} channels, head {head} of preset {preset} takes {wanted}: {cure}"
        );
        return Err(Error::invalid(set.name(), what));
    }
    check_values(config.model.obs.task, &set)?;
    if config.data.dequantise {
        set.check_grid(real_channels(config))?;
    }
    config.data.fingerprint = set.fingerprint().into();
    Ok(set)
}

/// Refuses values that `task` cannot have: pens and keys must be 0 or 1.
pub fn check_values(task: Task, set: &DataSet) -> Result<()> {
    match task {
        Task::Ink => set.check_ink(),
        Task::Music => set.check_binary(),
        Task::Speech => Ok(()),
    }
}

/// How many channels, from the first, hold real numbers and are normalised: all but the pen.
pub fn real_channels(config: &Config) -> usize {
    if config.model.obs.task == Task::Ink { 2 } else { config.model.obs.input }
}

/// The noise that update `step` adds to its batch if the config asks for it. A sequence comes once in an epoch,
/// so the step makes it fresh in each.
pub fn dequantise(config: &Config, step: u64) -> Option<Dequantise> {
    let noise = Noise::new(config.seed, "train").at(step);
    config.data.dequantise.then(|| Dequantise::new(noise, real_channels(config)))
}
