//! The embedded data set: synthetic online handwriting by simulated writers.
//!
//! It needs no download and has no licence but ours. A hand-drawn alphabet (`data/handwriting/alphabet.txt`), a word
//! list (`words.txt`) and a model of hand movement generate each line from a seed and an index, with the same bits on
//! every machine. Rows look like a digitising tablet's, in the usual format of Graves 2013 (arXiv 1308.0850, §4).
//! Letters are in `alphabet`, writers and their movements in `hand`. Not here: normalisation and batching.

pub(crate) mod alphabet;
pub(crate) mod hand;

use crate::parallel;
use hand::{Point, Writer};

/// One line of handwriting: its text, its writer, and the pen's movements.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The words, with one space between them.
    pub text: String,
    /// The writer's number in the collection.
    pub writer: usize,
    /// (T, 3) row-major: `dx, dy, pen`, all integers.
    ///
    /// `dx, dy` is the move from the previous point to this one, in grid units, y upwards; a small letter is
    /// about 25 high. `pen` is 1 on the last point of a stroke, so the next row's move is made in the air.
    /// The first point of the line has no row.
    pub samples: Vec<f32>,
}

/// Consecutive lines by the same writer.
pub const LINES_PER_WRITER: u64 = 20;

/// Lines of a [`collection`] for training, validation and test: multiples of [`LINES_PER_WRITER`], so that no writer
/// is in two splits.
pub const SPLITS: [u64; 3] = [2000, 200, 200];

/// Line `index` of the collection with this seed.
///
/// A line has two or a few more words; its writer is `index / LINES_PER_WRITER`.
pub fn line(seed: u64, index: u64) -> Line {
    let writer = index / LINES_PER_WRITER;
    let text = text(&mut Rng::new(seed, "text", index));
    let hand = Writer::new(&mut Rng::new(seed, "writer", writer));
    let strokes = hand.write(&text, &mut Rng::new(seed, "line", index));
    Line { text, writer: writer as usize, samples: rows(&strokes) }
}

/// All lines, in order, each with its split: 0 training, 1 validation, 2 test ([`SPLITS`]).
pub fn collection(seed: u64) -> Vec<(Line, u8)> {
    const TRAIN: u64 = SPLITS[0];
    const TRAIN_AND_VALID: u64 = SPLITS[0] + SPLITS[1];
    let total = SPLITS.iter().sum::<u64>();
    parallel::map(total as usize, |index| {
        let split = match index as u64 {
            0..TRAIN => 0,
            TRAIN..TRAIN_AND_VALID => 1,
            _ => 2,
        };
        (line(seed, index as u64), split)
    })
}

/// Random words with 7 to 13 letters in all, or a few more if the last word is long.
fn text(rng: &mut Rng) -> String {
    let words = alphabet::words();
    let wanted = 7 + rng.index(7);
    let mut text = String::new();
    let mut letters = 0;
    while letters < wanted {
        let word = words[rng.index(words.len())];
        // Words that would make the line too long, or fill it alone, are redrawn.
        if letters + word.len() <= wanted + 3 && !(letters == 0 && word.len() + 1 >= wanted) {
            text.push_str(if letters == 0 { "" } else { " " });
            text.push_str(word);
            letters += word.len();
        }
    }
    text
}

/// Rows (dx, dy, pen) of strokes in grid units, rounded to the grid.
///
/// Like a real tablet it reports nothing while the pen rests, so only the first move of a stroke can be (0, 0).
fn rows(strokes: &[Vec<Point>]) -> Vec<f32> {
    let mut rows: Vec<f32> = Vec::new();
    let mut last: Option<Point> = None;
    for stroke in strokes {
        for (i, point) in stroke.iter().enumerate() {
            let here = point.map(f64::round_ties_even);
            if let Some(last) = last {
                let [dx, dy] = [here[0] - last[0], here[1] - last[1]];
                if i == 0 || dx != 0. || dy != 0. {
                    // Sums and differences of small integers are exact; `+ 0.` turns −0 into +0.
                    rows.extend([dx as f32 + 0., dy as f32 + 0., 0.]);
                }
            }
            last = Some(here);
        }
        if let Some(pen) = rows.last_mut() {
            *pen = 1.;
        }
    }
    rows
}

/// Random number generator: SplitMix64 (Steele, Lea and Flood 2014), integers only.
///
/// Not `crate::noise`: the collection must stay the same even if the noise of runs changes.
struct Rng(u64);

impl Rng {
    /// Stream `index` of `purpose` for this seed.
    fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut rng = Self(seed);
        for part in purpose.bytes().map(u64::from).chain([index]) {
            rng.0 = rng.next() ^ part;
        }
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [low, high).
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A uniform integer in 0 … n − 1.
    fn index(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Approximately normal: four uniforms added, with mean 0, variance 1 and bounds ±√12; needs no logarithm.
    fn approx_normal(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.) * 3f64.sqrt()
    }
}

/// The collection of seed 0 as a data set: the default training data.
pub fn data_set() -> crate::error::Result<super::DataSet> {
    let (lines, split): (Vec<_>, Vec<_>) = collection(0).into_iter().unzip();
    let sequences = lines.into_iter().map(|line| line.samples).collect();
    super::DataSet::from_parts("the embedded handwriting", 3, sequences, Some(split))
}
