//! The likelihoods that are known, against values computed elsewhere and by hand.

use stcn::data::Batch;
use stcn::internals::exact::{DIE, Spikes, log_likelihood};
use stcn::models::{Kl, SequenceModel};
use stcn::{Noise, Tape, Tensor};

#[test]
fn the_kalman_filter_has_the_likelihood_that_was_computed_elsewhere() {
    assert!((log_likelihood() + 5.721371104404458).abs() < 1e-14, "{}", log_likelihood());
}

#[test]
fn a_spike_is_a_normal_of_a_sixth_of_the_weight() {
    let batch =
        Batch { x: Tensor::new(&[1, 2, 1], vec![2., 0.5]), lengths: vec![2], samples: vec![0] };
    let tape = Tape::inference();
    let elbo = Spikes { std: 0.01 }.elbo(&tape, &batch, &Noise::new(1, "spikes"), Kl::Analytic);
    let log_normal = |z: f64| -0.5 * (z * z + std::f64::consts::TAU.ln()) - 0.01_f64.ln();
    // At 2 that of 2 alone; at ½ those of 0 and of 1.
    let want = [log_normal(0.), log_normal(50.) + 2_f64.ln()].map(|x| x - (DIE as f64).ln());
    for (x, want) in elbo.log_px.value().data().iter().zip(want) {
        assert!((f64::from(*x) - want).abs() < 1e-6 * want.abs(), "{x}, want {want}");
    }
}
