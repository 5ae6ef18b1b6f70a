//! Models: sizes, the laws of the specification, bounds, generation, learning.

mod bounds;
mod config;
mod counts;
mod generation;
mod gradients;
mod ladder;
mod laws;
mod learning;
mod rnn;
mod srnn;
mod stcn;
mod steps;
mod swavenet;
mod var_bilstm;
mod vrnn;
mod wavenet;
mod z_forcing;

use ::stcn::data::Batch;
use ::stcn::dist::Normal;
use ::stcn::models::config::{Decoder, HeadKind, ModelConfig, ModelKind, Task};
use ::stcn::models::{
    Kl, Rnn, SWaveNet, SequenceModel, Srnn, Stcn, Step, VarBilstm, Vrnn, WaveNet, ZForcing,
};
use ::stcn::nn::Init;
use ::stcn::noise::Noise;
use ::stcn::ops::*;
use ::stcn::tape::{Keep, Tape, Var};
use ::stcn::{Real, Tensor};

/// What each task's step can be given to: every head that goes with it.
const HEADS: [(Task, HeadKind); 6] = [
    (Task::Ink, HeadKind::Normal),
    (Task::Ink, HeadKind::Gmm),
    (Task::Ink, HeadKind::Bigmm),
    (Task::Speech, HeadKind::Normal),
    (Task::Speech, HeadKind::Gmm),
    (Task::Music, HeadKind::Bernoulli),
];

/// Two levels of two blocks, a handful of channels: d^1 sees 4 rows, d^2 7, WaveNet and SWaveNet 8.
fn tiny(kind: ModelKind, (task, head): (Task, HeadKind)) -> ModelConfig {
    ModelConfig {
        kind,
        head,
        task,
        input: match task {
            Task::Ink => 3,
            Task::Speech => 2,
            Task::Music => 4,
        },
        channels: 5,
        embedding: 9,
        latent_embedding: 6,
        latents: vec![3, 2],
        blocks_per_latent: 2,
        pre_layers: 1,
        output_layers: 2,
        mixtures: 3,
        decoder: if task == Task::Speech { Decoder::Gated } else { Decoder::Pointwise },
        ..ModelConfig::default()
    }
}

/// Every model with every head.
fn every() -> impl Iterator<Item = ModelConfig> {
    ModelKind::ALL.iter().flat_map(|&kind| HEADS.map(|head| tiny(kind, head)))
}

/// What a test calls a model when it fails.
fn name(c: &ModelConfig) -> String {
    format!("{} {} {} {} {} {}", c.kind, c.task, c.head, c.draws, c.precision, c.floors)
}

/// A model whose biases are random too: with the zero biases of a new one some laws hold by accident.
fn model(config: &ModelConfig) -> Box<dyn Model> {
    config.validate().unwrap();
    let init = &mut Init::new(7);
    let mut model: Box<dyn Model> = match config.kind {
        ModelKind::Stcn
        | ModelKind::StcnDense
        | ModelKind::LadderRnn
        | ModelKind::LadderRnnDense => Box::new(Stcn::new(init, config)),
        ModelKind::Wavenet | ModelKind::WavenetDense => Box::new(WaveNet::new(init, config)),
        ModelKind::Rnn => Box::new(Rnn::new(init, config)),
        ModelKind::Vrnn => Box::new(Vrnn::new(init, config)),
        ModelKind::Srnn | ModelKind::SrnnFilter => Box::new(Srnn::new(init, config)),
        ModelKind::ZForcing => Box::new(ZForcing::new(init, config)),
        ModelKind::VarBilstm => Box::new(VarBilstm::new(init, config)),
        ModelKind::Swavenet => Box::new(SWaveNet::new(init, config)),
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
    fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor;
}

macro_rules! models {
    ($($model:ident),*) => { $(
        impl Model for $model {
            fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
                $model::redraw(self, x, given, noise, samples)
            }
        }
    )* };
}
models!(Stcn, WaveNet, Rnn, Vrnn, Srnn, ZForcing, VarBilstm, SWaveNet);

/// Plausible data: normals, and zeros and ones where the task has them; zero beyond each length.
fn batch(config: &ModelConfig, lengths: &[usize]) -> Batch {
    let (b, t, c) = (lengths.len(), *lengths.iter().max().unwrap(), config.input);
    let mut x =
        Noise::new(3, "data").normal_tensor("x", &(10..10 + b as u64).collect::<Vec<_>>(), t, c);
    for (i, x) in x.data_mut().iter_mut().enumerate() {
        let (row, channel) = (i / c, i % c);
        if config.task == Task::Music || (config.task == Task::Ink && channel == 2) {
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
        let context: Vec<_> = context.iter().map(at).collect();
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
