//! DeepWriting, IAM-OnDB and 94 more writers in chunks of some 300 points: the two .npz of a release.
//!
//! Rows are dx, dy (down), pen in units of the whole set's extent, as the files have them once version 1's
//! standardisation is undone; its pen never was standardised. Both begin each sequence with a row of nothing,
//! which is dropped, for no model should be paid for what is always the same. There is no test part.
//! Not here: how arrays and pickles are read ([`super::numpy`], [`super::pickle`]).
//! Source: Aksan, Pece and Hilliges 2018, "DeepWriting".

use super::numpy::{self, Npz};
use super::pickle::{Item, Pickle, Value};
use super::tree;
use crate::data::{Split, Writer};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// 1 or 2.
    pub version: u8,
    /// Whether every sequence began with a row of nothing, which was dropped.
    pub dropped: bool,
}

/// Rows of a sequence at most, of which chunks have some 300.
const MOST_STEPS: u64 = 1 << 20;

/// The columns that [`import`] tells of each sequence.
pub const COLUMNS: [&str; 2] = ["subject", "text"];

/// Reads both files of a release into `writer`, which takes 3 channels and [`COLUMNS`]: the training file
/// to train, the other to validate. `input` is the folder they are in, or one of them.
///
/// Memory: the larger file's strokes, unpacked, some 220 MB.
pub fn import(input: &Path, writer: &mut Writer, progress: &mut dyn FnMut(f64)) -> Result<Report> {
    let [train, valid] = files(input)?;
    let parts = [(Part::open(&train)?, Split::Train), (Part::open(&valid)?, Split::Valid)];
    let version = parts[0].0.version();
    if version != parts[1].0.version() {
        let what = format!(
            "is not of version {version} as {} is, and their units differ; take both files of one \
             release",
            train.display()
        );
        return Err(Error::invalid(&valid, what));
    }
    let count = parts.iter().map(|(part, _)| part.sequences().len()).sum::<usize>() as f64;
    let mut done = 0;
    let mut tick = || {
        done += 1;
        progress(f64::from(done) / count / 2.);
    };
    let mut dropped = true;
    for (part, _) in &parts {
        for (i, item) in part.sequences().into_iter().enumerate() {
            let rows = part.rows(i, item)?;
            dropped &= rows.len() > 3 && part.is_nothing(&rows);
            tick();
        }
    }
    for (part, split) in &parts {
        for (i, item) in part.sequences().into_iter().enumerate() {
            let rows: Vec<f32> = part.rows(i, item)?.into_iter().map(|x| x as f32).collect();
            let first = if dropped { 3 } else { 0 };
            writer.push(&rows[first..], *split, &[&part.subjects[i], &part.texts[i]])?;
            tick();
        }
    }
    Ok(Report { version, dropped })
}

/// The training and the validation file of the folder `input`, or of the pair that it is one of.
pub fn files(input: &Path) -> Result<[PathBuf; 2]> {
    if !input.exists() {
        return Err(Error::invalid(
            input,
            "is not there; give the path of the folder or of one of the files",
        ));
    }
    const PARTS: [&str; 2] = ["training", "validation"];
    let is_part = |path: &&PathBuf| {
        let name = tree::name(path);
        name.starts_with("deepwriting") && name.ends_with(".npz") && name.contains(PARTS[0])
    };
    let one = if input.is_dir() {
        let entries = tree::entries(input)?;
        let found: Vec<_> = entries.iter().filter(is_part).collect();
        match found.as_slice() {
            [one] => one.to_path_buf(),
            [] => {
                let what = "holds no training file, wanted deepwriting_training.npz or \
                            deepwriting_v2_training.npz; give the folder that they are in";
                return Err(Error::invalid(input, what));
            }
            [_, other, ..] => {
                let what = format!(
                    "holds more than one training file, wanted one release; give the path of one, \
                     as {}",
                    other.display()
                );
                return Err(Error::invalid(input, what));
            }
        }
    } else {
        input.to_path_buf()
    };
    let name = tree::name(&one);
    let Some(own) = PARTS.iter().position(|part| name.contains(part)) else {
        let what = "does not say in its name which part it is, wanted deepwriting_training.npz or \
                    deepwriting_validation.npz; give it its name back";
        return Err(Error::invalid(&one, what));
    };
    let pair = PARTS.map(|part| one.with_file_name(name.replace(PARTS[own], part)));
    for (path, part) in pair.iter().zip(PARTS) {
        if !path.exists() {
            let what = format!(
                "is not there, wanted the {part} file beside the other, for without both there is \
                 nothing to train on or to choose by; download it too"
            );
            return Err(Error::invalid(path, what));
        }
    }
    Ok(pair)
}

/// One file, its strokes still packed in the pickle.
struct Part {
    path: PathBuf,
    strokes: &'static str,
    pickle: Pickle,
    /// Mean and standard deviation of dx and dy, of version 1.
    standardised: Option<[(f64, f64); 2]>,
    subjects: Vec<String>,
    texts: Vec<String>,
}

impl Part {
    fn open(path: &Path) -> Result<Self> {
        let mut npz = Npz::open(path)?;
        let Some(strokes) = ["strokes", "samples"].into_iter().find(|name| npz.has(name)) else {
            let what = "has neither `strokes` nor `samples`, so it is no file of DeepWriting; \
                        give the path of one";
            return Err(Error::invalid(path, what));
        };
        let standardised = match (npz.has("mean") && npz.has("std"), npz.has("statistics")) {
            (true, _) => Some(figures(&mut npz)?),
            (false, true) => None,
            (false, false) => {
                let what = "has neither `mean` and `std` (version 1) nor `statistics` (version \
                            2), wanted them to know its units; take the file as its owners hand \
                            it out";
                return Err(Error::invalid(path, what));
            }
        };
        let pickle = npz.objects(strokes)?;
        let count = numpy::objects(pickle.root()).len();
        if count == 0 {
            return Err(npz.wrong(strokes, "no array of sequences"));
        }
        let (subjects, texts) = (vec![], vec![]);
        let part = Self { path: path.into(), strokes, pickle, standardised, subjects, texts };
        part.check_size()?;
        let subjects = npz.words("subject_labels", count)?;
        let texts = npz.words("texts", count)?;
        Ok(Self { subjects, texts, ..part })
    }

    fn version(&self) -> u8 {
        if self.standardised.is_some() { 1 } else { 2 }
    }

    fn sequences(&self) -> Vec<Item<'_>> {
        numpy::objects(self.pickle.root())
    }

    /// A pickle can name one array a million times: more numbers than it has bytes are refused.
    fn check_size(&self) -> Result<()> {
        let items = self.sequences();
        let numbers =
            items.iter().fold(0_u64, |sum, &item| sum.saturating_add(numpy::pickled_size(item)));
        match numbers <= self.pickle.size() as u64 {
            true => Ok(()),
            false => Err(self.wrong(0, "sequences that are the same array many times over")),
        }
    }

    /// Raw rows of sequence `i`: `[steps, 3]`.
    fn rows(&self, i: usize, item: Item) -> Result<Vec<f64>> {
        if let Value::Array { shape, .. } = item.value()
            && !matches!(*shape, [1..=MOST_STEPS, 3])
        {
            return Err(self.wrong(i, &format!("an array of shape {shape:?}")));
        }
        let numbers = numpy::pickled_numbers(item).map_err(|found| self.wrong(i, &found))?;
        let mut rows = numbers.values;
        for (t, row) in rows.chunks_exact_mut(3).enumerate() {
            if let Some(pairs) = self.standardised {
                for (x, (mean, std)) in row.iter_mut().zip(pairs) {
                    *x = mean + std * *x;
                }
            }
            if !row.iter().all(|x| (*x as f32).is_finite()) || (row[2] != 0. && row[2] != 1.) {
                return Err(self.wrong(i, &format!("{row:?} in row {}", t + 1)));
            }
        }
        Ok(rows)
    }

    /// Whether the first row is a way of no length: in version 1 to the rounding of its f32.
    fn is_nothing(&self, rows: &[f64]) -> bool {
        let near = |d: usize| match self.standardised {
            Some(pairs) => rows[d].abs() <= 1e-5 * pairs[d].1,
            None => rows[d] == 0.,
        };
        near(0) && near(1)
    }

    fn wrong(&self, i: usize, found: &str) -> Error {
        let what = format!(
            "sequence {} of `{}` is {found}, wanted rows of dx, dy and a pen that is 0 or 1; take \
             the file as its owners hand it out",
            i + 1,
            self.strokes
        );
        Error::invalid(&self.path, what)
    }
}

/// What version 1's dx and dy were standardised with.
fn figures(npz: &mut Npz) -> Result<[(f64, f64); 2]> {
    let (mean, std) = (npz.numbers("mean")?.values, npz.numbers("std")?.values);
    match (mean.as_slice(), std.as_slice()) {
        (&[mx, my, _], &[sx, sy, _]) => {
            let good = [mx, my, sx, sy].iter().all(|x| x.is_finite()) && sx > 0. && sy > 0.;
            good.then_some([(mx, sx), (my, sy)])
        }
        _ => None,
    }
    .ok_or_else(|| npz.wrong("std", "no three deviations above 0 beside three means"))
}
