//! Means and standard deviations, against hand-worked examples and the READMEs of the real data.

use super::{counting, real, refusal};
use stcn::data::{DataSet, Normalisation, Normalise, Split};

/// Train: (1, 10, 1), (3, 10, 0), (5, 40, 1), (7, 40, 1); the rest must not count.
fn by_hand() -> DataSet {
    let sequences =
        vec![vec![1., 10., 1., 3., 10., 0.], vec![1e9, -1e9, 0.], vec![5., 40., 1., 7., 40., 1.]];
    DataSet::from_parts("by hand", 3, sequences, Some(vec![0, 2, 0])).unwrap()
}

#[test]
fn per_channel_statistics_match_a_worked_example_and_leave_the_pen() {
    let statistics = Normalisation::fit(&by_hand(), Normalise::PerChannel, 2).unwrap();
    // Deviations −3, −1, 1, 3: variance 5. Deviations ±15: variance 225.
    assert_eq!(statistics.mean, [4., 25., 0.]);
    assert_eq!(statistics.std, [5_f64.sqrt(), 15., 1.]);
}

#[test]
fn a_scalar_pair_is_over_all_values_of_the_real_channels() {
    let statistics = Normalisation::fit(&by_hand(), Normalise::Scalar, 2).unwrap();
    // Values 1, 3, 5, 7, 10, 10, 40, 40: Σ 116, mean 14.5, Σ squares 3484, variance 435.5 − 210.25.
    assert_eq!(statistics.mean, [14.5, 14.5, 0.]);
    assert_eq!(statistics.std, [225.25_f64.sqrt(), 225.25_f64.sqrt(), 1.]);
}

#[test]
fn chungs_pair_is_over_both_coordinates_and_divided_by_steps() {
    let statistics = Normalisation::fit(&by_hand(), Normalise::ChungScalar, 2).unwrap();
    // Σ(dx + dy) 116 over 4 steps: 29. Σ(dx² + dy²) 3484 over 4: 871, and 871 − 29² = 30.
    assert_eq!(statistics.mean, [29., 29., 0.]);
    assert_eq!(statistics.std, [30_f64.sqrt(), 30_f64.sqrt(), 1.]);
}

#[test]
fn chungs_floored_pair_rounds_both_quotients_down() {
    // Σ 11 over 3 steps: 3.67, down to 3. Σ squares 55 over 3: 18.33, down to 18, and 18 − 9 = 9.
    let sequence = vec![3., 1., 1., 5., 0., 0., -2., 4., 0.];
    let set = DataSet::from_parts("odd", 3, vec![sequence], Some(vec![0])).unwrap();
    let statistics = Normalisation::fit(&set, Normalise::ChungFloor, 2).unwrap();
    assert_eq!((statistics.mean, statistics.std), (vec![3., 3., 0.], vec![3., 3., 1.]));
}

#[test]
fn a_pair_of_chungs_whose_variance_is_not_above_zero_divides_by_one() {
    // dx = dy = 1: m = 2, and 2 − 2² is below 0.
    let set = DataSet::from_parts("even", 3, vec![[1., 1., 0.].repeat(4)], None).unwrap();
    let statistics = Normalisation::fit(&set, Normalise::ChungScalar, 2).unwrap();
    assert_eq!((statistics.mean, statistics.std), (vec![2., 2., 0.], vec![1.; 3]));
}

#[test]
fn one_density_is_worth_the_shift_more_per_step_under_chungs_pair_and_the_same_in_raw_units() {
    let rows = |i: i32| {
        (0..600).map(move |t| {
            let (dx, dy) = ((i + 7 * t) % 90 - 30, (3 * i + 11 * t * t) % 70 - 35);
            [dx as f32, dy as f32, f32::from(u8::from(t % 9 == 8))]
        })
    };
    let sequences = (0..3).map(|i| rows(i).flatten().collect()).collect();
    let set = DataSet::from_parts("ink", 3, sequences, Some(vec![0, 0, 1])).unwrap();
    // In raw units two independent Gaussians; carried into the units of `statistics`.
    let (mean, std) = ([12., -3.], [25., 18.]);
    let log_prob = |statistics: &Normalisation| {
        let raw = set.sequence(2).unwrap();
        let mut y = vec![0.; raw.len()];
        statistics.apply(&raw, &mut y);
        let mut sum = 0.;
        for row in y.chunks_exact(3) {
            for d in 0..2 {
                let mu = (mean[d] - statistics.mean[d]) / statistics.std[d];
                let sigma = std[d] / statistics.std[d];
                let z = (f64::from(row[d]) - mu) / sigma;
                sum -= 0.5 * z * z + sigma.ln() + 0.5 * (2. * std::f64::consts::PI).ln();
            }
        }
        let pens: Vec<f32> = y.chunks_exact(3).map(|row| row[2]).collect();
        assert!(pens.iter().zip(raw.chunks_exact(3)).all(|(pen, row)| *pen == row[2]));
        sum
    };
    let each = Normalisation::fit(&set, Normalise::PerChannel, 2).unwrap();
    let steps = set.length(2) as f64;
    for kind in [Normalise::ChungScalar, Normalise::ChungFloor, Normalise::Scalar] {
        let pair = Normalisation::fit(&set, kind, 2).unwrap();
        let (ours, theirs) = (log_prob(&each), log_prob(&pair));
        let shift = steps * (pair.std[0] * pair.std[0] / (each.std[0] * each.std[1])).ln();
        assert!(shift.abs() > 1., "{kind}: {shift}");
        assert!(
            (theirs - ours - shift).abs() <= 1e-6 * theirs.abs(),
            "{kind}: {theirs} {ours} {shift}"
        );
        let bits = |log: f64, of: &Normalisation| {
            (of.log_std_sum(f64::ln) - log / steps) / std::f64::consts::LN_2
        };
        let (ours, theirs) = (bits(ours, &each), bits(theirs, &pair));
        assert!((ours - theirs).abs() <= 1e-6 * ours, "{kind}: {ours} {theirs} bits");
    }
}

#[test]
fn none_changes_nothing() {
    let statistics = Normalisation::fit(&by_hand(), Normalise::None, 3).unwrap();
    assert_eq!(statistics, Normalisation::identity(3));
    let x = [1.5, -0., 1e-40];
    let mut y = [9.; 3];
    statistics.apply(&x, &mut y);
    assert_eq!(y.map(f32::to_bits), x.map(f32::to_bits));
}

#[test]
fn a_constant_channel_gets_a_standard_deviation_of_one() {
    let set = DataSet::from_parts("flat", 1, vec![vec![7.; 5]], None).unwrap();
    for kind in [Normalise::PerChannel, Normalise::Scalar] {
        let statistics = Normalisation::fit(&set, kind, 1).unwrap();
        assert_eq!((statistics.mean, statistics.std), (vec![7.], vec![1.]));
    }
}

#[test]
fn two_passes_keep_a_small_spread_around_a_large_mean() {
    let set = DataSet::from_parts("far", 1, vec![vec![16_777_214., 16_777_216.]], None).unwrap();
    let statistics = Normalisation::fit(&set, Normalise::PerChannel, 1).unwrap();
    assert_eq!((statistics.mean, statistics.std), (vec![16_777_215.], vec![1.]));
}

#[test]
fn undoing_gives_the_raw_numbers_back_to_f32_rounding() {
    let set = counting(&[1000], None);
    let statistics = Normalisation::fit(&set, Normalise::PerChannel, 1).unwrap();
    let raw = &set.sequence(0).unwrap();
    let (mut normal, mut back) = (vec![0.; 1000], vec![0.; 1000]);
    statistics.apply(raw, &mut normal);
    statistics.undo(&normal, &mut back);
    for (x, y) in raw.iter().zip(&back) {
        assert!((x - y).abs() <= 1000. * f32::EPSILON, "{x} {y}");
    }
    let n = normal.len() as f64;
    let mean = normal.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let square = normal.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / n;
    assert!(mean.abs() < 1e-6 && (square - 1.).abs() < 1e-6);
}

#[test]
fn the_way_back_to_raw_units_costs_the_logarithms_of_the_deviations() {
    let statistics = Normalisation { mean: vec![0.; 3], std: vec![2., 3., 1.] };
    assert!((statistics.log_std_sum(f64::ln) - 6_f64.ln()).abs() < 1e-15);
}

#[test]
fn figures_and_kinds_survive_their_text() {
    let statistics = Normalisation::fit(&by_hand(), Normalise::PerChannel, 2).unwrap();
    let text = toml::to_string(&statistics).unwrap();
    assert_eq!(toml::from_str::<Normalisation>(&text).unwrap(), statistics);
    for &kind in Normalise::ALL {
        assert_eq!(Normalise::parse(&kind.to_string()).unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    assert_eq!(
        refusal(Normalise::parse("mean")),
        "unknown normalisation `mean`: want one of per-channel, scalar, chung-scalar, chung-floor, none"
    );
}

#[test]
fn the_real_figures_are_those_of_their_readme() {
    let Some(path) = real("unipen/unipen_text.npz") else { return };
    let set = DataSet::open(path, None).unwrap();
    let statistics = Normalisation::fit(&set, Normalise::PerChannel, 3).unwrap();
    let near = |found: &[f64], printed: [f64; 3]| {
        found.iter().zip(printed).all(|(x, y)| (x - y).abs() <= 0.5001e-4)
    };
    assert!(near(&statistics.mean, [0.1381, -0.0036, 0.0280]), "{statistics:?}");
    assert!(near(&statistics.std, [1.2237, 0.6942, 0.1651]), "{statistics:?}");

    let Some(path) = real("jsb/jsb_chorales.npz") else { return };
    let set = DataSet::open(path, None).unwrap();
    let statistics = Normalisation::fit(&set, Normalise::Scalar, 88).unwrap();
    assert!((statistics.mean[0] - 0.0443).abs() <= 0.5e-4, "{statistics:?}");
    assert!((statistics.std[87] - 0.2058).abs() <= 0.5e-4, "{statistics:?}");
    assert_eq!(set.steps(Split::Train), 13_807);
}
