use super::{saved, suite};
use serde_json::json;
use stcn::internals::suite::report::{Found, Line, Mean, Report, bootstrap};
use stcn::internals::suite::saved::Saved;

/// A row whose runs have these evaluations.
pub fn line(name: &str, found: Vec<Saved>) -> Line {
    let found = found.into_iter().enumerate().map(|(i, saved)| Found {
        name: format!("{name}.seed-{}", i + 1),
        seed: i as u64 + 1,
        input: 3,
        saved,
        updates: 20,
        out_of_patience: false,
        curve: vec![(10., 1.), (20., 2.)],
        seconds: 1.5,
        samples: Some("<svg/>".into()),
    });
    let suite = suite("[[row]]\nmodel = \"rnn\"\n").unwrap();
    let row = &suite.rows[0];
    let mut line = Line::of(row, found.collect()).unwrap();
    line.name = name.into();
    line
}

#[test]
fn of_seeds_the_mean_and_its_standard_error() {
    assert_eq!(Mean::of(&[]), None);
    assert_eq!(Mean::of(&[3.]), Some(Mean { mean: 3., se: None }));
    // s² = ((−1)² + 1²) / 1 = 2, s/√2 = 1.
    assert_eq!(Mean::of(&[2., 4.]), Some(Mean { mean: 3., se: Some(1.) }));
}

#[test]
fn the_bound_of_a_row_is_the_highest_that_every_run_has() {
    let with = |k: usize, seq: f64| {
        saved(&[("iwae_k", json!(k)), ("iwae_seq", json!(seq)), ("iwae_step", json!(0.))])
    };
    let held = |found: Vec<Saved>| line("a", found).held.map(|(name, seq, _)| (name, seq.mean));
    assert_eq!(held(vec![with(8, 5.), with(8, 7.)]), Some(("IWAE-8".into(), 6.)));
    assert_eq!(
        held(vec![with(8, 5.), with(4, 7.)]),
        Some(("ELBO".into(), 3.)),
        "of other numbers of draws"
    );
    assert_eq!(
        held(vec![with(8, 1.)]),
        Some(("ELBO".into(), 3.)),
        "a bound with weights may be the lower one"
    );
    assert_eq!(held(vec![saved(&[("bound", json!("floored"))])]), None);
    assert_eq!(held(vec![]), None);
}

#[test]
fn rows_are_compared_by_sequence_and_only_on_the_same_data() {
    let of = |values: [f64; 2], data: &str| {
        saved(&[("per_sequence", json!({ "elbo": values })), ("fingerprint", json!(data))])
    };
    let against = |own: Vec<Saved>, first: Vec<Saved>| {
        let lines = vec![line("first", first), line("own", own)];
        Report::of("A test".into(), "valid".into(), lines).lines.remove(1).difference
    };
    // 1 and 3 above it: each of seeds that average to that.
    let two = vec![of([10., 20.], "x"), of([12., 26.], "x")];
    let [mean, low, high] = against(two, vec![of([10., 20.], "x")]).unwrap();
    assert_eq!((mean, low, high), (2., 1., 3.));
    assert_eq!(against(vec![of([1., 2.], "y")], vec![of([1., 2.], "x")]), None);
    assert_eq!(against(vec![], vec![of([1., 2.], "x")]), None);
}

#[test]
fn the_interval_of_the_bootstrap_is_about_two_standard_errors_wide() {
    // 0 … 99: s/√n = √(100·101/12)/10 = 2.901. Of 1000 resamples, a percentile's own error is about
    // √(0.025·0.975/1000)/φ(1.96) = 0.085 standard errors; four times that is 0.34.
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let [mean, low, high] = bootstrap(&x);
    assert_eq!(mean, 49.5);
    let se = 2.901;
    for (found, wanted) in [(low - mean, -1.96), (high - mean, 1.96)] {
        assert!((found / se - wanted).abs() < 0.34, "{found} against {wanted} · {se}");
    }
    assert_eq!(bootstrap(&x), bootstrap(&x));
}
