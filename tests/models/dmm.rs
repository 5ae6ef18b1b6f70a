//! DMM: counts, its transition, what its posterior sees, and that the model itself sees nothing of x.

use super::z_forcing::moved;
use super::{
    HEADS, assert_close, batch, generative, model, noise, row, steps, tiny, with, with_those_of,
};
use stcn::data::Batch;
use stcn::dist::Normal;
use stcn::models::dmm::{Config, Dmm, Paper};
use stcn::models::{DMM, Kl, SequenceModel, StepModel, Steps, Stepwise, count, generate, shapes};
use stcn::models::{HeadKind, ModelConfig, ObservationConfig, Preset, Task};
use stcn::nn::{Init, Module};
use stcn::ops::slice_time;
use stcn::tape::{Keep, Tape};
use stcn::{Noise, Real, Tensor, Var};

fn config() -> ModelConfig {
    tiny(DMM, (Task::Speech, HeadKind::Normal))
}

fn new_dmm(config: &ModelConfig) -> Dmm {
    Dmm::new(&mut Init::new(7), &config.own(), &config.obs)
}

#[test]
fn the_papers_sizes_on_music_have_the_count_of_its_equations() {
    let (z, transition, emission, units, keys) = (100, 200, 100, 600, 88);
    let layer = |inputs, outputs| inputs * outputs + outputs;
    let gate = layer(z, transition) + layer(transition, z);
    let proposal = gate;
    let prior = gate + proposal + 2 * layer(z, z); // W_μp, W_σp
    let output = layer(z, emission) + layer(emission, emission) + layer(emission, keys);
    let lstm = 4 * layer(keys + units, units);
    let combiner = layer(z, units) + 2 * layer(units, z); // W, W_μ, W_σ
    let own = Config {
        latent_size: z,
        transition_size: transition,
        emission_size: emission,
        hidden_size: units,
    };
    let obs = ObservationConfig::preset(Preset::MusicSmall, None);
    let config = ModelConfig::new(&Paper, obs, &own);
    assert_eq!(generative(&config), prior + output);
    assert_eq!(count(&config).unwrap(), prior + output + lstm + combiner);
    let ink: Config = ModelConfig::preset(DMM, Preset::Ink, None).own();
    assert_eq!(ink, own);
}

#[test]
fn small_presets_have_their_parameter_counts() {
    for (preset, want) in [
        (Preset::InkTiny, (112_749, 23_333)),
        (Preset::InkSmall, (595_491, 79_333)),
        (Preset::MusicSmall, (602_484, 77_656)),
        (Preset::SpeechSmall, (901_752, 324_949)),
    ] {
        let config = ModelConfig::preset(DMM, preset, None);
        assert_eq!((count(&config).unwrap(), generative(&config)), want, "{preset}");
    }
}

#[test]
fn only_the_posterior_is_left_behind_when_it_draws() {
    let parts = |generates: bool| {
        let mut parts: Vec<String> = vec![];
        for (path, _) in shapes(&config()).unwrap() {
            let part = path.split('.').next().unwrap().to_string();
            if DMM.generates_with(&path) == generates && !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts
    };
    assert_eq!(parts(true), ["prior", "emission", "head"]);
    assert_eq!(parts(false), ["backward", "infer"]);
}

/// `p(z_t | z_{t−1})`
fn transition<'t>(model: &Dmm, z: Var<'t>) -> Normal<'t> {
    model.prior(&[], &Steps::one(vec![z]))
}

#[test]
fn a_new_transition_whose_gate_is_shut_gives_back_its_latent() {
    let mut model = new_dmm(&config());
    let latents = Noise::new(5, "z").normal_tensor("z", &[0, 1, 2], 4, 3);
    let mean = |model: &Dmm| {
        let tape = Tape::inference();
        transition(model, tape.constant(latents.clone())).mean.value()
    };
    assert_ne!(mean(&model), latents); // half open
    let mut weights = 0;
    model.visit_mut(&mut |p| match p.path() {
        "prior.gate.2.bias" => p.value.data_mut().fill(-1000.),
        "prior.linear.weight" => {
            weights += 1;
            let of = |i: usize| if i / 3 == i % 3 { 1. } else { 0. };
            assert_eq!(p.value.data(), (0..9).map(of).collect::<Vec<Real>>());
        }
        "prior.linear.bias" => {
            weights += 1;
            assert_eq!(p.value.data(), [0.; 3]);
        }
        _ => (),
    });
    assert_eq!(weights, 2);
    assert_eq!(mean(&model), latents);
}

#[test]
fn an_open_gate_gives_the_proposal_and_the_spread_is_of_the_proposal_alone() {
    // Written out for one latent: h = W₂ max(W₁ z + b₁, 0) + b₂, σ² = softplus(W_σ max(h, 0) + b_σ) + 10⁻⁶.
    let sizes = "latent_size = 1\ntransition_size = 1".parse().unwrap();
    let config = with_those_of(&config(), &sizes);
    let transition_of = |gate: Real, z: Real| -> [f64; 2] {
        let mut model = new_dmm(&config);
        model.visit_mut(&mut |p| {
            let value = match p.path() {
                "prior.gate.2.weight" => 0.,
                "prior.gate.2.bias" => gate,
                "prior.linear.weight" => 3.,
                "prior.linear.bias" => -1.,
                "prior.proposal.1.weight" => 2.,
                "prior.proposal.1.bias" => 0.5,
                "prior.proposal.2.weight" => -1.5,
                "prior.proposal.2.bias" => 4.,
                "prior.var.weight" => 0.25,
                "prior.var.bias" => -0.5,
                _ => return,
            };
            p.value.data_mut().fill(value);
        });
        let tape = Tape::inference();
        let p = transition(&model, tape.constant(Tensor::new(&[1, 1, 1], vec![z])));
        [p.mean, p.std].map(|x| f64::from(x.value().item()))
    };
    for z in [-2., 0.3, 1.7, 5.] {
        let h = -1.5 * f64::max(2. * z + 0.5, 0.) + 4.;
        let std = ((0.25 * f64::max(h, 0.) - 0.5).exp().ln_1p() + 1e-6).sqrt();
        for (gate, want) in [(1000., h), (0., 0.5 * (3. * z - 1. + h)), (-1000., 3. * z - 1.)] {
            let [mean, found] = transition_of(gate, z as Real);
            assert_close(mean, want, 1e-5, "mean");
            assert_close(found, std, 1e-5, "std");
        }
    }
}

#[test]
fn the_posterior_is_made_of_the_mean_of_both_states() {
    // h_combined = ½ (tanh(W z + b) + h_right), then a layer for the mean and one for the variance.
    let (model, tape) = (new_dmm(&config()), Tape::inference());
    let layer = |path: &str, x: &[f64]| -> Vec<f64> {
        let (mut w, mut y) = (vec![], vec![]);
        model.visit(&mut |p| {
            let values = || p.value.data().iter().map(|&x| f64::from(x)).collect();
            match p.path().strip_prefix(path) {
                Some(".weight") => w = values(),
                Some(".bias") => y = values(),
                _ => (),
            }
        });
        let n = y.len();
        (0..n).for_each(|j| (0..x.len()).for_each(|i| y[j] += x[i] * w[i * n + j]));
        y
    };
    let z = Noise::new(5, "z").normal_tensor("z", &[0], 1, 3);
    let right = Noise::new(5, "z").normal_tensor("right", &[0], 1, 5);
    let context = stcn::models::Context { past: vec![], seen: vec![tape.constant(right.clone())] };
    let q = model.posterior(&context, &Steps::one(vec![tape.constant(z.clone())]));
    let [z, right] = [z, right].map(|x| x.data().iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    let left = layer("infer.combine", &z);
    let h: Vec<f64> = left.iter().zip(&right).map(|(l, r)| 0.5 * (l.tanh() + r)).collect();
    let (mean, var) = (layer("infer.mean", &h), layer("infer.var", &h));
    for i in 0..3 {
        assert_close(f64::from(q.mean.value().data()[i]), mean[i], 1e-5, "mean");
        let std = (var[i].exp().ln_1p() + 1e-6).sqrt();
        assert_close(f64::from(q.std.value().data()[i]), std, 1e-5, "std");
    }
}

#[test]
fn the_first_latent_comes_from_a_latent_of_zeros() {
    let model = model(&config());
    let start = model.steps().unwrap().start(2);
    assert_eq!(start.iter().map(|s| s.shape().to_vec()).collect::<Vec<_>>(), [[2, 1, 3]]);
    assert!(start[0].data().iter().all(|&z| z == 0.));
}

/// `ln p(x_t | z_t)` and the posterior's mean of every step, with latents that are drawn from nobody.
fn with_fixed_latents(model: &dyn StepModel, batch: &Batch) -> Vec<[Tensor; 2]> {
    let (tape, found) = (Tape::inference(), std::cell::RefCell::new(vec![]));
    let x = tape.constant(batch.x.clone());
    let context = model.context(x, &batch.lengths);
    assert!(context.past.is_empty(), "the model itself never reads x");
    let start = model.start(batch.lengths.len()).into_iter();
    let mut state: Vec<Var> = start.map(|start| tape.constant(start)).collect();
    for t in 0..batch.x.shape()[1] {
        let at = |x: &Var<'_>| tape.constant(slice_time(*x, t, 1).value());
        let mean = std::cell::Cell::new(None);
        let step = model.step(&context.map(at), at(&x), &state, &|_, q| {
            mean.set(Some(q.mean.value()));
            tape.constant(q.mean.value().map(|_| 0.3 * (t as Real - 3.)))
        });
        found.borrow_mut().push([step.log_px.value(), mean.into_inner().expect("one latent")]);
        state = step.state;
    }
    found.into_inner()
}

#[test]
fn the_posterior_sees_a_step_and_what_comes_and_nothing_before_but_through_its_latent() {
    let (count, j) = (9, 5);
    let config = config();
    assert!(config.kind.looks_ahead());
    let (model, batch) = (model(&config), batch(&config, &[count, 7]));
    let walk = |batch: &Batch| with_fixed_latents(model.steps().unwrap(), batch);
    let (before, after) = (walk(&batch), walk(&moved(&batch, 0, j)));
    for t in 0..count {
        let ([px, mean], [px_after, mean_after]) = (&before[t], &after[t]);
        assert_eq!(row(mean, 0, 0) != row(mean_after, 0, 0), t <= j, "q of z_{t}");
        assert_eq!(row(px, 0, 0) != row(px_after, 0, 0), t == j, "x_{t}");
        assert_eq!(row(mean, 1, 0), row(mean_after, 1, 0), "the other sequence");
        assert_eq!(row(px, 1, 0), row(px_after, 1, 0), "the other sequence");
    }
    let padding = walk(&moved(&batch, 1, 7));
    let of_lengths = |found: &[[Tensor; 2]]| -> Vec<Vec<Real>> {
        found[..7].iter().map(|[_, mean]| row(mean, 1, 0).to_vec()).collect()
    };
    assert_eq!(of_lengths(&padding), of_lengths(&before), "it has read padding");
}

#[test]
fn given_its_latent_neither_a_step_nor_the_next_latent_depends_on_what_was_before() {
    let config = config();
    let (model, batch, tape) = (model(&config), batch(&config, &[6]), Tape::inference());
    // Two walks whose latents differ before step 3, counted from 0.
    let walk = |early: Real| -> Vec<[Tensor; 2]> {
        let (steps, x) = (model.steps().unwrap(), tape.constant(batch.x.clone()));
        let context = steps.context(x, &batch.lengths);
        let mut state = vec![tape.constant(Tensor::zeros(&[1, 1, 3]))];
        let step = |t: usize| {
            let at = |x: &Var<'_>| tape.constant(slice_time(*x, t, 1).value());
            let z = if t < 3 { early } else { 0.3 * t as Real };
            let z = tape.constant(Tensor::new(&[1, 1, 3], vec![z; 3]));
            let step = steps.step(&context.map(at), at(&x), &state, &|_, _| z);
            state = step.state;
            [step.log_px.value(), step.log_ratio.value()]
        };
        (0..6).map(step).collect()
    };
    let (one, two) = (walk(0.2), walk(-0.7));
    for t in 0..6 {
        assert_eq!(one[t][0] == two[t][0], t >= 3, "x_{t}");
        assert_eq!(one[t][1] == two[t][1], t >= 4, "z_{t}");
    }
}

#[test]
fn what_is_drawn_at_one_step_moves_the_next_latent() {
    let config = config();
    let (model, batch) = (model(&config), batch(&config, &[4]));
    let kl = |seed| {
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &Noise::new(seed, "dmm"), Kl::Analytic);
        (elbo.kl[0].value(), tape.find("b").expect("on the tape").value())
    };
    let ((one, b), (two, other_b)) = (kl(1), kl(2));
    assert_eq!(one.data()[0], two.data()[0], "z_0 is zero");
    assert_ne!(one.data()[1], two.data()[1]);
    assert_eq!(b, other_b);
}

#[test]
fn the_model_itself_never_reads_x() {
    // Whatever is given, steps from one latent on are the same: only the posterior, which gives that latent, has read x.
    let config = config();
    let mut model = model(&config);
    let given = batch(&config, &[6, 6]).x;
    let draw = |model: &dyn SequenceModel, prime: &Tensor| {
        let x = generate(model, prime, 5, &noise(), &[1, 2], 1., |_| ());
        let tape = Tape::inference();
        slice_time(tape.constant(x), 6, 5).value()
    };
    let other = given.map(|x| 1. - x);
    assert_ne!(draw(&*model, &given), draw(&*model, &other));
    model.visit_mut(&mut |p| {
        if p.path().starts_with("backward.") {
            p.value.data_mut().fill(0.);
        }
    });
    assert_eq!(draw(&*model, &given), draw(&*model, &other));
    // What it draws itself it does not read either: parts of a sequence given or drawn, the prior goes on alike.
    let x = batch(&config, &[8]).x;
    let redrawn = |x: &Tensor| model.redraw(x, 0, &noise(), &[1]);
    assert_eq!(redrawn(&x), redrawn(&x.map(|x| 1. - x)));
}

#[test]
fn a_walk_of_single_steps_is_the_pass_over_all() {
    for head in HEADS {
        let config = tiny(DMM, head);
        let (model, batch) = (model(&config), batch(&config, &[8, 5]));
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &noise(), Kl::Sampled);
        for (t, step) in steps(&*model, &tape, &batch, false).iter().enumerate() {
            for b in 0..2 {
                let whole = row(&elbo.log_px.value(), b, t)[0];
                assert_eq!(row(&step.log_px.value(), b, 0)[0], whole, "step {t} of {b}");
                let spent = row(&elbo.kl[0].value(), b, t)[0];
                assert_eq!(row(&step.log_ratio.value(), b, 0)[0], -spent, "step {t} of {b}");
            }
        }
    }
}

#[test]
fn every_parameter_learns_and_the_likelihood_teaches_all_but_the_prior() {
    for head in HEADS {
        let config = with(&tiny(DMM, head), "transition_size", 12);
        let (model, batch) = (model(&config), batch(&config, &[9, 7]));
        let taught = |y: fn(stcn::models::Elbo) -> Var| {
            let tape = Tape::new();
            let y = y(model.elbo(&tape, &batch, &noise(), Kl::Analytic));
            let grads = tape.backward(stcn::ops::sum(y), Keep::Leaves);
            let mut taught = vec![];
            model.visit(&mut |p| {
                let grad = tape.find(p.path()).and_then(|leaf| grads.wrt(leaf));
                taught.push((p.path().to_string(), grad.is_some_and(|g| g.squared_norm() > 0.)));
            });
            taught
        };
        for (path, heard) in taught(|elbo| elbo.log_px - elbo.kl[0]) {
            assert!(heard, "{path}");
        }
        for (path, heard) in taught(|elbo| elbo.log_px) {
            assert_eq!(heard, !path.starts_with("prior."), "{path}");
        }
    }
}
