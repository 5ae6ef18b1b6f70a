//! The laws of rivals.md §11.3 on models that go a step at a time: all that say they do.

use super::{
    assert_close, batch, every, masked_sums, model, name, noise, rearranged, row, switched,
};
use stcn::data::Batch;
use stcn::dist::Normal;
use stcn::internals::bounds::increments;
use stcn::internals::kernel::reduce::log_mean;
use stcn::internals::particles::{Particles, tiled};
use stcn::models::{Bound, Kl, SequenceModel, StepModel};
use stcn::models::{HeadKind, ModelConfig};
use stcn::ops::{gather_rows, rsample, slice_time};
use stcn::train::{Ancestors, Resample, fivo, iwae};
use stcn::{Real, Tape, Tensor, Var};

const NEVER: (Resample, Ancestors) = (Resample::Never, Ancestors::Multinomial);

/// Every model with latents, both kinds of draws and both decoders.
fn with_latents() -> impl Iterator<Item = ModelConfig> {
    let latents = every().filter(|config| config.kind.has_latents());
    let decoders = latents.flat_map(|config| switched(&config, "decoder"));
    decoders.flat_map(|config| switched(&config, "draws"))
}

/// `check` on every model that has steps.
fn each(mut check: impl FnMut(&ModelConfig, &dyn SequenceModel, &dyn StepModel)) {
    let mut seen = 0;
    for config in with_latents() {
        let model = model(&config);
        let Some(steps) = model.steps() else {
            assert_eq!(model.bound(), Bound::Objective, "{}: no steps", name(&config));
            continue;
        };
        check(&config, &*model, steps);
        seen += 1;
    }
    assert!(seen > 20, "{seen} models");
}

/// a_t of every particle, (K·B, T), none drawn anew.
fn walk(steps: &dyn StepModel, batch: &Batch, particles: usize, weight: f64) -> Tensor {
    let tape = Tape::inference();
    let mut particles = Particles::new(batch, &noise(), particles, NEVER);
    let x = tape.constant(batch.x.clone());
    let context = steps.context(x, &batch.lengths);
    let start = steps.start(particles.rows());
    let mut state: Vec<Var> = start.into_iter().map(|s| tape.constant(s)).collect();
    let mut found = vec![];
    for t in 0..batch.x.shape()[1] {
        let (a, next) = particles.step(steps, &context, x, &state, t, weight);
        found.push(a);
        state = next;
    }
    stcn::ops::concat(&found).value()
}

#[test]
fn a_step_at_a_time_is_the_same_as_all_steps_at_once() {
    each(|config, model, steps| {
        let batch = batch(config, &[9, 4, 12]);
        for (particles, weight) in [(1, 1.), (1, 0.), (2, 0.5)] {
            let tiled = tiled(&batch, particles);
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &tiled, &noise(), Kl::Sampled);
            let (want, found) =
                (increments(&elbo, weight).value(), walk(steps, &batch, particles, weight));
            for (b, &n) in tiled.lengths.iter().enumerate() {
                for t in 0..n {
                    let [want, found] = [row(&want, b, t)[0], row(&found, b, t)[0]].map(f64::from);
                    let tolerance = 1e-5 * want.abs().max(1.);
                    assert_close(found, want, tolerance, &format!("{} step {t}", name(config)));
                }
            }
        }
    });
}

#[test]
fn one_particle_is_the_elbo_and_a_filter_that_draws_none_anew_is_iwae() {
    each(|config, model, steps| {
        let batch = batch(config, &[9, 4, 12]);
        let whole = |particles: usize| -> Vec<f64> {
            let (tiled, tape) = (tiled(&batch, particles), Tape::inference());
            let elbo = model.elbo(&tape, &tiled, &noise(), Kl::Sampled);
            let sums = masked_sums(&increments(&elbo, 1.).value(), &tiled.lengths);
            let of = |b: usize| sums.iter().skip(b).step_by(3).copied().collect::<Vec<_>>();
            (0..3).map(|b| log_mean(&of(b))).collect()
        };
        let always = (Resample::Always, Ancestors::Systematic);
        for (particles, how) in [(1, NEVER), (1, always), (4, NEVER)] {
            let found = fivo(steps, &batch, &noise(), particles, how);
            for (found, want) in found.iter().zip(whole(particles)) {
                assert_close(*found, want, 1e-5 * want.abs().max(1.), &name(config));
            }
        }
        // To the bit, by the same path: the steps' own a_t, summed as IWAE sums them.
        let sums = masked_sums(&walk(steps, &batch, 4, 1.), &batch.lengths.repeat(4));
        let by_hand: Vec<f64> =
            (0..3).map(|b| log_mean(&[0, 1, 2, 3].map(|k| sums[3 * k + b]))).collect();
        assert_eq!(fivo(steps, &batch, &noise(), 4, NEVER), by_hand, "{}", name(config));
        let (values, per_step) = iwae(model, &batch, &noise(), 4);
        if !per_step {
            assert_eq!(values, whole(4), "{}", name(config));
        }
    });
}

#[test]
fn neither_padding_nor_a_batchs_order_changes_a_bit_of_a_filter() {
    each(|config, _, steps| {
        let original = batch(config, &[9, 4, 12]);
        for when in [Resample::Ess, Resample::Always] {
            let how = (when, Ancestors::Multinomial);
            let want = fivo(steps, &original, &noise(), 3, how);
            assert!(want.iter().all(|x| x.is_finite()));
            for (order, padding, junk) in [(&[0, 1, 2][..], 3, 1.), (&[2, 0], 0, 0.), (&[1], 2, 0.)]
            {
                let other = rearranged(&original, order, padding, junk);
                let want: Vec<f64> = order.iter().map(|&b| want[b]).collect();
                let found = fivo(steps, &other, &noise(), 3, how);
                assert_eq!(found, want, "{} {order:?}", name(config));
            }
        }
    });
}

/// a_t of two particles of one sequence, with the same noise from step 3 on; before it, each goes on from
/// the one that `index` says.
fn two_that_meet(steps: &dyn StepModel, batch: &Batch, index: &[usize]) -> Vec<[Real; 2]> {
    fn draw<'t>(t: usize, name: &str, q: Normal<'t>) -> Var<'t> {
        let samples = if t < 3 { [1, 2] } else { [1, 1] };
        let epsilon = noise().normal_tensor(name, &samples, 7, q.mean.value().cols());
        let epsilon = q.mean.tape().constant(epsilon);
        rsample(q.mean, q.std, slice_time(epsilon, t, 1))
    }
    fn now(x: Var, t: usize) -> Var {
        gather_rows(slice_time(x, t, 1), &[0, 0])
    }
    let tape = Tape::inference();
    let x = tape.constant(batch.x.clone());
    let context = steps.context(x, &batch.lengths);
    let mut state: Vec<Var> = steps.start(2).into_iter().map(|s| tape.constant(s)).collect();
    let mut found = vec![];
    for t in 0..7 {
        let context = context.map(|&c| now(c, t));
        let step = steps.step(&context, now(x, t), &state, &|name, q| draw(t, name, q));
        state = step.state;
        if t == 2 {
            state = state.into_iter().map(|s| gather_rows(s, index)).collect();
        }
        let a = (step.log_px + step.log_ratio).value();
        found.push([a.data()[0], a.data()[1]]);
    }
    found
}

#[test]
fn a_particle_that_goes_on_from_another_forgets_its_own_past() {
    each(|config, _, steps| {
        let batch = batch(config, &[7]);
        let run = |index: &[usize]| two_that_meet(steps, &batch, index);
        let (apart, same, swapped) = (run(&[0, 1]), run(&[1, 1]), run(&[1, 0]));
        assert!((0..3).all(|t| apart[t][0] != apart[t][1]), "{}", name(config));
        let stateless = steps.start(1).is_empty();
        for t in 3..7 {
            assert_eq!(same[t][0], same[t][1], "{} step {t}", name(config));
            assert_eq!(same[t][1], apart[t][1], "{} step {t}", name(config));
            assert_eq!([swapped[t][1], swapped[t][0]], apart[t], "{} step {t}", name(config));
        }
        let differ = (3..7).any(|t| apart[t][0] != apart[t][1]);
        assert_eq!(differ, !stateless, "{}", name(config));
    });
}

#[test]
fn particles_may_stand_in_any_order() {
    each(|config, model, _| {
        let batch = tiled(&batch(config, &[6]), 4);
        let value = |order: &[usize]| {
            let (batch, tape) = (rearranged(&batch, order, 0, 0.), Tape::inference());
            let elbo = model.elbo(&tape, &batch, &noise(), Kl::Sampled);
            log_mean(&masked_sums(&increments(&elbo, 1.).value(), &batch.lengths))
        };
        assert_close(value(&[2, 0, 3, 1]), value(&[0, 1, 2, 3]), 1e-12 * 1e3, &name(config));
    });
}

#[test]
fn the_divergence_of_the_draws_is_the_integral_in_the_mean() {
    // Of one sequence in 1024 copies. Given what was drawn before, each term's mean is the integral's term.
    for config in with_latents().filter(|config| config.obs.head != HeadKind::Gmm) {
        let model = model(&config);
        if model.bound() != Bound::Lower {
            continue;
        }
        let one = batch(&config, &[3]);
        let copies = rearranged(&one, &[0; 1024], 0, 0.);
        let copies = Batch { samples: (0..1024).collect(), ..copies };
        let total = |kl| -> Vec<f64> {
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &copies, &noise(), kl);
            let sum = elbo.kl[1..].iter().fold(elbo.kl[0], |sum, &kl| sum + kl);
            masked_sums(&sum.value(), &copies.lengths)
        };
        let (integral, drawn) = (total(Kl::Analytic), total(Kl::Sampled));
        let apart: Vec<f64> = drawn.iter().zip(&integral).map(|(a, b)| a - b).collect();
        let (mean, error) = super::bounds::mean_and_error(&apart);
        let what = format!("{}: {mean} ± {error}", name(&config));
        assert!(error > 1e-4 && mean.abs() < 4. * error + 1e-4, "{what}");
    }
}
