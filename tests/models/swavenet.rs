//! SWaveNet: counts, who sees what, and steps that are those of the whole.

use super::bounds::mean_and_error;
use super::{
    HEADS, assert_close, batch, generative, masked_sums, model, noise, reached, row, steps,
    switched, tiny, with,
};
use stcn::data::Batch;
use stcn::models::swavenet::{Config, GateKind};
use stcn::models::{Bound, Kl, SWAVENET, SequenceModel, StepModel, count, generate};
use stcn::models::{HeadKind, ModelConfig, Preset, Task};
use stcn::tape::Tape;
use stcn::{Noise, Real, Tensor, Var};
use std::cell::RefCell;

fn config(task: Task, head: HeadKind) -> ModelConfig {
    tiny(SWAVENET, (task, head))
}

/// One layer with a latent behind one without: dilations 1 and 2.
fn single() -> ModelConfig {
    with(&config(Task::Speech, HeadKind::Normal), "latents", vec![2])
}

fn preset(preset: Preset, head: HeadKind) -> ModelConfig {
    ModelConfig::preset(SWAVENET, preset, Some(head))
}

#[test]
fn the_papers_sizes_are_its_counts_without_batch_norm() {
    // rivals.md §7, no dead gate, less three batch norms of 2E in every block; on ink ρ is not in our Normal.
    assert_eq!(
        count(&preset(Preset::Speech, HeadKind::Normal)).unwrap(),
        71_763_344 - 8 * 6 * 1024
    );
    assert_eq!(
        count(&preset(Preset::Ink, HeadKind::Normal)).unwrap(),
        2_137_406 - 7 * 6 * 200 - 201
    );
}

#[test]
fn small_presets_have_their_counts_and_their_generative_parts() {
    // rivals.md §9. What draws needs neither the blocks that read backwards nor the posterior's gates.
    for (name, head, total, drawing) in [
        (Preset::InkSmall, HeadKind::Gmm, 591_583, 493_235),
        (Preset::InkSmall, HeadKind::Normal, 585_343, 493_235 - 6_240),
        (Preset::SpeechSmall, HeadKind::Gmm, 909_753, 580_409),
        (Preset::SpeechSmall, HeadKind::Normal, 754_068, 580_409 - 155_685),
        (Preset::MusicSmall, HeadKind::Bernoulli, 600_088, 600_088 - 98_348),
    ] {
        let config = preset(name, head);
        assert_eq!(count(&config).unwrap(), total, "{name} {head}");
        assert_eq!(generative(&config), drawing, "{name} {head}");
    }
}

/// `batch` with the numbers of step t of its sequence b moved.
fn moved(batch: &Batch, b: usize, t: usize) -> Batch {
    let mut other = batch.clone();
    let (_, steps, c) = batch.x.btc("moved");
    other.x.data_mut()[(b * steps + t) * c..][..c].iter_mut().for_each(|x| *x += 1.);
    other
}

/// The posterior's means of every step, by layer, with latents that are drawn from nobody.
fn posteriors(model: &dyn StepModel, batch: &Batch) -> Vec<Vec<Tensor>> {
    let tape = Tape::inference();
    let x = tape.constant(batch.x.clone());
    let context = model.context(x, &batch.lengths);
    let start = model.start(batch.lengths.len()).into_iter();
    let mut state: Vec<Var> = start.map(|start| tape.constant(start)).collect();
    let one = |t: usize| {
        let at = |x: &Var<'_>| tape.constant(stcn::ops::slice_time(*x, t, 1).value());
        let context = context.map(at);
        let means = RefCell::new(vec![]);
        let step = model.step(&context, at(&x), &state, &|_, q| {
            means.borrow_mut().push(q.mean.value());
            tape.constant(q.mean.value().map(|_| 0.3))
        });
        state = step.state;
        means.into_inner()
    };
    (0..batch.x.shape()[1]).map(one).collect()
}

#[test]
fn given_what_was_drawn_a_step_sees_the_past_alone_and_so_much_of_it() {
    // Σδ = 1 + 2 + 4: x_t is told by x_{t−1} … x_{t−8}.
    let count = 20;
    let config = config(Task::Speech, HeadKind::Normal);
    let (model, batch) = (model(&config), batch(&config, &[count, count]));
    let tape = Tape::inference();
    let walk = |batch: &Batch| steps(&*model, &tape, batch, true);
    let before = walk(&batch);
    let mut seen = [false; 9]; // how far back; a rectifier may be shut at one step or another
    for j in 2..11 {
        let after = walk(&moved(&batch, 1, j));
        for t in 0..count {
            let changed = |b: usize| {
                row(&before[t].log_px.value(), b, 0) != row(&after[t].log_px.value(), b, 0)
            };
            assert!(!changed(0), "the other sequence");
            assert!((j..=j + 8).contains(&t) || !changed(1), "x_{t} of x_{j}");
            if changed(1) {
                seen[t - j] = true;
            }
            // s^1 goes on to the second prior.
            for (a, b) in before[t].state.iter().zip(&after[t].state).filter(|_| t <= j) {
                assert_eq!(a.value(), b.value(), "s of {t} after x_{j}");
            }
        }
    }
    assert_eq!(seen, [true; 9]);
}

#[test]
fn priors_see_no_step_from_their_own_on() {
    let (count, j) = (20, 6);
    let config = config(Task::Speech, HeadKind::Normal);
    let (model, batch) = (model(&config), batch(&config, &[count, count]));
    // The streams below every prior, but for what is drawn: the sum of skips and g^1.
    let below = |batch: &Batch| -> Vec<Tensor> {
        let tape = Tape::inference();
        let context =
            model.steps().unwrap().context(tape.constant(batch.x.clone()), &batch.lengths);
        context.past.iter().map(|c| c.value()).collect()
    };
    let (before, after) = (below(&batch), below(&moved(&batch, 1, j)));
    for (before, after) in before.iter().zip(&after) {
        for t in 0..count {
            let changed = row(before, 1, t) != row(after, 1, t);
            assert!(changed == (t > j) || t > j + 2, "row {t}");
        }
    }
}

#[test]
fn every_posterior_sees_the_future_where_its_dilations_lead() {
    // v² looks δ = 4 ahead, v¹ 2 ahead of that; and g^l has read the past.
    let (count, j) = (20, 12);
    let config = config(Task::Speech, HeadKind::Normal);
    assert!(config.kind.looks_ahead());
    let (model, batch) = (model(&config), batch(&config, &[count, count]));
    let walk = |batch: &Batch| posteriors(model.steps().unwrap(), batch);
    let (before, after) = (walk(&batch), walk(&moved(&batch, 1, j)));
    for (l, ahead) in [&[0, 2, 4, 6][..], &[0, 4]].into_iter().enumerate() {
        for t in 0..=j {
            let changed = row(&before[t][l], 1, 0) != row(&after[t][l], 1, 0);
            assert_eq!(changed, ahead.contains(&(j - t)), "q of z.{} at {t}", l + 1);
            assert_eq!(row(&before[t][l], 0, 0), row(&after[t][l], 0, 0), "the other sequence");
        }
    }
}

#[test]
fn reverse_streams_begin_at_the_end_of_each_sequence_whatever_is_behind() {
    let config = config(Task::Speech, HeadKind::Normal);
    let (model, whole) = (model(&config), batch(&config, &[9, 5]));
    let short = super::rearranged(&whole, &[1], 0, 0.);
    let junk = super::rearranged(&whole, &[0, 1], 3, 1e3);
    let streams = |batch: &Batch| -> Vec<Tensor> {
        let tape = Tape::inference();
        let context =
            model.steps().unwrap().context(tape.constant(batch.x.clone()), &batch.lengths);
        context.seen.iter().map(|r| r.value()).collect()
    };
    let [short, whole, junk] = [&short, &whole, &junk].map(streams);
    assert_eq!(short.len(), 2);
    for ((short, whole), junk) in short.iter().zip(&whole).zip(&junk) {
        for t in 0..5 {
            assert_eq!(row(short, 0, t), row(whole, 1, t));
            assert_eq!(row(short, 0, t), row(junk, 1, t));
        }
    }
}

#[test]
fn a_walk_of_single_steps_is_the_pass_over_all() {
    for head in HEADS {
        for latents in [vec![2], vec![3, 2], vec![2, 1, 3]] {
            let config = with(&tiny(SWAVENET, head), "latents", latents);
            let (model, batch) = (model(&config), batch(&config, &[14, 9]));
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &batch, &noise(), Kl::Sampled);
            for (t, step) in steps(&*model, &tape, &batch, false).iter().enumerate() {
                for (b, &length) in batch.lengths.iter().enumerate().filter(|(_, n)| t < **n) {
                    let whole = row(&elbo.log_px.value(), b, t)[0];
                    let what = format!("step {t} of {b} with {length}");
                    assert_eq!(row(&step.log_px.value(), b, 0)[0], whole, "{what}");
                    let of = |kl: &Var| row(&kl.value(), b, t)[0];
                    let first = of(&elbo.kl[0]);
                    let spent = elbo.kl[1..].iter().fold(first, |sum, kl| sum + of(kl));
                    assert_eq!(row(&step.log_ratio.value(), b, 0)[0], -spent, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_step_remembers_only_inputs_of_blocks_above_a_latent() {
    let config = config(Task::Speech, HeadKind::Normal);
    let start = |config: &ModelConfig| model(config).steps().unwrap().start(3);
    let rows = start(&config); // δ of the second layer
    assert_eq!(rows.iter().map(|row| row.shape().to_vec()).collect::<Vec<_>>(), [[3, 1, 5]; 4]);
    assert!(rows.iter().all(|row| row.data().iter().all(|&x| x == 0.)));
    assert!(start(&single()).is_empty());
}

#[test]
fn with_one_layer_alone_steps_have_weights_of_their_own() {
    let two = config(Task::Speech, HeadKind::Normal);
    assert!(model(&two).importance_weights(&batch(&two, &[4]), &noise(), 2).is_none());
    let config = single();
    let (model, batch) = (model(&config), batch(&config, &[6, 4]));
    assert_eq!(model.bound(), Bound::Lower);
    let weights = model.importance_weights(&batch, &noise(), 2).unwrap();
    assert_ne!(weights[0], weights[1]);
    // Each of them is the bound's own draw.
    let tape = Tape::inference();
    let elbo = model.elbo(&tape, &batch, &noise().at(1), Kl::Sampled);
    assert_eq!(weights[1], (elbo.log_px - elbo.kl[0]).value());
}

#[test]
fn the_weights_of_a_step_have_its_probability_as_their_mean() {
    // The exact value by the trapezoid rule over z_t, ±8σ in steps of 1/8, a row of the step model each.
    let config = with(&single(), "latents", vec![1]);
    let model = model(&config);
    let one = batch(&config, &[5]);
    let n = 129;
    let grid: Vec<Real> = (0..n).map(|i| -8. + i as Real / 8.).collect();
    let rows = Batch {
        x: Tensor::new(&[n, 5, 2], one.x.data().repeat(n)),
        lengths: vec![5; n],
        samples: vec![0; n],
    };
    let tape = Tape::inference();
    let x = tape.constant(rows.x.clone());
    let steps = model.steps().unwrap();
    let context = steps.context(x, &rows.lengths);
    let t = 3;
    let at = |x: &Var<'_>| tape.constant(stcn::ops::slice_time(*x, t, 1).value());
    let context = context.map(at);
    let q = RefCell::new(vec![]);
    let step = steps.step(&context, at(&x), &[], &|_, from| {
        let z = tape.constant(Tensor::new(&[n, 1, 1], grid.clone()));
        *q.borrow_mut() = from.log_prob(z).value().data().to_vec();
        z
    });
    let (log_px, ratio) = (step.log_px.value(), step.log_ratio.value());
    let density = |i: usize| f64::from(log_px.data()[i] + ratio.data()[i] + q.borrow()[i]).exp();
    let exact = (0..n).map(density).sum::<f64>() / 8.;

    let copies = 4096;
    let many = Batch {
        x: Tensor::new(&[copies, 5, 2], one.x.data().repeat(copies)),
        lengths: vec![5; copies],
        samples: (0..copies as u64).collect(),
    };
    let weights = model.importance_weights(&many, &noise(), 8).unwrap();
    let of_draw = |w: &Tensor| -> Vec<f64> {
        (0..copies).map(|b| f64::from(row(w, b, t)[0]).exp()).collect()
    };
    let (mean, error) = mean_and_error(&weights.iter().flat_map(of_draw).collect::<Vec<_>>());
    assert!(error < 0.02 * exact, "{error} of {exact} decides nothing");
    assert_close(mean, exact, 4. * error + 1e-4 * exact, "the mean of w");
}

#[test]
fn the_integral_of_a_divergence_is_the_mean_of_its_draws() {
    let config = config(Task::Ink, HeadKind::Gmm);
    let model = model(&config);
    let (one, copies) = (batch(&config, &[6]), 4000);
    let many = Batch {
        x: Tensor::new(&[copies, 6, 3], one.x.data().repeat(copies)),
        lengths: vec![6; copies],
        samples: (0..copies as u64).collect(),
    };
    let total = |kl| {
        let tape = Tape::inference();
        let kls = model.elbo(&tape, &many, &noise(), kl).kl;
        kls[0].value().data().iter().zip(kls[1].value().data()).map(|(a, b)| a + b).collect()
    };
    let [analytic, sampled]: [Vec<Real>; 2] = [Kl::Analytic, Kl::Sampled].map(total);
    let sum = |x: &[Real]| x.iter().map(|&x| f64::from(x)).sum::<f64>();
    let size = sum(&analytic) / copies as f64;
    let off = analytic.chunks(6).zip(sampled.chunks(6)).map(|(a, b)| sum(a) - sum(b));
    let (mean, error) = mean_and_error(&off.collect::<Vec<_>>());
    assert!(error < 0.02 * size && mean.abs() < 4. * error, "{mean} ± {error} of {size}");
}

#[test]
fn only_given_steps_ask_what_reads_backwards_and_the_posterior() {
    // With one layer no later step hears what they said.
    for (config, given, asks) in [
        (config(Task::Ink, HeadKind::Gmm), 0, false),
        (config(Task::Ink, HeadKind::Gmm), 5, true),
        (single(), 5, false),
    ] {
        let mut model = model(&config);
        let batch = batch(&config, &[5, 5]);
        let prime = Tape::inference();
        let prime = stcn::ops::slice_time(prime.constant(batch.x.clone()), 0, given).value();
        let draw =
            |model: &dyn SequenceModel| generate(model, &prime, 12, &noise(), &[1, 2], 1., |_| ());
        let before = draw(&*model);
        model.visit_mut(&mut |p| {
            if ["back.", "look.", "infer."].iter().any(|part| p.path().starts_with(part)) {
                p.value = p.value.map(|w| -w);
            }
        });
        assert!(before.is_finite());
        assert_eq!(draw(&*model) != before, asks, "{given} given");
    }
}

#[test]
fn no_gate_is_dead_and_the_likelihood_teaches_all_but_priors() {
    for config in switched(&config(Task::Ink, HeadKind::Gmm), "gate_kind") {
        let config = with(&config, "gate_hidden_size", 8);
        let (model, batch) = (model(&config), batch(&config, &[14, 12]));
        let mut parts: Vec<String> = vec![];
        model.visit(&mut |p| parts.push(p.path().to_string()));
        assert!(!parts.iter().any(|path| path.starts_with("state.2")));
        for path in &parts {
            let tape = Tape::new();
            let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
            let likelihood = reached(&*model, elbo.log_px, &[path]) > 0.;
            assert_eq!(likelihood, !path.starts_with("prior."), "{path}");
            let tape = Tape::new();
            let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
            let both = elbo.log_px - elbo.kl[0] - elbo.kl[1];
            assert!(reached(&*model, both, &[path]) > 0., "{path}");
        }
    }
}

#[test]
fn gates_and_what_blocks_multiply_with_are_as_chosen() {
    let value = |config: ModelConfig| {
        let (model, batch) = (model(&config), batch(&config, &[6]));
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
        masked_sums(&elbo.log_px.value(), &[6])[0]
    };
    let config = config(Task::Speech, HeadKind::Normal);
    let linear = with(&config, "gate_act", "linear-as-released");
    let [plain, released, flat] = [
        value(config.clone()),
        value(config.clone().as_released()),
        value(with(&config, "gate_kind", "pre-relu-linear")),
    ];
    assert!(plain != released && plain != flat && flat.is_finite());
    assert_eq!(released, value(linear));
    for (name, want) in [
        (Preset::Ink, GateKind::PreReluLinear),
        (Preset::InkSmall, GateKind::TwoLayer),
        (Preset::Speech, GateKind::TwoLayer),
    ] {
        assert_eq!(preset(name, HeadKind::Normal).own::<Config>().gate_kind, want, "{name}");
    }
}

#[test]
fn a_network_of_zeros_gives_the_numbers_of_the_heads_and_no_divergence() {
    for (task, head, input, want) in [
        (Task::Ink, HeadKind::Gmm, 3, -1.7979984),
        (Task::Speech, HeadKind::Normal, 200, -110.4851225),
    ] {
        let mut config = config(task, head);
        config.obs.input = input;
        let mut model = model(&config);
        model.visit_mut(&mut |p| p.value.data_mut().fill(0.));
        let mut batch = batch(&config, &[3]);
        batch.x.data_mut().fill(0.);
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &Noise::new(1, "zeros"), Kl::Analytic);
        // At most 200 terms are added in f32, each sum rounded to 2⁻²⁴ of the total at most.
        let tolerance = 200. * f64::abs(want) * 2f64.powi(-24);
        assert_close(f64::from(row(&elbo.log_px.value(), 0, 2)[0]), want, tolerance, "log p(0)");
        assert!(elbo.kl.iter().all(|kl| kl.value().data().iter().all(|&kl| kl == 0.)));
    }
}
