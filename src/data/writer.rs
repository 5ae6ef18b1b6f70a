//! [`Writer`]: writes a flat npz sequence by sequence, and computes its statistics.
//!
//! Only the length, the split and the metadata of each sequence are kept in memory. The samples are written as they
//! arrive, uncompressed, so that they can be read from the file on demand. Not here: where the sequences come from
//! ([`super::prepare`]).

use super::normalise::statistics;
use super::npz;
use super::samples::Dtype;
use super::set::{DataSet, Summary};
use super::split::Split;
use super::stored::StoredZip;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{AtomicFile, remove_dead};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// An .npz being written. It appears under its name in [`finish`](Self::finish); without that, no file is left.
pub struct Writer {
    file: AtomicFile,
    zip: StoredZip<BufWriter<File>>,
    dtype: Dtype,
    channels: usize,
    total: usize,
    lengths: Vec<i64>,
    split: Vec<i8>,
    rate: Option<u32>,
    columns: usize,
    /// The text of [`META`].
    meta: String,
    leftover: Option<PathBuf>,
}

/// Summary of a data set that was just written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Counts and lengths of the splits that are not empty.
    pub splits: Vec<Summary>,
    /// Mean and standard deviation of each channel over the train split; 0 for a constant one.
    pub channels: Vec<(f64, f64)>,
    /// Mean and standard deviation over all values of the train split.
    pub scalar: (f64, f64),
    /// The file written.
    pub file: PathBuf,
}

/// Bytes of an .npy header, which is filled in when the number of steps is known.
const HEADER: usize = 128;

/// The member with the metadata. It is in the same file as the samples because two files cannot be replaced at once:
/// a program killed between them would leave the metadata of another set, or none.
const META: &str = "meta.csv";

impl Writer {
    /// Creates a data set with `channels` values per step. With `columns`, the file has a member `meta.csv` with the
    /// metadata of each sequence (such as its writer and text), after its index (from 1), split and steps.
    pub fn create(
        path: impl Into<PathBuf>,
        channels: usize,
        columns: &[&'static str],
    ) -> Result<Self> {
        Self::create_as(Dtype::F4, path, channels, columns)
    }

    /// The same with samples written as `dtype`, which must represent them exactly; integers take a half or a quarter
    /// of the bytes.
    pub fn create_as(
        dtype: Dtype,
        path: impl Into<PathBuf>,
        channels: usize,
        columns: &[&'static str],
    ) -> Result<Self> {
        let path = path.into();
        let leftover = remove_dead(&path)?;
        let (file, out) = AtomicFile::create(&path)?;
        let mut zip = StoredZip::new(out);
        zip.begin("samples.npy", HEADER).map_err(Error::write(file.path()))?;
        let mut meta = String::new();
        if !columns.is_empty() {
            meta = format!("index,split,steps,{}\n", columns.join(","));
        }
        let (lengths, split, columns) = (vec![], vec![], columns.len());
        let (total, rate) = (0, None);
        Ok(Self {
            file,
            zip,
            dtype,
            channels,
            total,
            lengths,
            split,
            rate,
            columns,
            meta,
            leftover,
        })
    }

    /// Says that the data are sound of `rate` samples per second; [`finish`](Self::finish) fails if that is not in
    /// [`DataSet::RATES`].
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = Some(rate);
    }

    /// Adds a raw sequence `[steps, channels]` of at least one step; `about` has one entry per column.
    pub fn push(&mut self, rows: &[f32], split: Split, about: &[&str]) -> Result<()> {
        assert_eq!(about.len(), self.columns, "Writer::push: one entry per column");
        assert_eq!(rows.len() % self.channels, 0, "Writer::push: rows of {}", self.channels);
        let steps = rows.len() / self.channels;
        let lost = |x: f32| self.dtype != Dtype::F4 && self.dtype.round_trip(x) != x;
        if let Some(x) = rows.iter().find(|&&x| lost(x)) {
            let what = format!(
                "holds integers {}, but sequence {} has {x}; scale and round the samples first",
                if self.dtype == Dtype::I2 { "from −32768 to 32767" } else { "from 0 to 255" },
                self.len() + 1
            );
            return Err(Error::invalid(self.file.path(), what));
        }
        let bytes: Vec<u8> = match self.dtype {
            Dtype::F4 => rows.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Dtype::I2 => rows.iter().flat_map(|&x| (x as i16).to_le_bytes()).collect(),
            Dtype::U1 => rows.iter().map(|&x| x as u8).collect(),
        };
        self.zip.write(&bytes).map_err(Error::write(self.file.path()))?;
        self.total += steps;
        self.lengths.push(steps as i64);
        self.split.push(split as i8);
        if self.columns > 0 {
            let quoted = |word: &&str| format!(",\"{}\"", word.replace('"', "\"\""));
            let words: String = about.iter().map(quoted).collect();
            self.meta.push_str(&format!("{},{split},{steps}{words}\n", self.len()));
        }
        Ok(())
    }

    /// Its temporary file, to be removed if the program ends before [`finish`](Self::finish).
    pub fn temporary(&self) -> &Path {
        self.file.temporary()
    }

    /// The temporary file that a killed process had left, which was removed.
    pub fn leftover(&self) -> Option<&Path> {
        self.leftover.as_deref()
    }

    /// Number of sequences so far.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks the data set and moves the file to its final name. Reads the samples three times: once for the checksum,
    /// twice for the statistics.
    pub fn finish(self) -> Result<Written> {
        let Self { file, mut zip, dtype, channels, total, lengths, split, rate, meta, .. } = self;
        let shape = format!("({total}, {channels})");
        let mut write = || {
            zip.end(&header(dtype.descr(), &shape))?;
            let one_axis = format!("({},)", lengths.len());
            zip.begin("lengths.npy", HEADER)?;
            lengths.iter().try_for_each(|n| zip.write(&n.to_le_bytes()))?;
            zip.end(&header("<i8", &one_axis))?;
            zip.begin("split.npy", HEADER)?;
            split.iter().try_for_each(|n| zip.write(&n.to_le_bytes()))?;
            zip.end(&header("|i1", &one_axis))?;
            if let Some(rate) = rate {
                zip.begin("rate.npy", HEADER)?;
                zip.write(&i64::from(rate).to_le_bytes())?;
                zip.end(&header("<i8", "()"))?;
            }
            if meta.is_empty() {
                return Ok(());
            }
            zip.begin(META, 0)?;
            zip.write(meta.as_bytes())?;
            zip.end(&[])
        };
        let written = write().and_then(|()| zip.finish());
        file.sync(written.map_err(Error::write(file.path()))?)?;
        let (flat, fingerprint) = npz::open(file.temporary(), 0).map_err(|e| match e.kind() {
            ErrorKind::Invalid { what, .. } => Error::invalid(file.path(), what),
            _ => e,
        })?;
        let set = DataSet::from_flat(file.path().to_path_buf(), fingerprint, flat, None)?;
        let (scalar, channels) = statistics(&set)?;
        let path = file.path().to_path_buf();
        file.commit()?;
        Ok(Written {
            splits: Split::ALL.into_iter().filter_map(|split| set.summary(split)).collect(),
            scalar,
            channels,
            file: path,
        })
    }
}

/// An .npy header of [`HEADER`] bytes.
fn header(descr: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let start = [&b"\x93NUMPY\x01\0"[..], &(HEADER as u16 - 10).to_le_bytes()].concat();
    [start, format!("{text:<width$}\n", width = HEADER - 11).into_bytes()].concat()
}
