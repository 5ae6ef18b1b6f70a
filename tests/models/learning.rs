//! Learning: slow, so asked for by `make slow`.

use super::{Model, batch, every, loss, model, name, noise, tiny, wide, with_those_of};
use stcn::data::Batch;
use stcn::models::{self, Kl};
use stcn::models::{HeadKind, ModelConfig, Task};
use stcn::ops::*;
use stcn::tape::{Keep, Tape};
use stcn::{Noise, Real, Tensor};

/// Adam as stcn.md §7 has it, for a test: moments by parameter number.
#[derive(Default)]
struct Adam {
    moments: Vec<(Vec<Real>, Vec<Real>)>,
    step: i32,
}

impl Adam {
    fn update(&mut self, model: &mut dyn Model, lr: Real, grads: &stcn::tape::Grads) {
        self.step += 1;
        let (b1, b2): (Real, Real) = (0.9, 0.999);
        let rate = lr * (1. - b2.powi(self.step)).sqrt() / (1. - b1.powi(self.step));
        model.visit_mut(&mut |p| {
            if self.moments.len() <= p.number() {
                self.moments.push((vec![0.; p.value.len()], vec![0.; p.value.len()]));
            }
            let (m, v) = &mut self.moments[p.number()];
            let grad = grads.param(p).data().to_vec();
            for (((x, g), m), v) in p.value.data_mut().iter_mut().zip(grad).zip(m).zip(v) {
                *m = b1 * *m + (1. - b1) * g;
                *v = b2 * *v + (1. - b2) * g * g;
                *x -= rate * *m / (v.sqrt() + 1e-8);
            }
        });
    }
}

/// Trains for `steps`, the KL's weight rising over the first third; the losses per step, at full weight and
/// without what training adds.
fn train(model: &mut dyn Model, steps: usize, lr: Real, data: impl Fn(u64) -> Batch) -> Vec<Real> {
    let mut adam = Adam::default();
    let one = |step: usize| {
        let batch = data(step as u64);
        let tape = Tape::new();
        let noise = noise().at(step as u64);
        let full = loss(model, &Tape::inference(), &batch, &noise).value().item();
        let elbo = model.elbo(&tape, &batch, &noise, Kl::Analytic);
        let weights = vec![-1. / batch.steps() as Real; batch.lengths.len()];
        let anneal = (3. * (step + 1) as Real / steps as Real).min(1.);
        let total =
            elbo.kl.iter().fold(sum_masked(elbo.log_px, &batch.lengths, &weights), |sum, &kl| {
                sum - affine(sum_masked(kl, &batch.lengths, &weights), anneal, 0.)
            });
        let add = |sum, &term| sum + sum_masked(term, &batch.lengths, &weights);
        let total = elbo.auxiliary.iter().fold(total, add);
        let grads = tape.backward(total, Keep::Leaves);
        adam.update(model, lr, &grads);
        full
    };
    (0..steps).map(one).collect()
}

/// Steps of +1 or −1 by the toss of a coin, give or take 0.1: two modes, and nothing in the past to tell
/// which comes.
fn two_modes(config: &ModelConfig, step: u64) -> Batch {
    let (b, t) = (16, 20);
    let samples: Vec<u64> = (0..b as u64).collect();
    let noise = Noise::new(9, "coins").at(step);
    let mut coins = Tensor::zeros(&[b, t, 1]);
    noise.uniforms("coin", 0, 0, coins.data_mut());
    let x = stcn::zip([&coins, &noise.normal_tensor("x", &samples, t, 1)], |[coin, e]| {
        0.1 * e + if coin < 0.5 { -1. } else { 1. }
    });
    assert_eq!(config.obs.input, 1);
    Batch { x, lengths: vec![t; b], samples }
}

#[test]
#[ignore = "seconds long: make slow"]
fn where_steps_have_two_modes_latents_beat_one_gaussian() {
    let mean = |losses: &[Real]| losses.iter().sum::<Real>() / losses.len() as Real;
    let learnt = models::ALL.into_iter().map(|kind| {
        let mut config = wide(&tiny(kind, (Task::Speech, HeadKind::Normal)), 16);
        config.obs.input = 1;
        // One cell a level, as the small presets have it: with four in a row LadderRNN left its latents unused.
        let sizes = "decoder = 'pointwise'\ncells_per_latent = 1";
        let config = with_those_of(&config, &sizes.parse().unwrap());
        let mut model = model(&config);
        let losses = train(&mut *model, 600, 3e-3, |step| two_modes(&config, step));
        let (first, last) = (mean(&losses[..20]), mean(&losses[losses.len() - 50..]));
        eprintln!("{kind}: {first} to {last} nats a step");
        if kind.has_latents() {
            assert!(last < first);
            let batch = two_modes(&config, 1_000_000);
            let tape = Tape::inference();
            let kl = model.elbo(&tape, &batch, &noise(), Kl::Analytic).kl;
            let kl: f64 = kl.iter().map(|kl| kl.value().sum()).sum::<f64>() / batch.steps() as f64;
            assert!(kl > 0.3, "{kind} does not use its latents: KL {kl}"); // one bit is 0.69
        }
        (kind, last)
    });
    // One Gaussian over both modes: ½ ln 2πe(1 + 0.01) = 1.424 nats at best. Two modes: ln 2 + ½ ln 2πe·0.01
    // = −0.19.
    for (kind, last) in learnt.collect::<Vec<_>>() {
        let fits = if kind.has_latents() { last < 0.9 } else { last > 1.37 };
        assert!(fits, "{kind}: {last}");
    }
}

#[test]
#[ignore = "seconds long: make slow"]
fn every_model_learns_one_batch_by_heart() {
    for config in every() {
        let config = wide(&config, 12);
        let mut model = model(&config);
        let batch = batch(&config, &[8, 6]);
        let losses = train(&mut *model, 400, 5e-3, |_| batch.clone());
        // The median: where σ is near its floor, a single draw of z can cost a hundred nats.
        let mut end = losses[360..].to_vec();
        end.sort_by(Real::total_cmp);
        let (first, last) = (losses[0], end[20]);
        eprintln!("{}: {first} to {last}", name(&config));
        assert!(last < first - 1., "{}: {first} to {last}", name(&config));
    }
}
