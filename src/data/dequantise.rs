//! [`Dequantise`]: whole numbers spread evenly over their cells.
//!
//! A density may rise without limit at values that come again and again; what is spread over its cell it can
//! only describe: `E_u ln p(x + u) ≤ ln ∫ p(x + u) du = ln P(x)`, u uniform in `[−½, ½)`, so that the mean is
//! a bound on a code length (Uria et al. 2013; Theis et al. 2016, §3.1). Not here: whether a set lies on the
//! grid ([`super::DataSet::check_grid`]), how often anything is drawn.

use crate::noise::Noise;

/// The noise that is added, in raw units, to the first channels of every row: the real ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dequantise {
    noise: Noise,
    real_channels: usize,
}

impl Dequantise {
    /// Of `noise`, by sequence, step and channel.
    pub fn new(noise: Noise, real_channels: usize) -> Self {
        Self { noise, real_channels }
    }

    /// Adds it to `rows`, whole rows of `channels`: those of sequence `sample` from step `start` on.
    pub fn add(&self, sample: u64, start: usize, channels: usize, rows: &mut [f32]) {
        let real = self.real_channels;
        let mut uniforms = vec![0.; rows.len() / channels * real];
        self.noise.uniforms("dequantise", sample, (start * real) as u64, &mut uniforms);
        for (row, uniforms) in rows.chunks_exact_mut(channels).zip(uniforms.chunks_exact(real)) {
            row.iter_mut().zip(uniforms).for_each(|(x, &u)| *x += u as f32 - 0.5);
        }
    }
}
