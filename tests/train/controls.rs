//! Controls against the evaluation of the same draws.

use super::config;
use crate::common::ink;
use stcn::data::{Normalisation, Split};
use stcn::models::build;
use stcn::nn::Init;
use stcn::train::{Plan, controls, evaluate};

#[test]
fn the_likelihoods_of_controls_are_those_of_an_evaluation_with_the_same_draws() {
    let config = config(&[]);
    let model = build(&config.model, Init::new(3)).unwrap();
    let (set, identity) = (ink(12), Normalisation::identity(3));
    let plan = Plan { iwae: 5, ..Plan::new(Split::Valid) };
    let value = evaluate(&*model, &set, &identity, plan, |_| ()).unwrap();
    let mut shares = vec![];
    let of = |plan: Plan, latents: usize, shares: &mut Vec<f64>| {
        controls(&*model, latents, &set, &identity, plan, |share| shares.push(share)).unwrap()
    };
    let found = of(plan, value.kl.len(), &mut shares);
    assert!((found.posterior - value.log_px_seq).abs() < 1e-9 * value.log_px_seq.abs());
    assert_eq!((found.shuffled.len(), found.by_prior.k), (value.kl.len(), 5));
    assert!(found.by_prior.seq > found.prior, "the logarithm of a mean, the mean of logarithms");
    assert_eq!(shares.last(), Some(&1.));
    let one = of(Plan { iwae: 0, ..plan }, 0, &mut shares);
    assert_eq!((one.prior, one.by_prior.k), (one.by_prior.seq, 1), "of one draw they are the same");
}
