//! Writing files atomically, whole or not at all, whatever happens in between; and opening only regular files.
//!
//! Not here: what is in them, and files that grow line by line (`train::metrics`, `train::events`).

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read};
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
/// before that, it is removed; if the program was killed, it stays until the next one is created.
pub struct AtomicFile {
    path: PathBuf,
    /// `path`, or where the symbolic link leads that stands there.
    place: PathBuf,
    temporary: PathBuf,
    committed: bool,
    /// Locked while the program writes it; the system unlocks it however that ends.
    _lock: File,
}

impl AtomicFile {
    /// Begins a file that will replace `path`. Refused if something stands there that is no file, or if another
    /// program is writing it. What a killed program left of it is [removed](remove_dead).
    pub fn create(path: impl AsRef<Path>) -> Result<(Self, BufWriter<File>)> {
        let path = path.as_ref();
        let place = place(path)?;
        let temporary = temporary(&place);
        loop {
            remove_dead(path)?;
            // No other file is opened, and no link followed: the name must be free.
            let file = match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                file => file.map_err(Error::write(path))?,
            };
            let lock = file.try_clone().map_err(Error::write(path))?;
            // Between the two calls, another program may have taken the file for one that was left.
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                // Where the file system has no locks, the name alone keeps others off.
                Ok(()) | Err(TryLockError::Error(_)) => (),
            }
            if !is_still(&file, &temporary) {
                continue;
            }
            let out = BufWriter::with_capacity(1 << 16, file);
            return Ok((
                Self { path: path.into(), place, temporary, committed: false, _lock: lock },
                out,
            ));
        }
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
    pub fn commit(mut self) -> Result<()> {
        fs::rename(&self.temporary, &self.place).map_err(Error::write(&self.path))?;
        self.committed = true; // another program may be writing under the temporary name from now on
        sync_directory(&self.place).map_err(Error::write(&self.path))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Removes the temporary file that a killed program left of `path`, and gives its name; refused while a program is
/// still writing it.
pub fn remove_dead(path: impl AsRef<Path>) -> Result<Option<PathBuf>> {
    let path = path.as_ref();
    let temporary = temporary(&place(path)?);
    loop {
        match fs::symlink_metadata(&temporary) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::write(path)(e)),
            Ok(about) if about.is_file() => (),
            Ok(_) => {
                let what = "is not a regular file, but its name is needed for one: move it away";
                return Err(Error::invalid(&temporary, what));
            }
        }
        let file = match OpenOptions::new().write(true).open(&temporary) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(Error::write(&temporary))?,
        };
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(taken(path)),
            Err(TryLockError::Error(_)) => {
                let what = "is of a program that still writes or was killed, and this file system has no locks \
                            to tell which: remove it if nothing is writing";
                return Err(Error::invalid(&temporary, what));
            }
        }
        // Since it was opened, its writer may have renamed it, and another may have created a new one.
        if is_still(&file, &temporary) {
            return match fs::remove_file(&temporary) {
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                removed => {
                    removed.map(|()| Some(temporary.clone())).map_err(Error::write(&temporary))
                }
            };
        }
    }
}

/// How the refusal of what another program is writing begins.
pub const TAKEN: &str = "is being written by another";

fn taken(path: &Path) -> Error {
    Error::invalid(path, format!("{TAKEN} run: wait for it, or name another file"))
}

/// The file to replace where `path` is asked for: a symbolic link stays and the file that it leads to is replaced.
fn place(path: &Path) -> Result<PathBuf> {
    // There is no such file yet; for any other error, creating the temporary file will report it.
    let Ok(about) = fs::symlink_metadata(path) else { return Ok(path.into()) };
    if about.is_file() {
        return Ok(path.into());
    }
    let what = match fs::canonicalize(path) {
        Ok(place) if place.is_file() => return Ok(place),
        Ok(place) if place.is_dir() => "is a folder; name a file in it",
        Ok(_) => "is a device or a pipe, not a file; name a file",
        Err(_) => "is a symbolic link that leads to no file; name the file itself",
    };
    Err(Error::invalid(path, what))
}

/// Whether `path` is the name of the open `file`.
fn is_still(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |about: fs::Metadata| (about.dev(), about.ino());
        let (open, named) = (file.metadata().map(number), fs::symlink_metadata(path).map(number));
        matches!((open, named), (Ok(open), Ok(named)) if open == named)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Removes the file at `path`, if there is one, so that no power cut brings it back.
pub fn remove(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
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

/// A path as a word of a command that a shell reads: in quotes if it needs them.
pub fn in_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    match !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
