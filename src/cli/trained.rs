//! The arguments that name a trained model, shared by `evaluate`, `sample`, `inspect` and `export`.

use crate::error::{Error, Result, near};
use crate::models::Registry;
use crate::train::Trained;
use crate::train::trained::PRETRAINED;
use std::path::{Path, PathBuf};

/// Which run, and which of its checkpoints.
#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// A run directory, a checkpoint, or `pretrained`: a small model of handwriting that comes with the program
    run: PathBuf,
    /// Take the run's latest checkpoint, not its best; of a run that was best at its end, that is the latest
    #[arg(long)]
    latest: bool,
}

/// Opens a run, a checkpoint, or the weights that come with the program.
pub(super) fn open(path: &Path, registry: &Registry) -> Result<Trained> {
    match path == Path::new(PRETRAINED) && !path.exists() {
        true => Ok(Trained::pretrained()),
        false => Trained::open(path, registry).map_err(|e| match path.to_str() {
            Some(name) if !path.exists() && near(name, [PRETRAINED]).is_some() => {
                Error::usage(format!("{name} is not there: did you mean `{PRETRAINED}`?"))
            }
            _ => e,
        }),
    }
}

impl RunArgs {
    /// The run directory; `.` for a checkpoint, and for the weights that come with the program.
    pub fn directory(&self) -> &Path {
        if self.run.is_dir() { &self.run } else { Path::new("") }
    }

    /// Opens the checkpoint that these arguments choose.
    pub fn open(&self, registry: &Registry) -> Result<Trained> {
        match self.latest {
            false => open(&self.run, registry),
            true if self.run.is_file() => Err(Error::usage(format!(
                "--latest chooses between the checkpoints of a run directory, and {} is a file: leave --latest out",
                self.run.display()
            ))),
            true => Trained::open_latest(&self.run, registry),
        }
    }
}
