#![allow(clippy::unnecessary_cast, reason = "Real may be f64")]

use chacha20::rand_core::TryRng;
use rand_distr::Distribution;
use stcn::internals::parallel;
use stcn::{Noise, Real, StandardNormal};
use std::convert::Infallible;

fn normals(noise: Noise, sample: u64, offset: u64, n: usize) -> Vec<Real> {
    let mut out = vec![0.; n];
    noise.normals("z.1", sample, offset, &mut out);
    out
}

fn words(noise: Noise, purpose: &str, sample: u64, offset: u64, n: usize) -> Vec<u32> {
    let mut out = vec![0; n];
    noise.words(purpose, sample, offset, &mut out);
    out
}

/// One word, again and again.
struct Constant(u32);

impl TryRng for Constant {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unimplemented!("a normal takes one word")
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        unimplemented!("a normal takes one word")
    }
}

fn normal_of(word: u32) -> Real {
    StandardNormal.sample(&mut Constant(word))
}

#[test]
fn golden_words_normals_and_shuffle() {
    let noise = Noise::new(42, "train");
    assert_eq!(words(noise, "z.1", 0, 0, 4), [0x9aa0_d90d, 0x2471_3a21, 0x7767_d919, 0x0d5c_3830]);
    assert_eq!(
        words(noise.at(7), "z.1", 3, 5, 4),
        [0xe984_d947, 0x2951_10e1, 0x6c2d_9101, 0x9ad3_036a]
    );
    assert_eq!(
        words(Noise::new(43, "init"), "tcn.1.filter.weight", 1 << 35, 1, 4),
        [0xb98b_8732, 0x2a52_c746, 0x1043_502e, 0x44a4_713d]
    );
    assert_eq!(noise.shuffle("shuffle", 12), [1, 8, 9, 4, 0, 6, 3, 7, 5, 10, 11, 2]);
    #[cfg(not(feature = "f64"))]
    {
        let bits: Vec<u32> = normals(noise, 0, 0, 6).iter().map(|x| x.to_bits()).collect();
        assert_eq!(
            bits,
            [0x3e87_0b4e, 0xbf88_ef7e, 0xbdac_8be8, 0xbfcf_df14, 0x3eb8_b20f, 0xbfa6_63c1],
            "{bits:#x?}"
        );
        let tails = [0, 1, 1000, 85_899_345, 85_899_346].map(|word| normal_of(word).to_bits());
        assert_eq!(
            tails,
            [0xc0ca_d08d, 0xc0c5_5364, 0xc0a1_4676, 0xc003_709f, 0xc003_709f],
            "{tails:#x?}"
        );
    }
}

#[test]
fn a_number_depends_on_its_address_alone() {
    let noise = Noise::new(1, "train").at(3);
    let all = normals(noise, 9, 0, 3000);
    assert_eq!(normals(noise, 9, 5, 10), all[5..15]);
    for (offset, n) in [(0, 1), (511, 2), (700, 1500), (2999, 1)] {
        assert_eq!(normals(noise, 9, offset as u64, n), all[offset..offset + n]);
    }
    let far = u64::from(u32::MAX) - 9;
    assert_eq!(words(noise, "z.1", 9, far, 10)[7..], words(noise, "z.1", 9, far + 7, 3));
}

#[test]
fn every_part_of_an_address_counts() {
    let noise = Noise::new(1, "train");
    let mut all = vec![
        words(noise, "z.1", 0, 0, 4),
        words(Noise::new(2, "train"), "z.1", 0, 0, 4),
        words(Noise::new(1, "evaluate"), "z.1", 0, 0, 4),
        words(noise.at(1), "z.1", 0, 0, 4),
        words(noise.at(1 << 32), "z.1", 0, 0, 4),
        words(noise, "z.2", 0, 0, 4),
        words(noise, "z.1", 1, 0, 4),
        words(noise, "z.1", 16, 0, 4), // block 2³²: the counter's upper word
        words(noise, "z.1", 0, 4, 4),
    ];
    let n = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), n);
}

#[test]
fn a_sequence_keeps_its_noise_in_any_batch_and_under_any_padding() {
    let noise = Noise::new(5, "train").at(2);
    let (time, channels) = (40, 700);
    let batch = noise.normal_tensor("z.1", &[8, 3, 5], time, channels);
    for (row, sample) in [8, 3, 5].into_iter().enumerate() {
        let alone = normals(noise, sample, 0, time * channels);
        assert_eq!(batch.data()[row * time * channels..][..time * channels], alone);
    }
    let padded = noise.normal_tensor("z.1", &[5], time + 9, channels);
    assert_eq!(padded.data()[..time * channels], batch.data()[2 * time * channels..]);
    assert!(noise.normal_tensor("z.1", &[], time, channels).is_empty());
    assert!(noise.normal_tensor("z.1", &[1], 0, channels).is_empty());
    assert_eq!(noise.normal_tensor("z.1", &[1], 4, 0).shape(), [1, 4, 0]);
}

#[test]
fn threads_change_no_number() {
    let draw = || Noise::new(5, "train").normal_tensor("z.1", &[0, 1, 2], 100, 300);
    let alone = parallel::with_threads(1, draw).unwrap();
    assert_eq!(parallel::with_threads(3, draw).unwrap(), alone);
}

#[test]
fn the_rand_ecosystem_gets_the_same_normals() {
    let noise = Noise::new(11, "sample");
    let bulk = normals(noise, 4, 0, 2000);
    let single: Vec<Real> = words(noise, "z.1", 4, 0, 2000).into_iter().map(normal_of).collect();
    assert_eq!(bulk, single);
}

#[test]
fn normals_have_the_moments_and_tails_of_a_normal() {
    let n = 1 << 20;
    let x: Vec<f64> = normals(Noise::new(3, "test"), 0, 0, n).iter().map(|&x| x as f64).collect();
    let moment = |k: i32| x.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
    // Four standard errors each.
    for (k, want, variance) in [(1, 0., 1.), (2, 1., 2.), (3, 0., 15.), (4, 3., 96.)] {
        let error = (moment(k) - want).abs();
        assert!(error < 4. * f64::sqrt(variance / n as f64), "moment {k}: off by {error}");
    }
    for (bound, p) in
        [(1., 0.317_310_5), (2., 0.045_500_26), (3., 2.699_796e-3), (4., 6.334_248e-5)]
    {
        let outside = x.iter().filter(|x| x.abs() > bound).count() as f64;
        let expected = p * n as f64;
        assert!((outside - expected).abs() < 4. * expected.sqrt(), "{outside} beyond {bound}");
    }
}

/// `Φ(−x)/φ(x)` for x > 0: its continued fraction far out, a series nearby.
fn mills_ratio(x: f64) -> f64 {
    if x > 3. {
        return 1. / (1..200).rev().fold(x, |rest, k| x + f64::from(k) / rest);
    }
    let (mut term, mut sum) = (x, x);
    for k in 1..100 {
        term *= x * x / f64::from(2 * k + 1);
        sum += term;
    }
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    0.5 / density - sum
}

#[test]
fn normals_are_quantiles_to_one_part_in_ten_million() {
    let mut words: Vec<u32> = (0..31).map(|bit| 1 << bit).collect();
    words.extend((0..1u32 << 31).step_by(99_991));
    // Where the central fit meets the tail's.
    words.extend(85_899_300..85_899_400);
    for word in words {
        let (x, p) = (-(normal_of(word) as f64), (f64::from(word) + 0.5) / 2f64.powi(32));
        let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let error = (mills_ratio(x) * density - p) / density / x;
        let limit = if cfg!(feature = "f64") { 1.2e-8 } else { 8e-8 };
        assert!(error.abs() < limit, "word {word}: {x} is off by {error:e}");
    }
}

#[test]
fn normals_are_finite_odd_and_rise_with_the_word() {
    assert!((normal_of(u32::MAX) - 6.3379).abs() < 1e-3, "{}", normal_of(u32::MAX));
    let mut last = Real::NEG_INFINITY;
    for word in (0..=u32::MAX).step_by(65_537) {
        assert!(normal_of(word) > last, "word {word}");
        assert_eq!(normal_of(word), -normal_of(!word));
        last = normal_of(word);
    }
}

#[test]
fn uniforms_fill_zero_to_one_and_never_reach_it() {
    let noise = Noise::new(1, "data");
    let mut uniforms = vec![0.; 100_000];
    noise.uniforms("u", 0, 0, &mut uniforms);
    for (&u, word) in uniforms.iter().zip(words(noise, "u", 0, 0, 100_000)) {
        assert_eq!(u * 16_777_216., (word >> 8) as Real);
        assert!((0. ..1.).contains(&u));
    }
    let mean = uniforms.iter().map(|&u| u as f64).sum::<f64>() / 1e5;
    assert!((mean - 0.5).abs() < 4. * (1. / 12e5f64).sqrt(), "{mean}");
}

#[test]
fn a_shuffle_is_a_permutation_and_each_is_as_likely() {
    let noise = Noise::new(1, "data");
    let mut sorted = noise.shuffle("shuffle", 1000);
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..1000));
    assert!(noise.shuffle("shuffle", 0).is_empty());
    let mut counts = std::collections::BTreeMap::new();
    for step in 0..6000 {
        *counts.entry(noise.at(step).shuffle("shuffle", 3)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 6);
    assert!(counts.values().all(|&count| (850..1150).contains(&count)), "{counts:?}");
}

#[test]
#[should_panic(expected = "beyond 2³⁶")]
fn a_sample_number_that_would_wrap_is_refused() {
    words(Noise::new(1, "data"), "u", 1 << 36, 0, 1);
}
