//! Finds the recordings of a folder and its subfolders, in the same order on every machine.
//!
//! Not here: their splits.

use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// Its path relative to the folder, with `/` on every system.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// All files with one of `extensions`, in upper or lower case, sorted by [`natural`] order of names.
///
/// Skips names that begin with a dot, and links to folders, which could form cycles.
pub fn recordings(folder: &Path, extensions: &[&str]) -> Result<Vec<Found>> {
    if !fs::metadata(folder).map_err(Error::read(folder))?.is_dir() {
        return Err(Error::invalid(
            folder,
            "is not a folder; give the path of the folder of recordings",
        ));
    }
    let wanted = |path: &Path| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted))
    };
    let mut found = vec![];
    let mut folders = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::read(&folder))? {
            let entry = entry.map_err(Error::read(&folder))?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type().map_err(Error::read(&path))?;
            if name.starts_with('.') {
                continue;
            } else if kind.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else if wanted(&path) {
                let about = fs::metadata(&path).map_err(Error::read(&path))?;
                if !about.is_dir() {
                    found.push(Found { path, name: format!("{prefix}{name}"), bytes: about.len() });
                }
            }
        }
    }
    if found.is_empty() {
        let names = extensions.join(" or .");
        let what =
            format!("holds no file that ends in .{names}; unpack the data set, or give its folder");
        return Err(Error::invalid(folder, what));
    }
    found.sort_by(|a, b| natural(&a.name, &b.name));
    Ok(found)
}

/// Compares names with numbers ordered by value: `data_2/9.wav` before `data_10/1.wav`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    loop {
        let (number_x, rest_x) = split(x);
        let (number_y, rest_y) = split(y);
        // Without leading zeros, the longer number is larger.
        let numbers = number_x.len().cmp(&number_y.len()).then(number_x.cmp(number_y));
        let (next_x, next_y) = (rest_x.chars().next(), rest_y.chars().next());
        let order = match (x.len() > rest_x.len(), y.len() > rest_y.len()) {
            (true, true) => numbers.then(next_x.cmp(&next_y)),
            _ => x.chars().next().cmp(&y.chars().next()),
        };
        match (order, next_x) {
            (Ordering::Equal, Some(c)) => {
                (x, y) = (&rest_x[c.len_utf8()..], &rest_y[c.len_utf8()..])
            }
            // Names may still differ in leading zeros.
            (Ordering::Equal, None) => return a.cmp(b),
            _ => return order,
        }
    }
}

/// The number at the start of `text`, without leading zeros, and the rest.
fn split(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}
