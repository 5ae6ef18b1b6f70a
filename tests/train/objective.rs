//! What is learnt from: bounds on the tape are the bounds as numbers, and their gradients are theirs.

use crate::common::preset;
use crate::common::{ink, says, shrink};
use stcn::data::{Batch, Normalisation, Split, Window};
use stcn::internals::kernel::reduce::log_mean;
use stcn::internals::objective::{check, forward, reduce};
use stcn::internals::particles::tiled;
use stcn::internals::step::update;
use stcn::models::Registry;
use stcn::models::{self, ALL, Kl, SequenceModel};
use stcn::nn::Init;
use stcn::optim::Adam;
use stcn::tape::Tape;
use stcn::train::{Ancestors, Config, Resample, Trained, Trainer, fivo, iwae};
use stcn::{Noise, Tensor};

const ESS: (Resample, Ancestors) = (Resample::Ess, Ancestors::Multinomial);

/// Coupled by its decoder, coupled by its state, and not coupled.
const MODELS: [(&str, &str); 3] =
    [("stcn", "gated"), ("vrnn", "pointwise"), ("stcn-dense", "pointwise")];

fn config(kind: &str, decoder: &str, more: &[&str]) -> Config {
    let mut config = preset("ink-tiny", Some(kind), None).unwrap();
    let sizes = [
        "model.channels=6",
        "model.hidden_size=6",
        "model.embedding_size=5",
        "model.output_size=5",
        "model.latent_embedding_size=4",
        "model.latent_hidden=5",
        "model.latent_hidden_size=5",
        "model.gate_hidden_size=5",
        "model.latents=[2,1]",
        "model.latent_size=2",
        "model.levels=2",
        "model.blocks_per_latent=1",
        "model.blocks_per_level=1",
        "model.cells_per_latent=1",
        "model.latent_layers=1",
        "model.output_layers=2",
        "model.layers=2",
        "model.transition_size=5",
        "model.emission_size=5",
        "model.mixtures=2",
        "train.batch=3",
        "train.particles=4",
        &format!("model.decoder={decoder}"),
    ];
    shrink(&mut config, &sizes);
    more.iter().for_each(|set| config.set(set).unwrap());
    config
}

/// A model whose biases are not zero, and whose latents are wide enough for weights that differ.
fn model(config: &Config) -> Box<dyn SequenceModel> {
    let mut model = models::build(&config.model, Init::new(3)).unwrap();
    let noise = Noise::new(17, "objective");
    model.visit_mut(&mut |p| {
        let mut moved = p.value.map(|_| 0.);
        noise.normals(p.path(), 0, 0, moved.data_mut());
        p.value.add_assign(&moved.map(|x| 0.3 * x));
    });
    model
}

fn batch() -> Batch {
    let set = ink(6);
    let windows = [(0, 6), (2, 12), (4, 3)].map(|(sample, steps)| Window {
        sample,
        start: 0,
        steps,
        transpose: 0,
    });
    let normalisation = Normalisation::fit(&set, stcn::data::Normalise::PerChannel, 2).unwrap();
    Batch::new(&set, &normalisation, &windows, None).unwrap()
}

fn noise() -> Noise {
    Noise::new(1, "train").at(5)
}

fn loss(model: &dyn SequenceModel, config: &Config, weight: f64) -> f64 {
    let tape = Tape::inference();
    let batch = batch();
    let pass = forward(model, &tape, &batch, &batch.lengths, &noise(), weight, &config.train);
    close(
        reduce(&pass.objectives, &batch.lengths, config.train.reduction),
        pass.loss.value().item().into(),
    );
    f64::from(pass.loss.value().item())
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-5 * b.abs().max(1.), "{a} against {b}");
}

#[test]
fn what_is_learnt_from_is_the_bound_that_is_reported() {
    let batch = batch();
    for (kind, decoder) in MODELS {
        for reduction in ["mean-sequence", "mean-step", "per-step"] {
            let objective = |name| {
                let sets =
                    [format!("train.objective={name}"), format!("train.reduction={reduction}")];
                config(kind, decoder, &sets.each_ref().map(|set| set.as_str()))
            };
            let by_weights = objective("iwae");
            let (model, reduction) = (model(&by_weights), by_weights.train.reduction);
            let filtered = fivo(model.steps().unwrap(), &batch, &noise(), 4, ESS);
            close(
                loss(&*model, &objective("fivo"), 1.),
                reduce(&filtered, &batch.lengths, reduction),
            );
            let (weighted, per_step) = iwae(&*model, &batch, &noise(), 4);
            assert_eq!(per_step, kind == "stcn-dense");
            if !per_step {
                close(loss(&*model, &by_weights, 1.), reduce(&weighted, &batch.lengths, reduction));
                assert_ne!(filtered, weighted, "{kind}: nothing was drawn anew");
            }
        }
    }
}

#[test]
fn a_mean_at_each_step_is_taken_where_steps_are_independent() {
    let config = config(
        "stcn-dense",
        "pointwise",
        &["train.objective=iwae", "train.reduction=mean-sequence"],
    );
    let (model, rows, tape) = (model(&config), tiled(&batch(), 4), Tape::inference());
    let elbo = model.elbo(&tape, &rows, &noise(), Kl::Sampled);
    let a = (elbo.log_px - elbo.kl[0] - elbo.kl[1]).value();
    let steps = a.cols();
    let at = |b: usize, t: usize| -> f64 {
        let of = |k: usize| f64::from(a.data()[(3 * k + b) * steps + t]).exp();
        ([0, 1, 2, 3].map(of).iter().sum::<f64>() / 4.).ln()
    };
    let bound = |b: usize| (0..rows.lengths[b]).map(|t| at(b, t)).sum::<f64>();
    close(loss(&*model, &config, 1.), -(bound(0) + bound(1) + bound(2)) / 3.);
}

#[test]
fn the_weight_of_the_kl_stands_inside_the_weights() {
    // Without it every model is one of ln p(x | z) alone, in both.
    for objective in ["iwae", "fivo"] {
        let sets = [format!("train.objective={objective}"), "train.reduction=mean-sequence".into()];
        let config = config("vrnn", "pointwise", &sets.each_ref().map(|set| set.as_str()));
        let config = Config {
            train: stcn::train::TrainConfig { particles: 1, ..config.train.clone() },
            ..config
        };
        let (model, tape) = (model(&config), Tape::inference());
        let elbo = model.elbo(&tape, &batch(), &noise(), Kl::Sampled);
        let sums =
            |x: stcn::Var| stcn::internals::bounds::per_sequence(&x.value(), &batch().lengths);
        let (px, kl) = (sums(elbo.log_px), sums(elbo.kl[0]));
        for weight in [0., 0.3, 1.] {
            let want = px.iter().zip(&kl).map(|(px, kl)| px - weight * kl).sum::<f64>() / 3.;
            close(loss(&*model, &config, weight), -want);
        }
    }
}

#[test]
fn reports_are_the_terms_of_the_elbo_or_say_nothing() {
    let terms = |sets: &[&str]| {
        let config = config("vrnn", "pointwise", sets);
        let (model, tape) = (model(&config), Tape::inference());
        let batch = batch();
        let of = &batch.lengths;
        forward(&*model, &tape, &batch, of, &noise(), 0.1, &config.train).sums
    };
    assert!(terms(&["train.objective=fivo"]).is_none());
    // The mean over all draws, with a weight of 1 whatever that of the loss is.
    let found = terms(&["train.objective=iwae"]).unwrap();
    let config = config("vrnn", "pointwise", &[]);
    let (rows, tape) = (tiled(&batch(), 4), Tape::inference());
    let elbo = model(&config).elbo(&tape, &rows, &noise(), Kl::Sampled);
    let sums = |x: stcn::Var| stcn::internals::bounds::per_sequence(&x.value(), &rows.lengths);
    let means = |x| {
        let rows = sums(x);
        [0, 1, 2].map(|b| [0, 3, 6, 9].map(|k| rows[k + b]).iter().sum::<f64>() / 4.)
    };
    assert_eq!(found.log_px, means(elbo.log_px));
    assert_eq!(found.kl, [means(elbo.kl[0])]);
    // One draw is that of the ELBO, and its divergence another.
    let one = terms(&["train.objective=iwae", "train.particles=1"]).unwrap();
    let plain = terms(&[]).unwrap();
    assert!(one.log_px == plain.log_px && one.kl != plain.kl, "{one:?} {plain:?}");
}

#[test]
fn the_weight_of_the_kl_stands_inside_the_mean_over_draws() {
    let config =
        config("vrnn", "pointwise", &["train.objective=iwae", "train.reduction=mean-sequence"]);
    let (model, rows, tape) = (model(&config), tiled(&batch(), 4), Tape::inference());
    let elbo = model.elbo(&tape, &rows, &noise(), Kl::Sampled);
    let sums = |x: stcn::Var| stcn::internals::bounds::per_sequence(&x.value(), &rows.lengths);
    let (px, kl) = (sums(elbo.log_px), sums(elbo.kl[0]));
    let bound = |weight: f64| {
        let of = |b: usize| log_mean(&[0, 1, 2, 3].map(|k| px[3 * k + b] - weight * kl[3 * k + b]));
        (of(0) + of(1) + of(2)) / 3.
    };
    for weight in [0., 0.3, 1.] {
        close(loss(&*model, &config, weight), -bound(weight));
    }
    let outside = bound(1.) + 0.7 * kl.iter().sum::<f64>() / 12.;
    assert!((bound(0.3) - outside).abs() > 1e-3, "{} {outside}", bound(0.3));
}

/// Whatever a loss does not see: the filter's no auxiliary net, that of a single step no recurrent unit.
#[test]
fn every_model_takes_an_update_from_every_bound_and_from_a_single_step() {
    let set = ink(6);
    let normalisation = Normalisation::fit(&set, stcn::data::Normalise::PerChannel, 2).unwrap();
    let window = Window { sample: 0, start: 0, steps: 1, transpose: 0 };
    let one_step = Batch::new(&set, &normalisation, &[window], None).unwrap();
    for kind in ALL {
        for objective in ["elbo", "iwae", "fivo"] {
            let objective = format!("train.objective={objective}");
            let config = config(kind.name(), "pointwise", &[&objective]);
            let mut model = model(&config);
            if check(&*model, config.train.objective).is_err() {
                assert!(!kind.has_latents());
                continue;
            }
            let values = |model: &dyn SequenceModel| -> Vec<Tensor> {
                models::parameters(model).into_iter().map(|(_, value)| value.clone()).collect()
            };
            let before = values(&*model);
            let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
            for (step, batch) in [&batch(), &one_step].into_iter().enumerate() {
                update(&mut *model, &mut adam, batch, &config.train, config.seed, step as u64 + 1)
                    .unwrap();
            }
            let moved = values(&*model).iter().zip(&before).filter(|(a, b)| a != b).count();
            assert!(
                moved * 10 > before.len() * 7,
                "{kind} {objective}: {moved} of {}",
                before.len()
            );
        }
    }
}

/// Central differences along a random direction of all parameters: ancestors stay as they are for steps so
/// small, so that the slope is that of the weights alone.
#[cfg(feature = "f64")]
#[test]
fn gradients_are_those_of_the_bounds_with_the_ancestors_they_had() {
    for (kind, decoder) in MODELS {
        for objective in ["iwae", "fivo"] {
            let config = config(kind, decoder, &[&format!("train.objective={objective}")]);
            let mut model = model(&config);
            let mut direction: Vec<Tensor> = vec![];
            model.visit(&mut |p| {
                let mut u = p.value.map(|_| 0.);
                Noise::new(5, "direction").normals(p.path(), 0, 0, u.data_mut());
                direction.push(u);
            });
            let tape = Tape::new();
            let (batch, train) = (batch(), &config.train);
            let pass = forward(&*model, &tape, &batch, &batch.lengths, &noise(), 0.7, train);
            let grads = tape.backward(pass.loss, stcn::tape::Keep::Leaves);
            let mut exact = 0.;
            model.visit(&mut |p| {
                let u = &direction[p.number()];
                exact += stcn::zip([grads.param(p), u], |[g, u]| g * u).sum();
            });
            let mut at = |h: f64| {
                model.visit_mut(&mut |p| {
                    let u = &direction[p.number()];
                    p.value = stcn::zip([&p.value, u], |[x, u]| x + h * u);
                });
                loss(&*model, &config, 0.7)
            };
            let (up, down) = (at(1e-6), at(-2e-6));
            let numeric = (up - down) / 2e-6;
            let error = (exact - numeric).abs() / exact.abs().max(numeric.abs());
            assert!(
                error < 1e-6,
                "{kind} {objective}: {exact} by the tape, {numeric} by differences"
            );
        }
    }
}

#[test]
fn an_update_has_the_same_bits_on_any_number_of_threads() {
    for (kind, decoder) in MODELS {
        for objective in ["iwae", "fivo"] {
            let config = config(kind, decoder, &[&format!("train.objective={objective}")]);
            let learn = || {
                let mut model = model(&config);
                let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
                let report =
                    update(&mut *model, &mut adam, &batch(), &config.train, config.seed, 1)
                        .unwrap();
                let mut found = vec![];
                model.visit(&mut |p| found.push(p.value.data().to_vec()));
                (report, found)
            };
            let [one, rest @ ..] =
                [1, 2, 3, 5].map(|threads| stcn::with_threads(threads, learn).unwrap());
            assert!(rest.iter().all(|other| *other == one), "{kind} {objective}");
        }
    }
}

#[test]
fn a_run_that_is_resumed_learns_the_same_bits_and_checks_by_its_own_bound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ink.npz");
    ink(12).save(&path).unwrap();
    let data = format!("data.path={}", path.display());
    for objective in ["iwae", "fivo"] {
        let sets =
            [&*data, &format!("train.objective={objective}"), "train.reduction=mean-sequence"];
        let config = config("vrnn", "pointwise", &sets);
        let mut straight = Trainer::new(config.clone()).unwrap();
        for _ in 0..2 {
            straight.step().unwrap();
        }
        let middle = straight.checkpoint();
        let report = straight.step().unwrap();
        assert_eq!(report.elbo().is_some(), objective == "iwae");
        let mut resumed = Trainer::resume(config, middle, &path, &Registry::default()).unwrap();
        resumed.step().unwrap();
        let values = |trainer: &Trainer| -> Vec<stcn::Tensor> {
            models::parameters(trainer.model()).into_iter().map(|(_, p)| p.clone()).collect()
        };
        assert!(values(&resumed) == values(&straight), "{objective}");
        let checked = straight.check().unwrap().unwrap();
        let bound = checked.value.iwae.as_ref().or(checked.value.fivo.as_ref()).unwrap();
        assert_eq!(
            (bound.k, bound.per_sequence.len()),
            (4, straight.set().split(Split::Valid).len())
        );
        close(checked.loss, -bound.seq);
        assert_eq!(checked.value.fivo.is_some(), objective == "fivo");
        let found =
            Trained::from_checkpoint(straight.checkpoint(), &path, &Registry::default()).unwrap();
        assert_eq!(found.config.train.objective.name(), objective);
    }
}

#[test]
fn bounds_by_draws_want_latents_and_weights() {
    let refused =
        |kind, more: &[&str]| config(kind, "pointwise", more).validate().unwrap_err().to_string();
    let said = refused("wavenet", &["train.objective=fivo"]);
    says(&said, &["train.objective is fivo, but wavenet has no latents", "set it to elbo"]);
    says(
        &refused("rnn", &["train.objective=iwae"]),
        &["train.objective is iwae, but rnn has no latents"],
    );
    for particles in [0, 257] {
        let said = refused("vrnn", &[&format!("train.particles={particles}")]);
        says(&said, &[&format!("train.particles is {particles}: choose a number from 1 to 256")]);
    }
    let sets = ["train.objective=fivo", "model.draws=fresh"];
    let fresh = config("stcn-dense", "pointwise", &sets);
    let said = Trainer::new(fresh.clone()).err().expect("refused").to_string();
    says(
        &said,
        &["train.objective is fivo", "draws a latent more than once", "choose elbo or iwae"],
    );
    check(&*model(&fresh), stcn::train::Objective::Iwae).unwrap();
}

#[test]
fn auxiliary_terms_are_part_of_the_elbo_objective_alone() {
    // With weights of 0 nothing is added: where the loss is the same with large ones, no term is in it.
    for kind in ["z-forcing", "var-bilstm"] {
        for objective in ["elbo", "iwae", "fivo"] {
            let loss = |weight: &str| {
                let auxiliary = format!("model.auxiliary_weight={weight}");
                let objective = format!("train.objective={objective}");
                let config = config(kind, "pointwise", &[&auxiliary, &objective]);
                let (model, tape) = (model(&config), Tape::new());
                let noise = Noise::new(1, "train");
                let (batch, train) = (batch(), &config.train);
                let pass = forward(&*model, &tape, &batch, &batch.lengths, &noise, 1., train);
                pass.loss.value().item()
            };
            let added = loss("0") != loss("100");
            assert_eq!(added, objective == "elbo", "{kind} by {objective}");
        }
    }
}
