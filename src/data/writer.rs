//! [`Writer`]: a flat npz written sequence by sequence, and its figures.
//!
//! Not here: where the sequences come from ([`super::prepare`]).

use super::npz::{self, Flat};
use super::set::{DataSet, Split, Summary};
use crate::error::Result;
use crate::file::write_whole;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

/// An .npz under way. Nothing appears under its name before [`finish`](Self::finish).
pub struct Writer {
    path: PathBuf,
    flat: Flat,
    split: Vec<i8>,
    columns: Vec<&'static str>,
    about: String,
}

/// What a data set that was just written holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Counts and lengths of every split that is not empty.
    pub splits: Vec<Summary>,
    /// Mean and standard deviation of each channel over the train split.
    pub channels: Vec<(f64, f64)>,
    /// Mean and standard deviation of all values of the train split together.
    pub scalar: (f64, f64),
    /// The files, the .npz first.
    pub files: Vec<PathBuf>,
}

impl Writer {
    /// Of sequences of `channels` numbers a step. With `columns`, what is known of each sequence (who
    /// wrote it, its text) goes into `<path>.meta.csv`, behind its number from 1, its split and its steps.
    pub fn create(
        path: impl Into<PathBuf>,
        channels: usize,
        columns: &[&'static str],
    ) -> Result<Self> {
        let flat = Flat { channels, samples: vec![], lengths: vec![], split: None };
        let columns = columns.to_vec();
        Ok(Self { path: path.into(), flat, split: vec![], columns, about: String::new() })
    }

    /// Adds a sequence, raw: `[steps, channels]`, at least one step; `about` has a word for each column.
    pub fn push(&mut self, rows: &[f32], split: Split, about: &[&str]) -> Result<()> {
        assert_eq!(about.len(), self.columns.len(), "Writer::push: one word for each column");
        let steps = rows.len() / self.flat.channels;
        self.flat.samples.extend_from_slice(rows);
        self.flat.lengths.push(steps as i64);
        self.split.push(split as i8);
        let quoted = |word: &&str| format!(",\"{}\"", word.replace('"', "\"\""));
        let words: String = about.iter().map(quoted).collect();
        self.about += &format!("{},{split},{steps}{words}\n", self.flat.lengths.len());
        Ok(())
    }

    /// How many sequences so far.
    pub fn len(&self) -> usize {
        self.flat.lengths.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks the set, and puts the file in its place.
    pub fn finish(mut self) -> Result<Written> {
        self.flat.split = Some(self.split);
        let set = DataSet::from_flat(self.path.clone(), String::new(), self.flat.clone(), None)?;
        npz::write(&self.path, &self.flat)?;
        let mut files = vec![self.path.clone()];
        if !self.columns.is_empty() {
            let path = beside(&self.path, ".meta.csv");
            let head = self.columns.iter().map(|name| format!(",{name}")).collect::<String>();
            let text = format!("index,split,steps{head}\n{}", self.about);
            write_whole(&path, |file| file.write_all(text.as_bytes()))?;
            files.push(path);
        }
        let fit = |kind| super::Normalisation::fit(&set, kind, set.channels());
        let each = fit(super::Normalise::PerChannel);
        let all = fit(super::Normalise::Scalar);
        Ok(Written {
            splits: Split::ALL.into_iter().filter_map(|split| set.summary(split)).collect(),
            channels: each.mean.into_iter().zip(each.std).collect(),
            scalar: (all.mean[0], all.std[0]),
            files,
        })
    }
}

/// `path` with more at its end.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    name.into()
}
