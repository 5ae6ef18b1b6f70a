//! What is particular to WaveNet.

use super::{assert_close, batch, masked_sums, model, noise, row, size, tiny, with};
use stcn::Tensor;
use stcn::models::{Bound, Kl, WAVENET, WAVENET_DENSE, build};
use stcn::models::{HeadKind, ModelConfig, Task};
use stcn::nn::Init;
use stcn::tape::{Keep, Tape};

fn log_px(config: &ModelConfig, x: &Tensor) -> Tensor {
    let mut batch = batch(config, &[x.shape()[1]]);
    batch.x = x.clone();
    model(config).elbo(&Tape::inference(), &batch, &noise(), Kl::Analytic).log_px.value()
}

#[test]
fn a_prediction_sees_as_many_rows_as_the_dilations_add_up_to() {
    // 1 + (k−1)(1 + Σδ) with Σδ = 2·(1+2): 8 rows, the last of them x_{t−1}.
    for kind in [WAVENET, WAVENET_DENSE] {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let field = 8;
        let x = batch(&config, &[20]).x;
        let before = log_px(&config, &x);
        let seen = |t: usize, back: usize| {
            let mut other = x.clone();
            other.data_mut()[(t - back) * 2] += 3.;
            row(&before, 0, t) != row(&log_px(&config, &other), 0, t)
        };
        // The way through every first tap is long: not at each step does a bit of it come through.
        assert!((9..20).any(|t| seen(t, field)), "{kind}");
        assert!(!(9..20).any(|t| seen(t, field + 1)), "{kind}");
    }
}

#[test]
fn the_released_taps_are_levels_one_three_and_five() {
    let config = tiny(WAVENET_DENSE, (Task::Speech, HeadKind::Normal));
    let config = with(&config, "levels", 5);
    let channels = size(&config, "channels");
    let width = |dense_taps| {
        let mut inputs = 0;
        let model = build(&with(&config, "dense_taps", dense_taps), Init::new(1)).unwrap();
        model.visit(&mut |p| {
            if p.path() == "output.1.weight" {
                inputs = p.value.shape()[0];
            }
        });
        inputs / channels
    };
    assert_eq!(width("every-level"), 5);
    assert_eq!(width("release"), 3);
    // An even number of levels ends in a tap too: found on 2026-11-22 as a level that learnt nothing.
    let config = with(&config, "dense_taps", "release");
    for levels in 1..5 {
        let config = with(&config, "levels", levels);
        let model = model(&config);
        let tape = Tape::new();
        let loss = super::loss(&*model, &tape, &batch(&config, &[6]), &noise());
        let grads = tape.backward(loss, Keep::Leaves);
        model.visit(&mut |p| assert!(grads.param(p).squared_norm() > 0., "{}", p.path()));
    }
    // Whether they are the right three: zero what the output network makes of a tap, and see which blocks
    // still matter. Block 10, the end of level 5, is heard through the third tap alone.
    let x = batch(&config, &[6]).x;
    let value = |deaf: Option<usize>, broken: &str| {
        let mut model = model(&config);
        model.visit_mut(&mut |p| {
            if let (Some(tap), "output.1.weight") = (deaf, p.path()) {
                let n = channels * channels;
                p.value.data_mut()[tap * n..][..n].fill(0.);
            }
            if p.path().starts_with(broken) {
                p.value.data_mut().fill(0.5);
            }
        });
        let batch = stcn::data::Batch { x: x.clone(), lengths: vec![6], samples: vec![0] };
        model.elbo(&Tape::inference(), &batch, &noise(), Kl::Analytic).log_px.value()
    };
    for (tap, last_block, next_tap) in [(1, "tcn.6.", 2), (2, "tcn.10.", 0)] {
        assert_ne!(value(None, "none"), value(None, last_block));
        let deaf = |broken| value(Some(tap), broken);
        let heard_elsewhere = next_tap != 0; // later blocks stand on earlier ones
        assert_eq!(deaf("none") != deaf(last_block), heard_elsewhere, "tap {tap}");
    }
}

#[test]
fn the_likelihood_is_exact_whatever_the_noise() {
    let config = tiny(WAVENET, (Task::Ink, HeadKind::Bigmm));
    let (model, batch) = (model(&config), batch(&config, &[9, 4]));
    assert_eq!(model.bound(), Bound::Exact);
    let elbo = |noise| model.elbo(&Tape::inference(), &batch, &noise, Kl::Analytic).log_px.value();
    assert_eq!(elbo(noise()), elbo(noise().at(5)));
    let weights = model.importance_weights(&batch, &noise(), 3).unwrap();
    assert_eq!(weights, vec![elbo(noise()); 3]);
}

#[test]
fn a_network_of_zeros_gives_the_numbers_of_the_specification() {
    for (task, head, want) in [
        (Task::Ink, HeadKind::Normal, -1.7979984),
        (Task::Ink, HeadKind::Gmm, -1.7979984),
        (Task::Ink, HeadKind::Bigmm, -1.7979984),
        (Task::Speech, HeadKind::Normal, -110.4851225),
        (Task::Speech, HeadKind::Gmm, -110.4851225),
    ] {
        for kind in [WAVENET, WAVENET_DENSE] {
            let mut config = tiny(kind, (task, head));
            config.obs.input = if task == Task::Ink { 3 } else { 200 };
            let mut model = model(&config);
            model.visit_mut(&mut |p| p.value.data_mut().fill(0.));
            let mut batch = batch(&config, &[5]);
            batch.x.data_mut().fill(0.);
            let found =
                model.elbo(&Tape::inference(), &batch, &noise(), Kl::Analytic).log_px.value();
            // At most 200 terms are added in f32, each sum rounded to 2⁻²⁴ of the total at most.
            let tolerance = 200. * f64::abs(want) * 2f64.powi(-24);
            assert_close(masked_sums(&found, &[1])[0], want, tolerance, "log p(0)");
            assert_eq!(row(&found, 0, 0), row(&found, 0, 4));
        }
    }
}
