//! Noise by address.
use crate::{Real, Tensor};
/// stand-in
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u64,
    domain: &'static str,
    step: u64,
}
#[allow(missing_docs)]
impl Noise {
    pub fn new(seed: u64, domain: &'static str) -> Self {
        Self { seed, domain, step: 0 }
    }
    pub fn at(self, step: u64) -> Self {
        Self { step, ..self }
    }
    pub fn words(&self, purpose: &str, sample: u64, offset: u64, out: &mut [u32]) {
        let mut h = self.seed ^ self.step.wrapping_mul(77) ^ sample.wrapping_mul(99991);
        for b in purpose.bytes().chain(self.domain.bytes()) {
            h = (h ^ b as u64).wrapping_mul(0x100000001b3);
        }
        for (i, o) in out.iter_mut().enumerate() {
            let mut z = h.wrapping_add((offset + i as u64 + 1).wrapping_mul(0x9e3779b97f4a7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
            *o = (z >> 32) as u32;
        }
    }
    pub fn uniforms(&self, purpose: &str, sample: u64, offset: u64, out: &mut [Real]) {
        let mut w = vec![0; out.len()];
        self.words(purpose, sample, offset, &mut w);
        for (o, w) in out.iter_mut().zip(w) {
            *o = (w >> 8) as Real / (1u32 << 24) as Real
        }
    }
    pub fn normals(&self, purpose: &str, sample: u64, offset: u64, out: &mut [Real]) {
        let mut w = vec![0; out.len() * 2];
        self.words(purpose, sample, offset * 2, &mut w);
        for (i, o) in out.iter_mut().enumerate() {
            let (u, v) = ((w[2 * i] as f64 + 0.5) / 4294967296., w[2 * i + 1] as f64 / 4294967296.);
            *o = ((-2. * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as Real
        }
    }
    pub fn shuffle(&self, _purpose: &str, n: usize) -> Vec<usize> {
        (0..n).collect()
    }
    pub fn normal_tensor(
        &self,
        purpose: &str,
        samples: &[u64],
        time: usize,
        channels: usize,
    ) -> Tensor {
        let mut t = Tensor::zeros(&[samples.len(), time, channels]);
        for (row, &s) in t.data_mut().chunks_mut(time * channels).zip(samples) {
            self.normals(purpose, s, 0, row);
        }
        t
    }
}
