use crate::common::{preset, shrink};
use stcn::data::Batch;
use stcn::internals::bounds::per_sequence;
use stcn::internals::objective::{Pass, loss, reduce};
use stcn::internals::shards::shards;
use stcn::internals::step::{pass, update};
use stcn::models::{self, Elbo};
use stcn::nn::Init;
use stcn::optim::Adam;
use stcn::tape::{Keep, Tape};
use stcn::train::Config;
use stcn::train::Reduction;
use stcn::{Real, Tensor};

/// Two sequences of 3 and 1 steps: ln p sums to 6 and 4, KL to 3 and 0.5; padding holds junk.
fn elbo(tape: &Tape) -> Elbo<'_> {
    let junk = Real::NAN;
    let log_px = Tensor::new(&[2, 3], vec![1., 2., 3., 4., junk, junk]);
    let kl = Tensor::new(&[2, 3], vec![1., 1., 1., 0.5, junk, junk]);
    let kl = vec![tape.input(kl, "kl.1")];
    Elbo { log_px: tape.input(log_px, "log_px"), kl, auxiliary: vec![] }
}

const LENGTHS: [usize; 2] = [3, 1];

#[test]
fn each_reduction_weighs_sequences_as_its_page_says() {
    // J = 6 − w·3 and 4 − w·0.5 with w = ½: 4.5 and 3.75.
    let value = |reduction| {
        let tape = Tape::new();
        f64::from(loss(&elbo(&tape), &LENGTHS, 0.5, reduction).value().item())
    };
    // Sums of few numbers near 1, in f32 at the end.
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} against {b}");
    close(value(Reduction::MeanSequence), -(4.5 + 3.75) / 2.);
    close(value(Reduction::MeanStep), -(4.5 / 3. + 3.75) / 2.);
    close(value(Reduction::PerStep), -(4.5 + 3.75) / 4.);
    for reduction in [Reduction::MeanSequence, Reduction::MeanStep, Reduction::PerStep] {
        close(reduce(&[4.5, 3.75], &LENGTHS, reduction), value(reduction));
    }
}

#[test]
fn what_a_paper_adds_is_masked_and_has_no_weight_of_the_kl() {
    let tape = Tape::new();
    let (mut elbo, plain) = (elbo(&tape), elbo(&tape));
    elbo.auxiliary = vec![elbo.log_px];
    let value = |elbo| f64::from(loss(elbo, &LENGTHS, 0.5, Reduction::PerStep).value().item());
    assert!((value(&elbo) - value(&plain) + 10. / 4.).abs() < 1e-6);
}

#[test]
fn padding_has_no_gradient() {
    let tape = Tape::new();
    let elbo = elbo(&tape);
    let grads = tape.backward(loss(&elbo, &LENGTHS, 0.5, Reduction::PerStep), Keep::Leaves);
    assert_eq!(grads.wrt(elbo.log_px).unwrap().data(), [-0.25, -0.25, -0.25, -0.25, 0., 0.]);
    assert_eq!(grads.wrt(elbo.kl[0]).unwrap().data(), [0.125, 0.125, 0.125, 0.125, 0., 0.]);
}

#[test]
fn sums_per_sequence_stop_at_its_length() {
    let tape = Tape::new();
    assert_eq!(per_sequence(&elbo(&tape).log_px.value(), &LENGTHS), [6., 4.]);
}

fn small() -> Config {
    let mut config = preset("ink-tiny", None, None).unwrap();
    shrink(&mut config, &SMALL);
    config
}

/// Of every model that has them.
const SMALL: [&str; 8] = [
    "model.channels=4",
    "model.hidden_size=4",
    "model.latents=[2,1]",
    "model.latent_size=2",
    "model.latent_hidden_size=4",
    "model.levels=2",
    "model.blocks_per_latent=1",
    "model.blocks_per_level=1",
];

fn square(junk: Real) -> Batch {
    let x = Tensor::new(&[1, 4, 3], vec![1., 0., 0., 0., 1., 0., -1., junk, 0., 0., -1., 1.]);
    Batch { x, lengths: vec![4], samples: vec![0] }
}

#[test]
fn an_update_reports_what_it_saw_and_moves_every_parameter() {
    let config = small();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let before: Vec<Tensor> =
        models::parameters(&*model).into_iter().map(|(_, p)| p.clone()).collect();
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let report =
        update(&mut *model, &mut adam, &square(0.), &config.train, config.seed, 1).unwrap();
    assert_eq!(report.step, 1);
    assert_eq!(report.kl.len(), 2);
    assert_eq!(report.kl_weight, 1. / config.train.kl_anneal as f64);
    let kl = report.kl_sum().unwrap();
    assert!((report.elbo().unwrap() - (report.log_px.unwrap() - kl)).abs() < 1e-12);
    assert!(report.grad_norm > 0.);
    for ((path, now), before) in models::parameters(&*model).into_iter().zip(before) {
        assert_ne!(*now, before, "{path} did not move");
    }
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing_and_names_the_first_node() {
    let config = small();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let before = models::build(&config.model, Init::new(1)).unwrap();
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let batch = square(Real::INFINITY);
    let e = update(&mut *model, &mut adam, &batch, &config.train, config.seed, 7).unwrap_err();
    assert_eq!(e.exit_code(), 1);
    let message = e.to_string();
    assert_eq!(message, "step 7: the loss is NaN, first in node 0 leaf \"x\" in [-1, inf]");
    let same = models::parameters(&*model) == models::parameters(&*before);
    assert!(same, "a parameter was changed");
}

/// Three sequences, each of its own length.
fn three() -> Batch {
    let row = [0.5, -1., 0., 1., 0.25, 0., -0.75, 2., 1., 0.125, 1., 0.];
    let x: Vec<Real> =
        (0..3).flat_map(|b| row.iter().map(move |x| x * (1. - 2. * b as Real))).collect();
    let mut x =
        Tensor::new(&[3, 4, 3], x.into_iter().map(|x| if x < -1.5 { -1.5 } else { x }).collect());
    x.data_mut().chunks_exact_mut(3).for_each(|row| row[2] = if row[2] == 0. { 0. } else { 1. });
    x.data_mut()[6..12].fill(0.);
    x.data_mut()[12 + 9..24].fill(0.);
    Batch { x, lengths: vec![2, 3, 4], samples: vec![4, 9, 2] }
}

#[test]
fn halves_of_a_batch_have_the_loss_the_terms_and_the_gradient_of_the_whole() {
    for (kind, objective) in
        [("stcn-dense", "elbo"), ("stcn", "iwae"), ("z-forcing", "elbo"), ("vrnn", "fivo")]
    {
        for reduction in ["mean-step", "mean-sequence", "per-step"] {
            let mut config = preset("ink-tiny", Some(kind), None).unwrap();
            shrink(&mut config, &SMALL);
            config.set(&format!("train.objective={objective}")).unwrap();
            config.set(&format!("train.reduction={reduction}")).unwrap();
            config.set("train.grad_clip=0").unwrap();
            let mut model = models::build(&config.model, Init::new(1)).unwrap();
            assert_eq!(shards(&*model, 3), [0..1, 1..3], "what this test is about");
            let batch = three();
            let tape = Tape::new();
            let Pass { loss, terms } = pass(&*model, &tape, &batch, &config.train, config.seed, 5);
            let grads = tape.backward(loss, Keep::Leaves);
            let mut want = vec![];
            model.visit(&mut |p| want.push((p.path().to_string(), grads.find(p).cloned())));
            let loss = f64::from(loss.value().item());
            let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
            let report =
                update(&mut *model, &mut adam, &batch, &config.train, config.seed, 5).unwrap();
            // Sums of some hundred terms in another order, in f32.
            let about = format!("{kind} {objective} {reduction}");
            let close = |a: f64, b: f64, size: f64| {
                assert!((a - b).abs() < 1e-5 * (1. + size), "{about}: {a}, {b}");
            };
            close(report.loss, loss, loss.abs());
            let norm = report.grad_norm;
            for ((path, g), m) in want.into_iter().zip(adam.moments().0) {
                let g = g.unwrap_or_else(|| Tensor::zeros(m.shape()));
                let off = stcn::zip([&g, m], |[g, m]| m - 0.1 * g).squared_norm().sqrt();
                assert!(off < 1e-6 * norm, "{about}: {path}: {off} of {norm}");
            }
            assert_eq!(report.log_px.is_some(), terms.is_some());
            if let Some((log_px, kl)) = terms {
                close(report.log_px.unwrap(), log_px, log_px.abs());
                assert_eq!(report.kl.len(), kl.len());
                report.kl.iter().zip(kl).for_each(|(a, b)| close(*a, b, b));
            }
        }
    }
}

#[test]
fn a_number_that_goes_wrong_in_the_second_half_is_named() {
    let config = small();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let mut batch = three();
    batch.x.data_mut()[2 * 12] = Real::INFINITY;
    let e = update(&mut *model, &mut adam, &batch, &config.train, config.seed, 7).unwrap_err();
    let want = "step 7: the loss is NaN, first in node 0 leaf \"x\" in [-1.5, inf]";
    assert_eq!(e.to_string(), want);
}

#[test]
fn a_gradient_beyond_what_adam_can_square_changes_nothing() {
    // No divergence to be infinite before.
    let mut config = preset("ink-tiny", Some("wavenet"), Some("normal")).unwrap();
    shrink(&mut config, &SMALL);
    config.set("train.grad_clip=0").unwrap();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let before = models::build(&config.model, Init::new(1)).unwrap();
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let mut batch = three();
    batch.x.data_mut()[2 * 12] = 1e18;
    let e = update(&mut *model, &mut adam, &batch, &config.train, config.seed, 7)
        .unwrap_err()
        .to_string();
    assert!(e.starts_with("step 7: the norm of the gradient is "), "{e}");
    assert!(
        e.ends_with(
            "first in no single node: each gradient is finite, but their norm is too large"
        ),
        "{e}"
    );
    assert!(models::parameters(&*model) == models::parameters(&*before), "a parameter was changed");
}
