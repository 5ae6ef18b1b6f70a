//! [`Samples`]: the values of a data set, in memory or in a file.
//!
//! An uncompressed zip member holds the values as they are, so any thread can read rows from the file on demand.
//! Not here: finding the member in a file ([`super::npz`]), what the values mean ([`super::set`]).

use crate::error::{Error, Result};
use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// All values of a data set, as one flat array.
#[derive(Debug)]
pub enum Samples {
    /// In memory.
    Memory(Vec<f32>),
    /// In a file, read on demand.
    Disk(Disk),
}

impl From<Vec<f32>> for Samples {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Memory(numbers)
    }
}

impl Samples {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(numbers) => numbers.len(),
            Self::Disk(disk) => disk.numbers,
        }
    }

    /// The values in `range`. Fails if they are on disk and the file has changed.
    pub fn read(&self, range: Range<usize>) -> Result<Cow<'_, [f32]>> {
        match self {
            Self::Memory(numbers) => Ok(Cow::Borrowed(&numbers[range])),
            Self::Disk(disk) => disk.read(range).map(Cow::Owned),
        }
    }

    /// Whether the dtype guarantees that all values are integers (and so finite).
    pub fn are_integral(&self) -> bool {
        matches!(self, Self::Disk(Disk { dtype: Dtype::I2 | Dtype::U1, .. }))
    }
}

/// The dtype of `samples` in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// `<f4`
    F4,
    /// `<i2`: an integer from −32768 to 32767.
    I2,
    /// `|u1` or `|b1`: an integer from 0 to 255, or a boolean.
    U1,
}

impl Dtype {
    /// From NumPy's name, which must be one of these.
    pub fn of(descr: &str) -> Self {
        match descr {
            "<i2" => Self::I2,
            "|u1" | "|b1" => Self::U1,
            _ => Self::F4,
        }
    }

    /// NumPy's name.
    pub fn descr(self) -> &'static str {
        match self {
            Self::F4 => "<f4",
            Self::I2 => "<i2",
            Self::U1 => "|u1",
        }
    }

    /// What `x` reads back as after being written: not `x` if this dtype cannot represent it.
    pub fn round_trip(self, x: f32) -> f32 {
        match self {
            Self::F4 => x,
            Self::I2 => f32::from(x as i16),
            Self::U1 => f32::from(x as u8),
        }
    }

    fn width(self) -> usize {
        match self {
            Self::F4 => 4,
            Self::I2 => 2,
            Self::U1 => 1,
        }
    }
}

/// Little-endian values in a contiguous range of an open file.
#[derive(Debug)]
pub struct Disk {
    file: File,
    path: PathBuf,
    /// Length and modification time when the file was opened.
    opened: Metadata,
    start: u64,
    numbers: usize,
    dtype: Dtype,
}

impl Disk {
    /// `numbers` values starting at byte `start`; `path` is for error messages.
    pub fn new(
        file: File,
        opened: Metadata,
        path: &Path,
        start: u64,
        numbers: usize,
        dtype: Dtype,
    ) -> Self {
        Self { file, path: path.into(), opened, start, numbers, dtype }
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<f32>> {
        assert!(range.end <= self.numbers, "read: {range:?} of {} numbers", self.numbers);
        let width = self.dtype.width();
        let mut bytes = vec![0; range.len() * width];
        let from = self.start + (range.start * width) as u64;
        let read = read_exact_at(&self.file, &mut bytes, from);
        // Checked after reading: bytes read before a change are good.
        let now = self.file.metadata().map_err(Error::read(&self.path))?;
        let time = |about: &Metadata| about.modified().ok();
        if now.len() != self.opened.len() || time(&now) != time(&self.opened) {
            return Err(Error::invalid(
                &self.path,
                "was changed while it was in use; restore it, and continue from the last checkpoint with \
                 --resume",
            ));
        }
        read.map_err(Error::read(&self.path))?;
        Ok(match self.dtype {
            Dtype::F4 => bytes.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect(),
            Dtype::I2 => {
                let whole = bytes.as_chunks().0.iter().map(|&x| i16::from_le_bytes(x));
                whole.map(f32::from).collect()
            }
            Dtype::U1 => bytes.iter().map(|&x| f32::from(x)).collect(),
        })
    }
}

/// Reads at an offset without moving the file's cursor, which threads share.
#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], from: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, from)
}

/// The same on Windows.
#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut from: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, from) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => (bytes, from) = (&mut bytes[n..], from + n as u64),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Without an operating system there are no files to read.
#[cfg(not(any(unix, windows)))]
pub(super) fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
