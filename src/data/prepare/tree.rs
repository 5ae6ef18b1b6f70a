//! Reads the files below a folder, plain or in tar archives, without unpacking them to disk.
//!
//! Names in archives are only compared, so names such as `/etc/…` or `../…` are harmless. Not here: what the files
//! contain.

use crate::error::{Error, Result};
use crate::file::open_regular;
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use tar::Archive;

const WANTED: &str = "a file of the data set: restore it";

/// The entries of a folder, sorted by name, so that the order is the same everywhere.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let all = fs::read_dir(folder).and_then(|all| all.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = all.map_err(Error::read(folder))?;
    paths.sort();
    Ok(paths)
}

/// Whether it is a folder and not a link to one: links can form cycles, or exponentially many paths.
pub(super) fn is_own_folder(path: &Path) -> bool {
    path.is_dir() && !path.is_symlink()
}

/// Adds all files below `folder` to `found`, sorted by name, at most `depth` folders down.
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

/// The last component of a path; empty if it is not UTF-8.
pub(super) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a file name is that of an archive that [`each`] can read.
pub(super) fn is_archive(name: &str) -> bool {
    [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end))
}

/// Calls `visit(path, content)` for the file at `path`, or for every file in it if it is an archive, whose name is
/// `wanted`. The content is cut after `most + 1` bytes, so that `visit` can tell if it is longer than `most`.
/// `progress` is called with the bytes of `path` read so far.
pub(super) fn each(
    path: &Path,
    most: usize,
    wanted: &dyn Fn(&str) -> bool,
    progress: &mut dyn FnMut(u64),
    visit: &mut dyn FnMut(&Path, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut content = vec![];
    if !is_archive(name(path)) {
        if wanted(name(path)) {
            let mut start = open_regular(path, WANTED)?.take(most as u64 + 1);
            start.read_to_end(&mut content).map_err(Error::read(path))?;
            visit(path, &content)?;
        }
        return Ok(());
    }
    let file = open_regular(path, WANTED)?;
    let damaged = |said: String| {
        let what = format!(
            "cannot be read to its end ({said}), so it is truncated or damaged; download it again"
        );
        Error::invalid(path, what)
    };
    let done = Cell::new(0);
    let packed = BufReader::new(Counted { inner: file, done: &done });
    let unpacked: Box<dyn Read> = match name(path).ends_with(".tar") {
        true => Box::new(packed),
        false => Box::new(MultiGzDecoder::new(packed)),
    };
    let mut archive = Archive::new(unpacked);
    // Raw entries: otherwise the reader keeps extra entries for long names in memory, whatever their size.
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
            // Not `join`: an absolute name would replace the whole path.
            visit(Path::new(&format!("{}/{}", path.display(), inside.display())), &content)?;
        }
        progress(done.get());
    }
    Ok(())
}

/// A reader that counts the bytes read.
pub(super) struct Counted<'a, R> {
    pub inner: R,
    pub done: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.done.set(self.done.get() + n as u64);
        Ok(n)
    }
}
