use stcn::internals::schedule::cos_pi;
use stcn::optim::{Schedule, kl_weight, lr};

/// Equal to a few units in the last place.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 4. * f64::EPSILON * b.abs()
}

#[test]
fn the_first_of_ten_thousand_annealing_steps_weighs_one_ten_thousandth() {
    assert_eq!(kl_weight(10_000, 1), 1e-4);
    assert_eq!(kl_weight(10_000, 5_000), 0.5);
    assert_eq!(kl_weight(10_000, 10_000), 1.);
    assert_eq!(kl_weight(10_000, 1_000_000), 1.);
}

#[test]
fn no_annealing_means_weight_one_from_the_first_step() {
    assert_eq!(kl_weight(0, 1), 1.);
}

#[test]
fn exponential_decay_reaches_its_rate_after_a_thousand_steps_without_a_staircase() {
    let schedule = Schedule::Exponential { rate: 0.92 };
    assert_eq!(lr(schedule, 5e-4, 0), 5e-4);
    assert!(close(lr(schedule, 5e-4, 1000), 5e-4 * 0.92));
    assert!(close(lr(schedule, 5e-4, 500), 5e-4 * 0.92f64.sqrt()));
    assert!(close(lr(schedule, 5e-4, 3000), 5e-4 * 0.92f64.powi(3)));
}

#[test]
fn a_cosine_goes_from_the_rate_to_its_floor_and_stays_there() {
    let schedule = Schedule::Cosine { floor: 1e-4, steps: 5000 };
    assert_eq!(lr(schedule, 1e-3, 0), 1e-3);
    assert!(close(lr(schedule, 1e-3, 2500), 5.5e-4));
    assert_eq!(lr(schedule, 1e-3, 5000), 1e-4);
    assert_eq!(lr(schedule, 1e-3, 50_000), 1e-4);
    let rates: Vec<f64> = (0..=5000).map(|step| lr(schedule, 1e-3, step)).collect();
    assert!(rates.windows(2).all(|pair| pair[1] < pair[0]));
}

#[test]
fn a_constant_rate_is_constant() {
    assert_eq!(lr(Schedule::Constant, 1e-3, 123_456), 1e-3);
}

#[test]
fn cos_pi_is_the_cosine_to_the_last_bits() {
    for i in 0..=100_000 {
        let x = f64::from(i) / 100_000.;
        let error = (cos_pi(x) - (std::f64::consts::PI * x).cos()).abs();
        assert!(error <= 4e-16, "cos(π·{x}) is off by {error}");
    }
    assert_eq!((cos_pi(0.), cos_pi(0.5), cos_pi(1.)), (1., 0., -1.));
}
