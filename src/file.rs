//! Writing files atomically, whole or not at all, whatever happens in between; and opening only regular files.
//!
//! Not here: what is in them, and files that grow line by line (`train::metrics`, `train::events`).

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read};
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
/// before that, it is removed; if the program was killed, it stays.
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    /// Locked while the program writes it; the system unlocks it however that ends.
    _lock: Option<File>,
}

impl AtomicFile {
    /// Begins a file that will replace `path`.
    pub fn create(path: impl AsRef<Path>) -> Result<(Self, BufWriter<File>)> {
        Self::open(path.as_ref(), OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// The same, but refused if another program is writing it. What a killed program left has to be
    /// [removed](remove_dead) before.
    pub fn create_alone(path: impl AsRef<Path>) -> Result<(Self, BufWriter<File>)> {
        let path = path.as_ref();
        if temporary(path).exists() {
            return Err(taken(path));
        }
        let (mut file, out) = Self::open(path, OpenOptions::new().write(true).create_new(true))?;
        let lock = out.get_ref().try_clone().map_err(Error::write(path))?;
        // Where the file system has no locks, the name alone keeps others off.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(taken(path));
        }
        file._lock = Some(lock);
        Ok((file, out))
    }

    fn open(path: &Path, how: &OpenOptions) -> Result<(Self, BufWriter<File>)> {
        if path.is_dir() {
            return Err(Error::invalid(path, "is a folder; name a file in it"));
        }
        let temporary = temporary(path);
        let file = how.open(&temporary).map_err(Error::write(path))?;
        let out = BufWriter::with_capacity(1 << 16, file);
        Ok((Self { path: path.into(), temporary, _lock: None }, out))
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

/// Removes the temporary file that a killed program left of `path` ([`AtomicFile::create_alone`]), and gives its name;
/// refused while a program is still writing it.
pub fn remove_dead(path: impl AsRef<Path>) -> Result<Option<PathBuf>> {
    let (path, temporary) = (path.as_ref(), temporary(path.as_ref()));
    let file = match OpenOptions::new().write(true).open(&temporary) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::write(&temporary))?,
    };
    if file.try_lock().is_err() {
        return Err(taken(path));
    }
    // Whoever wrote it may have ended just now, and given it its name.
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        removed => removed.map(|()| Some(temporary.clone())).map_err(Error::write(&temporary)),
    }
}

fn taken(path: &Path) -> Error {
    let what = "is being written by another run: wait for it, or name another file";
    Error::invalid(path, what)
}

/// Removes the file at `path`, if there is one, so that no power cut brings it back.
pub fn remove(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_directory(path)),
    }
    .map_err(Error::write(path))
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

/// Opens a file for reading; `wanted` ends the sentence if it is none. A device has no end, and a pipe waits
/// for another program, so neither is opened.
pub fn open_regular(path: impl AsRef<Path>, wanted: &str) -> Result<File> {
    let path = path.as_ref();
    if !fs::metadata(path).map_err(Error::read(path))?.is_file() {
        return Err(Error::invalid(path, format!("is not a file, want {wanted}")));
    }
    File::open(path).map_err(Error::read(path))
}

/// The bytes of a file, if it is one and no longer than `most`: to read a file larger than memory is to be
/// killed.
pub fn read_whole(path: impl AsRef<Path>, most: u64, wanted: &str) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let file = open_regular(path, wanted)?;
    let found = file.metadata().map_err(Error::read(path))?.len();
    let mut bytes = vec![];
    if found <= most {
        // It may have grown meanwhile, or have no length before it is read.
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::read(path))?;
    }
    match found.max(bytes.len() as u64) {
        found if found > most => Err(Error::invalid(
            path,
            format!("has {found} bytes, more than any such file ({most}): want {wanted}"),
        )),
        _ => Ok(bytes),
    }
}
