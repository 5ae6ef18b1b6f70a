use crate::common::preset;
use crate::common::{says, shrink};
use stcn::Noise;
use stcn::data::{Batch, DataSet, Normalisation, Split, Window};
use stcn::models::{self, Bound, SequenceModel};
use stcn::nn::Init;
use stcn::train::{Ancestors, Resample, Trainer, fivo};
use stcn::train::{Copies, Evaluation, Plan, evaluate};

fn set() -> DataSet {
    let row = |t: usize, n: usize| [t as f32 % 3. - 1., 0.5, if t + 1 == n { 1. } else { 0. }];
    let line = |n: usize| (0..n).flat_map(|t| row(t, n)).collect();
    let sequences = [5, 9, 7].map(line).to_vec();
    DataSet::from_parts("three lines", 3, sequences, Some(vec![0, 1, 1])).unwrap()
}

fn model(kind: &str, more: &[&str]) -> Box<dyn SequenceModel> {
    let mut config = preset("ink-tiny", Some(kind), None).unwrap();
    let sizes = [
        "model.channels=4",
        "model.hidden_size=4",
        "model.latents=[2,1]",
        "model.latent_size=2",
        "model.levels=2",
        "model.blocks_per_latent=1",
        "model.blocks_per_level=1",
        "model.cells_per_latent=1",
    ];
    shrink(&mut config, &sizes);
    more.iter().for_each(|set| config.set(set).unwrap());
    models::build(&config.model, Init::new(3)).unwrap()
}

fn value(model: &dyn SequenceModel, normalisation: &Normalisation, draws: usize) -> Evaluation {
    let plan = Plan { draws, iwae: 4, ..Plan::new(Split::Valid) };
    evaluate(model, &set(), normalisation, plan, |_| ()).unwrap()
}

#[test]
fn figures_add_up() {
    let model = model("stcn-dense", &[]);
    let value = value(&*model, &Normalisation::identity(3), 3);
    assert_eq!((value.sequences, value.steps, value.draws), (2, 16, 3));
    let kl: f64 = value.kl.iter().sum();
    // f64 sums of a few numbers below 1e3.
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} against {b}");
    close(value.elbo_seq, value.log_px_seq - kl);
    close(value.elbo_seq * 2., value.elbo_step * 16.);
    let [a, b] = value.per_sequence[..] else { panic!("two sequences") };
    close(value.elbo_seq, (a + b) / 2.);
    close(value.elbo_se.unwrap(), (a - b).abs() / 2.); // s/√2 of two numbers
    close(value.elbo_step_mean, (a / 9. + b / 7.) / 2.); // not the sum over the steps of both
    assert!((value.elbo_step_mean - value.elbo_step).abs() > 1e-6);
    assert!(value.elbo_se_draws.unwrap() > 0.);
    assert_eq!(value.bound, Bound::Lower);
    assert_eq!(value.iwae.unwrap().k, 4);
}

#[test]
fn a_difference_of_models_has_the_error_of_the_differences() {
    let of = |kind| value(&*model(kind, &[]), &Normalisation::identity(3), 3);
    let (ours, theirs) = (of("stcn-dense"), of("wavenet"));
    let (above, se) = ours.paired_difference(&theirs);
    let se = se.unwrap();
    let [a, b] = [0, 1].map(|i| ours.per_sequence[i] - theirs.per_sequence[i]);
    // f64 sums of a few numbers below 1e3.
    assert!((above - (ours.elbo_seq - theirs.elbo_seq)).abs() < 1e-9);
    assert!((se - (a - b).abs() / 2.).abs() < 1e-9 && se > 0.);
}

#[test]
fn an_exact_model_needs_one_draw_and_its_iwae_is_the_same_number() {
    let model = model("wavenet", &[]);
    let value = value(&*model, &Normalisation::identity(3), 10);
    assert_eq!((value.draws, value.bound), (1, Bound::Exact));
    assert!(value.kl.is_empty() && value.elbo_se_draws.is_none());
    // The mean of equal weights, in f32 per step.
    let iwae = value.iwae.unwrap();
    assert!((iwae.seq - value.elbo_seq).abs() < 1e-4);
    assert!((iwae.step_mean - value.elbo_step_mean).abs() < 1e-5);
}

#[test]
fn bits_are_those_of_raw_units() {
    let model = model("wavenet", &[]);
    let scaled = Normalisation { mean: vec![0.; 3], std: vec![2., 4., 1.] };
    let value = value(&*model, &scaled, 1);
    let nats = value.elbo_step - f64::ln(2. * 4.);
    assert!((value.bits_per_dim + nats / (3. * f64::ln(2.))).abs() < 1e-12);
}

#[test]
fn the_released_dense_objective_is_called_no_bound() {
    let model = model("stcn-dense", &["model.draws=fresh"]);
    assert_eq!(value(&*model, &Normalisation::identity(3), 1).bound, Bound::Objective);
}

#[test]
fn more_draws_than_are_held_at_once_are_those_of_single_passes() {
    use stcn::internals::evaluate::forward;
    let (model, set, same) = (model("stcn-dense", &[]), set(), Normalisation::identity(3));
    // No channel gets noise, so both copies are the data, and have draws of their own.
    let plan = Plan { draws: 66, copies: Some(Copies::new(2, 0)), ..Plan::new(Split::Valid) };
    let found = evaluate(&*model, &set, &same, plan, |_| ()).unwrap().per_sequence;
    let valid = set.split(Split::Valid);
    let windows: Vec<Window> = valid.iter().map(|&i| Window::whole(&set, i)).collect();
    let batch = Batch::new(&set, &same, &windows, None).unwrap();
    let mut wanted = vec![0.; 2];
    for draw in 0..132 {
        let noise = Noise::new(1, "evaluate").at(draw);
        let pass = &forward(&*model, &batch, &noise, 1)[0];
        for (i, wanted) in wanted.iter_mut().enumerate() {
            *wanted += (pass.log_px[i] - pass.kl.iter().map(|kl| kl[i]).sum::<f64>()) / 132.;
        }
    }
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-9, "{found} {wanted}"); // f64 sums of a few numbers below 1e3
    }
}

#[test]
fn the_mean_of_weights_is_per_step_where_steps_are_independent_and_else_per_sequence() {
    let value = |kind, more: &[&str]| value(&*model(kind, more), &Normalisation::identity(3), 1);
    assert!(value("stcn", &[]).iwae_per_step);
    for (kind, more) in [("stcn", &["model.decoder=gated"][..]), ("vrnn", &[])] {
        let value = value(kind, more);
        assert!(!value.iwae_per_step && value.iwae.unwrap().seq.is_finite());
    }
}

/// Both bounds of one model.
fn filtered(model: &dyn SequenceModel, k: usize) -> stcn::Result<Evaluation> {
    let plan = Plan { iwae: k, fivo: k, ..Plan::new(Split::Valid) };
    evaluate(model, &set(), &Normalisation::identity(3), plan, |_| ())
}

#[test]
fn a_filter_has_a_bound_and_with_one_particle_it_is_iwae() {
    for (kind, more) in [("stcn", &["model.decoder=gated"][..]), ("vrnn", &[])] {
        let model = model(kind, more);
        let value = filtered(&*model, 1).unwrap();
        let [iwae, fivo] = [value.iwae.unwrap(), value.fivo.unwrap()];
        assert!((fivo.seq - iwae.seq).abs() < 1e-5 * iwae.seq.abs(), "{iwae:?} {fivo:?}");
    }
}

#[test]
fn more_rows_than_fit_into_a_pass_go_one_part_after_another_to_the_same_values() {
    let line = |n: usize| -> Vec<f32> {
        (0..n).flat_map(|t| [t as f32 % 3. - 1., 0.1 * n as f32, f32::from(t + 1 == n)]).collect()
    };
    let lines = [9, 2, 3, 1, 4, 2, 3].map(line).to_vec(); // four at once
    let set = DataSet::from_parts("lines", 3, lines, Some(vec![0, 1, 1, 1, 1, 1, 1])).unwrap();
    let normalisation = Normalisation::identity(3);
    for (kind, more) in [("stcn", &["model.decoder=gated"][..]), ("vrnn", &[])] {
        let model = model(kind, more);
        let plan = Plan { fivo: 1024, ..Plan::new(Split::Valid) };
        let value = evaluate(&*model, &set, &normalisation, plan, |_| ()).unwrap().fivo.unwrap();
        let alone = (1..7).map(|i| {
            let batch = Batch::new(&set, &normalisation, &[Window::whole(&set, i)], None).unwrap();
            let how = (Resample::Ess, Ancestors::Multinomial);
            fivo(model.steps().unwrap(), &batch, &Noise::new(1, "iwae"), 1024, how)[0]
        });
        assert_eq!(value.per_sequence, alone.collect::<Vec<_>>(), "{kind}");
        assert!((value.step * 15. - value.seq * 6.).abs() < 1e-9);
    }
}

#[test]
fn one_sequence_has_no_standard_error() {
    let one = DataSet::from_parts("one", 3, vec![vec![0.5; 6]; 2], Some(vec![0, 1])).unwrap();
    let plan = Plan { draws: 3, iwae: 2, ..Plan::new(Split::Valid) };
    let model = model("stcn-dense", &[]);
    let value = evaluate(&*model, &one, &Normalisation::identity(3), plan, |_| ()).unwrap();
    assert_eq!((value.elbo_se, value.iwae.as_ref().unwrap().se), (None, None));
    assert!(value.elbo_se_draws.unwrap() > 0.);
    assert_eq!(value.paired_difference(&value), (0., None));
}

#[test]
fn what_a_model_has_no_bound_of_is_refused() {
    let refused =
        |kind, more: &[&str], k| filtered(&*model(kind, more), k).unwrap_err().to_string();
    let said = refused("wavenet", &[], 4);
    says(&said, &["--fivo: this model has no latents", "exact", "leave --fivo out"]);
    let said = refused("stcn-dense", &["model.draws=fresh"], 4);
    says(&said, &["--fivo: this model has no step-by-step form", "use --iwae instead"]);
    let said = refused("vrnn", &[], 1025);
    says(&said, &["--iwae 1025: want 1024 at most for this model"]);
    let said = refused("wavenet", &[], usize::MAX);
    says(&said, &["--iwae 18446744073709551615: want 65536 at most for this model"]);
}

#[test]
fn other_seeds_draw_otherwise_and_the_same_seed_does_not() {
    let model = model("stcn-dense", &[]);
    let at = |seed| {
        let plan = Plan { seed, ..Plan::new(Split::Valid) };
        evaluate(&*model, &set(), &Normalisation::identity(3), plan, |_| ()).unwrap().elbo_seq
    };
    assert_eq!(at(1), at(1));
    assert_ne!(at(1), at(2));
}

/// A spiky density may give any value to what lies on a grid; spread over its cells, it cannot be worth more
/// than the true probabilities, here known: of each step alone, 1/2, 1/4, 1/8, 1/8.
#[test]
fn dequantised_no_model_says_more_than_the_probabilities() {
    const VALUES: [(f32, f64); 8] = [
        (0., 0.5),
        (0., 0.5),
        (0., 0.5),
        (0., 0.5),
        (3., 0.25),
        (3., 0.25),
        (4., 0.125),
        (-2., 0.125),
    ];
    let noise = Noise::new(1, "toy");
    let draws = |i: u64| {
        let mut words = [0; 50];
        noise.words("values", i, 0, &mut words);
        words.map(|word| VALUES[(word >> 29) as usize])
    };
    let sequences = (0..60).map(|i| draws(i).map(|(x, _)| x).to_vec()).collect();
    let split = (0..60).map(|i| if i < 30 { 0 } else { 2 }).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toy.npz");
    DataSet::from_parts("toy", 1, sequences, Some(split)).unwrap().save(&path).unwrap();
    // Of the sequences that no model has seen.
    let truth =
        (30..60).map(|i| draws(i).map(|(_, p)| p.ln()).iter().sum::<f64>()).sum::<f64>() / 30.;

    for (kind, dequantise) in [("wavenet", false), ("wavenet", true), ("stcn-dense", false)] {
        let mut config = preset("speech-small", Some(kind), Some("gmm")).unwrap();
        let sizes = [
            "model.channels=4",
            "model.latents=[2,1]",
            "model.levels=2",
            "model.blocks_per_latent=1",
            "model.blocks_per_level=1",
            "model.decoder=pointwise",
        ];
        shrink(&mut config, &sizes);
        for set in [
            "model.input=1",
            "model.output_layers=1",
            "model.mixtures=6",
            "data.crop=0",
            "train.batch=30",
            "train.lr=0.02",
            "train.kl_anneal=0",
            &format!("data.dequantise={dequantise}"),
            &format!("data.path={}", path.display()),
        ] {
            config.set(set).unwrap();
        }
        let mut trainer = Trainer::new(config.clone()).unwrap();
        for _ in 0..400 {
            trainer.step().unwrap();
        }
        let header = trainer.checkpoint().header;
        let normalisation = Normalisation { mean: header.mean, std: header.std };
        let value = |copies| {
            let plan = Plan { draws: 2, iwae: 4, copies, ..Plan::new(Split::Test) };
            evaluate(trainer.model(), trainer.set(), &normalisation, plan, |_| ()).unwrap()
        };
        // Nats of a sequence of 50 cells, one raw unit wide.
        let raw = |seq: f64| seq - 50. * normalisation.std[0].ln();
        let (as_it_is, spread) = (value(None), value(Some(Copies::new(Copies::REPORTED, 1))));
        let (elbo, iwae) = (raw(spread.elbo_seq), raw(spread.iwae.unwrap().seq));
        println!(
            "{kind}, dequantised {dequantise}: as it is {:.1}, spread {elbo:.1}, IWAE {iwae:.1}, truth {truth:.1}",
            raw(as_it_is.elbo_seq)
        );
        // Chance lets a wrong model win by x nats over all 30 sequences with probability e^−x.
        assert!(elbo < truth + 0.2 && iwae < truth + 0.2, "{kind}, dequantised {dequantise}");
        let bits = -elbo / 50. / 2_f64.ln();
        assert!((spread.bits_per_dim - bits).abs() < 1e-9 * bits.abs());
        if dequantise {
            assert!(elbo > truth - 10., "trained for it, it is near the truth");
        } else if kind == "wavenet" {
            assert!(raw(as_it_is.elbo_seq) > truth, "the spikes that a grid invites");
        }
    }
}

#[test]
fn copies_are_the_same_for_every_seed_and_their_noise_is_in_the_real_channels_alone() {
    let model = model("wavenet", &[]);
    let at = |seed, copies| {
        let plan = Plan { seed, copies, ..Plan::new(Split::Valid) };
        evaluate(&*model, &set(), &Normalisation::identity(3), plan, |_| ()).unwrap().per_sequence
    };
    let copies = Some(Copies::new(2, 2));
    assert_eq!(at(1, copies), at(2, copies));
    assert_ne!(at(1, copies), at(1, None));
    assert_ne!(at(1, copies), at(1, Some(Copies::new(1, 2))), "another mean");
    // A pen of 0.3 has no probability; one that stays 0 or 1 has.
    assert!(at(1, copies).iter().all(|x| x.is_finite()));
}

#[cfg(not(feature = "f64"))] // whose products promise no bits
#[test]
fn a_pass_in_parts_is_to_the_bit_that_of_the_whole_batch() {
    use stcn::internals::bounds::{Sums, per_sequence};
    use stcn::internals::evaluate::forward;
    use stcn::internals::shards::{map_shards, shards};
    use stcn::models::{ALL, Kl};
    use stcn::{Real, Tape, Tensor, Var};
    let values = (1..=120).map(|i| (i % 7) as Real * 0.25 - 0.5);
    let mut x = Tensor::new(&[8, 5, 3], values.collect());
    x.data_mut().chunks_exact_mut(3).for_each(|row| row[2] = if row[2] > 0. { 1. } else { 0. });
    let lengths = vec![2, 5, 3, 1, 4, 5, 2, 3];
    let batch = Batch { x, lengths, samples: vec![3, 0, 8, 1, 2, 9, 7, 4] };
    let noise = Noise::new(4, "evaluate");
    for kind in ALL {
        let model = model(kind.name(), &[]);
        let two = || shards(&*model, 8).len();
        assert_eq!(stcn::with_threads(2, two).unwrap(), 2);
        let tape = Tape::inference();
        let whole = model.elbo(&tape, &batch, &noise, Kl::Analytic);
        let bits = |x: Vec<f64>| x.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let of = |x: Var| bits(per_sequence(&x.value(), &batch.lengths));
        let parts =
            || map_shards(&*model, &batch, |part| forward(&*model, part, &noise, 1).remove(0));
        let mut found = Sums::default();
        stcn::with_threads(2, parts).unwrap().into_iter().for_each(|part| found.extend(part));
        assert_eq!(bits(found.log_px), of(whole.log_px), "{kind}");
        let kl: Vec<_> = whole.kl.into_iter().map(of).collect();
        assert_eq!(found.kl.into_iter().map(bits).collect::<Vec<_>>(), kl, "{kind}");
    }
}
