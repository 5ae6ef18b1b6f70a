//! Variational Bi-LSTM: counts, what each part sees, draws of the backward state, and auxiliary terms.

use super::z_forcing::moved;
use super::{Model, batch, generative, model, noise, reached, row, size, steps, tiny, with};
use stcn::models::var_bilstm::Config;
use stcn::models::{HeadKind, ModelConfig, Preset, Task};
use stcn::models::{Kl, VAR_BILSTM, count};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

fn config() -> ModelConfig {
    tiny(VAR_BILSTM, (Task::Speech, HeadKind::Normal))
}

fn preset(preset: Preset, head: HeadKind) -> ModelConfig {
    ModelConfig::preset(VAR_BILSTM, preset, Some(head))
}

#[test]
fn small_presets_have_their_parameter_counts() {
    let ink = preset(Preset::InkSmall, HeadKind::Gmm);
    assert_eq!((count(&ink).unwrap(), generative(&ink)), (600_149, 374_077));
    assert_eq!(count(&preset(Preset::InkSmall, HeadKind::Normal)).unwrap(), 593_909);
    let speech = preset(Preset::SpeechSmall, HeadKind::Gmm);
    assert_eq!((count(&speech).unwrap(), generative(&speech)), (899_509, 629_909));
    assert_eq!(count(&preset(Preset::SpeechSmall, HeadKind::Normal)).unwrap(), 743_824);
    assert_eq!(count(&preset(Preset::MusicSmall, HeadKind::Bernoulli)).unwrap(), 604_744);
}

#[test]
fn the_papers_sizes_differ_from_its_count_by_the_layer_before_the_units() {
    // rivals.md §6: there frames of 200 samples go to the units as they are.
    let ours = preset(Preset::Speech, HeadKind::Normal);
    let own = ours.own::<Config>();
    let (units, width) = (own.hidden_size, own.embedding_size);
    assert_eq!([units, width, own.latent_hidden_size, own.latent_size], [2048, 1024, 1024, 128]);
    assert_eq!(count(&ours).unwrap(), 86_367_120);
    let layer = 200 * width + width;
    assert_eq!(86_367_120 - layer - 2 * 4 * units * (width - 200), 72_660_880);
}

#[test]
fn given_what_was_drawn_a_step_sees_no_later_one_and_its_units_not_the_last() {
    let (count, j) = (9, 5);
    let (config, tape) = (config(), Tape::inference());
    let (model, batch) = (model(&config), batch(&config, &[count, count]));
    let walk = |batch| steps(&*model, &tape, batch, true);
    let (before, after) = (walk(&batch), walk(&moved(&batch, 1, j)));
    for t in 0..count {
        let same = |a: stcn::Var, b: stcn::Var| row(&a.value(), 1, 0) == row(&b.value(), 1, 0);
        let (a, b) = (&before[t], &after[t]);
        assert_eq!(same(a.log_px, b.log_px), t < j, "x_{t}");
        // h_t has read x_{t−1}, so that x_j itself is news to h_{j+1} only, and to the prior after that.
        assert_eq!(same(a.state[0], b.state[0]), t <= j, "h_{t}");
        assert!(!same(a.log_ratio, b.log_ratio), "every posterior sees it: z_{t}");
        let other = |x: stcn::Var| row(&x.value(), 0, 0).to_vec();
        assert_eq!(other(a.log_ratio), other(b.log_ratio), "the other sequence");
    }
}

#[test]
fn a_network_that_reads_backwards_has_read_the_step_before_and_what_comes() {
    let (count, j) = (9, 5);
    let config = config();
    let (model, batch) = (model(&config), batch(&config, &[count, 7]));
    let read = |batch: &stcn::data::Batch| -> Tensor {
        let tape = Tape::inference();
        let x = tape.constant(batch.x.clone());
        model.steps().unwrap().context(x, &batch.lengths).seen[0].value()
    };
    let (before, after) = (read(&batch), read(&moved(&batch, 0, j)));
    for t in 0..count {
        assert_eq!(row(&before, 0, t) != row(&after, 0, t), t <= j + 1, "b_{t}");
    }
    let padding = read(&moved(&batch, 1, 7));
    assert!(before == padding, "it has read padding");
}

#[test]
fn a_walk_of_single_steps_is_the_pass_over_all() {
    for head in super::HEADS {
        let config = tiny(VAR_BILSTM, head);
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
fn the_units_hear_a_draw_of_the_backward_state_with_noise_of_its_own() {
    let (config, tape) = (config(), Tape::new());
    let (model, batch) = (model(&config), batch(&config, &[6, 6]));
    let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
    let of = |label: &str| tape.find(label).expect("a node of that name").value();
    let (z, b) = (of("noise.z.1"), of("noise.b.drawn"));
    assert_eq!((z.cols(), b.cols()), (size(&config, "latent_size"), size(&config, "hidden_size")));
    assert_ne!(row(&z, 0, 0)[0], row(&b, 0, 0)[0]);
    // What it is drawn from learns from the likelihood, of which it is a part.
    for part in ["tell_back.1", "tell_back.mean", "tell_back.log_var"] {
        assert!(reached(&*model, elbo.log_px, &[part]) > 0., "{part}");
    }
    assert_eq!(reached(&*model, elbo.kl[0], &["decode", "head", "tell_state"]), 0.);
}

/// A model whose posterior is deaf to h_{t−1} and b_t, so that only terms of theirs lead to them.
fn deaf(config: &ModelConfig) -> Box<dyn Model> {
    let mut model = model(config);
    model.visit_mut(&mut |p| {
        if p.path() == "infer.1.weight" {
            p.value.data_mut().fill(0.);
        }
    });
    model
}

#[test]
fn what_is_to_be_told_is_taken_as_given() {
    for (target, leads) in [("stop", false), ("full", true)] {
        let config = with(&with(&config(), "auxiliary_target", target), "state_weight", 1);
        let (model, batch) = (deaf(&config), batch(&config, &[6, 6]));
        let tape = Tape::new();
        let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
        let [back, state] = elbo.auxiliary[..] else { panic!("two terms") };
        assert_eq!(reached(&*model, back, &["backward"]) > 0., leads, "{target}");
        assert_eq!(reached(&*model, state, &["lstm"]) > 0., leads, "{target}");
        assert!(reached(&*model, back, &["tell_back"]) > 0.);
        assert!(reached(&*model, state, &["tell_state"]) > 0.);
        assert!(reached(&*model, back, &["infer"]) > 0., "z_t is made to tell");
    }
}

#[test]
fn auxiliary_terms_are_of_training_alone() {
    for head in super::HEADS {
        let config = tiny(VAR_BILSTM, head);
        let (model, batch) = (model(&config), batch(&config, &[6, 4]));
        let (tape, training) = (Tape::inference(), Tape::new());
        let known = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
        assert!(known.auxiliary.is_empty());
        tape.each(|node| {
            let of_training = ["auxiliary", "tell_state"];
            assert!(!of_training.iter().any(|l| node.label.starts_with(l)), "{}", node.label);
        });
        let learnt = model.elbo(&training, &batch, &noise(), Kl::Analytic);
        assert_eq!(learnt.auxiliary.len(), 2);
        assert!(known.log_px.value() == learnt.log_px.value());
        assert!(learnt.auxiliary.iter().all(|term| term.value().shape() == [2, 6]));
    }
}

#[test]
fn a_term_of_weight_zero_teaches_nothing_and_every_parameter_has_a_gradient() {
    let terms = |weight: f64| -> Vec<Tensor> {
        let config = with(&config(), "auxiliary_weight", weight);
        let config = with(&config, "state_weight", 2. * weight);
        let (model, batch) = (model(&config), batch(&config, &[6, 4]));
        let tape = Tape::new();
        let loss = super::loss(&*model, &tape, &batch, &noise());
        let grads = tape.backward(loss, Keep::Leaves);
        model.visit(&mut |p| {
            let still = grads.param(p).squared_norm() == 0.;
            assert_eq!(still, p.path().starts_with("tell_state") && weight == 0., "{}", p.path());
        });
        let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
        elbo.auxiliary.iter().map(|term| term.value()).collect()
    };
    let (none, one, two) = (terms(0.), terms(1.), terms(2.));
    for ((none, one), two) in none.iter().zip(&one).zip(&two) {
        assert!(none.data().iter().all(|&x| x == 0.));
        assert!(&one.map(|x: Real| 2. * x) == two);
    }
}

#[test]
fn steps_given_after_a_draw_go_on_from_there() {
    let config = config();
    let model = model(&config);
    let given = batch(&config, &[4]).x;
    let steps = |at: [usize; 3]| Tensor::new(&[1, 3, 2], at.map(|t| row(&given, 0, t)).concat());
    let draw = |middle: usize| -> [Tensor; 2] {
        let mut sampler = model.sampler(&[3]);
        let first = sampler.draw(&noise(), 1.);
        sampler.observe(&steps([0, middle, 2]), &noise());
        [first, sampler.draw(&noise(), 1.)]
    };
    let ([first, a], [again, b]) = (draw(1), draw(3));
    assert_eq!(first, again);
    assert!(a != b && a.is_finite());
}
