//! Z-forcing: counts, what each part sees, and auxiliary terms.

use super::{Model, batch, generative, model, noise, reached, row, size, steps, tiny, with};
use stcn::data::Batch;
use stcn::models::z_forcing::Config;
use stcn::models::{HeadKind, ModelConfig, Preset, Task};
use stcn::models::{Kl, Z_FORCING, count};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

fn config() -> ModelConfig {
    tiny(Z_FORCING, (Task::Speech, HeadKind::Normal))
}

fn preset(preset: Preset, head: HeadKind) -> ModelConfig {
    ModelConfig::preset(Z_FORCING, preset, Some(head))
}

#[test]
fn small_presets_have_their_parameter_counts() {
    let ink = preset(Preset::InkSmall, HeadKind::Gmm);
    assert_eq!((count(&ink).unwrap(), generative(&ink)), (597_406, 307_957));
    assert_eq!(count(&preset(Preset::InkSmall, HeadKind::Normal)).unwrap(), 591_166);
    assert_eq!(count(&preset(Preset::InkSmall, HeadKind::Bigmm)).unwrap(), 597_406 + 1_300);
    let speech = preset(Preset::SpeechSmall, HeadKind::Gmm);
    assert_eq!((count(&speech).unwrap(), generative(&speech)), (904_801, 531_293));
    assert_eq!(count(&preset(Preset::SpeechSmall, HeadKind::Normal)).unwrap(), 749_116);
    assert_eq!(count(&preset(Preset::MusicSmall, HeadKind::Bernoulli)).unwrap(), 619_016);
}

#[test]
fn the_papers_sizes_differ_from_its_count_by_a_layer_and_second_biases() {
    // rivals.md §5: the release has two biases in each LSTM, and its outputs sit on h_t.
    let ours = preset(Preset::Speech, HeadKind::Normal);
    let own = ours.own::<Config>();
    let (units, width, lin) = (own.hidden_size, own.embedding_size, |i, o| i * o + o);
    assert_eq!([units, width, own.latent_hidden_size, own.latent_size], [1024, 512, 512, 256]);
    assert_eq!(count(&ours).unwrap(), 19_868_448);
    let outputs = lin(units, width) + 2 * lin(width, 200);
    assert_eq!(19_868_448 - outputs + 2 * lin(units, 200) + 2 * 4 * units, 19_556_640);
}

/// `batch` with step `t` of its sequence `b` moved.
pub fn moved(batch: &Batch, b: usize, t: usize) -> Batch {
    let (_, steps, channels) = batch.x.btc("moved");
    let mut other = batch.clone();
    other.x.data_mut()[(b * steps + t) * channels..][..channels].iter_mut().for_each(|x| *x += 1.);
    other
}

#[test]
fn given_what_was_drawn_a_step_sees_no_later_one_and_its_units_not_the_last() {
    let (count, j) = (9, 5);
    let (config, tape) = (config(), Tape::inference());
    let (model, batch) = (model(&config), batch(&config, &[count, count]));
    let walk = |batch: &Batch| steps(&*model, &tape, batch, true);
    let (before, after) = (walk(&batch), walk(&moved(&batch, 1, j)));
    for t in 0..count {
        let same = |a: stcn::Var, b: stcn::Var| row(&a.value(), 1, 0) == row(&b.value(), 1, 0);
        let (a, b) = (&before[t], &after[t]);
        assert_eq!(same(a.log_px, b.log_px), t < j, "x_{t}");
        // h_t has read x_{t−1}, so that x_j itself is news to h_{j+1} only, and to the prior after that.
        assert_eq!(same(a.state[0], b.state[0]), t <= j, "h_{t}");
        // Every posterior sees it but one: h_j has not read it yet, b_{j+1} no more.
        assert_eq!(same(a.log_ratio, b.log_ratio), t == j + 1, "q of z_{t}");
        let other = |x: stcn::Var| row(&x.value(), 0, 0).to_vec();
        assert_eq!(other(a.log_ratio), other(b.log_ratio), "the other sequence");
    }
}

#[test]
fn a_network_that_reads_backwards_has_read_a_step_and_what_comes() {
    let (count, j) = (9, 5);
    let config = config();
    let (model, batch) = (model(&config), batch(&config, &[count, 7]));
    let read = |batch: &Batch| -> Tensor {
        let tape = Tape::inference();
        let x = tape.constant(batch.x.clone());
        model.steps().unwrap().context(x, &batch.lengths).seen[0].value()
    };
    let (before, after) = (read(&batch), read(&moved(&batch, 0, j)));
    for t in 0..count {
        assert_eq!(row(&before, 0, t) != row(&after, 0, t), t <= j, "b_{t}");
    }
    let padding = read(&moved(&batch, 1, 7));
    assert!(before == padding, "it has read padding");
}

#[test]
fn a_walk_of_single_steps_is_the_pass_over_all() {
    for head in super::HEADS {
        let config = tiny(Z_FORCING, head);
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

/// A model whose posterior is deaf to b_t, so that only terms of b_t itself lead to what reads backwards.
fn deaf(config: &ModelConfig) -> Box<dyn Model> {
    let mut model = model(config);
    model.visit_mut(&mut |p| {
        if p.path() == "infer.1.weight" {
            let (half, width) = (size(config, "hidden_size"), p.value.cols());
            p.value.data_mut()[half * width..].fill(0.);
        }
    });
    model
}

#[test]
fn what_is_to_be_told_is_taken_as_given() {
    let reads = &["backward.input", "backward.recurrent"][..];
    for (target, leads) in [("stop", false), ("full", true)] {
        let config = with(&config(), "auxiliary_target", target);
        let (model, batch) = (deaf(&config), batch(&config, &[6, 6]));
        let tape = Tape::new();
        let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
        let [told, backward] = elbo.auxiliary[..] else { panic!("two terms") };
        assert_eq!(reached(&*model, told, reads) > 0., leads, "{target}");
        assert!(reached(&*model, told, &["infer"]) > 0.);
        assert!(reached(&*model, backward, reads) > 0.);
        assert_eq!(reached(&*model, backward, &["infer", "lstm", "prior", "head"]), 0.);
    }
}

#[test]
fn auxiliary_terms_are_of_training_alone() {
    for head in super::HEADS {
        let config = tiny(Z_FORCING, head);
        let (model, batch) = (model(&config), batch(&config, &[6, 4]));
        let (tape, training) = (Tape::inference(), Tape::new());
        let known = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
        assert!(known.auxiliary.is_empty());
        tape.each(|node| {
            let of_training = ["auxiliary", "backward.head"];
            assert!(!of_training.iter().any(|l| node.label.starts_with(l)), "{}", node.label);
        });
        let learnt = model.elbo(&training, &batch, &noise(), Kl::Analytic);
        assert_eq!(learnt.auxiliary.len(), 2);
        assert!(known.log_px.value() == learnt.log_px.value());
        assert!(learnt.auxiliary.iter().all(|term| term.value().shape() == [2, 6]));
        // x_0 is no data: nothing tells of it.
        let backward = learnt.auxiliary[1].value();
        assert_eq!([0, 1].map(|b| row(&backward, b, 0)[0]), [0., 0.]);
        assert!((1..6).all(|t| row(&backward, 0, t)[0] != 0.));
    }
}

#[test]
fn a_term_of_weight_zero_teaches_nothing_and_every_parameter_has_a_gradient() {
    let terms = |weight: f64| -> Vec<Tensor> {
        let config = with(&config(), "auxiliary_weight", weight);
        let config = with(&config, "backward_weight", 2. * weight);
        let (model, batch) = (model(&config), batch(&config, &[6, 4]));
        let tape = Tape::new();
        let loss = super::loss(&*model, &tape, &batch, &noise());
        let grads = tape.backward(loss, Keep::Leaves);
        model.visit(&mut |p| {
            let of_training =
                ["auxiliary", "backward.head"].iter().any(|part| p.path().starts_with(part));
            let still = grads.param(p).squared_norm() == 0.;
            assert_eq!(still, of_training && weight == 0., "{}", p.path());
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
fn given_steps_are_heard_through_the_posterior_also_after_a_draw() {
    // The units do not hear e(x_{t−1}): what is given reaches them by way of z_t alone.
    let config = config();
    let mut model = model(&config);
    model.visit_mut(&mut |p| {
        if p.path() == "lstm.input.weight" {
            let columns = p.value.cols();
            p.value.data_mut()[..size(&config, "embedding_size") * columns].fill(0.);
        }
    });
    let given = batch(&config, &[4]).x;
    let steps = |at: [usize; 3]| Tensor::new(&[1, 3, 2], at.map(|t| row(&given, 0, t)).concat());
    let draws = |middle: usize| -> [Tensor; 2] {
        let mut sampler = model.sampler(&[3]);
        let first = sampler.draw(&noise(), 1.);
        sampler.observe(&steps([0, middle, 2]), &noise());
        [first, sampler.draw(&noise(), 1.)]
    };
    let ([first, a], [again, b]) = (draws(1), draws(3));
    assert_eq!(first, again);
    assert_ne!(a, b);
}
