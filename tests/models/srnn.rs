//! SRNN: counts, what its posterior sees, and that a step is a step of the whole.

use super::{batch, generative, masked_sums, model, noise, row, tiny};
use stcn::models::srnn::{Config, Paper, Srnn};
use stcn::models::{HeadKind, ModelConfig, ObservationConfig, Preset, Task};
use stcn::models::{Kl, ModelKind, SRNN, SRNN_FILTER, SequenceModel, StepModel, count};
use stcn::nn::{Init, Module};
use stcn::tape::{Tape, Var};
use stcn::{Noise, Real, Tensor};
use std::cell::RefCell;

const KINDS: [ModelKind; 2] = [SRNN, SRNN_FILTER];

#[test]
fn the_papers_sizes_have_their_parameter_counts() {
    // rivals.md §4
    let of = |smooth, preset, head, sizes: [usize; 5]| {
        let [hidden_size, embedding_size, latent_size, latent_hidden_size, layers] = sizes;
        let own = Config { hidden_size, embedding_size, latent_size, latent_hidden_size, layers };
        let obs = ObservationConfig::preset(preset, Some(head));
        let paper = if smooth { &Paper { smooth: true } } else { &Paper { smooth: false } };
        count(&ModelConfig::new(paper, obs, &own)).unwrap()
    };
    let speech = |smooth, sizes| of(smooth, Preset::Speech, HeadKind::Normal, sizes);
    assert_eq!(speech(true, [1024, 512, 256, 512, 2]), 17_227_152);
    assert_eq!(speech(false, [1024, 512, 256, 512, 2]), 11_983_248);
    assert_eq!(speech(true, [2048, 1024, 256, 1024, 2]), 65_910_160);
    let music = of(true, Preset::MusicSmall, HeadKind::Bernoulli, [300, 500, 100, 500, 1]);
    assert_eq!(music, 3_003_288);
}

#[test]
fn the_generative_part_has_as_many_parameters_as_the_table_says() {
    // rivals.md §9: what draws needs neither a_t nor the posterior's nets.
    for (preset, want) in [(Preset::InkSmall, 239_103), (Preset::SpeechSmall, 498_287)] {
        assert_eq!(generative(&ModelConfig::preset(SRNN, preset, None)), want, "{preset}");
    }
}

#[test]
fn a_new_posterior_and_its_prior_are_next_to_standard_normals() {
    for kind in KINDS {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let model = Srnn::new(&mut Init::new(7), &config.own(), &config.obs, kind.looks_ahead());
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
        let step = model.step(&context.map(at), at(&x), &state, &|name, q| {
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
        other.data_mut()[(steps + j) * config.obs.input] += 1.; // x_j of the second sequence
        let walk = |x| with_fixed_latents(model.steps().unwrap(), x, &batch.lengths);
        let (before, after) = (walk(&batch.x), walk(&other));
        for t in 0..steps {
            let ([px, mean], [px_after, mean_after]) = (&before[t], &after[t]);
            let sees = |a, b| row(a, 1, 0) != row(b, 1, 0);
            // Of z_t and d_t alone: at j because x_j is what is scored, behind it because d_t has read it.
            assert_eq!(sees(px, px_after), t >= j, "{kind} {t}: likelihood");
            let backwards = t >= j || kind.looks_ahead();
            assert_eq!(sees(mean, mean_after), backwards, "{kind} {t}: posterior");
            assert_eq!(row(px, 0, 0), row(px_after, 0, 0), "{kind} {t}: the other sequence");
            assert_eq!(row(mean, 0, 0), row(mean_after, 0, 0), "{kind} {t}: the other sequence");
        }
        // The prior is of d_t and z_{t−1}, and d_t has read x_{<t}.
        let d = |x: &Tensor| {
            let tape = Tape::inference();
            let steps = model.steps().unwrap();
            steps.context(tape.constant(x.clone()), &batch.lengths).past[0].value()
        };
        let (d, d_after) = (d(&batch.x), d(&other));
        (0..steps).for_each(|t| {
            assert_eq!(row(&d, 1, t) != row(&d_after, 1, t), t > j, "{kind} {t}: units");
        });
    }
    assert!(SRNN.looks_ahead() && !SRNN_FILTER.looks_ahead());
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
            let context = context.map(|&x| at(x));
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
