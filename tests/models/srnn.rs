//! SRNN: counts, what its posterior sees, and that a step is a step of the whole.

use super::{batch, masked_sums, model, noise, row, tiny};
use stcn::models::config::*;
use stcn::models::{Kl, SequenceModel, Srnn, StepModel, count};
use stcn::nn::{Init, Module};
use stcn::noise::Noise;
use stcn::tape::{Tape, Var};
use stcn::{Real, Tensor};
use std::cell::RefCell;

const KINDS: [ModelKind; 2] = [ModelKind::Srnn, ModelKind::SrnnFilter];

#[test]
fn the_papers_sizes_have_their_parameter_counts() {
    // rivals.md §4
    let speech = ModelConfig {
        kind: ModelKind::Srnn,
        task: Task::Speech,
        head: HeadKind::Normal,
        input: 200,
        channels: 1024,
        embedding: 512,
        latent_hidden: 512,
        latents: vec![256],
        output_layers: 2,
        ..ModelConfig::default()
    };
    assert_eq!(count(&speech).unwrap(), 17_227_152);
    let filter = ModelConfig { kind: ModelKind::SrnnFilter, ..speech.clone() };
    assert_eq!(count(&filter).unwrap(), 11_983_248);
    let blizzard =
        ModelConfig { channels: 2048, embedding: 1024, latent_hidden: 1024, ..speech.clone() };
    assert_eq!(count(&blizzard).unwrap(), 65_910_160);
    let music = ModelConfig {
        task: Task::Music,
        head: HeadKind::Bernoulli,
        input: 88,
        channels: 300,
        embedding: 500,
        latent_hidden: 500,
        latents: vec![100],
        output_layers: 1,
        ..speech
    };
    assert_eq!(count(&music).unwrap(), 3_003_288);
}

#[test]
fn the_generative_part_has_as_many_parameters_as_the_table_says() {
    // rivals.md §9: what draws needs neither a_t nor the posterior's nets.
    for (preset, want) in [("ink-small", 239_103), ("speech-small", 498_287)] {
        let config = stcn::train::Config::preset(preset, Some("srnn"), None).unwrap().model;
        let shapes = stcn::models::shapes(&config).unwrap().into_iter();
        let drawing = shapes
            .filter(|(path, _)| !["smooth", "infer"].iter().any(|part| path.starts_with(part)));
        let drawing: usize = drawing.map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(drawing, want, "{preset}");
    }
}

#[test]
fn a_new_posterior_and_its_prior_are_next_to_standard_normals() {
    for kind in KINDS {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let model = Srnn::new(&mut Init::new(7), &config);
        let (mut weights, mut largest) = (0, 0.);
        model.visit(&mut |p| {
            let latents = p.path().starts_with("prior") || p.path().starts_with("infer");
            if latents && p.path().ends_with("output.weight") {
                weights += 1;
                largest = p.value.data().iter().fold(largest, |most: Real, w| most.max(w.abs()));
            }
        });
        assert_eq!(weights, 4);
        assert!((0.0008..=0.001).contains(&largest), "{largest}"); // of 60 uniform numbers
        let (tape, batch) = (Tape::inference(), batch(&config, &[9]));
        let kl = model.elbo(&tape, &batch, &noise(), Kl::Analytic).kl[0].value();
        assert!(kl.data().iter().all(|kl| kl.abs() < 1e-4), "{:?}", kl.data());
    }
}

/// What every step gives, with latents that are drawn from nobody: `ln p(x_t | ·)`, and the posterior's means.
fn with_fixed_latents(model: &dyn StepModel, x: &Tensor, lengths: &[usize]) -> Vec<[Tensor; 2]> {
    let tape = Tape::inference();
    let x = tape.constant(x.clone());
    let context = model.context(x, lengths);
    let mut state: Vec<Var> =
        model.start(lengths.len()).into_iter().map(|start| tape.constant(start)).collect();
    let latents = Noise::new(5, "latents");
    let step = |t| {
        let means = RefCell::new(vec![]);
        let at = |x: &Var<'_>| tape.constant(stcn::ops::slice_time(*x, t, 1).value());
        let step =
            model.step(&context.iter().map(at).collect::<Vec<_>>(), at(&x), &state, &|name, q| {
                means.borrow_mut().push(q.mean.value());
                let mut z = Tensor::zeros(q.mean.value().shape());
                latents.normals(name, 0, 100 * t as u64, z.data_mut());
                tape.constant(z)
            });
        state = step.state;
        [step.log_px.value(), means.into_inner().remove(0)]
    };
    (0..lengths[0]).map(step).collect()
}

#[test]
fn the_posterior_of_the_smoother_sees_every_later_step_and_nothing_else_does() {
    let (steps, j) = (12, 6);
    for kind in KINDS {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let (model, batch) = (model(&config), batch(&config, &[steps, steps]));
        let mut other = batch.x.clone();
        other.data_mut()[(steps + j) * config.input] += 1.; // x_j of the second sequence
        let walk = |x| with_fixed_latents(model.steps().unwrap(), x, &batch.lengths);
        let (before, after) = (walk(&batch.x), walk(&other));
        for t in 0..steps {
            let ([px, mean], [px_after, mean_after]) = (&before[t], &after[t]);
            let sees = |a, b| row(a, 1, 0) != row(b, 1, 0);
            // Of z_t and d_t alone: at j because x_j is what is scored, behind it because d_t has read it.
            assert_eq!(sees(px, px_after), t >= j, "{kind} {t}: likelihood");
            let backwards = t >= j || kind.sees_future();
            assert_eq!(sees(mean, mean_after), backwards, "{kind} {t}: posterior");
            assert_eq!(row(px, 0, 0), row(px_after, 0, 0), "{kind} {t}: the other sequence");
            assert_eq!(row(mean, 0, 0), row(mean_after, 0, 0), "{kind} {t}: the other sequence");
        }
        // The prior is of d_t and z_{t−1}, and d_t has read x_{<t}.
        let d = |x: &Tensor| {
            let tape = Tape::inference();
            let steps = model.steps().unwrap();
            steps.context(tape.constant(x.clone()), &batch.lengths)[0].value()
        };
        let (d, d_after) = (d(&batch.x), d(&other));
        (0..steps).for_each(|t| {
            assert_eq!(row(&d, 1, t) != row(&d_after, 1, t), t > j, "{kind} {t}: units");
        });
    }
    assert!(ModelKind::Srnn.sees_future() && !ModelKind::SrnnFilter.sees_future());
}

#[test]
fn a_step_at_a_time_gives_what_one_pass_gives_to_the_bit() {
    for kind in KINDS {
        let config = tiny(kind, (Task::Ink, HeadKind::Gmm));
        let (model, batch) = (model(&config), batch(&config, &[7, 4]));
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &noise(), Kl::Sampled);
        let (steps, x) = (model.steps().unwrap(), tape.constant(batch.x.clone()));
        let context = steps.context(x, &batch.lengths);
        let mut state: Vec<Var> =
            steps.start(2).into_iter().map(|start| tape.constant(start)).collect();
        for t in 0..7 {
            let at = |x: Var<'_>| tape.constant(stcn::ops::slice_time(x, t, 1).value());
            let context: Vec<Var> = context.iter().map(|&x| at(x)).collect();
            let step = steps.step(&context, at(x), &state, &|name, q| {
                q.rsample_from(t, &noise(), name, &batch.samples, 1.)
            });
            for b in 0..2 {
                let (px, ratio) = (step.log_px.value(), step.log_ratio.value());
                assert_eq!(row(&px, b, 0), row(&elbo.log_px.value(), b, t), "{kind} {b} {t}");
                assert_eq!(-row(&ratio, b, 0)[0], row(&elbo.kl[0].value(), b, t)[0]);
            }
            state = step.state;
        }
    }
}

#[test]
fn what_was_drawn_at_one_step_moves_the_next_latent_and_no_unit() {
    for kind in KINDS {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let (model, batch) = (model(&config), batch(&config, &[4]));
        let pass = |seed| {
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &batch, &Noise::new(seed, "srnn"), Kl::Analytic);
            let found = |label| tape.find(label).expect("on the tape").value();
            (elbo.kl[0].value(), found("d"), found("a"))
        };
        let (one, two) = (pass(1), pass(2));
        assert_eq!(one.0.data()[0], two.0.data()[0], "{kind}: z_0 is zero");
        assert_ne!(one.0.data()[1], two.0.data()[1], "{kind}");
        assert!(one.1 == two.1 && one.2 == two.2, "{kind}: a unit reads a latent");
        assert!(masked_sums(&one.0, &[4])[0] > 0.);
    }
}
