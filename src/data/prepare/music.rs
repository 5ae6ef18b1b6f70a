//! Polyphonic music (Boulanger-Lewandowski et al. 2012): notes as JSON, or piano rolls as .npz, become rows
//! of 88 keys, 0 or 1, column k for MIDI note 21 + k.
//!
//! Two renderings of the same pieces circulate under the same names; nats per step of one say nothing about
//! the other, and [`Figures`] tell them apart. Not here: MIDI files, pickles, MATLAB's.

use crate::data::npz::{self, Flat};
use crate::data::unzip::Archive;
use crate::data::{DataSet, Split, Writer};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::fmt;
use std::io::Cursor;
use std::path::Path;

/// Keys of a piano.
pub const KEYS: usize = 88;
/// The MIDI note of the lowest.
const LOWEST: f32 = 21.;
/// A voice that rests, in files that have one number for each voice.
const REST: f32 = -1.;
/// The largest sets take some 10 MB; a file far beyond that is no such set.
const LONGEST: u64 = 1 << 25;
/// Likewise of unpacked rolls: a million steps and a half of one byte a key.
const MOST_UNPACKED: u64 = 1 << 27;
/// Steps of a piece, some ten times those of any known one: a row takes far more room than its text.
const MOST_STEPS: usize = 1 << 16;
/// A greater share of steps that repeat the one before than any set has whose step is the usual one.
pub const MOST_REPEATED: f64 = 0.4;

const WANTED: &str = "want {\"train\": [...], \"valid\": [...], \"test\": [...]}, each a list of pieces, \
                      a piece a list of steps, a step a list of MIDI notes, such as [[60, 64], [60]]";

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

/// Pushes every piece, in the order of the file; gives the figures of every part that is not empty.
pub fn import(
    input: &Path,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Figures>> {
    let wrong = |what: String| Error::invalid(input, what);
    let none = |split| Figures { split, pieces: 0, steps: 0, notes: 0, repeated: 0, longest: 0 };
    let mut figures = Split::ALL.map(none);
    let mut push = |rows: &[f32], split: Split| {
        figures[split as usize].add(rows);
        writer.push(rows, split, &[])
    };
    let bytes = read(input)?;
    match bytes.as_slice() {
        [b'P', b'K', ..] => {
            let set = DataSet::from_flat(input.into(), String::new(), roll(&bytes, input)?, None)?;
            for i in 0..set.len() {
                push(&set.sequence(i)?, set.split_of(i))?;
                progress((i + 1) as f64 / set.len() as f64);
            }
        }
        [0x80, ..] | [b'(', ..] => {
            return Err(wrong(
                "is a pickle, which is never read because reading one runs code: turn it into JSON with \
                 Python's pickle.load and json.dump"
                    .into(),
            ));
        }
        [b'M', b'A', b'T', b'L', b'A', b'B', ..] => {
            return Err(wrong(
                "is MATLAB's, want .json or .npz: read it with Python's scipy.io.loadmat, and write \
                 samples, lengths and split with np.savez"
                    .into(),
            ));
        }
        _ => {
            let parts = parts(&bytes).map_err(wrong)?;
            let pieces: usize = parts.iter().map(Vec::len).sum::<usize>();
            let mut done = 0;
            for (split, part) in Split::ALL.into_iter().zip(parts) {
                for (i, piece) in part.iter().enumerate() {
                    push(&rows(split, i, piece).map_err(wrong)?, split)?;
                    done += 1;
                    progress(done as f64 / pieces as f64);
                }
            }
        }
    }
    Ok(figures.into_iter().filter(|figures| figures.steps > 0).collect())
}

/// The bytes of a file that is not too long to be such a set.
fn read(input: &Path) -> Result<Vec<u8>> {
    let wrong = |what: String| Error::invalid(input, what);
    let about = std::fs::metadata(input).map_err(Error::read(input))?;
    if !about.is_file() {
        return Err(wrong(
            "is not a file, want music as .json or .npz: give the path of one".into(),
        ));
    }
    if about.len() > LONGEST {
        let found = about.len();
        return Err(wrong(format!(
            "has {found} bytes, more than any such set ({LONGEST}): want music as .json or .npz"
        )));
    }
    std::fs::read(input).map_err(Error::read(input))
}

/// The rolls of an .npz, each number seen to be 0 or 1.
fn roll(bytes: &[u8], input: &Path) -> Result<Flat> {
    let wrong = |what: String| Err(Error::invalid(input, what));
    let unpacked =
        Archive::new(Cursor::new(bytes)).and_then(|mut zip| Ok(zip.member("samples.npy")?.size()));
    if let Some(size) = unpacked.ok().filter(|&size| size > MOST_UNPACKED) {
        return wrong(format!(
            "has {size} bytes of `samples` once unpacked, more than any such set ({MOST_UNPACKED}): want music"
        ));
    }
    let flat = npz::parse(Cursor::new(bytes), input)?;
    if flat.channels != KEYS {
        let found = flat.channels;
        return wrong(format!(
            "has {found} channels, want {KEYS}, one for each key of a piano from MIDI note 21 to 108: fill \
             up or cut `samples`"
        ));
    }
    match flat.samples.iter().position(|&x| x != 0. && x != 1.) {
        None => Ok(flat),
        Some(i) => wrong(format!(
            "row {}, key {} of `samples` is {}, want 0 or 1: write (samples > 0).astype('|u1')",
            i / KEYS + 1,
            i % KEYS + 1,
            flat.samples[i]
        )),
    }
}

/// Pieces of steps of notes; some writers make floats of whole numbers.
type Pieces = Vec<Vec<Vec<f32>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    train: Pieces,
    valid: Pieces,
    test: Pieces,
}

/// The parts in the order of [`Split::ALL`], or the rest of a sentence after the file's name.
fn parts(bytes: &[u8]) -> Result<[Pieces; 3], String> {
    let Parts { train, valid, test } = serde_json::from_slice(bytes)
        .map_err(|e| format!("is not the JSON that was wanted ({e}): {WANTED}"))?;
    if train.is_empty() {
        return Err("has no piece in train, want at least one to train on: add some".into());
    }
    Ok([train, valid, test])
}

/// The rows of a piece: 1 for every note that sounds; voices that share a note make one.
fn rows(split: Split, index: usize, piece: &[Vec<f32>]) -> Result<Vec<f32>, String> {
    let place = format!("piece {} of {split}", index + 1);
    let steps = piece.len();
    if steps == 0 {
        return Err(format!("{place} has no step, want at least one: drop the piece"));
    }
    if steps > MOST_STEPS {
        return Err(format!("{place} has {steps} steps, want at most {MOST_STEPS}: cut the piece"));
    }
    let mut rows = vec![0.; steps * KEYS];
    for (t, (step, row)) in piece.iter().zip(rows.chunks_exact_mut(KEYS)).enumerate() {
        for &note in step.iter().filter(|&&note| note != REST) {
            let key = note - LOWEST;
            if !(0. ..KEYS as f32).contains(&key) || key.fract() != 0. {
                let highest = LOWEST + (KEYS - 1) as f32;
                return Err(format!(
                    "{place}, step {} has note {note}, want whole numbers from {LOWEST} to {highest} (-1: \
                     a voice rests): move it by octaves, or drop it",
                    t + 1
                ));
            }
            row[key as usize] = 1.;
        }
    }
    Ok(rows)
}
