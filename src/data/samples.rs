//! [`Samples`]: the numbers of a data set, in memory or where they lie in a file.
//!
//! A stored member of a zip is its numbers as they are, so rows are read when they are asked for, by any
//! thread, at their place, and memory holds none. Not here: which file it is and where they lie
//! ([`super::npz`]), what they mean ([`super::set`]).

use crate::error::{Error, Result};
use crate::parallel::Work;
use flate2::Crc;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::mem::swap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// All numbers of a set, one after another.
#[derive(Debug)]
pub enum Samples {
    /// Read already.
    Memory(Vec<f32>),
    /// To be read.
    Disk(Disk),
}

impl From<Vec<f32>> for Samples {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Memory(numbers)
    }
}

impl Samples {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(numbers) => numbers.len(),
            Self::Disk(disk) => disk.numbers,
        }
    }

    /// Numbers `range`. Fails if they are on the disk and the file is not what it was.
    pub fn read(&self, range: Range<usize>) -> Result<Cow<'_, [f32]>> {
        match self {
            Self::Memory(numbers) => Ok(Cow::Borrowed(&numbers[range])),
            Self::Disk(disk) => disk.read(range).map(Cow::Owned),
        }
    }

    /// Whether all are known to be whole, and thus finite, because of how they are written.
    pub fn are_integral(&self) -> bool {
        matches!(self, Self::Disk(Disk { kind: Kind::I2 | Kind::U1, .. }))
    }
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `<f4`
    F4,
    /// `<i2`: a whole number from −32768 to 32767.
    I2,
    /// `|u1` or `|b1`: a whole number from 0 to 255, or 0 and 1.
    U1,
}

impl Kind {
    /// By NumPy's name, which is one of these.
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

    /// The number that is written in the place of `x`; another one than `x` if it has no place.
    pub fn kept(self, x: f32) -> f32 {
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

/// Numbers of an open file, little-endian, without a gap.
#[derive(Debug)]
pub struct Disk {
    file: File,
    path: PathBuf,
    /// Length and time of change when the file was opened.
    opened: Metadata,
    start: u64,
    numbers: usize,
    kind: Kind,
}

impl Disk {
    /// `numbers` of them from byte `start` on; `path` is for the messages.
    pub fn new(
        file: File,
        opened: Metadata,
        path: &Path,
        start: u64,
        numbers: usize,
        kind: Kind,
    ) -> Self {
        Self { file, path: path.into(), opened, start, numbers, kind }
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<f32>> {
        assert!(range.end <= self.numbers, "read: {range:?} of {} numbers", self.numbers);
        let width = self.kind.width();
        let mut bytes = vec![0; range.len() * width];
        let from = self.start + (range.start * width) as u64;
        let read = read_exact_at(&self.file, &mut bytes, from);
        // Asked after reading: what was read before a change is good.
        let now = self.file.metadata().map_err(Error::read(&self.path))?;
        let time = |about: &Metadata| about.modified().ok();
        if now.len() != self.opened.len() || time(&now) != time(&self.opened) {
            return Err(Error::invalid(
                &self.path,
                "was changed while it was in use, wanted the bytes it had when it was opened; give \
                 it those back, and go on from the last checkpoint with --resume",
            ));
        }
        read.map_err(Error::read(&self.path))?;
        Ok(match self.kind {
            Kind::F4 => bytes.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect(),
            Kind::I2 => {
                let whole = bytes.as_chunks().0.iter().map(|&x| i16::from_le_bytes(x));
                whole.map(f32::from).collect()
            }
            Kind::U1 => bytes.iter().map(|&x| f32::from(x)).collect(),
        })
    }
}

/// Bytes that are hashed at a time: larger than any cache line of a disk, small beside a model.
const BLOCK: u64 = 1 << 22;

/// The SHA-256 of a whole file in hex, and the checksum of the bytes `member` of it, in one pass: it is large.
pub(super) fn read_once(file: &File, member: Range<u64>) -> io::Result<(String, u32)> {
    let length = file.metadata()?.len();
    // Blocks end where the member begins and ends.
    let block = |at: u64| {
        let cuts = [member.start, member.end, length, at + BLOCK];
        at..cuts.into_iter().filter(|&cut| cut > at).fold(length.max(at), u64::min)
    };
    let read = |bytes: &mut Vec<u8>, block: &Range<u64>| {
        bytes.resize((block.end - block.start) as usize, 0);
        read_exact_at(file, bytes, block.start)
    };
    let (mut hash, mut crc) = (Sha256::new(), Crc::new());
    let (mut now, mut ahead) = (vec![], vec![]);
    let mut at = block(0);
    read(&mut now, &at)?;
    while !at.is_empty() {
        let next = block(at.end);
        let mut result = Ok(());
        let mut work = Work::new();
        work.add(|| hash.update(&now));
        work.add(|| {
            if member.contains(&at.start) {
                crc.update(&now);
            }
            result = read(&mut ahead, &next);
        });
        work.run();
        result?;
        swap(&mut now, &mut ahead);
        at = next;
    }
    Ok((hex::encode(hash.finalize()), crc.sum()))
}

/// At a place of its own, so that threads need not agree on one.
#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], from: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, from)
}

/// Likewise.
#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut from: u64) -> io::Result<()> {
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
