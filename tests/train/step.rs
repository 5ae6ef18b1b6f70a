use crate::common::{preset, shrink};
use crate::ops::numbers;
use stcn::data::Batch;
use stcn::internals::bounds::per_sequence;
use stcn::internals::objective::{Pass, loss, reduce};
use stcn::internals::parallel;
use stcn::internals::shards::shards;
use stcn::internals::step::{pass, update};
use stcn::models::{self, Bound, Elbo, ModelKind, Registry};
use stcn::nn::Init;
use stcn::optim::{Adam, gradient_norm};
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
        f64::from(loss(&elbo(&tape), &LENGTHS, &LENGTHS, 0.5, reduction).value().item())
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
    let value =
        |elbo| f64::from(loss(elbo, &LENGTHS, &LENGTHS, 0.5, Reduction::PerStep).value().item());
    assert!((value(&elbo) - value(&plain) + 10. / 4.).abs() < 1e-6);
}

#[test]
fn padding_has_no_gradient() {
    let tape = Tape::new();
    let elbo = elbo(&tape);
    let grads =
        tape.backward(loss(&elbo, &LENGTHS, &LENGTHS, 0.5, Reduction::PerStep), Keep::Leaves);
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

/// Loss, terms and moments after an update, in bits.
fn bits(kind: ModelKind, objective: &str, reduction: &str, threads: usize) -> Vec<u64> {
    let mut config = preset("ink-tiny", Some(kind.name()), None).unwrap();
    shrink(&mut config, &SMALL);
    config.set(&format!("train.objective={objective}")).unwrap();
    config.set(&format!("train.reduction={reduction}")).unwrap();
    config.set("train.particles=3").unwrap();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let update = || update(&mut *model, &mut adam, &ragged(), &config.train, config.seed, 5);
    let report = parallel::with_threads(threads, update).unwrap().unwrap();
    let numbers = [report.loss, report.grad_norm, report.log_px.unwrap_or(0.)];
    let numbers = numbers.into_iter().chain(report.kl).map(f64::to_bits);
    let moments = adam.moments().0.iter().flat_map(|m| m.data().to_vec());
    numbers.chain(moments.map(|m| f64::from(m).to_bits())).collect()
}

/// Sixteen sequences of 1 to 9 steps.
fn ragged() -> Batch {
    let lengths = vec![2, 3, 9, 4, 1, 6, 5, 8, 1, 7, 2, 9, 3, 5, 4, 6];
    let mut x = numbers(&[16, 9, 3], 1).map(|x| if x < -1.5 { -1.5 } else { x });
    for (b, row) in x.data_mut().chunks_exact_mut(9 * 3).enumerate() {
        row.chunks_exact_mut(3).for_each(|x| x[2] = if x[2] > 0. { 1. } else { 0. });
        row[3 * lengths[b]..].fill(0.);
    }
    let samples = (0..16).map(|b| 7 * b % 16).collect();
    Batch { x, lengths, samples }
}

#[test]
fn shards_of_a_batch_make_the_bits_of_the_whole_for_every_model_and_objective() {
    for &kind in Registry::default().models() {
        for (objective, reduction) in [
            ("elbo", "per-step"),
            ("elbo", "mean-step"),
            ("iwae", "mean-sequence"),
            ("fivo", "per-step"),
        ] {
            let mut config = preset("ink-tiny", Some(kind.name()), None).unwrap();
            shrink(&mut config, &SMALL);
            let model = models::build(&config.model, Init::new(1)).unwrap();
            let refused = objective == "fivo" && model.steps().is_none()
                || objective == "iwae" && model.bound() == Bound::Exact;
            if refused {
                continue;
            }
            let whole = bits(kind, objective, reduction, 1);
            for (threads, count) in [(2, 2), (4, 4), (7, 4)] {
                let counted = || shards(&*model, 16).len();
                assert_eq!(parallel::with_threads(threads, counted).unwrap(), count);
                let same = bits(kind, objective, reduction, threads) == whole;
                assert!(same, "{kind} {objective} {reduction}: {threads} threads");
            }
        }
    }
}

#[test]
fn a_pass_of_the_whole_batch_has_the_gradient_of_the_update() {
    let config = small();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let (batch, tape) = (ragged(), Tape::new());
    let Pass { loss, objectives, sums } =
        pass(&*model, &tape, &batch, &batch.lengths, &config.train, config.seed, 5);
    let grads = tape.backward(loss, Keep::Leaves);
    let norm = gradient_norm(&*model, &grads);
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let report = update(&mut *model, &mut adam, &batch, &config.train, config.seed, 5).unwrap();
    assert_eq!(report.grad_norm, norm);
    assert_eq!(report.loss, reduce(&objectives, &batch.lengths, config.train.reduction));
    let mean = |of: &[f64]| of.iter().fold(0., |sum, x| sum + x) / 16.;
    let sums = sums.unwrap();
    assert_eq!(report.log_px, Some(mean(&sums.log_px)));
    assert_eq!(report.kl, sums.kl.iter().map(|kl| mean(kl)).collect::<Vec<_>>());
    // The loss on the tape is a sum in f32.
    let on_tape = f64::from(loss.value().item());
    assert!((report.loss - on_tape).abs() < 1e-5 * on_tape.abs().max(1.), "{on_tape}");
}

#[test]
fn a_number_that_goes_wrong_in_the_last_sequence_is_named() {
    let config = small();
    let mut model = models::build(&config.model, Init::new(1)).unwrap();
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let mut batch = ragged();
    batch.x.data_mut()[15 * 27] = Real::INFINITY;
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
    let mut batch = ragged();
    batch.x.data_mut()[15 * 27] = 1e18;
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
