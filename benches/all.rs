//! Times of kernels, functions, training steps and generation, on all threads but where a name says one.
//!
//! Beside it `overhead`, the tape against a gradient by hand, and `count`, instructions under valgrind, for
//! noisy machines. All three: `make bench`; `make bench-save` before a change, `make bench-diff` after it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stcn::data::Batch;
use stcn::internals::kernel::causal_conv::CausalConv;
use stcn::internals::kernel::gemm::{Mat, Packed, Right, mul_add};
use stcn::internals::kernel::{math, simd::vectorise};
use stcn::internals::step::update;
use stcn::models::{self, ModelKind, Preset, SequenceModel};
use stcn::nn::Init;
use stcn::optim::Adam;
use stcn::train::Config;
use stcn::{Noise, Real, Tensor};
use std::hint::black_box;
use std::time::Duration;

/// One row tile of a product, at the widths of the presets.
fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product, one thread");
    for (m, k, n) in [(128, 256, 256), (128, 64, 64), (128, 54, 54), (128, 32, 32), (128, 256, 40)]
    {
        let (a, b, mut out) = (vec![0.5; m * k], vec![0.25; k * n], vec![0.; m * n]);
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        group.bench_function(format!("{m}x{k}x{n} in place"), |bench| {
            bench.iter(|| {
                let right = Right::Rows(Mat::new(black_box(&b), k, n));
                mul_add(Mat::new(black_box(&a), m, k), right, &mut out)
            })
        });
        let packed = Packed::new(Mat::new(&b, k, n));
        group.bench_function(format!("{m}x{k}x{n} packed"), |bench| {
            bench.iter(|| mul_add(Mat::new(black_box(&a), m, k), Right::Packed(&packed), &mut out))
        });
    }
}

/// A dilated convolution, B20 T201 K2, forward.
fn convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("causal convolution, forward");
    for channels in [32, 64, 256] {
        let conv = CausalConv {
            batch: 20,
            time: 201,
            inputs: channels,
            outputs: channels,
            taps: 2,
            dilation: 4,
            sequences: 20,
        };
        let x: Vec<Real> = vec![0.5; 20 * 201 * channels];
        let (w, mut y) = (vec![0.1; 2 * channels * channels], x.clone());
        group.throughput(Throughput::Elements((4 * 20 * 201 * channels * channels) as u64));
        group.bench_function(format!("{channels} channels"), |bench| {
            bench.iter(|| {
                conv.tiles([&mut y], channels, |tile, [y]| {
                    conv.forward(black_box(&x), &w, &x[..channels], tile, y)
                })
            })
        });
    }
}

/// Elementary functions over a slice that fits the second cache.
fn functions(c: &mut Criterion) {
    fn map(f: impl Fn(Real) -> Real, x: &mut [Real]) {
        vectorise(|| x.iter_mut().for_each(|x| *x = f(*x)));
    }
    let mut group = c.benchmark_group("elementary functions");
    let x: Vec<Real> = (0..16_384).map(|i| i as Real * 1e-3 - 8.).collect();
    group.throughput(Throughput::Elements(x.len() as u64));
    type Map = fn(&mut [Real]);
    let functions: [(&str, Map); 4] = [
        ("exp", |x| map(math::exp, x)),
        ("tanh", |x| map(math::tanh, x)),
        ("sigmoid", |x| map(math::sigmoid, x)),
        ("softplus", |x| map(math::softplus, x)),
    ];
    for (name, f) in functions {
        let mut y = x.clone();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                y.copy_from_slice(&x);
                f(black_box(&mut y))
            })
        });
    }
}

/// A training step of every small model, and a step of generation.
fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("ink-tiny, B16 T100");
    group.sample_size(20);
    for kind in [models::STCN, models::STCN_DENSE, models::WAVENET, models::WAVENET_DENSE] {
        let config = Config::preset(Preset::InkTiny, kind, None).expect("a preset");
        let init = Init::new(config.seed);
        let mut model = models::build(&config.model, init).expect("a valid config");
        let mut x = Tensor::zeros(&[16, 100, 3]);
        Noise::new(0, "bench").normals("x", 0, 0, x.data_mut());
        x.data_mut().chunks_mut(3).for_each(|row| row[2] = if row[2] > 1. { 1. } else { 0. });
        let batch = Batch { x, lengths: vec![100; 16], samples: (0..16).collect() };
        let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
        let mut step = 0;
        group.bench_function(format!("training step, {kind}"), |bench| {
            bench.iter(|| {
                step += 1;
                update(&mut *model, &mut adam, &batch, &config.train, config.seed, step)
                    .expect("finite")
            })
        });
        generation(&mut group, &*model, kind);
    }
}

fn generation(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    model: &dyn SequenceModel,
    kind: ModelKind,
) {
    let mut sampler = model.sampler(&[0]);
    let noise = Noise::new(1, "sample");
    group.bench_function(format!("generated step, {kind}"), |bench| {
        bench.iter(|| sampler.draw(&noise, 1.))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = products, convolutions, functions, steps
}
criterion_main!(benches);
