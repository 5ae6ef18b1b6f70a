//! The bookkeeping of a filter: weights, resampling, ancestors.

use stcn::internals::particles::{Filter, addresses, log_ess};
use stcn::train::{Ancestors, Resample};
use stcn::{Noise, Real};

fn noise() -> Noise {
    Noise::new(1, "filter")
}

/// Three steps of one sequence and four particles (rivals.md §11.1).
const INCREMENTS: [[Real; 4]; 3] =
    [[-1., -3., -6., -7.], [-2., -1.5, -2.5, -0.5], [-1., -1.2, -0.8, -4.]];

/// The filter after these steps, and what it said at each.
fn booked(when: Resample, seed: u64) -> (Filter, Vec<Option<Vec<usize>>>) {
    let mut filter = Filter::new(4, vec![3], (when, Ancestors::Multinomial));
    let noise = Noise::new(seed, "booked");
    let said = (0..3).map(|t| filter.advance(t, &INCREMENTS[t], &noise, &[0])).collect();
    (filter, said)
}

#[test]
fn the_books_of_a_filter_are_right_to_the_last_digit_whoever_the_ancestors_are() {
    // Increments are given, so that ancestors are of no consequence. f32 has −1.2 and −0.8 to 5e-8.
    let tolerance = if cfg!(feature = "f64") { 1e-14 } else { 1e-7 };
    for seed in 0..3 {
        let (filter, said) = booked(Resample::Ess, seed);
        assert!((filter.values[0] + 5.439477707155916).abs() < tolerance, "{}", filter.values[0]);
        assert_eq!(filter.ends, [[1, 3]]);
        assert!(said[0].is_some() && said[1].is_none() && said[2].is_none());
    }
    let (filter, said) = booked(Resample::Never, 0);
    assert!((filter.values[0] + 5.213831069123072).abs() < tolerance, "{}", filter.values[0]);
    assert!(filter.ends == [[3]] && said.iter().all(Option::is_none));
    assert_eq!(booked(Resample::Always, 0).0.ends, [[1, 2, 3]]);
    for (weights, ess) in [
        ([-1., -3., -6., -7.], 1.28637),
        ([-2., -1.5, -2.5, -0.5], 2.47646),
        ([-3., -2.7, -3.3, -4.5], 3.21024),
    ] {
        assert!((log_ess(&weights).exp() - ess).abs() < 5e-6, "{}", log_ess(&weights).exp());
    }
    assert_eq!(log_ess(&[-700.]), 0.);
}

#[test]
fn a_sequence_that_has_ended_keeps_what_it_has() {
    // The second of two sequences is one step long: later increments, and new draws, are the first one's.
    let mut filter = Filter::new(2, vec![3, 1], (Resample::Always, Ancestors::Multinomial));
    let a = |b: [Real; 2]| [b[0], b[1], b[0] - 1., b[1] - 2.];
    assert!(filter.advance(0, &a([0., -1.]), &noise(), &[5, 6]).is_some_and(|from| {
        from[1] == 1 && from[3] == 3 && from[0] % 2 == 0 && from[2] % 2 == 0
    }));
    let value = filter.values[1];
    assert!((value - (0.5 * (f64::exp(-1.) + f64::exp(-3.))).ln()).abs() < 1e-12);
    filter.advance(1, &a([0., Real::NAN]), &noise(), &[5, 6]);
    assert_eq!((filter.values[1], &filter.ends[1]), (value, &vec![1]));
}

#[test]
fn ancestors_are_drawn_in_proportion_to_their_weights() {
    // Weights 1 : 2 : 5 of 8; expected 3/8, 6/8 and 15/8 of three particles.
    let weights = [1., 2., 5.].map(|w: f64| w.ln() as Real);
    let runs = 4000;
    for how in [Ancestors::Multinomial, Ancestors::Systematic] {
        let mut counts = [0.; 3];
        for sample in 0..runs {
            let mut filter = Filter::new(3, vec![2], (Resample::Always, how));
            let from = filter.advance(0, &weights, &noise(), &[sample]).unwrap();
            let mut of_run = [0_f64; 3];
            from.iter().for_each(|&k| of_run[k] += 1.);
            for (k, (count, of_run)) in counts.iter_mut().zip(of_run).enumerate() {
                *count += of_run;
                let expected = 3. * [1., 2., 5.][k] / 8.;
                let near = (of_run - expected).abs() < 1.;
                assert!(near || how == Ancestors::Multinomial, "{of_run} of {expected}");
            }
        }
        for (count, weight) in counts.iter().zip([1., 2., 5.]) {
            // 4 standard errors of a binomial share of 12,000 draws.
            let (share, want): (f64, f64) = (count / (3 * runs) as f64, weight / 8.);
            assert!((share - want).abs() < 4. * (want * (1. - want) / (3 * runs) as f64).sqrt());
        }
    }
}

#[test]
#[should_panic(expected = "1025 particles: want 1024 at most")]
fn more_particles_than_addresses_are_a_mistake() {
    addresses(&[0], 1025);
}
