//! [`Dequantise`]: adds uniform noise to integer data.
//!
//! The density of a continuous model can grow without bound at values that repeat. With u uniform in `[−½, ½)`,
//! `E_u ln p(x + u) ≤ ln ∫ p(x + u) du = ln P(x)`: the mean log-density of noisy data is a
//! lower bound on the log-probability of the integers (Uria et al. 2013; Theis et al. 2016, §3.1).
//! Not here: the check that a set holds integers ([`super::DataSet::check_grid`]), how many noisy copies are evaluated.

use crate::noise::Noise;

/// Noise to add, in raw units, to the first `real_channels` channels of every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dequantise {
    noise: Noise,
    real_channels: usize,
}

impl Dequantise {
    /// Draws from `noise`, addressed by sequence, step and channel.
    pub fn new(noise: Noise, real_channels: usize) -> Self {
        Self { noise, real_channels }
    }

    /// Adds the noise to `rows`, which are those of sequence `sample` from step `start` on.   rows: (steps, channels)
    pub fn add(&self, sample: u64, start: usize, channels: usize, rows: &mut [f32]) {
        let real = self.real_channels;
        let mut uniforms = vec![0.; rows.len() / channels * real];
        self.noise.uniforms("dequantise", sample, (start * real) as u64, &mut uniforms);
        for (row, uniforms) in
            rows.chunks_exact_mut(channels).zip(uniforms.chunks_exact(real.max(1)))
        {
            row.iter_mut().zip(uniforms).for_each(|(x, &u)| *x += u as f32 - 0.5);
        }
    }
}
