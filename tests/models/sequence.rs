//! Generation: a step at a time is the whole sequence at once, to the bit. Several draws: each is what it is by itself.

use super::{Model, batch, every, model, name, noise, rearranged, row, switched, tiny, with};
use stcn::data::Batch;
use stcn::models::{self, Bound, Elbo, Kl, STCN, STCN_DENSE, generate};
use stcn::models::{HeadKind, ModelConfig, PenDraw, Task};
use stcn::ops::slice_time;
use stcn::tape::Tape;
use stcn::{Real, Tensor};

/// Longer than anything looks back: contexts 7 rows, WaveNet 8, a gated decoder 3 more.
const STEPS: usize = 24;
const SAMPLES: [u64; 3] = [4, 0, 9];

/// Both decoders and both kinds of draws where a model has them.
fn variants() -> impl Iterator<Item = ModelConfig> {
    let decoders = every().flat_map(|config| switched(&config, "decoder"));
    decoders.flat_map(|config| switched(&config, "draws"))
}

fn grown(model: &dyn Model, prime: &Tensor, samples: &[u64]) -> Tensor {
    let steps = STEPS - prime.shape()[1];
    generate(model, prime, steps, &noise(), samples, 1., |_| ())
}

fn nothing(config: &ModelConfig, sequences: usize) -> Tensor {
    Tensor::zeros(&[sequences, 0, config.obs.input])
}

#[test]
fn every_step_drawn_is_the_step_of_one_pass_over_the_whole() {
    for config in variants() {
        let model = model(&config);
        let x = grown(&*model, &nothing(&config, 3), &SAMPLES);
        assert!(x.is_finite());
        assert!(row(&x, 0, STEPS - 1) != row(&x, 0, 1) || config.obs.task == Task::Music);
        assert!(model.redraw(&x, 0, &noise(), &SAMPLES) == x, "{}", name(&config));
    }
}

/// Those that look ahead see the steps that are given at once, and no others.
#[test]
fn steps_given_in_two_parts_are_those_given_at_once() {
    for config in every().filter(|config| !config.kind.looks_ahead()) {
        let (model, x) = (model(&config), batch(&config, &[5, 5]).x);
        let drawn = |parts: &[(usize, usize)]| {
            let mut sampler = model.sampler(&[4, 9]);
            for &(start, end) in parts {
                let tape = Tape::inference();
                let part = slice_time(tape.constant(x.clone()), start, end - start).value();
                sampler.observe(&part, &noise());
            }
            sampler.draw(&noise(), 1.)
        };
        assert_eq!(drawn(&[(0, 2), (2, 5)]), drawn(&[(0, 5)]), "{}", name(&config));
        assert_ne!(drawn(&[(0, 2)]), drawn(&[(0, 5)]), "{}", name(&config));
    }
}

#[test]
fn a_primed_sequence_goes_on_as_one_pass_over_the_whole_would() {
    for config in variants() {
        let model = model(&config);
        let prime = batch(&config, &[11, 11, 11]).x;
        let x = grown(&*model, &prime, &SAMPLES);
        for b in 0..3 {
            (0..11).for_each(|t| assert_eq!(row(&x, b, t), row(&prime, b, t)));
        }
        assert!(model.redraw(&x, 11, &noise(), &SAMPLES) == x, "{}", name(&config));
    }
}

#[test]
fn the_given_steps_are_looked_at() {
    // Keys may stay as they are while their θ moves; real numbers may not.
    for config in variants().filter(|config| config.obs.task != Task::Music) {
        let model = model(&config);
        let prime = batch(&config, &[11, 11, 11]).x;
        let other = prime.map(|x| 1. - x);
        let [a, b] = [prime, other].map(|prime| grown(&*model, &prime, &SAMPLES));
        assert!((11..STEPS).any(|t| row(&a, 0, t) != row(&b, 0, t)), "{}", name(&config));
    }
}

#[test]
fn observing_what_was_drawn_changes_nothing_after() {
    // Not so behind a gated decoder, nor in units or layers that read latents: they are fed the posterior's of
    // what is given.
    let forgets = |config: &ModelConfig| match config.table().get("decoder") {
        Some(decoder) => decoder.as_str() == Some("pointwise"),
        None => !config.kind.has_latents(),
    };
    for config in variants().filter(forgets) {
        let model = model(&config);
        let x = grown(&*model, &nothing(&config, 3), &SAMPLES);
        let prime = rearranged(
            &stcn::data::Batch { x: x.clone(), lengths: vec![11; 3], samples: vec![0; 3] },
            &[0, 1, 2],
            0,
            0.,
        );
        assert!(grown(&*model, &prime.x, &SAMPLES) == x, "{}", name(&config));
    }
}

#[test]
fn a_sequence_does_not_depend_on_its_neighbours_nor_on_threads() {
    for config in variants() {
        let model = model(&config);
        let all =
            |sequences: usize| grown(&*model, &nothing(&config, sequences), &SAMPLES[..sequences]);
        let together = all(3);
        for (b, &sample) in SAMPLES.iter().enumerate() {
            let alone = grown(&*model, &nothing(&config, 1), &[sample]);
            (0..STEPS).for_each(|t| {
                assert_eq!(row(&alone, 0, t), row(&together, b, t), "{}", name(&config));
            });
        }
        for threads in [1, 3] {
            let there = stcn::with_threads(threads, || all(3)).unwrap();
            assert!(there == together, "{} on {threads} threads", name(&config));
        }
    }
}

#[test]
fn sequences_of_other_samples_or_noise_differ() {
    for kind in models::ALL {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let model = model(&config);
        let x = grown(&*model, &nothing(&config, 2), &[1, 2]);
        assert_ne!(row(&x, 0, 0), row(&x, 1, 0));
        let at =
            generate(&*model, &nothing(&config, 2), STEPS, &noise().at(1), &[1, 2], 1., |_| ());
        assert_ne!(row(&x, 0, 0), row(&at, 0, 0));
    }
}

#[test]
fn without_noise_fresh_draws_are_shared_ones() {
    // Temperature 0 makes every ε equal: both kinds of draws are then one, to the bit.
    for kind in [STCN, STCN_DENSE] {
        for config in switched(&tiny(kind, (Task::Speech, HeadKind::Normal)), "decoder") {
            let [shared, fresh] = ["shared", "fresh"].map(|draws| {
                let config = with(&config, "draws", draws);
                let none = nothing(&config, 2);
                generate(&*model(&config), &none, STEPS, &noise(), &[1, 2], 0., |_| ())
            });
            assert!(shared == fresh, "{}", name(&config));
        }
    }
}

#[test]
fn keys_and_pens_are_zeros_and_ones_and_a_threshold_draws_no_chance() {
    for config in every() {
        let first = match config.obs.task {
            Task::Ink => 2,
            Task::Music => 0,
            Task::Speech | Task::Series => continue,
        };
        let x = grown(&*model(&config), &nothing(&config, 3), &SAMPLES);
        let bits = |x: &Tensor| -> Vec<Real> {
            x.data().chunks_exact(config.obs.input).flat_map(|row| row[first..].to_vec()).collect()
        };
        assert!(bits(&x).iter().all(|&bit| bit == 0. || bit == 1.));
        assert!(bits(&x).contains(&0.) && bits(&x).contains(&1.), "{}", name(&config));
        // Twice the same first step from different noise: only a threshold gives the same pen throughout.
        if !config.kind.has_latents() {
            let mut config = config.clone();
            config.obs.pen_draw = PenDraw::Threshold;
            let x = grown(&*model(&config), &nothing(&config, 3), &SAMPLES);
            let first_bits = |b: usize| row(&x, b, 0)[first..].to_vec();
            assert_eq!(first_bits(0), first_bits(1));
            assert_eq!(first_bits(0), first_bits(2));
        }
    }
}

#[test]
fn drawing_reads_every_parameter_but_those_of_inference() {
    for config in every() {
        let mut model = model(&config);
        let draw = |model: &dyn Model| grown(model, &nothing(&config, 3), &SAMPLES);
        let before = draw(&*model);
        let mut read = vec![];
        model.visit_mut(&mut |p| match config.kind.generates_with(p.path()) {
            true => read.push(p.path().to_string()),
            false => p.value.data_mut().fill(Real::NAN),
        });
        assert!(draw(&*model) == before, "{} reads what only inference has", name(&config));
        // Keys may stay as they are while their θ moves a little.
        let may_hide = |path: &str| config.obs.task == Task::Music && !path.starts_with("head.");
        for path in read.into_iter().filter(|path| !may_hide(path)) {
            let swap = |model: &mut dyn Model, value: &mut Tensor| {
                model.visit_mut(&mut |p| {
                    if p.path() == path {
                        std::mem::swap(&mut p.value, value);
                    }
                });
            };
            let mut value = Tensor::zeros(&[0]);
            swap(&mut *model, &mut value);
            let mut other = value.map(|_| Real::NAN);
            swap(&mut *model, &mut other);
            assert!(draw(&*model) != before, "{} does not read {path}", name(&config));
            swap(&mut *model, &mut value);
        }
    }
}

#[test]
fn several_draws_are_the_terms_of_each_by_itself() {
    for config in variants() {
        let (model, batch) = (model(&config), batch(&config, &[4, 2]));
        let draws = [(noise(), vec![5, 8]), (noise().later(3), vec![8, 2])];
        let terms = |elbo: &Elbo| -> Vec<Tensor> {
            std::iter::once(&elbo.log_px).chain(&elbo.kl).map(|x| x.value()).collect()
        };
        for kl in [Kl::Analytic, Kl::Sampled] {
            let mut found = vec![];
            model.elbos(&batch, kl, &draws, &mut |elbo| found.push(terms(elbo)));
            let alone = draws.clone().map(|(noise, samples)| {
                let batch = Batch { samples, ..batch.clone() };
                terms(&model.elbo(&Tape::inference(), &batch, &noise, kl))
            });
            assert_eq!(found, alone, "{}, {kl:?}", name(&config));
            let exact = model.bound() == Bound::Exact;
            assert_eq!(found[0] == found[1], exact, "{}: two draws", name(&config));
        }
    }
}
