//! Controls of a trained model: what its output reads from the latents.
//!
//! Beside `E_q ln p(x | z)` stand the same with z drawn from the prior, and with one latent taken from another step. A latent
//! that is not read costs nothing when it is exchanged; one with a KL of 0 may be read, since its prior tells of the past.
//! Not here: bounds (`evaluate`).

use super::bounds::{log_means, per_sequence};
use super::evaluate::{LIMIT, Plan, Weighted, with_draws};
use super::shards::map_shards;
use crate::data::{Batch, DataSet, Normalisation, Window, by_length};
use crate::error::Result;
use crate::models::{Latents, SequenceModel};
use crate::noise::Noise;

/// In nats per sequence, means over the sequences of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Controls {
    /// `E_q ln p(x | z)`, z from the posterior.
    pub posterior: f64,
    /// `E_p ln p(x | z)`, z from the prior.
    pub prior: f64,
    /// `Σ_t ln 1/K Σ_k p(x_t | z_t^k)`, z from the prior: a lower bound of the log-likelihood that needs no posterior.
    pub by_prior: Weighted,
    /// `E_q ln p(x | z)` with z^l at every step from another step of its sequence, z^1 first.
    pub shuffled: Vec<f64>,
}

/// Measures the controls, with max(K, 1) draws of z from the prior where `plan.iwae` is K, and one from the posterior;
/// `latents`: how many the model has. With `plan.copies`, on the first copy alone.
///
/// # Errors
/// If the data can no longer be read.
///
/// # Panics
/// If the model has no [`likelihoods`](SequenceModel::likelihoods) under other latents.
pub fn controls(
    model: &dyn SequenceModel,
    latents: usize,
    set: &DataSet,
    normalisation: &Normalisation,
    plan: Plan,
    mut progress: impl FnMut(f64),
) -> Result<Controls> {
    let k = plan.iwae.max(1);
    let noise = Noise::new(plan.seed, "evaluate");
    let samples = plan.samples(set);
    // By sequence, in the order of the data, as in `evaluate`.
    let zeros = || vec![0.; samples.len()];
    let [mut posterior, mut prior, mut by_prior] = std::array::from_fn(|_| zeros());
    let mut shuffled = vec![zeros(); latents];
    let mut done = 0;
    for places in by_length(set, &samples, LIMIT) {
        let windows: Vec<Window> = places.iter().map(|&i| Window::whole(set, samples[i])).collect();
        let of = |shard: &Batch| {
            let with = |draws, latents| {
                let found = model.likelihoods(shard, &noise, draws, latents);
                found.expect("a model that has controls")
            };
            let mean = |x: &[_]| {
                let mut means = vec![0.; shard.lengths.len()];
                for draw in x {
                    let draw = per_sequence(draw, &shard.lengths);
                    means.iter_mut().zip(draw).for_each(|(mean, of)| *mean += of / x.len() as f64);
                }
                means
            };
            let drawn = with(k, Latents::Prior);
            // Permuting a latent that does not exist leaves the posterior's own.
            let own = mean(&with(1, Latents::Shuffled(latents)));
            let others = (0..latents).map(|l| mean(&with(1, Latents::Shuffled(l))));
            let others: Vec<Vec<f64>> = others.collect();
            (own, mean(&drawn), log_means(&drawn, &shard.lengths), others)
        };
        let mut places = places.into_iter();
        let longest = windows.iter().map(|window| window.steps).max().unwrap_or(1);
        for windows in windows.chunks(with_draws(k, longest)) {
            let dequantise = plan.copies.map(|copies| copies.noise(0));
            let batch = Batch::new(set, normalisation, windows, dequantise)?;
            for (own, drawn, bound, others) in map_shards(model, &batch, of) {
                for (row, i) in places.by_ref().take(own.len()).enumerate() {
                    (posterior[i], prior[i], by_prior[i]) = (own[row], drawn[row], bound[row]);
                    shuffled.iter_mut().zip(&others).for_each(|(all, found)| all[i] = found[row]);
                    done += 1;
                }
            }
        }
        progress(done as f64 / samples.len() as f64);
    }
    let mean = |x: &Vec<f64>| x.iter().fold(0., |sum, x| sum + x) / samples.len() as f64;
    let [posterior, prior] = [posterior, prior].map(|x| mean(&x));
    let shuffled = shuffled.iter().map(mean).collect();
    let lengths: Vec<_> = samples.iter().map(|&i| set.length(i)).collect();
    let by_prior = Weighted::new(k, by_prior, &lengths).expect("one draw or more");
    Ok(Controls { posterior, prior, by_prior, shuffled })
}
