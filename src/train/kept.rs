//! The checkpoints that a run keeps along its way (`train.keep`), as `kept/step-000500.stcn`, to look back on.
//!
//! Not here: a checkpoint's contents (`checkpoint`), when one is saved (`fit`).

use super::checkpoint::{Checkpoint, Header};
use crate::error::{Error, Result};
use crate::file::remove;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The kept checkpoints of a run that is being trained.
///
/// At step t the multiples of a stride s are kept: 0, s, 2s, … up to t. The stride is the smallest power of two that has at
/// most `train.keep` of them. As a run goes on the stride doubles now and then, and every second checkpoint is
/// removed. So there are between half of `train.keep` and all of it, evenly spread, without knowing when the run will
/// end; and which they are depends on t alone, wherever the run was cut.
pub struct Kept {
    directory: PathBuf,
    /// `train.keep`
    most: u64,
}

impl Kept {
    /// Those in `directory`, of a run whose latest checkpoint is of `step`. Removes what a killed run had of later steps,
    /// which it will make again, and what a larger `train.keep` had kept; with 0, all earlier ones stay.
    pub fn begin(directory: PathBuf, most: u64, step: u64) -> Result<Self> {
        let kept = Self { directory, most };
        if most > 0 {
            fs::create_dir_all(&kept.directory).map_err(Error::write(&kept.directory))?;
        }
        kept.thin_out(step)?;
        Ok(kept)
    }

    /// Step and path of every checkpoint in `directory`, the first step first.
    pub fn all(directory: &Path) -> Result<Vec<(u64, PathBuf)>> {
        let found = names(directory)?.into_iter().filter_map(|name| {
            let step = step_of(&name)?;
            Some((step, directory.join(name)))
        });
        let mut found: Vec<(u64, PathBuf)> = found.collect();
        found.sort();
        Ok(found)
    }

    /// Whether the state after `step` updates is to be kept.
    pub fn is_due(&self, step: u64) -> bool {
        self.most > 0 && step.is_multiple_of(stride(self.most, step))
    }

    /// Keeps a checkpoint: without the check at the end of a run, since a run that goes on has not made it.
    pub fn save(&self, checkpoint: Checkpoint) -> Result<()> {
        let header = Header { end: None, ..checkpoint.header };
        let path = self.directory.join(at_step(header.step, "stcn"));
        Checkpoint { header, ..checkpoint }.save(&path).map(drop)
    }

    /// Removes what is not kept at `step`, once the latest checkpoint is of that step: a run resumed from an earlier one
    /// may still need it.
    pub fn thin_out(&self, step: u64) -> Result<()> {
        for name in names(&self.directory)? {
            let Some(of) = step_of(&name) else { continue };
            if of > step || self.most > 0 && !of.is_multiple_of(stride(self.most, step)) {
                remove(self.directory.join(name))?;
            }
        }
        Ok(())
    }
}

/// The smallest power of two that has at most `most` multiples among 0, 1, … `step`.
fn stride(most: u64, step: u64) -> u64 {
    let mut stride = 1;
    while step / stride >= most {
        stride *= 2;
    }
    stride
}

/// The paths of files named by their step, such as kept checkpoints, of which a killed run may have left a temporary file.
pub(super) fn unfinished(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let dead = |name: String| {
        let name = name.strip_prefix('.')?.strip_suffix(".tmp")?;
        step_in(name, extension).map(|_| directory.join(name))
    };
    Ok(names(directory)?.into_iter().filter_map(dead).collect())
}

/// The name of a file after `step` updates: `step-000500.stcn`
pub(super) fn at_step(step: u64, extension: &str) -> String {
    format!("step-{step:06}.{extension}")
}

/// The inverse of [`at_step`]; `None` for any other file.
fn step_in(file: &str, extension: &str) -> Option<u64> {
    let step =
        file.strip_prefix("step-")?.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()?;
    (at_step(step, extension) == file).then_some(step)
}

/// The step of a kept checkpoint.
fn step_of(file: &str) -> Option<u64> {
    step_in(file, "stcn")
}

/// The names of the files in a directory, which need not be there.
fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(Error::read(directory))?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    let names: std::io::Result<Vec<Option<String>>> = names.collect();
    Ok(names.map_err(Error::read(directory))?.into_iter().flatten().collect())
}
