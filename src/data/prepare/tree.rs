//! Files below a folder, as they lie there or packed in tar archives: read, never unpacked to the disk.
//!
//! Names are only compared, so an archive whose names lead elsewhere (`/etc`, `..`) writes nothing there.
//! Not here: what the files hold.

use crate::error::{Error, Result};
use crate::file::open_regular;
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use tar::Archive;

const WANTED: &str = "one of the data set: give it back its own";

/// What lies in a folder, by name, so that the order is the same on every disk.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let all = fs::read_dir(folder).and_then(|all| all.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = all.map_err(Error::read(folder))?;
    paths.sort();
    Ok(paths)
}

/// Whether it is a folder and no link to one: links may lead in circles, and many make more ways than there is
/// time for.
pub(super) fn is_own_folder(path: &Path) -> bool {
    path.is_dir() && !path.is_symlink()
}

/// Adds everything but folders below `folder`, by name, at most `depth` folders down.
pub(super) fn files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        match path.is_dir() {
            false => found.push(path),
            true if depth > 0 && is_own_folder(&path) => files(&path, depth - 1, found)?,
            true => {}
        }
    }
    Ok(())
}

/// The last part of a path; empty if it is no text.
pub(super) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a file's name is that of an archive that [`each`] looks into.
pub(super) fn is_archive(name: &str) -> bool {
    [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end))
}

/// Hands the file at `path`, or every file in it if it is an archive, to `found`, with where it is, if
/// its name is `wanted`: its first `most` bytes and one more if it is longer. `read` is told the bytes of
/// `path` that are done.
pub(super) fn each(
    path: &Path,
    most: usize,
    wanted: &dyn Fn(&str) -> bool,
    read: &mut dyn FnMut(u64),
    found: &mut dyn FnMut(&Path, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut content = vec![];
    if !is_archive(name(path)) {
        if wanted(name(path)) {
            let mut start = open_regular(path, WANTED)?.take(most as u64 + 1);
            start.read_to_end(&mut content).map_err(Error::read(path))?;
            found(path, &content)?;
        }
        return Ok(());
    }
    let file = open_regular(path, WANTED)?;
    let damaged = |said: String| {
        let what = format!(
            "cannot be read to its end ({said}), so it was cut short or damaged; download it again"
        );
        Error::invalid(path, what)
    };
    let done = Cell::new(0);
    let packed = BufReader::new(Counted { file, done: &done });
    let unpacked: Box<dyn Read> = match name(path).ends_with(".tar") {
        true => Box::new(packed),
        false => Box::new(MultiGzDecoder::new(packed)),
    };
    let mut archive = Archive::new(unpacked);
    // Raw, for a name too long for its field comes as an entry of its own, kept however long it is.
    for entry in archive.entries().map_err(|e| damaged(e.to_string()))?.raw(true) {
        let mut entry = entry.map_err(|e| damaged(e.to_string()))?;
        let inside = PathBuf::from(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
        if entry.header().entry_type().is_file() && wanted(name(&inside)) {
            content.clear();
            let length = entry.size().min(most as u64 + 1);
            let mut start = entry.by_ref().take(length);
            start.read_to_end(&mut content).map_err(|e| damaged(e.to_string()))?;
            if content.len() as u64 != length {
                return Err(damaged(format!("{} ends too early", inside.display())));
            }
            // Not `join`, which an absolute name would replace all of.
            found(Path::new(&format!("{}/{}", path.display(), inside.display())), &content)?;
        }
        read(done.get());
    }
    Ok(())
}

/// A file that counts what was read of it.
struct Counted<'a> {
    file: File,
    done: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.done.set(self.done.get() + n as u64);
        Ok(n)
    }
}
