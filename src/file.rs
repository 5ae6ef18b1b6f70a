//! Files written whole or not at all, whatever happens in between.
//!
//! Not here: what is in them, and files that grow line by line (`train::metrics`, `train::events`).

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` by what `write` writes: at any moment, kill and full disk included, the whole old file
/// or the whole new one stands there. A temporary neighbour is written, synced, then renamed over it; if
/// anything fails, the neighbour is removed.
pub fn write_whole(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let temporary = temporary(path);
    let written = write_synced(&temporary, write).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing more can be done if this fails too, and the first failure is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| sync_directory(path)).map_err(Error::write(path))
}

fn write_synced(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()
}

/// `.latest.stcn.tmp` beside `latest.stcn`: the same directory, or a rename would be a copy.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes the rename itself survive a power cut, where directories can be synced.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
