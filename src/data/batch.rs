//! [`Batch`]: normalised, zero-padded sequences; [`Epochs`]: which ones, in which order.
//!
//! The order is a function of (seed, epoch) and of nothing that was drawn before, so that a resumed run
//! needs its step number only. Not here: noise of the models, which is addressed by [`Batch::samples`].

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
    /// Which sequence of the data set.
    pub sample: usize,
    /// Its first step in the batch.
    pub start: usize,
    /// How many steps.
    pub steps: usize,
}

impl Window {
    /// All of a sequence.
    pub fn whole(set: &DataSet, sample: usize) -> Self {
        Self { sample, start: 0, steps: set.length(sample) }
    }
}

/// Sequences side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// (B, T, D): normalised, and zero from each sequence's end on.
    pub x: Tensor,
    /// The true length of each.
    pub lengths: Vec<usize>,
    /// The index of each in the data set: the address of its noise.
    pub samples: Vec<u64>,
}

impl Batch {
    /// The windows of `set`, dequantised if asked for, then normalised, then padded with zeros to the longest.
    /// Fails if the rows are on the disk and cannot be read any more.
    ///
    /// # Panics
    /// If a window leaves its sequence, or `normalisation` has other channels than the set.
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
            normalisation.apply(&raw, &mut rows[..n]);
            out.iter_mut().zip(&rows[..n]).for_each(|(out, &x)| *out = Real::from(x));
        }
        Ok(Self {
            x,
            lengths: windows.iter().map(|w| w.steps).collect(),
            samples: windows.iter().map(|w| w.sample as u64).collect(),
        })
    }

    /// The sequences of `range`, padded to the longest of them.
    #[track_caller]
    pub fn part(&self, range: Range<usize>) -> Self {
        let (b, t, c) = self.x.btc("part");
        assert_eq!(b, self.lengths.len(), "part: one length for each sequence");
        let (lengths, samples) = (&self.lengths[range.clone()], &self.samples[range.clone()]);
        let longest = lengths.iter().max().map_or(0, |&longest| longest);
        let mut x = Tensor::scratch(&[lengths.len(), longest, c]);
        let rows = self.x.data().chunks_exact((t * c).max(1)).skip(range.start);
        let parts = x.data_mut().chunks_exact_mut((longest * c).max(1));
        parts.zip(rows).for_each(|(part, row)| part.copy_from_slice(&row[..longest * c]));
        Self { x, lengths: lengths.to_vec(), samples: samples.to_vec() }
    }

    /// (B, T): 1 on the steps of a sequence, 0 on padding.
    pub fn mask(&self) -> Tensor {
        let (b, t, _) = self.x.btc("mask");
        let mut mask = Tensor::zeros(&[b, t]);
        for (row, &length) in mask.data_mut().chunks_exact_mut(t.max(1)).zip(&self.lengths) {
            row[..length].fill(1.);
        }
        mask
    }

    /// Σ lengths: steps without padding.
    pub fn steps(&self) -> usize {
        self.lengths.iter().sum::<usize>()
    }
}

/// How epochs are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Sequences in a batch; an epoch's last cut has what is left.
    pub sequences: usize,
    /// Longer sequences give one window of so many steps per epoch, at a random start.
    pub crop: Option<usize>,
    /// Decides order and starts.
    pub seed: u64,
}

/// The batches of training, epoch after epoch without end.
///
/// Sequences are shuffled, sorted by length within [`BUCKET`](Self::BUCKET) batches so that little is
/// padding, cut, and the batches shuffled. Each sequence comes once per epoch.
pub struct Epochs<'a> {
    set: &'a DataSet,
    samples: &'a [usize],
    batching: Batching,
    noise: Noise,
}

impl<'a> Epochs<'a> {
    /// Batches whose sequences are sorted by length together.
    pub const BUCKET: usize = 32;

    /// The sequences of `split`, in batches.
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

    /// Batches in every epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.samples.len().div_ceil(self.batching.sequences)
    }

    /// Epoch and batch within it of a step, all counted from 0.
    pub fn position(&self, step: u64) -> (u64, usize) {
        let batches = self.batches_per_epoch() as u64;
        (step / batches, (step % batches) as usize)
    }

    /// What each batch of an epoch holds, in order.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<Window>> {
        let noise = self.noise.at(epoch);
        // With millions of sequences a list is tens of megabytes: none is kept longer than needed.
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
        let whole = Window::whole(self.set, sample);
        let Some(steps) = self.batching.crop.filter(|&crop| crop < whole.steps) else {
            return whole;
        };
        let mut word = [0];
        noise.words("crop", sample as u64, 0, &mut word);
        // One word scaled to the starts there are: no rejection, so that addresses stay fixed.
        let starts = (whole.steps - steps + 1) as u64;
        Window { sample, start: ((u64::from(word[0]) * starts) >> 32) as usize, steps }
    }
}

/// How large a batch of [`in_order`] may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// At most so many sequences.
    pub sequences: usize,
    /// At most so many steps with their padding, unless one sequence alone has more.
    pub steps: usize,
}

/// Every sequence of `split`, whole and in order, in batches within `limit`: for evaluation.
pub fn in_order(
    set: &DataSet,
    split: Split,
    limit: Limit,
) -> impl Iterator<Item = Vec<Window>> + '_ {
    let windows: Vec<Window> = set.split(split).iter().map(|&i| Window::whole(set, i)).collect();
    let mut windows = windows.into_iter();
    std::iter::from_fn(move || {
        let mut longest = 0;
        let fits = windows.as_slice().iter().enumerate().take_while(|(i, window)| {
            longest = longest.max(window.steps);
            let within = *i < limit.sequences && longest.saturating_mul(i + 1) <= limit.steps;
            *i == 0 || within
        });
        let n = fits.count();
        let batch: Vec<Window> = windows.by_ref().take(n).collect();
        (n > 0).then_some(batch)
    })
}
