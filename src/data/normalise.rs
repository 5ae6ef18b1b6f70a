//! [`Normalisation`]: means and standard deviations of the train split, applied and undone.
//!
//! Sums are taken in f64, in index order, in two passes, so that the result is the same on every machine, with the data
//! in memory or on disk. Not here: converting a log-likelihood back to raw units, a shift of `steps · Σ ln std`.

use super::set::DataSet;
use super::split::Split;
use crate::choice::choice;
use crate::error::Result;
use crate::parallel;
use serde::{Deserialize, Serialize};

choice! {
    /// Which numbers share a mean and a standard deviation.
    Normalise, "normalisation":
    /// Every channel has its own.
    PerChannel = "per-channel",
    /// One mean and one standard deviation over all values, as for frames of speech.
    Scalar = "scalar",
    /// One mean and one standard deviation for dx and dy of ink, as in Chung et al. 2015: `m = Σ(dx + dy)/N` and
    /// `s² = Σ(dx² + dy²)/N − m²` over N steps, so that s is about √2 too large.
    ChungScalar = "chung-scalar",
    /// `chung-scalar` with both quotients rounded down, as Python 2 did in their program for integer data.
    ChungFloor = "chung-floor",
    /// No normalisation, as for binary piano rolls.
    None = "none",
}

/// `y_d = (x_d − mean_d) / std_d` for every channel d.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Subtracted from each channel.
    pub mean: Vec<f64>,
    /// Each channel is then divided by it; never 0.
    pub std: Vec<f64>,
}

impl Normalisation {
    /// Changes nothing: mean 0, standard deviation 1.
    pub fn identity(channels: usize) -> Self {
        Self { mean: vec![0.; channels], std: vec![1.; channels] }
    }

    /// Mean and standard deviation of the first `real_channels` channels over the train split; other channels are left
    /// unchanged. Ink has 2 real channels (the pen must stay 0 or 1); in speech all channels are real.
    ///
    /// Variances divide by the number of values, Chung's by the number of steps. A channel with variance 0 (or a
    /// Chung s² that is not positive) gets standard deviation 1.
    ///
    /// # Panics
    /// If the set has fewer channels than `real_channels`.
    pub fn fit(set: &DataSet, kind: Normalise, real_channels: usize) -> Result<Self> {
        let channels = set.channels();
        assert!(real_channels <= channels, "fit: {real_channels} of {channels} channels");
        let mut statistics = Self::identity(channels);
        if kind == Normalise::None {
            return Ok(statistics);
        }
        let moments = moments(set, kind, real_channels)?;
        for (d, (mean, variance)) in moments.into_iter().enumerate() {
            statistics.mean[d] = mean;
            statistics.std[d] = std(variance);
        }
        Ok(statistics)
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// `out = (rows − mean) / std`, computed in f64.   rows, out: (steps, channels)
    #[track_caller]
    pub fn apply(&self, rows: &[f32], out: &mut [f32]) {
        self.each(rows, out, |x, mean, std| (x - mean) / std);
    }

    /// `out = mean + std · rows`, computed in f64.   rows, out: (steps, channels)
    #[track_caller]
    pub fn undo(&self, rows: &[f32], out: &mut [f32]) {
        self.each(rows, out, |x, mean, std| mean + std * x);
    }

    /// `Σ ln std_d`: to be subtracted from a log-likelihood per step to convert it to raw units. The caller passes
    /// `ln`, because std's differs between platforms.
    pub fn log_std_sum(&self, ln: impl Fn(f64) -> f64) -> f64 {
        self.std.iter().fold(0., |sum, &std| sum + ln(std))
    }

    #[track_caller]
    fn each(&self, rows: &[f32], out: &mut [f32], f: impl Fn(f64, f64, f64) -> f64) {
        let channels = self.channels();
        assert_eq!(rows.len(), out.len(), "normalise: in and out differ in length");
        assert_eq!(rows.len() % channels, 0, "normalise: rows of {channels} channels");
        for (row, out) in rows.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            for d in 0..channels {
                out[d] = f(f64::from(row[d]), self.mean[d], self.std[d]) as f32;
            }
        }
    }
}

/// Mean and variance of each real channel over the train split; all the same if `kind` shares them.
fn moments(set: &DataSet, kind: Normalise, real_channels: usize) -> Result<Vec<(f64, f64)>> {
    let steps = set.steps(Split::Train).max(1);
    let chung = matches!(kind, Normalise::ChungScalar | Normalise::ChungFloor);
    let scalar = kind == Normalise::Scalar;
    let shared = chung || scalar;
    let values = if scalar { steps * real_channels } else { steps } as f64;
    let quotient = |sum: f64| match kind {
        Normalise::ChungFloor => (sum / values).floor(),
        _ => sum / values,
    };
    let mean = sums(set, shared, real_channels, |_, x| x)?;
    let mean: Vec<f64> = mean.into_iter().map(quotient).collect();
    let variance: Vec<f64> = if chung {
        let squares = sums(set, shared, real_channels, |_, x| x * x)?;
        squares.into_iter().zip(&mean).map(|(sum, m)| quotient(sum) - m * m).collect()
    } else {
        let squares = sums(set, shared, real_channels, |g, x| (x - mean[g]) * (x - mean[g]))?;
        squares.into_iter().map(|sum| sum / values).collect()
    };
    let group = |d: usize| if shared { 0 } else { d };
    Ok((0..real_channels).map(|d| (mean[group(d)], variance[group(d)])).collect())
}

/// A mean and a standard deviation.
pub type MeanStd = (f64, f64);

/// Mean and standard deviation of the train split: over all values, and of each channel (0 if constant). Takes two
/// passes over the data.
pub fn statistics(set: &DataSet) -> Result<(MeanStd, Vec<MeanStd>)> {
    let moments = moments(set, Normalise::PerChannel, set.channels())?;
    let n = moments.len() as f64; // channels, all with the same number of values
    let mean = moments.iter().fold(0., |sum, (mean, _)| sum + mean) / n;
    let around = |sum, (of, variance): &(f64, f64)| sum + variance + (of - mean) * (of - mean);
    let variance = moments.iter().fold(0., around) / n;
    let channels = moments.into_iter().map(|(mean, variance)| (mean, variance.sqrt())).collect();
    Ok(((mean, std(variance)), channels))
}

/// The standard deviation; 1 for a constant. IEEE 754 square roots are correctly rounded, so std's is the same
/// everywhere.
fn std(variance: f64) -> f64 {
    if variance > 0. { variance.sqrt() } else { 1. }
}

/// Sequences per partial sum. Changing it changes the rounding of sums over more sequences.
const CHUNK: usize = 1 << 16;

/// `Σ f(group, x)` over the train split; all real channels are one group if `shared`, else each is its own.
fn sums(
    set: &DataSet,
    shared: bool,
    real_channels: usize,
    f: impl Fn(usize, f64) -> f64 + Sync,
) -> Result<Vec<f64>> {
    let chunks: Vec<&[usize]> = set.split(Split::Train).chunks(CHUNK).collect();
    let groups = if shared { 1 } else { real_channels };
    let partials = parallel::map(chunks.len(), |chunk| -> Result<Vec<f64>> {
        let mut sums = vec![0.; groups];
        for rows in chunks[chunk].iter().flat_map(|&i| set.pieces(i)) {
            for row in rows?.chunks_exact(set.channels()) {
                let row = &row[..real_channels];
                if shared {
                    row.iter().for_each(|&x| sums[0] += f(0, f64::from(x)));
                } else {
                    let terms = row.iter().enumerate().map(|(d, &x)| f(d, f64::from(x)));
                    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                }
            }
        }
        Ok(sums)
    });
    let mut totals = vec![0.; groups];
    for partial in partials {
        totals.iter_mut().zip(partial?).for_each(|(total, sum)| *total += sum);
    }
    Ok(totals)
}
