//! DeepWriting: IAM-OnDB and 94 more writers, in chunks of about 300 points; a release is two .npz files.
//!
//! Rows are dx, dy (upwards), pen, in units of the whole set's extent, as in the files after version 1's standardisation
//! (of dx and dy only) is undone; their dy points down and changes its sign here. In both versions every sequence begins
//! with a zero row, which is dropped: it would raise the likelihood of every model for nothing. There is no test split.
//! Not here: how arrays and pickles are read ([`super::numpy`], [`super::pickle`]).
//! Source: Aksan, Pece and Hilliges 2018, "DeepWriting".

use super::numpy::{self, Npz};
use super::pickle::{Item, Pickle, Value};
use super::tree;
use crate::data::{Split, Writer};
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// 1 or 2.
    pub version: u8,
    /// Whether every sequence began with a zero row, which was dropped.
    pub dropped: bool,
}

/// The most rows of a sequence; chunks have about 300.
const MOST_STEPS: u64 = 1 << 20;

/// The metadata columns of each sequence.
pub const COLUMNS: [&str; 2] = ["subject", "text"];

/// The files of a release: the word in the name of each, and its split.
const PARTS: [(&str, Split); 2] = [("training", Split::Train), ("validation", Split::Valid)];

/// Reads a release into `writer`, which has 3 channels and [`COLUMNS`]: the training file as train, the validation file as
/// valid. `input` is their folder, or either file. If `only` one of them is wanted, all its sequences are train, since a set
/// without any has no normalisation.
///
/// Memory: the unpacked strokes of the larger file, about 220 MB.
pub fn import(
    input: &Path,
    only: Option<Split>,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Report> {
    let paths = files(input, only)?;
    let open = |(path, split): &(PathBuf, Split)| Ok((ReleaseFile::open(path)?, *split));
    let files = paths.iter().map(open).collect::<Result<Vec<_>>>()?;
    let version = files[0].0.version();
    if let [(train, _), (valid, _)] = &paths[..] {
        if version != files[1].0.version() {
            let what = format!(
                "is not of version {version} like {}, and their units differ; use both files of one release",
                train.display()
            );
            return Err(Error::invalid(valid, what));
        }
        if same_bytes(train, valid)? {
            let what = format!(
                "has the same bytes as {}, so a model would be validated on what it was trained on; download both files \
                 again, or import this one alone with --only train",
                train.display()
            );
            return Err(Error::invalid(valid, what));
        }
    }
    let count = files.iter().map(|(file, _)| file.sequences().len()).sum::<usize>() as f64;
    let mut done = 0;
    let mut tick = || {
        done += 1;
        progress(f64::from(done) / count / 2.);
    };
    let mut dropped = true;
    for (file, _) in &files {
        for (i, item) in file.sequences().into_iter().enumerate() {
            let rows = file.rows(i, item)?;
            dropped &= rows.len() > 3 && file.first_row_is_zero(&rows);
            tick();
        }
    }
    for (file, split) in &files {
        for (i, item) in file.sequences().into_iter().enumerate() {
            let mut rows: Vec<f32> = file.rows(i, item)?.into_iter().map(|x| x as f32).collect();
            // From 0, so that a dy of 0 stays +0.
            rows.chunks_exact_mut(3).for_each(|row| row[1] = 0. - row[1]);
            let first = if dropped { 3 } else { 0 };
            writer.push(&rows[first..], *split, &[&file.subjects[i], &file.texts[i]])?;
            tick();
        }
    }
    Ok(Report { version, dropped })
}

/// The training and validation files of the folder `input`, or `input` and its counterpart; or `only` one of them.
pub fn files(input: &Path, only: Option<Split>) -> Result<Vec<(PathBuf, Split)>> {
    if !input.exists() {
        return Err(Error::invalid(
            input,
            "does not exist; give the path of the folder or of one of the files",
        ));
    }
    let wanted: Vec<_> =
        PARTS.into_iter().filter(|(_, split)| only.is_none_or(|only| only == *split)).collect();
    let Some(&(first, _)) = wanted.first() else {
        return Err(Error::usage("--only test: DeepWriting has no test part, want train or valid"));
    };
    let is_first = |path: &&PathBuf| {
        let name = tree::name(path);
        name.starts_with("deepwriting") && name.ends_with(".npz") && name.contains(first)
    };
    let one = if input.is_dir() {
        let entries = tree::entries(input)?;
        let found: Vec<_> = entries.iter().filter(is_first).collect();
        match found.as_slice() {
            [one] => one.to_path_buf(),
            [] => {
                let what = format!(
                    "holds no {first} file, wanted deepwriting_{first}.npz or deepwriting_v2_{first}.npz; give the \
                     folder that holds it"
                );
                return Err(Error::invalid(input, what));
            }
            [_, other, ..] => {
                let what = format!(
                    "holds more than one {first} file, wanted one release; give the path of one file, such as {}",
                    other.display()
                );
                return Err(Error::invalid(input, what));
            }
        }
    } else {
        input.to_path_buf()
    };
    let name = tree::name(&one);
    let Some((own, _)) = PARTS.iter().find(|(part, _)| name.contains(part)) else {
        let what = "has neither training nor validation in its name, wanted deepwriting_training.npz or \
                    deepwriting_validation.npz; restore its name";
        return Err(Error::invalid(&one, what));
    };
    let path = |(part, split)| {
        let split = if only.is_some() { Split::Train } else { split };
        (one.with_file_name(name.replace(own, part)), split)
    };
    let files: Vec<_> = wanted.iter().copied().map(path).collect();
    for ((path, _), (part, split)) in files.iter().zip(&wanted) {
        if !path.exists() {
            let other = if *split == Split::Train { Split::Valid } else { Split::Train };
            let what = format!(
                "does not exist, wanted the {part} file next to the other; download it too, or import the other alone \
                 with --only {other}"
            );
            return Err(Error::invalid(path, what));
        }
    }
    Ok(files)
}

/// Whether two files are equal.
fn same_bytes(a: &Path, b: &Path) -> Result<bool> {
    const WANTED: &str = "an .npz of DeepWriting";
    let (mut file_a, mut file_b) = (open_regular(a, WANTED)?, open_regular(b, WANTED)?);
    let length = |file: &File, path: &Path| {
        file.metadata().map(|about| about.len()).map_err(Error::read(path))
    };
    if length(&file_a, a)? != length(&file_b, b)? {
        return Ok(false);
    }
    let (mut block_a, mut block_b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n = file_a.read(&mut block_a).map_err(Error::read(a))?;
        file_b.read_exact(&mut block_b[..n]).map_err(Error::read(b))?;
        if n == 0 || block_a[..n] != block_b[..n] {
            return Ok(n == 0);
        }
    }
}

/// One file of a release; its strokes are still in the pickle.
struct ReleaseFile {
    path: PathBuf,
    strokes: &'static str,
    pickle: Pickle,
    /// Mean and standard deviation of dx and dy; version 1 only.
    standardised: Option<[(f64, f64); 2]>,
    subjects: Vec<String>,
    texts: Vec<String>,
}

impl ReleaseFile {
    fn open(path: &Path) -> Result<Self> {
        let mut npz = Npz::open(path)?;
        let Some(strokes) = ["strokes", "samples"].into_iter().find(|name| npz.has(name)) else {
            let what = "has neither `strokes` nor `samples`, so it is not from DeepWriting; give the \
                        path of a file that is";
            return Err(Error::invalid(path, what));
        };
        let standardised = match (npz.has("mean") && npz.has("std"), npz.has("statistics")) {
            (true, _) => Some(statistics(&mut npz)?),
            (false, true) => None,
            (false, false) => {
                let what = "has neither `mean` and `std` (version 1) nor `statistics` (version \
                            2), which define its units; use the original file";
                return Err(Error::invalid(path, what));
            }
        };
        let pickle = npz.objects(strokes)?;
        let count = numpy::objects(pickle.root()).len();
        if count == 0 {
            return Err(npz.wrong(strokes, "not an array of sequences"));
        }
        let (subjects, texts) = (vec![], vec![]);
        let file = Self { path: path.into(), strokes, pickle, standardised, subjects, texts };
        file.check_size()?;
        let subjects = npz.texts("subject_labels", count)?;
        let texts = npz.texts("texts", count)?;
        Ok(Self { subjects, texts, ..file })
    }

    fn version(&self) -> u8 {
        if self.standardised.is_some() { 1 } else { 2 }
    }

    fn sequences(&self) -> Vec<Item<'_>> {
        numpy::objects(self.pickle.root())
    }

    /// A pickle can refer to one array a million times, so more values than its bytes are refused.
    fn check_size(&self) -> Result<()> {
        let items = self.sequences();
        let numbers =
            items.iter().fold(0_u64, |sum, &item| sum.saturating_add(numpy::pickled_size(item)));
        match numbers <= self.pickle.size() as u64 {
            true => Ok(()),
            false => Err(self.wrong(0, "the same array as many others")),
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

    /// Whether the first row has dx = dy = 0; in version 1, up to f32 rounding.
    fn first_row_is_zero(&self, rows: &[f64]) -> bool {
        let near = |d: usize| match self.standardised {
            Some(pairs) => rows[d].abs() <= 1e-5 * pairs[d].1,
            None => rows[d] == 0.,
        };
        near(0) && near(1)
    }

    fn wrong(&self, i: usize, found: &str) -> Error {
        let what = format!(
            "sequence {} of `{}` is {found}, wanted rows of dx, dy and a pen that is 0 or 1; use the \
             original file",
            i + 1,
            self.strokes
        );
        Error::invalid(&self.path, what)
    }
}

/// Mean and standard deviation that version 1's dx and dy were standardised with.
fn statistics(npz: &mut Npz) -> Result<[(f64, f64); 2]> {
    let (mean, std) = (npz.numbers("mean")?.values, npz.numbers("std")?.values);
    match (mean.as_slice(), std.as_slice()) {
        (&[mx, my, _], &[sx, sy, _]) => {
            let good = [mx, my, sx, sy].iter().all(|x| x.is_finite()) && sx > 0. && sy > 0.;
            good.then_some([(mx, sx), (my, sy)])
        }
        _ => None,
    }
    .ok_or_else(|| npz.wrong("std", "not three positive standard deviations with three means"))
}
