//! Writing files atomically: whole or not at all, whatever happens in between.
//!
//! Not here: what is in them, and files that grow line by line (`train::metrics`, `train::events`).

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Replaces `path` by what `write` writes: at any moment, even if killed or out of disk space, `path` is either the
/// whole old file or the whole new one.
pub fn write_whole(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let (file, mut out) = AtomicFile::create(path)?;
    write(&mut out).map_err(Error::write(file.path()))?;
    file.sync(out)?;
    file.commit()
}

/// A file written under a temporary name in the same directory, and renamed by [`commit`](Self::commit). Dropped
/// before that, it is removed.
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will replace `path`.
    pub fn create(path: impl AsRef<Path>) -> Result<(Self, BufWriter<File>)> {
        Self::open(path.as_ref(), OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// The same, but refused if the temporary file exists: another process may be writing it.
    pub fn create_alone(path: impl AsRef<Path>) -> Result<(Self, BufWriter<File>)> {
        let path = path.as_ref();
        let temporary = temporary(path);
        if temporary.exists() {
            let what = format!(
                "is being written by another run, or one was killed; wait for it, or remove {}",
                temporary.display()
            );
            return Err(Error::invalid(path, what));
        }
        Self::open(path, OpenOptions::new().write(true).create_new(true))
    }

    fn open(path: &Path, how: &OpenOptions) -> Result<(Self, BufWriter<File>)> {
        if path.is_dir() {
            return Err(Error::invalid(path, "is a folder; name a file in it"));
        }
        let temporary = temporary(path);
        let file = how.open(&temporary).map_err(Error::write(path))?;
        Ok((Self { path: path.into(), temporary }, BufWriter::with_capacity(1 << 16, file)))
    }

    /// The path it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path it has until then.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Flushes everything to the disk.
    pub fn sync(&self, out: BufWriter<File>) -> Result<()> {
        let file = out.into_inner().map_err(|e| e.into_error());
        file.and_then(|file| file.sync_all()).map_err(Error::write(&self.path))
    }

    /// Renames it to its path, after [`sync`](Self::sync); a rename is atomic.
    pub fn commit(self) -> Result<()> {
        let renamed = fs::rename(&self.temporary, &self.path);
        renamed.and_then(|()| sync_directory(&self.path)).map_err(Error::write(&self.path))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // Fails after a commit, when it is no longer there.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// `.latest.stcn.tmp` beside `latest.stcn`: a rename is atomic only within a file system.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes the rename survive a power cut, where directories can be synced.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
