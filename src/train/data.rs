//! The data of a run: opening it, checking it against the model, and dequantisation noise.
//!
//! Not here: reading files (`crate::data`), batches (`trainer`).

use super::config::Config;
use crate::data::{DataSet, Dequantise, MissingSplit, Split, handwriting};
use crate::error::{Error, Result};
use crate::models::config::{ObservationConfig, Task};
use crate::noise::Noise;

/// Opens the data set at `config.data.path`, or the embedded handwriting if the path is empty; checks that it suits the
/// model, and stores its fingerprint and its sampling rate in `config`.
pub fn open_data(config: &mut Config) -> Result<DataSet> {
    let set = open(config)?;
    checked(config, set)
}

/// The same for a model that is not there yet.
pub fn open_new(config: &mut Config) -> Result<DataSet> {
    let set = open(config)?;
    match config.data.path.as_os_str().is_empty() {
        true => checked(config, set),
        false => take_new(config, set),
    }
}

/// The same for data that are open already: series of any width give the model theirs, unless `model.input` was set.
pub fn take_new(config: &mut Config, set: DataSet) -> Result<DataSet> {
    let obs = &mut config.model.obs;
    let of_preset = ObservationConfig::preset(config.preset, None).input;
    if obs.task == Task::Series && obs.input == of_preset {
        obs.input = set.channels();
        config.validate()?;
    }
    checked(config, set)
}

fn open(config: &Config) -> Result<DataSet> {
    match config.data.path.as_os_str().is_empty() {
        true => handwriting::data_set(),
        false => open_file(config),
    }
}

fn checked(config: &mut Config, set: DataSet) -> Result<DataSet> {
    let (found, wanted) = (set.channels(), config.model.obs.input);
    if found != wanted {
        let (head, preset) = (config.model.obs.head, &config.preset);
        let cure = if config.data.path.as_os_str().is_empty() {
            "give data of your own with --data FILE.npz"
        } else {
            "choose a preset for this data (series-tiny and series-small take real numbers of any width; `stcn list` \
             shows all) or set model.input"
        };
        let what = format!(
            "has D = {found} channels, head {head} of preset {preset} takes {wanted}: {cure}"
        );
        return Err(Error::invalid(set.name(), what));
    }
    check_values(config.model.obs.task, &set)?;
    if config.data.dequantise {
        set.check_grid(config.model.obs.real_channels())?;
    }
    check_rate(config, &set)?;
    config.data.rate = set.rate().unwrap_or(config.data.rate);
    config.data.fingerprint = set.fingerprint().into();
    Ok(set)
}

/// Refuses sound of another sampling rate than `data.rate`, if both are known.
pub fn check_rate(config: &Config, set: &DataSet) -> Result<()> {
    match (set.rate(), config.data.rate) {
        (Some(found), wanted) if wanted > 0 && found != wanted => Err(Error::invalid(
            set.name(),
            format!(
                "has {found} samples of sound per second, and data.rate of this run is {wanted}: give data of that rate, \
                 or train another run with --set data.rate=0"
            ),
        )),
        _ => Ok(()),
    }
}

/// The median length of the training sequences, if they are where `config` says. Reads no samples of a file.
#[cfg(feature = "files")]
pub fn usual_length(config: &Config) -> Option<usize> {
    let summary = match config.data.path.as_os_str().is_empty() {
        true => {
            let (set, wanted) = (handwriting::data_set().ok()?, &config.data.fingerprint);
            let own = wanted.is_empty() || wanted == set.fingerprint(); // a checkpoint knows no path
            own.then(|| set.summary(Split::Train))?
        }
        false => {
            DataSet::summary_of(&config.data.path, missing(config).ok()?, Split::Train).ok()?
        }
    };
    Some(summary?.usual_length())
}

/// The rule for a file that says no split.
#[cfg(feature = "files")]
fn missing(config: &Config) -> Result<Option<MissingSplit>> {
    match config.data.split.as_str() {
        "" => Ok(None),
        rule => rule.parse().map(Some),
    }
}

#[cfg(feature = "files")]
fn open_file(config: &Config) -> Result<DataSet> {
    let missing = missing(config)?;
    let most_bytes = config.data.in_memory.saturating_mul(1 << 20);
    DataSet::open_within(&config.data.path, missing, most_bytes)
}

#[cfg(not(feature = "files"))]
fn open_file(config: &Config) -> Result<DataSet> {
    let what = "cannot be read: this program was built without files, and has the embedded handwriting alone";
    Err(Error::invalid(&config.data.path, what))
}

/// Refuses values that do not suit `task`: pens and keys must be 0 or 1.
pub fn check_values(task: Task, set: &DataSet) -> Result<()> {
    match task {
        Task::Ink => set.check_ink(),
        Task::Music => set.check_binary(),
        Task::Speech | Task::Series => Ok(()),
    }
}

/// The noise added to the batch of update `step`, if the config has dequantisation on. It differs in every epoch, since
/// steps differ.
pub fn dequantise(config: &Config, step: u64) -> Option<Dequantise> {
    let noise = Noise::new(config.seed, "train").at(step);
    config.data.dequantise.then(|| Dequantise::new(noise, config.model.obs.real_channels()))
}
