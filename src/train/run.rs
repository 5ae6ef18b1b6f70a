//! The run directory: config, metrics, checkpoints and samples of a run, and a lock against two writers.
//!
//! ```text
//! config.toml · config.schema.json · metrics.csv · events.out.tfevents.* · checkpoint/{latest,best}.stcn · kept/ · samples/ · lock
//! ```
//!
//! Not here: the contents of the files (`checkpoint`, `metrics`, `events`), which
//! checkpoints are kept (`kept`).

use super::Overrides;
use super::config::Config;
use super::kept;
use super::metrics::read;
use super::schema::schema;
use crate::error::{Error, Result};
use crate::file::{TAKEN, in_shell, open_regular, remove_dead, write_whole};
use crate::models::Registry;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The name of the schema of `config.toml`.
const SCHEMA: &str = "config.schema.json";

/// The directory of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

/// The exclusive right to write a run: released when this is dropped, and by the system if the process is killed.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file would do, but for a process that is just being started and still has a copy of it.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// How the refusal of a new run begins where there is one.
pub const BEGUN: &str = "holds a run already";

impl RunDir {
    /// Creates directories and `config.toml` of a new run. Refused if there is a run already.
    pub fn create(root: &Path, config: &Config) -> Result<(Self, Lock)> {
        let (run, lock) = Self::reserve(root)?;
        run.write_config(config)?;
        Ok((run, lock))
    }

    /// The same without `config.toml`. For a run that begins with checkpoints: they come first, since a config alone
    /// is a run to train from its first step.
    pub fn reserve(root: &Path) -> Result<(Self, Lock)> {
        let run = Self { root: root.into() };
        if root.exists() && !root.is_dir() {
            let cure = "choose another --out";
            return Err(Error::invalid(root, format!("is a file, want a directory: {cure}")));
        }
        fs::create_dir_all(root).map_err(Error::write(root))?;
        // Locked before looking: else two processes could both find it empty.
        let lock = run.lock()?;
        if run.files().iter().any(|file| file.exists()) {
            let cure = format!(
                "resume it with `stcn train --resume {}` or choose another --out",
                in_shell(root)
            );
            return Err(Error::invalid(root, format!("{BEGUN}: {cure}")));
        }
        for directory in [run.root.join("checkpoint"), run.samples()] {
            fs::create_dir_all(&directory).map_err(Error::write(&directory))?;
        }
        Ok((run, lock))
    }

    /// Opens an existing run for reading, and after [`lock`](Self::lock) for writing.
    pub fn open(root: &Path) -> Result<Self> {
        let run = Self { root: root.into() };
        if !root.exists() {
            let what =
                "is not there, want the directory of a run: train one with `stcn train --out DIR`";
            return Err(Error::invalid(root, what));
        }
        if !run.files().iter().any(|file| file.exists()) {
            let what =
                "holds no run (no config.toml): name the directory given to `stcn train --out`";
            return Err(Error::invalid(root, what));
        }
        Ok(run)
    }

    /// The run that a checkpoint lies in, if it lies in one.
    pub fn of(checkpoint: &Path) -> Option<Self> {
        let checkpoint = std::path::absolute(checkpoint).ok()?;
        let run = Self { root: checkpoint.parent()?.parent()?.into() };
        let inside = [run.latest().parent(), Some(&*run.kept())].contains(&checkpoint.parent());
        (inside && run.config_path().is_file()).then_some(run)
    }

    /// The checkpoint to resume from, `None` if the run was killed before it had one. Refused if it has got lost since:
    /// to begin again would overwrite what the run has left.
    pub fn resume_from(&self) -> Result<Option<PathBuf>> {
        let (latest, best, root) = (self.latest(), self.best(), in_shell(&self.root));
        if latest.exists() {
            return Ok(Some(latest));
        }
        if best.exists() {
            let (from, to) = (in_shell(&best), in_shell(&latest));
            let what = format!(
                "is not there, and {from} is: go on from that with `cp {from} {to}` and `stcn train --resume {root}`"
            );
            return Err(Error::invalid(&latest, what));
        }
        let metrics = self.metrics();
        let lines = |bytes: Vec<u8>| bytes.split(|&byte| byte == b'\n').count();
        if metrics.exists() && lines(read(&metrics)?) > 2 {
            let what = format!(
                "is not there, and metrics.csv says that the run had begun: train it again with `stcn train \
                 --config {} --out DIR`",
                self.config_path().display()
            );
            return Err(Error::invalid(&latest, what));
        }
        Ok(None)
    }

    /// Any of which makes a directory a run.
    fn files(&self) -> [PathBuf; 3] {
        [self.config_path(), self.latest(), self.best()]
    }

    /// Locks the run for writing; refused if another process has the lock.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.root.join("lock");
        // To open a pipe would be to wait for somebody who reads.
        if fs::metadata(&path).is_ok_and(|about| !about.is_file()) {
            return Err(Error::invalid(&path, "is not a file: move it away"));
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(Error::write(&path))?;
        match file.try_lock() {
            Ok(()) => {
                // A run that goes on may never write one of these again, and so never remove what a killed one left of it.
                let mut unfinished = kept::unfinished(&self.kept(), "stcn")?;
                unfinished.extend(kept::unfinished(&self.samples(), "svg")?);
                for path in self.files().into_iter().chain([self.schema_path()]).chain(unfinished) {
                    remove_dead(path)?;
                }
                Ok(Lock { file })
            }
            Err(TryLockError::WouldBlock) => {
                let what = format!("{TAKEN} stcn: wait for it or choose another --out");
                Err(Error::invalid(&self.root, what))
            }
            Err(TryLockError::Error(e)) => Err(Error::write(&path)(e)),
        }
    }

    /// Waits until no other process writes the run.
    pub fn wait(&self) -> Result<()> {
        let path = self.root.join("lock");
        if !path.exists() {
            return Ok(());
        }
        let file = open_regular(&path, "the lock of a run")?;
        file.lock().and_then(|()| file.unlock()).map_err(Error::read(&path))
    }

    /// Writes `config.toml`, and beside it the schema that its first line names, so that an editor finds it offline; a
    /// resumed run writes them again, with its new settings.
    pub fn write_config(&self, config: &Config) -> Result<()> {
        let schema = format!("{}\n", schema(&[config.model.kind]));
        write_whole(self.schema_path(), |file| file.write_all(schema.as_bytes()))?;
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "#:schema ./{SCHEMA}\n# Resolved by stcn {version}; `stcn train --config` reads it back.\n"
        );
        let text = head + &config.to_toml();
        write_whole(self.config_path(), |file| file.write_all(text.as_bytes()))
    }

    /// Reads `config.toml`.
    pub fn read_config(&self, registry: &Registry) -> Result<Config> {
        Config::resolve(
            &Overrides { file: Some(&self.config_path()), ..Overrides::default() },
            registry,
        )
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of `config.toml`, which holds every key.
    pub fn config_path(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The path of the schema of `config.toml`.
    fn schema_path(&self) -> PathBuf {
        self.root.join(SCHEMA)
    }

    /// The path of `metrics.csv`.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.csv")
    }

    /// The path of the last checkpoint.
    pub fn latest(&self) -> PathBuf {
        self.root.join("checkpoint").join("latest.stcn")
    }

    /// The path of the checkpoint with the best validation loss.
    pub fn best(&self) -> PathBuf {
        self.root.join("checkpoint").join("best.stcn")
    }

    /// The directory of the checkpoints that `train.keep` keeps.
    pub fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// The directory for samples.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples")
    }
}
