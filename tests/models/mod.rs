//! Models: sizes, the laws of the specification, bounds, generation, learning.

mod bounds;
mod config;
mod counts;
mod dmm;
mod gradients;
mod ladder;
mod laws;
mod learning;
mod rnn;
mod sequence;
mod srnn;
mod stcn;
mod stepwise;
mod subnormal;
mod swavenet;
mod var_bilstm;
mod vrnn;
mod wavenet;
mod z_forcing;

use ::stcn::Noise;
use ::stcn::data::Batch;
use ::stcn::dist::Normal;
use ::stcn::models::dmm::Dmm;
use ::stcn::models::rnn::Rnn;
use ::stcn::models::srnn::Srnn;
use ::stcn::models::stcn::Stcn;
use ::stcn::models::swavenet::SWaveNet;
use ::stcn::models::var_bilstm::VarBilstm;
use ::stcn::models::vrnn::Vrnn;
use ::stcn::models::wavenet::WaveNet;
use ::stcn::models::z_forcing::ZForcing;
use ::stcn::models::{
    self, Kl, ModelKind, SequenceModel, Step, StepModel, Stepwise, shapes, unroll,
};
use ::stcn::models::{HeadKind, ModelConfig, Task};
use ::stcn::nn::Init;
use ::stcn::ops::*;
use ::stcn::tape::{Keep, Tape, Var};
use ::stcn::{Real, Tensor};
use toml::{Table, Value};

/// What each task's step can be given to: every head that goes with it.
const HEADS: [(Task, HeadKind); 12] = [
    (Task::Ink, HeadKind::Normal),
    (Task::Ink, HeadKind::Gmm),
    (Task::Ink, HeadKind::Bigmm),
    (Task::Speech, HeadKind::Normal),
    (Task::Speech, HeadKind::Gmm),
    (Task::Music, HeadKind::Bernoulli),
    (Task::Series, HeadKind::Normal),
    (Task::Series, HeadKind::Gmm),
    (Task::Ink, HeadKind::Ar),
    (Task::Speech, HeadKind::Ar),
    (Task::Music, HeadKind::Ar),
    (Task::Series, HeadKind::Ar),
];

/// `config` with one of its keys set. Panics if it has no such key.
#[track_caller]
fn with(config: &ModelConfig, key: &str, value: impl Into<Value>) -> ModelConfig {
    config.with(key, value).unwrap()
}

/// `config` with those of the keys of `values` that it has.
fn with_those_of(config: &ModelConfig, values: &Table) -> ModelConfig {
    let set = |config, (key, value): (&String, &Value)| match has(&config, key) {
        true => with(&config, key, value.clone()),
        false => config,
    };
    values.iter().fold(config.clone(), set)
}

fn has(config: &ModelConfig, key: &str) -> bool {
    config.keys().iter().any(|(known, _)| known.name == key)
}

/// The value of a key that holds a size.
#[track_caller]
fn size(config: &ModelConfig, key: &str) -> usize {
    config.table()[key].as_integer().expect("a number") as usize
}

/// `config` with every word in turn that the switch `key` can be set to; itself alone where it has no such key.
fn switched(config: &ModelConfig, key: &str) -> Vec<ModelConfig> {
    let keys = config.keys();
    let Some((key, _)) = keys.iter().find(|(known, _)| known.name == key) else {
        return vec![config.clone()];
    };
    let all = key.values.iter().map(|&word| with(config, key.name, word));
    all.filter(|config| config.validate().is_ok()).collect()
}

/// Two levels of two blocks, a handful of channels: d^1 sees 4 rows, d^2 7, WaveNet and SWaveNet 8.
fn tiny(kind: ModelKind, (task, head): (Task, HeadKind)) -> ModelConfig {
    let mut config = ModelConfig::gradcheck(kind, head);
    config.obs.task = task;
    config.obs.input = match task {
        Task::Ink => 3,
        Task::Speech => 2,
        Task::Music => 4,
        Task::Series => 1,
    };
    let mut sizes: Table = "
        channels = 5
        hidden_size = 5
        embedding_size = 9
        output_size = 9
        latent_embedding_size = 6
        latent_size = 3
        latents = [3, 2]
        latent_hidden_size = 5
        gate_hidden_size = 5
        transition_size = 5
        emission_size = 7
        levels = 2
        blocks_per_level = 2
        blocks_per_latent = 2
        cells_per_latent = 2
        pre_layers = 1
        output_layers = 2
        layers = 2
        auxiliary_weight = 5e-3
        backward_weight = 1
        state_weight = 0
        auxiliary_target = 'stop'
    "
    .parse()
    .unwrap();
    let decoder = if task == Task::Speech { "gated" } else { "pointwise" };
    sizes.insert("decoder".into(), decoder.into());
    with_those_of(&config, &sizes)
}

/// `config` with hidden layers of `n` units.
fn wide(config: &ModelConfig, n: u32) -> ModelConfig {
    let keys = [
        "channels",
        "hidden_size",
        "latent_hidden",
        "latent_hidden_size",
        "gate_hidden_size",
        "transition_size",
        "emission_size",
    ];
    with_those_of(config, &keys.map(|key| (key.to_string(), n.into())).into_iter().collect())
}

/// Every model with every head.
fn every() -> impl Iterator<Item = ModelConfig> {
    models::ALL.into_iter().flat_map(|kind| HEADS.map(|head| tiny(kind, head)))
}

/// What a test calls a model when it fails: its kind, and the words of its switches.
fn name(config: &ModelConfig) -> String {
    let keys = config.keys();
    let words = keys.iter().filter_map(|(_, value)| value.as_str());
    words.fold(config.kind.to_string(), |name, word| name + " " + word)
}

/// Whether the output sees every level.
fn is_dense(kind: ModelKind) -> bool {
    kind.name().ends_with("-dense")
}

/// An STCN or a LadderRNN, new.
fn new_stcn(seed: u64, config: &ModelConfig) -> Stcn {
    let (init, obs, dense) = (&mut Init::new(seed), &config.obs, is_dense(config.kind));
    match has(config, "cells_per_latent") {
        true => ::stcn::models::ladder::new(init, &config.own(), obs, dense),
        false => Stcn::new(init, &config.own(), obs, dense),
    }
}

/// A model whose biases are random too: with the zero biases of a new one some laws hold by accident.
fn model(config: &ModelConfig) -> Box<dyn Model> {
    config.validate().unwrap();
    let (seed, obs, kind) = (7, &config.obs, config.kind);
    let init = &mut Init::new(seed);
    let mut model: Box<dyn Model> = match kind.name() {
        "stcn" | "stcn-dense" | "ladder-rnn" | "ladder-rnn-dense" => {
            Box::new(new_stcn(seed, config))
        }
        "wavenet" | "wavenet-dense" => {
            Box::new(WaveNet::new(init, &config.own(), obs, is_dense(kind)))
        }
        "rnn" => Box::new(Rnn::new(init, &config.own(), obs)),
        "vrnn" => Box::new(Vrnn::new(init, &config.own(), obs)),
        "srnn" | "srnn-filter" => Box::new(Srnn::new(init, &config.own(), obs, kind.looks_ahead())),
        "z-forcing" => Box::new(ZForcing::new(init, &config.own(), obs)),
        "var-bilstm" => Box::new(VarBilstm::new(init, &config.own(), obs)),
        "swavenet" => Box::new(SWaveNet::new(init, &config.own(), obs)),
        "dmm" => Box::new(Dmm::new(init, &config.own(), obs)),
        other => panic!("{other}: say here how it is built"),
    };
    let noise = Noise::new(7, "bias");
    model.visit_mut(&mut |p| {
        if p.value.shape().len() == 1 {
            let path = p.path().to_string();
            noise.normals(&path, 0, 0, p.value.data_mut());
            p.value.data_mut().iter_mut().for_each(|b| *b *= 0.3);
        }
    });
    model
}

/// A model that can draw again what it drew.
trait Model: SequenceModel {
    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that a sampler uses: if x is what [`generate`](models::generate) made of its first `given`
    /// steps, it comes back to the bit.   x, result: (B, T, D)
    fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor;
}

macro_rules! without_latents {
    ($($model:ident),*) => { $(
        impl Model for $model {
            fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
                let tape = Tape::inference();
                let px = self.predict(tape.constant(x.clone()));
                first_steps(given, x, &px.sample(noise, samples, 0, 1.))
            }
        }
    )* };
}
without_latents!(Rnn, WaveNet);

impl Model for Stcn {
    fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let d = self.contexts(tape.constant(x.clone()));
        let before: Vec<Var> = d.iter().map(|&d| slice_time(d, 0, x.shape()[1])).collect();
        let from_prior = self.sample_prior(&before, 0, noise, samples, 1.).value();
        let from_posterior = self.sample_posterior(&d, noise, samples).value();
        let y = tape.constant(first_steps(given, &from_posterior, &from_prior));
        first_steps(given, x, &self.predict(y).sample(noise, samples, 0, 1.))
    }
}

impl Model for SWaveNet {
    fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let x_on_tape = tape.constant(x.clone());
        let context = StepModel::context(self, x_on_tape, &vec![given; samples.len()]);
        let px = self.predict(&context, |l, g, r| {
            let (p, q) = self.latent(l, g, r);
            let z = |from: Normal| from.rsample(noise, &format!("z.{}", l + 1), samples).value();
            tape.constant(first_steps(given, &z(q), &z(p)))
        });
        first_steps(given, x, &px.sample(noise, samples, 0, 1.))
    }
}

macro_rules! stepwise {
    ($($model:ident),*) => { $(
        impl Model for $model {
            fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
                redraw_stepwise(self, x, given, noise, samples)
            }
        }
    )* };
}
stepwise!(Vrnn, Srnn, ZForcing, VarBilstm, Dmm);

fn redraw_stepwise(
    model: &impl Stepwise,
    x: &Tensor,
    given: usize,
    noise: &Noise,
    samples: &[u64],
) -> Tensor {
    let (tape, lengths) = (Tape::inference(), vec![given; samples.len()]);
    let context = Stepwise::context(model, tape.constant(x.clone()), &lengths, None);
    let pass =
        unroll(model, context, &tape, x.shape()[1], noise, samples, |c, s, t| match t < given {
            true => model.posterior(c, s),
            false => model.prior(&c.past, s),
        });
    let px = model.output(&pass.context.past, &pass.s, &pass.h);
    first_steps(given, x, &px.sample(noise, samples, 0, 1.))
}

/// The first `n` steps of `a`, the others of `b`.   (B, T, C) each
fn first_steps(n: usize, a: &Tensor, b: &Tensor) -> Tensor {
    let (_, t, c) = b.btc("first_steps");
    let mut y = b.clone();
    for (y, a) in y.data_mut().chunks_exact_mut(t * c).zip(a.data().chunks_exact(t * c)) {
        y[..n * c].copy_from_slice(&a[..n * c]);
    }
    y
}

/// Parameters that drawing from a model reads.
fn generative(config: &ModelConfig) -> usize {
    let shapes = shapes(config).unwrap().into_iter();
    let kept = shapes.filter(|(path, _)| config.kind.generates_with(path));
    kept.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// Plausible data: normals, and zeros and ones where the task has them; zero beyond each length.
fn batch(config: &ModelConfig, lengths: &[usize]) -> Batch {
    let (b, t, c) = (lengths.len(), *lengths.iter().max().unwrap(), config.obs.input);
    let mut x =
        Noise::new(3, "data").normal_tensor("x", &(10..10 + b as u64).collect::<Vec<_>>(), t, c);
    for (i, x) in x.data_mut().iter_mut().enumerate() {
        let (row, channel) = (i / c, i % c);
        let task = config.obs.task;
        if task == Task::Music || (task == Task::Ink && channel == 2) {
            *x = if *x > 0. { 1. } else { 0. };
        }
        if row % t >= lengths[row / t] {
            *x = 0.;
        }
    }
    Batch { x, lengths: lengths.to_vec(), samples: (10..10 + b as u64).collect() }
}

fn noise() -> Noise {
    Noise::new(11, "test")
}

/// The sequences of `batch` named in `order`, `padding` more steps at the end of each that hold `junk`.
fn rearranged(batch: &Batch, order: &[usize], padding: usize, junk: Real) -> Batch {
    let (_, t, c) = batch.x.btc("rearranged");
    let lengths: Vec<usize> = order.iter().map(|&b| batch.lengths[b]).collect();
    let steps = lengths.iter().max().unwrap() + padding;
    let mut x = Tensor::zeros(&[order.len(), steps, c]);
    x.data_mut().fill(junk);
    for (x, &b) in x.data_mut().chunks_exact_mut(steps * c).zip(order) {
        let n = batch.lengths[b] * c;
        x[..n].copy_from_slice(&batch.x.data()[b * t * c..][..n]);
    }
    Batch { x, lengths, samples: order.iter().map(|&b| batch.samples[b]).collect() }
}

/// Σ_{t < len} of each sequence.   x: (B, T)
fn masked_sums(x: &Tensor, lengths: &[usize]) -> Vec<f64> {
    let rows = x.data().chunks_exact(x.cols()).zip(lengths);
    rows.map(|(row, &n)| row[..n].iter().map(|&x| f64::from(x)).sum()).collect()
}

/// `−Σ_b J_b / Σ lengths`, auxiliary terms and all, as training has it: a scalar on the tape.
fn loss<'t>(model: &dyn SequenceModel, tape: &'t Tape, batch: &Batch, noise: &Noise) -> Var<'t> {
    let elbo = model.elbo(tape, batch, noise, Kl::Analytic);
    let weight = -1. / batch.steps() as Real;
    let weights = vec![weight; batch.lengths.len()];
    let total = |x| sum_masked(x, &batch.lengths, &weights);
    let loss = elbo.kl.iter().fold(total(elbo.log_px), |sum, &kl| sum - total(kl));
    elbo.auxiliary.iter().fold(loss, |sum, &term| sum + total(term))
}

/// The steps of a batch, one by one. What is drawn comes from [`noise`] by its name, through its distribution
/// or, if `blind`, whatever that is.
fn steps<'t>(
    model: &dyn SequenceModel,
    tape: &'t Tape,
    batch: &Batch,
    blind: bool,
) -> Vec<Step<'t>> {
    let model = model.steps().expect("a model with latents");
    let x = tape.constant(batch.x.clone());
    let (_, count, _) = batch.x.btc("steps");
    let context = model.context(x, &batch.lengths);
    let mut state = model.start(batch.lengths.len());
    let one = |t: usize| {
        let at = |x: &Var<'t>| slice_time(*x, t, 1);
        let context = context.map(at);
        let before: Vec<_> = state.iter().map(|state| tape.constant(state.clone())).collect();
        let draw = |name: &str, from: Normal<'t>| {
            let channels = from.mean.value().cols();
            let epsilon = noise().normal_tensor(name, &batch.samples, count, channels);
            let epsilon = at(&tape.constant(epsilon));
            if blind { epsilon } else { rsample(from.mean, from.std, epsilon) }
        };
        let step = model.step(&context, at(&x), &before, &draw);
        state = step.state.iter().map(|state| state.value()).collect();
        step
    };
    (0..count).map(one).collect()
}

/// The gradient of `y` at the parameters whose paths begin with one of `parts`: the largest number there.
fn reached(model: &dyn Model, y: Var, parts: &[&str]) -> Real {
    let tape = y.tape();
    let grads = tape.backward(sum(y), Keep::Leaves);
    let mut largest = 0.;
    model.visit(&mut |p| {
        if parts.iter().any(|part| p.path().starts_with(part)) {
            let grad = tape.find(p.path()).and_then(|leaf| grads.wrt(leaf));
            let found = grad.map_or(0., |grad| grad.data().iter().fold(0., |m, g| g.abs().max(m)));
            largest = found.max(largest);
        }
    });
    largest
}

/// Row t of sequence b.   x: (B, T, C) or (B, T)
fn row(x: &Tensor, b: usize, t: usize) -> &[Real] {
    let (steps, c) = (x.shape()[1], x.shape().get(2).copied().unwrap_or(1));
    &x.data()[(b * steps + t) * c..][..c]
}

/// `|a − b| ≤ tolerance`, or a panic that shows them.
#[track_caller]
fn assert_close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!((a - b).abs() <= tolerance, "{what}: {a} against {b}, tolerance {tolerance}");
}
