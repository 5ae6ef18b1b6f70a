//! Noise by address: every random number is a function of (seed, domain, purpose, step, sample, index).
//!
//! Nothing depends on what was drawn before, on batch order, on padding or on threads, and a checkpoint
//! stores no generator. ChaCha8 is the function: seed, domain and purpose make its key, the step its
//! stream, sample and index its position. Each number takes one word, so that positions never shift.
//! Not here: what the numbers are for (`dist`, `nn`, `data`).

use crate::kernel::math::{ln_f64, polynomial};
use crate::kernel::simd::vectorised;
use crate::parallel;
use crate::tensor::{Real, Tensor};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rand_distr::Distribution;
use sha2::{Digest, Sha256};

/// Random numbers of one seed, domain and step: the first half of an address.
///
/// ```
/// # use stcn::Noise;
/// let (noise, mut all, mut rest) = (Noise::new(1, "train"), [0.; 5], [0.; 3]);
/// noise.normals("z.1", 7, 0, &mut all);
/// noise.normals("z.1", 7, 2, &mut rest); // sample 7 again, from its third number on
/// assert_eq!(all[2..], rest);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    seed: u64,
    domain: &'static str,
    step: u64,
}

/// Words that are generated and turned into numbers at a time.
const BLOCK: usize = 512;

impl Noise {
    /// The noise of `seed` in `domain` ("train", "evaluate", "sample", "init", "data"), at step 0.
    pub fn new(seed: u64, domain: &'static str) -> Self {
        Self { seed, domain, step: 0 }
    }

    /// The same seed and domain at another step.
    pub fn at(self, step: u64) -> Self {
        Self { step, ..self }
    }

    /// The same seed and domain, `steps` steps later.
    pub fn later(self, steps: u64) -> Self {
        self.at(self.step + steps)
    }

    /// Fills `out` with standard normals: numbers `offset`, `offset + 1`, … of (purpose, sample).
    pub fn normals(&self, purpose: &str, sample: u64, offset: u64, out: &mut [Real]) {
        self.stream(purpose).fill(sample, offset, out, normals_from_words);
    }

    /// The same with uniforms in [0, 1), multiples of 2⁻²⁴ (under feature `f64` too).
    pub fn uniforms(&self, purpose: &str, sample: u64, offset: u64, out: &mut [Real]) {
        self.stream(purpose).fill(sample, offset, out, uniforms_from_words);
    }

    /// The same with words of 32 random bits.
    pub fn words(&self, purpose: &str, sample: u64, offset: u64, out: &mut [u32]) {
        self.stream(purpose).fill(sample, offset, out, |words, out| out.copy_from_slice(words));
    }

    /// A random permutation of `0..n` (Fisher–Yates, one word per swap).
    pub fn shuffle(&self, purpose: &str, n: usize) -> Vec<usize> {
        let mut words = vec![0; n];
        self.words(purpose, 0, 0, &mut words);
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            // Multiply and shift: biased by at most n/2³², never rejects.
            let j = (u64::from(words[i]) * (i as u64 + 1)) >> 32;
            order.swap(i, j as usize);
        }
        order
    }

    /// Normals of shape (B, T, C): row b holds numbers 0 … T·C − 1 of (purpose, samples\[b\]).
    ///
    /// So a sequence gets the same noise at any place in a batch and with any padding.
    pub fn normal_tensor(
        &self,
        purpose: &str,
        samples: &[u64],
        time: usize,
        channels: usize,
    ) -> Tensor {
        let shape = [samples.len(), time, channels];
        let mut normals = Tensor::scratch(&shape);
        if normals.is_empty() {
            return normals;
        }
        let stream = self.stream(purpose);
        let steps = (parallel::PIECE / channels).max(1);
        let outputs = [normals.data_mut()];
        parallel::tiles(outputs, [channels], (shape[0], time), steps, |tile, [out]| {
            let offset = tile.time.start as u64 * channels as u64;
            stream.fill(samples[tile.batch], offset, out, normals_from_words);
        });
        normals
    }

    fn stream(&self, purpose: &str) -> Stream {
        let mut key = Sha256::new();
        key.update(b"stcn noise 1\0");
        key.update(self.seed.to_le_bytes());
        key.update(self.domain);
        key.update([0]);
        key.update(purpose);
        Stream { key: key.finalize().into(), step: self.step }
    }
}

/// One stream of ChaCha8: 2⁶⁸ words.
#[derive(Clone, Copy)]
struct Stream {
    key: [u8; 32],
    step: u64,
}

impl Stream {
    /// Numbers from the words at `sample · 2³² + offset` and on.
    fn fill<T>(self, sample: u64, offset: u64, out: &mut [T], convert: impl Fn(&[u32], &mut [T])) {
        assert!(sample < 1 << 36, "noise: sample {sample} is beyond 2³⁶");
        let end = offset.checked_add(out.len() as u64);
        assert!(end.is_some_and(|end| end <= 1 << 32), "noise: a sample has at most 2³² numbers");
        let mut generator = ChaCha8Rng::from_seed(self.key);
        generator.set_stream(self.step);
        generator.set_word_pos((u128::from(sample) << 32) | u128::from(offset));
        let mut words = [0; BLOCK];
        for out in out.chunks_mut(BLOCK) {
            let words = &mut words[..out.len()];
            words.fill_with(|| generator.next_u32());
            convert(words, out);
        }
    }
}

vectorised! {
    fn uniforms_from_words(words: &[u32], out: &mut [Real]) {
        for (out, &word) in out.iter_mut().zip(words) {
            *out = (word >> 8) as Real * (1. / 16_777_216.);
        }
    }
}

vectorised! {
    /// Every word as if central, then the tails again, so that both loops are vectorised.
    fn normals_from_words(words: &[u32], out: &mut [Real]) {
        for (out, &word) in out.iter_mut().zip(words) {
            *out = central(centred(word)) as Real;
        }
        let (mut places, mut tails, mut count) = ([0; BLOCK], [0.; BLOCK], 0);
        for (i, &word) in words.iter().enumerate() {
            places[count] = i as u32;
            count += usize::from(is_tail(word));
        }
        for (q, &i) in tails.iter_mut().zip(&places[..count]) {
            *q = centred(words[i as usize]);
        }
        tails[..count].iter_mut().for_each(|q| *q = tail(*q));
        for (&x, &i) in tails.iter().zip(&places[..count]) {
            out[i as usize] = x as Real;
        }
    }
}

/// The standard normal distribution by its inverse distribution function: one word a draw.
///
/// The same function of a word as [`Noise::normals`]. Error of the quantile ≤ 1.1e-8 relative, before
/// it is rounded to [`Real`]; the largest of all is 6.34.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardNormal;

impl Distribution<Real> for StandardNormal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Real {
        let word = rng.next_u32();
        (if is_tail(word) { tail(centred(word)) } else { central(centred(word)) }) as Real
    }
}

/// Whether the word's probability is outside ½ ± 0.48, where `central` ends and `tail` begins.
#[inline(always)]
fn is_tail(word: u32) -> bool {
    const CENTRAL: u32 = (0.48 * 4_294_967_296.) as u32;
    let distance = (word ^ 0x8000_0000) as i32;
    (distance ^ (distance >> 31)) as u32 >= CENTRAL
}

/// `(w + ½)/2³² − ½`, exact, and odd in the word: that of `!w` is its negative.
#[inline(always)]
fn centred(word: u32) -> f64 {
    (f64::from((word ^ 0x8000_0000) as i32) + 0.5) * (1. / 4_294_967_296.)
}

/// `Φ⁻¹(½ + q)` for |q| ≤ 0.48: `q P(q²)/Q(q²)`, the form of Wichura 1988 (AS 241) with our own fit.
#[inline(always)]
fn central(q: f64) -> f64 {
    let z = q * q;
    let p = polynomial!(z; 2.5066282786712684, -30.95849862514013, 141.24794448153452, -285.524962259196, 232.6818923574614, -43.00856778752034);
    let d = polynomial!(z; 1., -13.397850942205105, 68.07701919852751, -160.59317144446433, 169.18318370515095, -58.22869054825984);
    q * p / d
}

/// `Φ⁻¹(½ + q)` for |q| > 0.48: a polynomial in `√(−ln p)`, where p is the probability beyond.
#[inline(always)]
fn tail(q: f64) -> f64 {
    let r = (-ln_f64(0.5 - q.abs())).sqrt();
    let beyond = polynomial!(r; -2.1050996391521015, 3.292405654018204, -1.3312937952883934, 0.6744184762699847, -0.2414928689559339, 0.060666583138198935, -0.010464438845480397, 0.0011809168434081816, -7.854696268680128e-05, 2.3352946303847115e-06);
    beyond.copysign(q)
}
