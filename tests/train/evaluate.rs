use stcn::data::{DataSet, Normalisation, Split};
use stcn::models::{self, Bound, SequenceModel};
use stcn::nn::Init;
use stcn::train::Config;
use stcn::train::evaluate::{Evaluation, Plan, evaluate};

fn set() -> DataSet {
    let row = |t: usize, n: usize| [t as f32 % 3. - 1., 0.5, if t + 1 == n { 1. } else { 0. }];
    let line = |n: usize| (0..n).flat_map(|t| row(t, n)).collect();
    let sequences = [5, 9, 7].map(line).to_vec();
    DataSet::from_parts("three lines", 3, sequences, Some(vec![0, 1, 1])).unwrap()
}

fn model(kind: &str, more: &[&str]) -> Box<dyn SequenceModel> {
    let mut config = Config::preset("ink-tiny", Some(kind), None).unwrap();
    for set in ["model.channels=4", "model.latents=[2,1]", "model.blocks_per_latent=1"] {
        config.set(set).unwrap();
    }
    more.iter().for_each(|set| config.set(set).unwrap());
    models::build(&config.model, Init::new(3)).unwrap()
}

fn value(model: &dyn SequenceModel, normalisation: &Normalisation, draws: usize) -> Evaluation {
    let plan = Plan { split: Split::Valid, draws, iwae: 4, seed: 1 };
    evaluate(model, &set(), normalisation, plan, |_| ())
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
    close(value.elbo_se, (a - b).abs() / 2.); // s/√2 of two numbers
    close(value.elbo_step_mean, (a / 9. + b / 7.) / 2.); // not the sum over the steps of both
    assert!((value.elbo_step_mean - value.elbo_step).abs() > 1e-6);
    assert!(value.elbo_se_draws.unwrap() > 0.);
    assert_eq!(value.bound, Bound::Lower);
    assert_eq!(value.iwae.unwrap().k, 4);
}

#[test]
fn an_exact_model_needs_one_draw_and_its_iwae_is_the_same_number() {
    let model = model("wavenet", &[]);
    let value = value(&*model, &Normalisation::identity(3), 10);
    assert_eq!((value.draws, value.bound), (1, Bound::Exact));
    assert!(value.kl.is_empty() && value.elbo_se_draws.is_none());
    // The mean of equal weights, in f32 per step.
    assert!((value.iwae.unwrap().seq - value.elbo_seq).abs() < 1e-4);
    assert!((value.iwae.unwrap().step_mean - value.elbo_step_mean).abs() < 1e-5);
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
fn no_iwae_where_the_decoder_couples_steps() {
    let model = model("stcn", &["model.decoder=gated"]);
    assert!(value(&*model, &Normalisation::identity(3), 1).iwae.is_none());
}

#[test]
fn other_seeds_draw_otherwise_and_the_same_seed_does_not() {
    let model = model("stcn-dense", &[]);
    let at = |seed| {
        let plan = Plan { split: Split::Valid, draws: 1, iwae: 0, seed };
        evaluate(&*model, &set(), &Normalisation::identity(3), plan, |_| ()).elbo_seq
    };
    assert_eq!(at(1), at(1));
    assert_ne!(at(1), at(2));
}
