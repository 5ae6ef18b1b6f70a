//! [`Normalisation`]: means and standard deviations of the train split, applied and undone.
//!
//! Sums run in f64, in index order, in two passes, so that the constants are the same on every machine.
//! Not here: the shift of a log-likelihood back to raw units, which is `steps · Σ ln std`.

use super::set::{DataSet, Split};
use crate::choice::choice;
use serde::{Deserialize, Serialize};

choice! {
    /// Which numbers share a mean and a standard deviation.
    Normalise, "normalisation":
    /// One pair per channel.
    PerChannel = "per-channel",
    /// One pair over all values, as for frames of speech.
    Scalar = "scalar",
    /// One pair over dx and dy of ink, as Chung et al. 2015 have it: `m = Σ(dx + dy)/N` and
    /// `s² = Σ(dx² + dy²)/N − m²` over N steps, so that s is about √2 too large.
    ChungScalar = "chung-scalar",
    /// The same as their program, whose Python 2 rounded both quotients down, got it from whole numbers.
    ChungFloor = "chung-floor",
    /// The data as it is, as for binary rolls.
    None = "none",
}

/// `y_d = (x_d − mean_d) / std_d` for every channel d.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// What is taken off each channel.
    pub mean: Vec<f64>,
    /// What each channel is then divided by; never 0.
    pub std: Vec<f64>,
}

impl Normalisation {
    /// Leaves everything as it is.
    pub fn identity(channels: usize) -> Self {
        Self { mean: vec![0.; channels], std: vec![1.; channels] }
    }

    /// The figures of the train split over its first `real_channels` channels; the others stay as they
    /// are. Ink has 2 real channels (the pen must stay 0 or 1), speech all of its own.
    ///
    /// Standard deviations divide by n, Chung's by steps. A constant channel gets 1, and so does one whose s²
    /// is not above 0.
    ///
    /// # Panics
    /// If the set has fewer channels than `real_channels`.
    pub fn fit(set: &DataSet, kind: Normalise, real_channels: usize) -> Self {
        let channels = set.channels();
        assert!(real_channels <= channels, "fit: {real_channels} of {channels} channels");
        // Pairs of one group share their sums: each channel of its own, or all real ones.
        let chung = matches!(kind, Normalise::ChungScalar | Normalise::ChungFloor);
        let group = |d: usize| if chung || kind == Normalise::Scalar { 0 } else { d };
        let quotient = |x: f64| if kind == Normalise::ChungFloor { x.floor() } else { x };
        let mut figures = Self::identity(channels);
        if kind == Normalise::None || real_channels == 0 {
            return figures;
        }
        let train = set.split(Split::Train);
        let steps = set.steps(Split::Train).max(1);
        let values = if kind == Normalise::Scalar { steps * real_channels } else { steps } as f64;
        let sum_of = |f: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.; real_channels];
            for row in train.iter().flat_map(|&i| set.sequence(i).chunks_exact(channels)) {
                for (d, &x) in row[..real_channels].iter().enumerate() {
                    sums[group(d)] += f(group(d), f64::from(x));
                }
            }
            sums
        };
        let mean: Vec<f64> = sum_of(&|_, x| x).iter().map(|sum| quotient(sum / values)).collect();
        let var: Vec<f64> = match chung {
            true => sum_of(&|_, x| x * x)
                .iter()
                .zip(&mean)
                .map(|(sum, m)| quotient(sum / values) - m * m)
                .collect(),
            false => sum_of(&|g, x| (x - mean[g]) * (x - mean[g]))
                .iter()
                .map(|sum| sum / values)
                .collect(),
        };
        for d in 0..real_channels {
            // IEEE 754 rounds a square root exactly, so std's is the same everywhere.
            let std = var[group(d)].sqrt();
            figures.mean[d] = mean[group(d)];
            figures.std[d] = if std > 0. { std } else { 1. };
        }
        figures
    }

    /// How many channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// `out = (rows − mean) / std`, computed in f64; both are whole rows.
    #[track_caller]
    pub fn apply(&self, rows: &[f32], out: &mut [f32]) {
        self.each(rows, out, |x, mean, std| (x - mean) / std);
    }

    /// `out = mean + std · rows`, computed in f64; both are whole rows.
    #[track_caller]
    pub fn undo(&self, rows: &[f32], out: &mut [f32]) {
        self.each(rows, out, |x, mean, std| mean + std * x);
    }

    /// `Σ ln std_d`: what a log-likelihood loses per step on the way back to raw units. `ln` is the
    /// caller's, because std's is not the same everywhere.
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
