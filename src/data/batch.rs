//! [`Batch`]: normalised, zero-padded sequences. [`Epochs`]: which sequences, in which order.
//!
//! The order depends only on seed and epoch, not on earlier draws, so a resumed run needs only its step number.
//! Not here: the models' noise, which is addressed by [`Batch::samples`].

use super::dequantise::Dequantise;
use super::normalise::Normalisation;
use super::set::DataSet;
use super::split::Split;
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::tensor::{Real, Tensor};
use std::ops::Range;

/// Steps `start..start + steps` of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Index of the sequence in the data set.
    pub sample: usize,
    /// The first step, within the sequence.
    pub start: usize,
    /// Number of steps.
    pub steps: usize,
    /// Channels by which every row is moved up, or down if it is negative: keys of music, by semitones. It is less where a
    /// number that is not 0 would leave the row.
    pub transpose: i32,
}

impl Window {
    /// A whole sequence.
    pub fn whole(set: &DataSet, sample: usize) -> Self {
        Self { sample, start: 0, steps: set.length(sample), transpose: 0 }
    }
}

/// A batch of sequences, padded to one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// (B, T, D): normalised; zero after the end of each sequence.
    pub x: Tensor,
    /// Length of each sequence, without padding.
    pub lengths: Vec<usize>,
    /// Index of each sequence in the data set. It selects the sequence's noise, so equal indices get equal draws.
    pub samples: Vec<u64>,
}

impl Batch {
    /// The windows of `set`: dequantised if `dequantise` is given, normalised, then padded with zeros to the longest.
    /// Fails if the data is on disk and can no longer be read.
    ///
    /// # Panics
    /// If a window extends beyond its sequence, or `normalisation` and `set` differ in channels.
    #[track_caller]
    pub fn new(
        set: &DataSet,
        normalisation: &Normalisation,
        windows: &[Window],
        dequantise: Option<Dequantise>,
    ) -> Result<Self> {
        let channels = set.channels();
        assert_eq!(normalisation.channels(), channels, "Batch::new: channels of the normalisation");
        let longest = windows.iter().map(|w| w.steps).max().unwrap_or(0);
        let mut x = Tensor::zeros(&[windows.len(), longest, channels]);
        let mut rows = vec![0.; longest * channels];
        for (window, out) in windows.iter().zip(x.data_mut().chunks_exact_mut(rows.len().max(1))) {
            let n = window.steps * channels;
            let mut raw = set.rows(window.sample, window.start, window.steps)?;
            if let Some(dequantise) = dequantise {
                dequantise.add(window.sample as u64, window.start, channels, raw.to_mut());
            }
            if window.transpose != 0 {
                transpose(raw.to_mut(), channels, window.transpose);
            }
            normalisation.apply(&raw, &mut rows[..n]);
            out.iter_mut().zip(&rows[..n]).for_each(|(out, &x)| *out = Real::from(x));
        }
        Ok(Self {
            x,
            lengths: windows.iter().map(|w| w.steps).collect(),
            samples: windows.iter().map(|w| w.sample as u64).collect(),
        })
    }

    /// Sequences `range` of the batch, padded to the longest of them.
    #[track_caller]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let (b, t, c) = self.x.btc("slice");
        assert_eq!(b, self.lengths.len(), "slice: one length for each sequence");
        let (lengths, samples) = (&self.lengths[range.clone()], &self.samples[range.clone()]);
        let longest = lengths.iter().max().map_or(0, |&longest| longest);
        let mut x = Tensor::scratch(&[lengths.len(), longest, c]);
        let rows = self.x.data().chunks_exact((t * c).max(1)).skip(range.start);
        let parts = x.data_mut().chunks_exact_mut((longest * c).max(1));
        parts.zip(rows).for_each(|(part, row)| part.copy_from_slice(&row[..longest * c]));
        Self { x, lengths: lengths.to_vec(), samples: samples.to_vec() }
    }

    /// (B, T): 1 where a sequence has a step, 0 on padding.
    pub fn mask(&self) -> Tensor {
        let (b, t, _) = self.x.btc("mask");
        let mut mask = Tensor::zeros(&[b, t]);
        for (row, &length) in mask.data_mut().chunks_exact_mut(t.max(1)).zip(&self.lengths) {
            row[..length].fill(1.);
        }
        mask
    }

    /// Total number of steps, without padding.
    pub fn steps(&self) -> usize {
        self.lengths.iter().sum::<usize>()
    }
}

/// Moves the channels of every row, as far as no number but 0 leaves it.
fn transpose(rows: &mut [f32], channels: usize, by: i32) {
    let used = rows.iter().enumerate().filter(|(_, x)| **x != 0.).map(|(i, _)| i % channels);
    let (lowest, highest) = used.fold((channels, 0), |(low, high), c| (low.min(c), high.max(c)));
    if lowest > highest {
        return; // silence
    }
    for row in rows.chunks_exact_mut(channels) {
        match by >= 0 {
            true => row.rotate_right((by as usize).min(channels - 1 - highest)),
            false => row.rotate_left((by.unsigned_abs() as usize).min(lowest)),
        }
    }
}

/// How an epoch is divided into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Sequences per batch; one batch of each epoch may have fewer.
    pub sequences: usize,
    /// Longer sequences are cropped to one window of this many steps, with a random start in each epoch.
    pub crop: Option<usize>,
    /// Each sequence is moved by −n to n channels, at random in each epoch.
    pub transpose: u32,
    /// Seed of the order, of the windows' starts and of their moves.
    pub seed: u64,
}

/// Training batches, epoch after epoch without end.
///
/// In each epoch the sequences are shuffled, sorted by length within buckets of [`BUCKET`](Self::BUCKET) batches to
/// save padding, and divided into batches, which are shuffled in turn. Each sequence appears once per epoch.
pub struct Epochs<'a> {
    set: &'a DataSet,
    samples: &'a [usize],
    batching: Batching,
    noise: Noise,
}

impl<'a> Epochs<'a> {
    /// Batches per bucket; within a bucket, sequences are sorted by length.
    pub const BUCKET: usize = 32;

    /// Batches of the sequences of `split`.
    pub fn new(set: &'a DataSet, split: Split, batching: Batching) -> Result<Self> {
        if batching.sequences == 0 || batching.crop == Some(0) {
            return Err(Error::usage(format!(
                "a batch of {} sequences cropped to {} steps is empty; both take at least 1",
                batching.sequences,
                batching.crop.map_or("all".into(), |crop| crop.to_string())
            )));
        }
        let samples = set.split(split);
        if samples.is_empty() {
            return Err(Error::invalid(
                set.name(),
                format!(
                    "has no sequence in split {split}, wanted at least one; choose another split"
                ),
            ));
        }
        let noise = Noise::new(batching.seed, "data");
        Ok(Self { set, samples, batching, noise })
    }

    /// Batches per epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.samples.len().div_ceil(self.batching.sequences)
    }

    /// The epoch of a step and the batch within it, all counted from 0.
    pub fn position(&self, step: u64) -> (u64, usize) {
        let batches = self.batches_per_epoch() as u64;
        (step / batches, (step % batches) as usize)
    }

    /// The windows of each batch of an epoch, in order.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<Window>> {
        let noise = self.noise.at(epoch);
        // With millions of sequences each list takes tens of megabytes, so none is kept longer than needed.
        let order = noise.shuffle("order", self.samples.len());
        let mut windows: Vec<Window> =
            order.into_iter().map(|i| self.window(&noise, self.samples[i])).collect();
        let size = self.batching.sequences;
        for bucket in windows.chunks_mut(size.saturating_mul(Self::BUCKET)) {
            bucket.sort_by_key(|window| window.steps); // stable: ties keep the shuffled order
        }
        let batches: Vec<&[Window]> = windows.chunks(size).collect();
        noise.shuffle("batches", batches.len()).iter().map(|&i| batches[i].to_vec()).collect()
    }

    fn window(&self, noise: &Noise, sample: usize) -> Window {
        // One random word scaled to the number of choices, without rejection, so each sequence uses exactly one word.
        let one_of = |purpose: &str, choices: u64| {
            let mut word = [0];
            noise.words(purpose, sample as u64, 0, &mut word);
            (u64::from(word[0]) * choices) >> 32
        };
        let mut window = Window::whole(self.set, sample);
        let most = self.batching.transpose;
        if most > 0 {
            window.transpose = one_of("transpose", 2 * u64::from(most) + 1) as i32 - most as i32;
        }
        if let Some(steps) = self.batching.crop.filter(|&crop| crop < window.steps) {
            window.start = one_of("crop", (window.steps - steps + 1) as u64) as usize;
            window.steps = steps;
        }
        window
    }
}

/// The largest batch of [`by_length`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most sequences.
    pub sequences: usize,
    /// The most steps, padding included; a longer sequence gets a batch to itself.
    pub steps: usize,
}

/// Places in `samples`, sequences of `set`, in batches within `limit`: each once, the longest first, so that little is
/// padded. For evaluation.
pub fn by_length(set: &DataSet, samples: &[usize], limit: Limit) -> Vec<Vec<usize>> {
    let mut places: Vec<usize> = (0..samples.len()).collect();
    places.sort_by_key(|&i| std::cmp::Reverse(set.length(samples[i])));
    let mut batches = vec![];
    let mut rest = &places[..];
    while let Some(&first) = rest.first() {
        let fit = (limit.steps / set.length(samples[first])).min(limit.sequences);
        let (batch, others) = rest.split_at(fit.clamp(1, rest.len()));
        batches.push(batch.to_vec());
        rest = others;
    }
    batches
}
