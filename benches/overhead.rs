//! What the tape costs: the same net through it, and with its gradient written out by hand over the same
//! kernels.
//!
//! Four `linear_relu` and a sum, with the gradients of all weights, biases and inner inputs. By hand,
//! buffers are allocated once and the rectifier's mask is applied in place. Both give the same bits, which
//! is asserted first. Prints `tape / by hand` from runs in turn, so that noise meets both alike; the groups
//! of criterion behind it keep each side's own time. Wanted: at most 1.05 at 32 channels, 1.01 at 256.

use criterion::{Criterion, criterion_group, criterion_main};
use stcn::internals::kernel::causal_conv::CausalConv;
use stcn::internals::kernel::reduce::{Rows, queue_add_columns};
use stcn::internals::kernel::simd::vectorise;
use stcn::internals::kernel::weight_grad::{Use, queue_grad_w};
use stcn::internals::parallel::{self, CHUNK, Work};
use stcn::tape::{Grads, Keep, Param};
use stcn::{Noise, Real, Tape, Tensor, ops};
use std::hint::black_box;
use std::time::{Duration, Instant};

const LAYERS: usize = 4;

struct Net {
    x: Tensor, // (B, T, C)
    weights: [Param; LAYERS],
    biases: [Param; LAYERS],
}

impl Net {
    fn new(batch: usize, time: usize, channels: usize) -> Self {
        let noise = Noise::new(0, "bench");
        let normals = |shape: &[usize], scale: f64, stream: &str| {
            let mut t = Tensor::zeros(shape);
            noise.normals(stream, 0, 0, t.data_mut());
            t.map(|x| x * scale as Real)
        };
        let scale = (2. / channels as f64).sqrt();
        let param = |kind: &str, number: usize, shape: &[usize]| {
            let path = format!("{kind}.{number}");
            Param::new(number, path.clone(), normals(shape, scale, &path))
        };
        Self {
            x: normals(&[batch, time, channels], 1., "x"),
            weights: std::array::from_fn(|l| param("weight", 2 * l, &[channels, channels])),
            biases: std::array::from_fn(|l| param("bias", 2 * l + 1, &[channels])),
        }
    }

    /// Loss and gradients through the tape, reused as training does.
    fn by_tape(&self, tape: &mut Tape) -> (Real, Grads) {
        tape.reset();
        let tape = &*tape;
        let layers = self.weights.iter().zip(&self.biases);
        let y = layers.fold(tape.constant(self.x.clone()), |y, (w, bias)| {
            ops::linear_relu(y, tape.param(w), tape.param(bias))
        });
        let loss = ops::sum(y);
        (loss.value().item(), tape.backward(loss, Keep::Leaves))
    }
}

/// Every buffer of one pass, and the sizes of a layer.
struct ByHand<'a> {
    net: &'a Net,
    conv: CausalConv,
    by_sequence: CausalConv,
    y: [Vec<Real>; LAYERS],
    gy: Vec<Real>,
    gx: Vec<Real>,
    weights: [Vec<Real>; LAYERS],
    biases: [Vec<Real>; LAYERS],
}

impl<'a> ByHand<'a> {
    fn new(net: &'a Net) -> Self {
        let (rows, c) = (net.x.rows(), net.x.cols());
        let numbers = |n: usize| std::array::from_fn(|_| vec![0.; n]);
        let [gy, gx] = [vec![0.; rows * c], vec![0.; rows * c]];
        let conv = CausalConv::linear(rows, c, c);
        let (batch, time, _) = net.x.btc("bench");
        let by_sequence = CausalConv { batch, time, sequences: batch, ..conv };
        let (y, weights, biases) = (numbers(rows * c), numbers(c * c), numbers(c));
        Self { net, conv, by_sequence, y, gy, gx, weights, biases }
    }

    /// Loss; the gradients are in `weights` and `biases` afterwards.
    fn run(&mut self) -> Real {
        let Self { net, conv, by_sequence, y, gy, gx, weights, biases } = self;
        for l in 0..LAYERS {
            let (before, y) = y.split_at_mut(l);
            let x = before.last().map_or(net.x.data(), |x| x);
            let (w, bias) = (net.weights[l].value.data(), net.biases[l].value.data());
            conv.tiles([&mut y[0]], conv.outputs, |tile, [y]| {
                conv.forward(x, w, bias, tile, y);
                vectorise(
                    #[inline(always)]
                    || y.iter_mut().for_each(|y| *y = if *y > 0. { *y } else { 0. }),
                );
            });
        }
        let last = &y[LAYERS - 1];
        let loss = parallel::sum(last.len(), CHUNK, |range| {
            last[range].iter().fold(0., |sum, &y| sum + f64::from(y))
        });
        gy.fill(1.);
        for l in (0..LAYERS).rev() {
            let x = if l == 0 { net.x.data() } else { &y[l - 1] };
            mask(gy, &y[l]);
            let packed = (l > 0).then(|| conv.pack(net.weights[l].value.data()));
            let mut work = Work::new();
            queue_grad_w(&mut work, vec![Use { conv: *by_sequence, x, gy }], &mut weights[l], true);
            if let Some(w) = &packed {
                conv.queue_grad_x(&mut work, [(&**gy, w)], gx, true);
            }
            biases[l].fill(0.);
            let CausalConv { batch, time, sequences, .. } = *by_sequence;
            let rows = Rows { x: gy, batch, time, sequences };
            queue_add_columns(&mut work, vec![rows], &mut biases[l]);
            work.run();
            std::mem::swap(gy, gx);
        }
        loss as Real
    }
}

/// `ū = ȳ [y > 0]`, in place.
fn mask(gy: &mut [Real], y: &[Real]) {
    parallel::chunks([gy], |range, [gy]| {
        let y = &y[range];
        vectorise(
            #[inline(always)]
            || gy.iter_mut().zip(y).for_each(|(g, &y)| *g = if y > 0. { *g } else { 0. }),
        );
    });
}

fn bits(x: &[Real]) -> Vec<u64> {
    x.iter().map(|&x| f64::from(x).to_bits()).collect()
}

fn assert_same_bits(net: &Net, hand: &mut ByHand, tape: &mut Tape) {
    let (loss, grads) = net.by_tape(tape);
    assert_eq!(bits(&[loss]), bits(&[hand.run()]), "loss");
    let params = net.weights.iter().zip(&hand.weights).chain(net.biases.iter().zip(&hand.biases));
    for (param, by_hand) in params {
        assert_eq!(bits(grads.param(param).data()), bits(by_hand), "{}", param.path());
    }
}

fn time<R>(job: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    black_box(job());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    1e3 * times[times.len() / 2].as_secs_f64()
}

/// Runs in turn, the one that begins changing too.
fn print_ratio(net: &Net, hand: &mut ByHand, tape: &mut Tape, rounds: usize) {
    let (mut by_tape, mut by_hand) = (vec![], vec![]);
    for round in 0..2 * rounds {
        if round % 4 == 0 || round % 4 == 3 {
            by_tape.push(time(|| net.by_tape(tape)));
        } else {
            by_hand.push(time(|| hand.run()));
        }
    }
    let (t, h, threads) = (median(by_tape), median(by_hand), parallel::threads());
    let (rows, c) = (net.x.rows(), net.x.cols());
    let ratio = t / h;
    println!(
        "{rows} rows, {c} channels, {threads} threads: tape / by hand {ratio:.4} ({t:.3} / {h:.3} ms)"
    );
}

fn overhead(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear_relu x 4");
    let (warm_up, measurement) = (Duration::from_secs(1), Duration::from_secs(3));
    group.sample_size(20).warm_up_time(warm_up).measurement_time(measurement);
    // Criterion's test mode, without `--bench`, wants everything once.
    let timed = std::env::args().any(|word| word == "--bench");
    for (batch, time, channels, rounds) in [(16, 100, 32, 1000), (20, 200, 256, 100)] {
        let net = Net::new(batch, time, channels);
        let (mut hand, mut tape) = (ByHand::new(&net), Tape::new());
        assert_same_bits(&net, &mut hand, &mut tape);
        let rounds = if timed { rounds } else { 1 };
        print_ratio(&net, &mut hand, &mut tape, rounds);
        group.bench_function(format!("{channels} channels, tape"), |bench| {
            bench.iter(|| net.by_tape(&mut tape))
        });
        group.bench_function(format!("{channels} channels, by hand"), |bench| {
            bench.iter(|| hand.run())
        });
    }
}

criterion_group!(benches, overhead);
criterion_main!(benches);
