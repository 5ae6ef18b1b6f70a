//! Errors that come from outside the program: arguments, files, configs, data, checkpoints.
//!
//! Wrong shapes are a programmer's mistake and panic instead (decision 0004). A message says what was
//! read, where, what was found, what was wanted, and the cure, in one sentence.

use std::fmt::{self, Write};
use std::io;
use std::path::{Path, PathBuf};

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Something outside the program is wrong, or the run failed: the message says what, where, and the cure.
#[derive(Debug)]
pub struct Error(Box<ErrorKind>);

/// What went wrong, and where.
#[derive(Debug)]
pub enum ErrorKind {
    /// Wrong arguments: an unknown preset, key, value or combination.
    Usage(String),
    /// A file or directory could not be read.
    Read {
        /// What was being read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory could not be written.
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file was read, and its contents are wrong.
    Invalid {
        /// The file.
        path: PathBuf,
        /// Found, wanted, cure: the rest of the sentence after the file's name.
        what: String,
    },
    /// The run itself failed: a loss or a gradient that is not finite.
    Diverged(String),
    /// The run is well, but its bits are not those that were expected.
    Differs(String),
    /// Stopped by Ctrl-C or SIGTERM, after saving.
    Interrupted,
}

impl Error {
    /// Wrong arguments.
    pub fn usage(what: impl Into<String>) -> Self {
        ErrorKind::Usage(what.into()).into()
    }

    /// The contents of `path` are wrong; `what` says what was found, what was wanted, and the cure.
    pub fn invalid(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        ErrorKind::Invalid { path: path.as_ref().into(), what: what.into() }.into()
    }

    /// For `map_err`: reading `path` failed.
    pub fn read(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| ErrorKind::Read { path: path.as_ref().into(), source }.into()
    }

    /// For `map_err`: writing `path` failed.
    pub fn write(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| ErrorKind::Write { path: path.as_ref().into(), source }.into()
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The exit code of the process: 2 for arguments and files, 1 for a failed run, 3 for
    /// bits that differ from those expected, 130 when stopped.
    pub fn exit_code(&self) -> u8 {
        match *self.0 {
            ErrorKind::Diverged(_) => 1,
            ErrorKind::Differs(_) => 3,
            ErrorKind::Interrupted => 130,
            _ => 2,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = Sanitised { f, left: LONGEST_MESSAGE };
        match &*self.0 {
            ErrorKind::Usage(what) | ErrorKind::Diverged(what) | ErrorKind::Differs(what) => {
                f.write_str(what)
            }
            ErrorKind::Read { path, source } => {
                write!(f, "cannot read {}: ", path.display())?;
                match source.kind() {
                    io::ErrorKind::NotFound => f.write_str("there is no such file"),
                    _ => write!(f, "{source}"),
                }
            }
            ErrorKind::Write { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())?;
                match source.kind() {
                    io::ErrorKind::NotFound => {
                        f.write_str(": its folder is not there, make it first")
                    }
                    _ => Ok(()),
                }
            }
            ErrorKind::Invalid { path, what } => write!(f, "{}: {what}", path.display()),
            ErrorKind::Interrupted => f.write_str("stopped; the state is saved"),
        }
    }
}

/// The most characters of a message: a few times those of our longest.
const LONGEST_MESSAGE: usize = 4000;

/// Messages quote files and arguments, which may hold anything: this writes them as one line, with control
/// characters escaped, and cuts what is too long.
struct Sanitised<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    left: usize,
}

impl Write for Sanitised<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match self.left {
                0 => return Ok(()),
                1 => self.f.write_char('…')?,
                _ if c.is_control() => write!(self.f, "{}", c.escape_debug())?,
                _ => self.f.write_char(c)?,
            }
            self.left -= 1;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The entry of `known` that `word` was most likely meant to be, for "did you mean": the same but for capitals, or one that
/// begins with it, or else the nearest, by at most one edit in three letters, as rustc has it. `None`: nothing is near, and a guess would
/// mislead.
pub fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(same) = known.iter().find(|name| name.eq_ignore_ascii_case(word)) {
        return Some(same);
    }
    let longest = |name: &str| word.chars().count().max(name.chars().count());
    nearest_few(word, known, 1).pop().filter(|name| {
        (!word.is_empty() && name.starts_with(word))
            || 3 * edit_distance(word, name) <= longest(name).max(3)
    })
}

/// The `count` entries of `known` nearest to `word`, the nearest first, for messages that show a few in any case.
pub fn nearest_few<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<&'a str> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_by_cached_key(|name| (!name.starts_with(word), edit_distance(word, name)));
    known.truncate(count);
    known
}

/// How many letters must be put in, left out, replaced or swapped with the next to make one word of the other
/// (Damerau 1964; no letter is edited twice).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let (above, mut row) = (&rows[i - 1], vec![i]);
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut edits = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                edits = edits.min(rows[i - 2][j - 2] + 1);
            }
            row.push(edits);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
