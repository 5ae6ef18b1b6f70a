//! [`Writer`]: a flat npz written sequence by sequence, and its figures.
//!
//! Memory holds a length and a split of each sequence and nothing else; the numbers go to the disk as they
//! come, stored, so that they can be read where they lie. Not here: where the sequences come from
//! ([`super::prepare`]).

use super::normalise::figures;
use super::npz;
use super::samples::Kind;
use super::set::{DataSet, Summary};
use super::split::Split;
use super::stored::StoredZip;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{AtomicFile, remove, remove_dead};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// An .npz under way. Nothing appears under its name before [`finish`](Self::finish), and nothing is left of
/// it without.
pub struct Writer {
    file: AtomicFile,
    zip: StoredZip<BufWriter<File>>,
    kind: Kind,
    channels: usize,
    total: usize,
    lengths: Vec<i64>,
    split: Vec<i8>,
    columns: usize,
    meta: PathBuf,
    about: Option<(AtomicFile, BufWriter<File>)>,
    leftovers: Vec<PathBuf>,
}

/// What a data set that was just written holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Counts and lengths of every split that is not empty.
    pub splits: Vec<Summary>,
    /// Mean and standard deviation of each channel over the train split; 1 for a constant one.
    pub channels: Vec<(f64, f64)>,
    /// Mean and standard deviation of all values of the train split together.
    pub scalar: (f64, f64),
    /// The files, the .npz first.
    pub files: Vec<PathBuf>,
}

/// An .npy header of ours, told when the numbers are counted.
const HEADER: usize = 128;

impl Writer {
    /// Of sequences of `channels` numbers a step. With `columns`, what is known of each sequence (who
    /// wrote it, its text) goes into `<path>.meta.csv`, behind its number from 1, its split and its steps.
    pub fn create(
        path: impl Into<PathBuf>,
        channels: usize,
        columns: &[&'static str],
    ) -> Result<Self> {
        Self::create_as(Kind::F4, path, channels, columns)
    }

    /// The same with numbers written as `kind`, which must have a place for each: whole numbers take a half
    /// or a quarter of the bytes.
    pub fn create_as(
        kind: Kind,
        path: impl Into<PathBuf>,
        channels: usize,
        columns: &[&'static str],
    ) -> Result<Self> {
        let path = path.into();
        let (meta, head) = (beside(&path, ".meta.csv"), columns.join(","));
        let dead = [remove_dead(&path)?, remove_dead(&meta)?];
        let (file, out) = AtomicFile::create(&path)?;
        let mut zip = StoredZip::new(out);
        zip.begin("samples.npy", HEADER).map_err(Error::write(file.path()))?;
        let about = (!columns.is_empty()).then(|| AtomicFile::create(&meta)).transpose()?;
        let leftovers = dead.into_iter().flatten().collect();
        let (lengths, split, columns) = (vec![], vec![], columns.len());
        let mut writer = Self {
            file,
            zip,
            kind,
            channels,
            total: 0,
            lengths,
            split,
            columns,
            meta,
            about,
            leftovers,
        };
        writer.tell(&format!("index,split,steps,{head}\n"))?;
        Ok(writer)
    }

    /// Adds a sequence, raw: `[steps, channels]`, at least one step; `about` has a word for each column.
    pub fn push(&mut self, rows: &[f32], split: Split, about: &[&str]) -> Result<()> {
        assert_eq!(about.len(), self.columns, "Writer::push: one word for each column");
        assert_eq!(rows.len() % self.channels, 0, "Writer::push: rows of {}", self.channels);
        let steps = rows.len() / self.channels;
        let lost = |x: f32| self.kind != Kind::F4 && self.kind.kept(x) != x;
        if let Some(x) = rows.iter().find(|&&x| lost(x)) {
            let what = format!(
                "was to hold whole numbers {}, but sequence {} has {x}; scale and round them first",
                if self.kind == Kind::I2 { "from −32768 to 32767" } else { "from 0 to 255" },
                self.len() + 1
            );
            return Err(Error::invalid(self.file.path(), what));
        }
        let bytes: Vec<u8> = match self.kind {
            Kind::F4 => rows.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Kind::I2 => rows.iter().flat_map(|&x| (x as i16).to_le_bytes()).collect(),
            Kind::U1 => rows.iter().map(|&x| x as u8).collect(),
        };
        self.zip.write(&bytes).map_err(Error::write(self.file.path()))?;
        self.total += steps;
        self.lengths.push(steps as i64);
        self.split.push(split as i8);
        let quoted = |word: &&str| format!(",\"{}\"", word.replace('"', "\"\""));
        let words: String = about.iter().map(quoted).collect();
        self.tell(&format!("{},{split},{steps}{words}\n", self.len()))
    }

    /// A line of what is known beside the numbers, if anything is.
    fn tell(&mut self, line: &str) -> Result<()> {
        let Some((file, out)) = &mut self.about else { return Ok(()) };
        out.write_all(line.as_bytes()).map_err(Error::write(file.path()))
    }

    /// The files it writes meanwhile: what to remove if the program is to end at once.
    pub fn temporaries(&self) -> Vec<PathBuf> {
        let about = self.about.iter().map(|(file, _)| file);
        std::iter::once(&self.file).chain(about).map(|file| file.temporary().into()).collect()
    }

    /// The files that a program left which was killed while it wrote this set; they are gone now.
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.leftovers
    }

    /// How many sequences so far.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks the set, and puts the files in their places, the .npz before what is known of it. The numbers are read again three times: for their
    /// checksum, and twice for their figures.
    pub fn finish(self) -> Result<Written> {
        let Self { file, mut zip, kind, channels, total, lengths, split, meta, about, .. } = self;
        let shape = format!("({total}, {channels})");
        let mut write = || {
            zip.end(&header(kind.descr(), &shape))?;
            let one_axis = format!("({},)", lengths.len());
            zip.begin("lengths.npy", HEADER)?;
            lengths.iter().try_for_each(|n| zip.write(&n.to_le_bytes()))?;
            zip.end(&header("<i8", &one_axis))?;
            zip.begin("split.npy", HEADER)?;
            split.iter().try_for_each(|n| zip.write(&n.to_le_bytes()))?;
            zip.end(&header("|i1", &one_axis))
        };
        let written = write().and_then(|()| zip.finish());
        file.sync(written.map_err(Error::write(file.path()))?)?;
        let (flat, fingerprint) = npz::open(file.temporary(), 0).map_err(|e| match e.kind() {
            ErrorKind::Invalid { what, .. } => Error::invalid(file.path(), what),
            _ => e,
        })?;
        let set = DataSet::from_flat(file.path().to_path_buf(), fingerprint, flat, None)?;
        let (scalar, channels) = figures(&set)?;
        let mut files = vec![file.path().to_path_buf()];
        let about = about.map(|(about, out)| about.sync(out).map(|()| about)).transpose()?;
        // Two files cannot change at once. Whenever this is cut off, the words beside a set are its own, or
        // there are none: older ones go first, new ones come last.
        remove(&meta)?;
        file.commit()?;
        if let Some(about) = about {
            about.commit()?;
            files.push(meta);
        }
        Ok(Written {
            splits: Split::ALL.into_iter().filter_map(|split| set.summary(split)).collect(),
            scalar,
            channels,
            files,
        })
    }
}

/// An .npy header of [`HEADER`] bytes.
fn header(descr: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let start = [&b"\x93NUMPY\x01\0"[..], &(HEADER as u16 - 10).to_le_bytes()].concat();
    [start, format!("{text:<width$}\n", width = HEADER - 11).into_bytes()].concat()
}

/// `path` with more at its end.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    name.into()
}
