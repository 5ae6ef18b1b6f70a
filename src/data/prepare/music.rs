//! Polyphonic music (Boulanger-Lewandowski et al. 2012): converts notes in JSON, or piano rolls in .mat or .npz, to
//! rows of 88 keys, each 0 or 1; column k is MIDI note 21 + k.
//!
//! The same pieces circulate with different step lengths under the same names, and their nats per step cannot be
//! compared; [`Statistics`] tell them apart. Memory holds one piece. Not here: MIDI files, pickles.

mod json;

use super::mat::Mat;
use super::tree::Counted;
use crate::data::{DataSet, Split, Writer};
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// Keys of a piano.
pub const KEYS: usize = 88;
/// A rest, in files with one number per voice.
const REST: f32 = -1.;
/// Memory limit for compressed rolls, which are unpacked at once; the largest sets take 150 MB.
const MOST_UNPACKED: u64 = 1 << 28;
/// The most steps of a piece, about ten times the longest known. Rows take far more memory than their JSON.
const MOST_STEPS: usize = 1 << 16;
/// Sets with the usual step length have a smaller fraction of steps that repeat the previous one.
pub const MOST_REPEATED: f64 = 0.4;

/// Statistics of a split, which show how long its steps are.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// The split.
    pub split: Split,
    /// Number of pieces.
    pub pieces: usize,
    /// Total steps of all pieces.
    pub steps: usize,
    /// Sounding notes, summed over all steps.
    pub notes: usize,
    /// Steps equal to the previous one of the same piece.
    pub repeated: usize,
    /// Steps of the longest piece.
    pub longest: usize,
}

impl Statistics {
    fn add(&mut self, rows: &[f32]) {
        let steps: Vec<&[f32]> = rows.chunks_exact(KEYS).collect();
        self.pieces += 1;
        self.steps += steps.len();
        self.notes += rows.iter().filter(|&&x| x == 1.).count();
        self.repeated += steps.windows(2).filter(|pair| pair[0] == pair[1]).count();
        self.longest = self.longest.max(steps.len());
    }

    /// Mean number of sounding notes per step.
    pub fn notes_per_step(&self) -> f64 {
        self.notes as f64 / self.steps as f64
    }

    /// Fraction of steps, without first ones, that equal the previous step.
    pub fn fraction_repeated(&self) -> f64 {
        self.repeated as f64 / (self.steps - self.pieces).max(1) as f64
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (notes, repeated) = (self.notes_per_step(), 100. * self.fraction_repeated());
        write!(
            f,
            "{:5} {notes:.2} notes per step, {repeated:.1} % of steps repeat the previous one, longest piece {}",
            self.split, self.longest
        )
    }
}

/// Writes every piece: those of an .npz in the order of the file, others in the order train, valid, test. Returns the
/// statistics of the splits that are not empty.
pub fn import(
    input: &Path,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Statistics>> {
    let wrong = |what: &str| Error::invalid(input, what);
    let none = |split| Statistics { split, pieces: 0, steps: 0, notes: 0, repeated: 0, longest: 0 };
    let mut statistics = Split::ALL.map(none);
    let mut push = |rows: &[f32], split: Split| {
        statistics[split as usize].add(rows);
        writer.push(rows, split, &[])
    };
    let mut file = open_regular(input, "music as .json, .mat or .npz: give the path of one")?;
    let mut start = vec![];
    file.by_ref().take(6).read_to_end(&mut start).map_err(Error::read(input))?;
    file.rewind().map_err(Error::read(input))?;
    match start.as_slice() {
        [b'P', b'K', ..] => rolls(input, &mut push, progress)?,
        [0x80, ..] | [b'(', ..] => {
            return Err(wrong(
                "is a pickle, which could run code when read: convert it to JSON with Python's \
                 pickle.load and json.dump",
            ));
        }
        b"MATLAB" => cells(input, file, &mut push, progress)?,
        _ => lists(input, file, &mut push, progress)?,
    }
    match statistics[Split::Train as usize].pieces {
        0 => Err(wrong("has no piece in train, want at least one: add some")),
        _ => Ok(statistics.into_iter().filter(|statistics| statistics.steps > 0).collect()),
    }
}

/// Writes the rows of a piece.
type Push<'a> = &'a mut dyn FnMut(&[f32], Split) -> Result<()>;

/// Lists of notes in JSON: the file is read once per split, so that the splits can be in any order.
fn lists(input: &Path, mut file: File, push: Push, progress: &mut dyn FnMut(f64)) -> Result<()> {
    let length = file.metadata().map_err(Error::read(input))?.len().max(1) as f64;
    for (i, wanted) in Split::ALL.into_iter().enumerate() {
        file.rewind().map_err(Error::read(input))?;
        let read = Cell::new(0);
        let text = BufReader::new(Counted { inner: &file, done: &read });
        json::each(input, text, &mut |rows, split| {
            if split == wanted {
                push(rows, split)?;
            }
            // The file may have grown since.
            progress((i as f64 + (read.get() as f64 / length).clamp(0., 1.)) / 3.);
            Ok(())
        })?;
    }
    progress(1.);
    Ok(())
}

/// Three cell arrays in a MATLAB file, as published with the data sets and with TCN.
fn cells(input: &Path, file: File, push: Push, progress: &mut dyn FnMut(f64)) -> Result<()> {
    let mut mat = Mat::new(BufReader::new(file), input)?;
    for (i, split) in Split::ALL.into_iter().enumerate() {
        let name = ["traindata", "validdata", "testdata"][i];
        mat.each(name, MOST_STEPS * KEYS, &mut |cell, cells, piece| {
            let place = format!("cell {} of `{name}`", cell + 1);
            let wrong = |what: String| Error::invalid(input, format!("{place} {what}"));
            let (rows, columns) = (piece.rows, piece.columns);
            if rows == 0 || columns != KEYS {
                return Err(wrong(format!(
                    "is a matrix of {rows} × {columns}, want one row per step and {KEYS} columns, one per \
                     piano key from MIDI note 21 to 108: pad it, or drop it"
                )));
            }
            check_roll(&piece.values).map_err(wrong)?;
            push(&piece.values, split)?;
            progress((i as f64 + (cell + 1) as f64 / cells as f64) / 3.);
            Ok(())
        })?;
    }
    progress(1.);
    Ok(())
}

/// Piano rolls in our own .npz format.
fn rolls(input: &Path, push: Push, progress: &mut dyn FnMut(f64)) -> Result<()> {
    let set = DataSet::open_within(input, None, MOST_UNPACKED)?;
    if set.channels() != KEYS {
        let found = set.channels();
        let what = format!(
            "has {found} channels, want {KEYS}, one per piano key from MIDI note 21 to 108: pad or crop \
             `samples`"
        );
        return Err(Error::invalid(input, what));
    }
    for i in 0..set.len() {
        let wrong = |what: String| Error::invalid(input, format!("sequence {} {what}", i + 1));
        let steps = set.length(i);
        if steps > MOST_STEPS {
            return Err(wrong(format!("has {steps} steps, want at most {MOST_STEPS}: split it")));
        }
        let rows = set.sequence(i)?;
        check_roll(&rows).map_err(wrong)?;
        push(&rows, set.split_of(i))?;
        progress((i + 1) as f64 / set.len() as f64);
    }
    Ok(())
}

/// Checks that all values are 0 or 1.
fn check_roll(rows: &[f32]) -> Result<(), String> {
    match rows.iter().position(|&x| x != 0. && x != 1.) {
        None => Ok(()),
        Some(i) => Err(format!(
            "has {} in row {}, key {}, want 0 or 1: write every value above 0 as 1",
            rows[i],
            i / KEYS + 1,
            i % KEYS + 1
        )),
    }
}
