//! Polyphonic music (Boulanger-Lewandowski et al. 2012): notes as JSON, or piano rolls as .mat or .npz, become rows
//! of 88 keys, 0 or 1, column k for MIDI note 21 + k.
//!
//! Two renderings of the same pieces circulate under the same names; nats per step of one say nothing about
//! the other, and [`Figures`] tell them apart. Memory holds a piece, however many there are. Not here: MIDI files,
//! pickles.

mod json;

use super::mat::Mat;
use crate::data::{DataSet, Split, Writer};
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// Keys of a piano.
pub const KEYS: usize = 88;
/// A voice that rests, in files that have one number for each voice.
const REST: f32 = -1.;
/// Memory for rolls that are packed and have to be unpacked at once; the largest sets take 150 MB.
const MOST_UNPACKED: u64 = 1 << 28;
/// Steps of a piece, some ten times those of any known one: a row takes far more room than its text.
const MOST_STEPS: usize = 1 << 16;
/// A greater share of steps that repeat the one before than any set has whose step is the usual one.
pub const MOST_REPEATED: f64 = 0.4;

/// What tells renderings of one part apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Which part.
    pub split: Split,
    /// Its pieces.
    pub pieces: usize,
    /// Steps of all its pieces.
    pub steps: usize,
    /// Notes that sound, summed over the steps.
    pub notes: usize,
    /// Steps that equal the one before them in their piece.
    pub repeated: usize,
    /// Steps of the longest piece.
    pub longest: usize,
}

impl Figures {
    fn add(&mut self, rows: &[f32]) {
        let steps: Vec<&[f32]> = rows.chunks_exact(KEYS).collect();
        self.pieces += 1;
        self.steps += steps.len();
        self.notes += rows.iter().filter(|&&x| x == 1.).count();
        self.repeated += steps.windows(2).filter(|pair| pair[0] == pair[1]).count();
        self.longest = self.longest.max(steps.len());
    }

    /// Mean of how many notes sound in a step.
    pub fn notes_per_step(&self) -> f64 {
        self.notes as f64 / self.steps as f64
    }

    /// The share of the steps after a piece's first that equal the one before them.
    pub fn share_repeated(&self) -> f64 {
        self.repeated as f64 / (self.steps - self.pieces).max(1) as f64
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (notes, repeated) = (self.notes_per_step(), 100. * self.share_repeated());
        write!(
            f,
            "{:5} {notes:.2} notes a step, {repeated:.1} % of the steps repeat the one before, longest {}",
            self.split, self.longest
        )
    }
}

/// Pushes every piece, of an .npz in the order of the file, else train before valid before test; gives the figures of every part that is not empty.
pub fn import(
    input: &Path,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Figures>> {
    let wrong = |what: &str| Error::invalid(input, what);
    let none = |split| Figures { split, pieces: 0, steps: 0, notes: 0, repeated: 0, longest: 0 };
    let mut figures = Split::ALL.map(none);
    let mut push = |rows: &[f32], split: Split| {
        figures[split as usize].add(rows);
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
                "is a pickle, which is never read because reading one runs code: turn it into JSON with \
                 Python's pickle.load and json.dump",
            ));
        }
        b"MATLAB" => cells(input, file, &mut push, progress)?,
        _ => lists(input, file, &mut push, progress)?,
    }
    match figures[Split::Train as usize].pieces {
        0 => Err(wrong("has no piece in train, want at least one to train on: add some")),
        _ => Ok(figures.into_iter().filter(|figures| figures.steps > 0).collect()),
    }
}

/// What takes the rows of a piece.
type Push<'a> = &'a mut dyn FnMut(&[f32], Split) -> Result<()>;

/// Lists of notes: the text is read once for each part, so that none has to wait for another.
fn lists(input: &Path, mut file: File, push: Push, progress: &mut dyn FnMut(f64)) -> Result<()> {
    let length = file.metadata().map_err(Error::read(input))?.len().max(1) as f64;
    for (i, part) in Split::ALL.into_iter().enumerate() {
        file.rewind().map_err(Error::read(input))?;
        let read = Cell::new(0);
        let text = BufReader::new(Counted { file: &file, read: &read });
        json::each(input, text, &mut |rows, split| {
            if split == part {
                push(rows, split)?;
            }
            // The file may have grown meanwhile.
            progress((i as f64 + (read.get() as f64 / length).clamp(0., 1.)) / 3.);
            Ok(())
        })?;
    }
    progress(1.);
    Ok(())
}

/// A file that counts what was read of it.
struct Counted<'a> {
    file: &'a File,
    read: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// The cells of three variables of MATLAB's, as the sets' owners and those of TCN hand them out.
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
                    "is a matrix of {rows} × {columns}, want a row for each step and {KEYS} columns, one \
                     for each key of a piano from MIDI note 21 to 108: fill it up, or drop it"
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

/// An .npz of our own form.
fn rolls(input: &Path, push: Push, progress: &mut dyn FnMut(f64)) -> Result<()> {
    let set = DataSet::open_within(input, None, MOST_UNPACKED)?;
    if set.channels() != KEYS {
        let found = set.channels();
        let what = format!(
            "has {found} channels, want {KEYS}, one for each key of a piano from MIDI note 21 to 108: fill \
             up or cut `samples`"
        );
        return Err(Error::invalid(input, what));
    }
    for i in 0..set.len() {
        let wrong = |what: String| Error::invalid(input, format!("sequence {} {what}", i + 1));
        let steps = set.length(i);
        if steps > MOST_STEPS {
            return Err(wrong(format!("has {steps} steps, want at most {MOST_STEPS}: cut it")));
        }
        let rows = set.sequence(i)?;
        check_roll(&rows).map_err(wrong)?;
        push(&rows, set.split_of(i))?;
        progress((i + 1) as f64 / set.len() as f64);
    }
    Ok(())
}

/// Whether all numbers are 0 or 1.
fn check_roll(rows: &[f32]) -> Result<(), String> {
    match rows.iter().position(|&x| x != 0. && x != 1.) {
        None => Ok(()),
        Some(i) => Err(format!(
            "has {} in row {}, key {}, want 0 or 1: write what is above 0 as 1",
            rows[i],
            i / KEYS + 1,
            i % KEYS + 1
        )),
    }
}
