//! Bounds against a model whose likelihood is known (rivals.md §11.2).

use stcn::internals::bounds::increments;
use stcn::internals::exact::{LinearGaussian, Proposal, copies};
use stcn::internals::particles::{MOST_PARTICLES, addresses};
use stcn::models::{Kl, SequenceModel};
use stcn::train::{Ancestors, Resample, fivo, iwae};
use stcn::{Noise, Tape};

const LOG_P: f64 = -5.721371104404458;

fn noise() -> Noise {
    Noise::new(1, "bounds")
}

const ESS: (Resample, Ancestors) = (Resample::Ess, Ancestors::Multinomial);

/// The ELBO of every copy.
fn elbos(q: Proposal, n: usize, kl: Kl) -> Vec<f64> {
    let tape = Tape::inference();
    let elbo = LinearGaussian(q).elbo(&tape, &copies(n), &noise(), kl);
    let a = increments(&elbo, 1.).value();
    a.data().chunks(5).map(|row| row.iter().fold(0., |sum, &a| sum + f64::from(a))).collect()
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.);
    (mean, (variance / n).sqrt())
}

/// Within 4 standard errors, `known` being the error of `want` itself.
#[track_caller]
fn assert_mean(values: &[f64], want: f64, known: f64, what: &str) {
    let (mean, error) = mean_and_error(values);
    let error = (error * error + known * known).sqrt();
    println!("{what}: {mean:.4} ± {error:.4}, want {want:.4}");
    assert!((mean - want).abs() < 4. * error, "{what}: {mean} ± {error}, want {want}");
}

#[test]
fn bounds_have_their_means_and_weights_are_unbiased() {
    // From the prior: ELBO exactly; the others are means of 10⁵ runs, measured once with errors ≤ 0.006.
    assert_mean(&elbos(Proposal::Prior, 20_000, Kl::Sampled), -11.7392893246235, 0., "ELBO");
    let known =
        [(4, -6.554, -6.287), (8, -6.062, -5.935), (16, -5.868, -5.818), (64, -5.754, -5.744)];
    let model = LinearGaussian(Proposal::Prior);
    for (k, iwae_mean, fivo_mean) in known {
        let batch = copies(80_000 / k);
        let (by_weights, per_step) = iwae(&model, &batch, &noise(), k);
        assert!(!per_step);
        let by_filter = fivo(&model, &batch, &noise(), k, ESS);
        assert_mean(&by_weights, iwae_mean, 0.006, &format!("IWAE-{k}"));
        assert_mean(&by_filter, fivo_mean, 0.006, &format!("FIVO-{k}"));
        for (values, name) in [(by_weights, "IWAE"), (by_filter, "FIVO")] {
            let ratios: Vec<f64> = values.iter().map(|l| (l - LOG_P).exp()).collect();
            assert_mean(&ratios, 1., 0., &format!("p̂/p by {name}-{k}"));
        }
    }
}

#[test]
fn other_ways_to_draw_particles_anew_are_unbiased_too() {
    let (model, batch) = (LinearGaussian(Proposal::Prior), copies(5000));
    for when in [Resample::Ess, Resample::Always, Resample::Never] {
        for how in [Ancestors::Multinomial, Ancestors::Systematic] {
            let values = fivo(&model, &batch, &noise(), 16, (when, how));
            let ratios: Vec<f64> = values.iter().map(|l| (l - LOG_P).exp()).collect();
            assert_mean(&ratios, 1., 0., &format!("{when:?} {how:?}"));
        }
    }
}

#[test]
fn a_proposal_that_sees_the_present_has_its_elbo_and_bounds_above_it() {
    let want = -5.955579188761793;
    let (drawn, integral) = (
        elbos(Proposal::Present, 20_000, Kl::Sampled),
        elbos(Proposal::Present, 20_000, Kl::Analytic),
    );
    assert_mean(&drawn, want, 0., "ELBO, sampled");
    assert_mean(&integral, want, 0., "ELBO, analytic");
    let model = LinearGaussian(Proposal::Present);
    let by_weights = mean_and_error(&iwae(&model, &copies(5000), &noise(), 8).0);
    let by_filter = mean_and_error(&fivo(&model, &copies(5000), &noise(), 8, ESS));
    for (mean, error) in [by_weights, by_filter] {
        assert!(mean > want + 10. * error && mean < LOG_P + 4. * error, "{mean} ± {error}");
    }
}

#[test]
fn drawn_from_the_posterior_every_weight_is_the_likelihood_whatever_is_drawn() {
    // In f32, fifteen logarithms of up to 10 nats, each rounded a few times by 2⁻²⁴ of itself.
    let tolerance = if cfg!(feature = "f64") { 1e-12 } else { 5e-5 };
    let model = LinearGaussian(Proposal::Future);
    let never = (Resample::Never, Ancestors::Multinomial);
    let mut values = elbos(Proposal::Future, 200, Kl::Sampled);
    for k in [1, 2, 7] {
        values.extend(iwae(&model, &copies(100), &noise(), k).0);
        values.extend(fivo(&model, &copies(100), &noise(), k, never));
    }
    for value in values {
        assert!((value - LOG_P).abs() < tolerance, "{value}");
    }
    // A filter that draws anew weighs particles by what they were so far, and is unbiased only in the mean.
    let always = (Resample::Always, Ancestors::Multinomial);
    let values = fivo(&model, &copies(5000), &noise(), 8, always);
    assert!(mean_and_error(&values).1 > 1e-3);
    let ratios: Vec<f64> = values.iter().map(|l| (l - LOG_P).exp()).collect();
    assert_mean(&ratios, 1., 0., "posterior, always");
}

#[test]
fn every_particle_has_noise_of_its_own_and_the_first_that_of_the_elbo() {
    assert_eq!(addresses(&[3, 9], 1), [3, 9]);
    let all = addresses(&[3, 9, (1 << 26) - 1], MOST_PARTICLES);
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 3 * MOST_PARTICLES);
    assert!(all.iter().all(|&address| address < 1 << 36), "beyond what noise has");
    let one = fivo(&LinearGaussian(Proposal::Prior), &copies(9), &noise(), 1, ESS);
    assert_eq!(one, elbos(Proposal::Prior, 9, Kl::Sampled));
    assert_eq!(one, iwae(&LinearGaussian(Proposal::Prior), &copies(9), &noise(), 1).0);
    let two = |how| {
        fivo(
            &LinearGaussian(Proposal::Prior),
            &copies(9),
            &noise(),
            2,
            (how, Ancestors::Multinomial),
        )
    };
    assert_eq!(
        two(Resample::Ess),
        two(Resample::Never),
        "half of two is one, and less there is not"
    );
}
