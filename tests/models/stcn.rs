//! What is particular to STCN: receptive fields, the numbers of a network of zeros, fresh and shared draws.

use super::{
    assert_close, batch, every, is_dense, masked_sums, model, name, new_stcn, noise, switched,
    tiny, with,
};
use stcn::data::Batch;
use stcn::models::stcn::{Config, Decoder, Draws, Stcn};
use stcn::models::{Bound, Kl, Latents, ModelKind, STCN, STCN_DENSE, SequenceModel, build};
use stcn::models::{HeadKind, Task};
use stcn::nn::{Init, Module};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

const KINDS: [ModelKind; 2] = [STCN, STCN_DENSE];

/// By gradients, not by perturbation: what the first row adds to the last is 10⁻¹⁵ of it after 30 blocks,
/// invisible in a sum, but a gradient has an exponent of its own.
fn assert_fields(blocks: u32, want: [usize; 5]) {
    let config = tiny(STCN, (Task::Ink, HeadKind::Normal));
    let config = with(&with(&config, "channels", 2), "latents", vec![1; 5]);
    let config = with(&config, "blocks_per_latent", blocks);
    let model = new_stcn(2, &config);
    let steps = want[4] + 6;
    for (l, field) in want.into_iter().enumerate() {
        let tape = Tape::new();
        let x = tape.input(batch(&config, &[steps]).x, "x");
        let d = model.contexts(x)[l];
        let mut last_row = Tensor::zeros(&[1, steps + 1, 2]);
        last_row.data_mut()[steps * 2..].fill(1.);
        let grads = tape.pull_back(d, last_row, Keep::Leaves);
        let seen = |t: usize| super::row(grads.wrt(x).unwrap(), 0, t).iter().any(|&g| g != 0.);
        // d is row `steps` of s, and s_r is x_r counted from 1: row r of s is entry r − 1 of x.
        let first = (0..steps).find(|&t| seen(t)).unwrap();
        assert_eq!(steps - (first + 1) + 1, field, "d^{}", l + 1);
    }
}

#[test]
fn the_contexts_on_ink_see_64_127_190_253_316_rows() {
    assert_fields(6, [64, 127, 190, 253, 316]);
}

#[test]
fn the_contexts_on_speech_see_32_63_94_125_156_rows() {
    assert_fields(5, [32, 63, 94, 125, 156]);
}

#[test]
fn the_first_context_is_the_answer_to_a_row_of_zeros() {
    let config = tiny(STCN, (Task::Ink, HeadKind::Normal));
    let model = new_stcn(2, &config);
    let tape = Tape::new();
    let x = batch(&config, &[5, 3]).x;
    let d = model.contexts(tape.constant(x.clone()));
    let other = model.contexts(tape.constant(x.map(|x| 2. - x)));
    for (d, other) in d.iter().zip(&other) {
        assert_eq!(d.value().shape(), [2, 6, 5]);
        assert_eq!(super::row(&d.value(), 0, 0), super::row(&other.value(), 1, 0));
        assert_ne!(super::row(&d.value(), 0, 1), super::row(&other.value(), 0, 1));
    }
}

#[test]
fn a_network_of_zeros_gives_the_numbers_of_the_specification() {
    // At most 200 terms are added in f32, each sum rounded to 2⁻²⁴ of the total at most.
    let tolerance = |want: f64| 200. * want.abs() * 2f64.powi(-24);
    let ink = -1.7979984;
    let speech = -110.4851225;
    for (task, head, want) in [
        (Task::Ink, HeadKind::Normal, ink),
        (Task::Ink, HeadKind::Gmm, ink),
        (Task::Ink, HeadKind::Bigmm, ink),
        (Task::Speech, HeadKind::Normal, speech),
        (Task::Speech, HeadKind::Gmm, speech),
    ] {
        for (kind, precision, want_kl) in
            [(STCN, "product", 5.987563), (STCN_DENSE, "as-released", 38.422437)]
        {
            let latents = [32, 16, 8, 4, 2];
            let config = with(&tiny(kind, (task, head)), "precision", precision);
            let mut config = with(&config, "latents", latents.to_vec());
            config.obs.input = if task == Task::Ink { 3 } else { 200 };
            let mut model = model(&config);
            model.visit_mut(&mut |p| p.value.data_mut().fill(0.));
            let mut batch = batch(&config, &[3]);
            batch.x.data_mut().fill(0.);
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
            for t in 0..3 {
                let at = |x: stcn::Var| f64::from(super::row(&x.value(), 0, t)[0]);
                assert_close(at(elbo.log_px), want, tolerance(want), &name(&config));
                let kl: f64 = elbo.kl.iter().map(|&kl| at(kl)).sum();
                assert_close(kl, want_kl, tolerance(want_kl), &name(&config));
                // Each level's share is its width: 0.0965736 or 0.6197167 for a dimension.
                for (&kl, width) in elbo.kl.iter().zip(latents) {
                    let want = want_kl * f64::from(width) / 62.;
                    assert_close(at(kl), want, tolerance(want_kl), &name(&config));
                }
            }
        }
    }
}

/// The first thing that is computed from the parameter `path`.
fn first_use(tape: &Tape, path: &str) -> Tensor {
    let (weight, mut found) = (tape.find(path).unwrap().id(), None);
    tape.each(|node| {
        if node.inputs.contains(&weight) && found.is_none() {
            found = Some(node.value.clone());
        }
    });
    found.unwrap()
}

#[test]
fn the_prior_of_a_step_does_not_see_it_and_its_posterior_does() {
    for kind in KINDS {
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let model = model(&config);
        let batch = batch(&config, &[9]);
        let mut other = batch.clone();
        other.x.data_mut()[5 * 2] += 1.;
        let tapes = [Tape::new(), Tape::new()];
        for (tape, batch) in tapes.iter().zip([&batch, &other]) {
            model.elbo(tape, batch, &noise(), Kl::Analytic);
        }
        // Of the top level: those below see draws of the posterior above, so they may move.
        for (net, same) in [("prior.2", true), ("infer.2", false)] {
            for half in ["mean", "std"] {
                let [a, b] =
                    [0, 1].map(|i| first_use(&tapes[i], &format!("{net}.{half}.1.weight")));
                assert_eq!(super::row(&a, 0, 5) == super::row(&b, 0, 5), same, "{net}.{half}");
                assert_eq!(super::row(&a, 0, 4), super::row(&b, 0, 4));
                assert_ne!(super::row(&a, 0, 6), super::row(&b, 0, 6));
            }
        }
    }
}

#[test]
fn fresh_draws_change_nothing_at_the_top_nor_the_prior_below_it() {
    for kind in KINDS {
        for config in switched(&tiny(kind, (Task::Ink, HeadKind::Gmm)), "precision") {
            let tapes = [Tape::new(), Tape::new()];
            let batch = batch(&config, &[9, 4]);
            let [shared, fresh] =
                [(&tapes[0], "shared"), (&tapes[1], "fresh")].map(|(tape, draws)| {
                    model(&with(&config, "draws", draws))
                        .elbo(tape, &batch, &noise(), Kl::Analytic)
                        .kl
                        .iter()
                        .map(|kl| kl.value())
                        .collect::<Vec<_>>()
                });
            assert_eq!(shared[1], fresh[1]);
            assert_ne!(shared[0], fresh[0]); // its estimate hears another draw of z²
            let z = |tape: &Tape, label| tape.find(label).unwrap().value();
            assert_eq!(z(&tapes[0], "z.2"), z(&tapes[1], "z.2"));
            // Three draws, three noises, each at an address of its own.
            let noises = ["noise.z.2", "noise.z.2.posterior", "noise.z.2.output"];
            let [a, b, c] = noises.map(|label| z(&tapes[1], label));
            assert!(a != b && b != c && a != c);
            assert!(tapes[0].find("noise.z.2.output").is_none());
            // The first parameters of the prior below are fed the same rows: its nodes agree to the bit.
            let below = |tape| first_use(tape, "prior.1.mean.1.weight");
            assert_eq!(below(&tapes[0]), below(&tapes[1]));
        }
    }
}

#[test]
fn only_the_released_dense_objective_is_no_bound() {
    for config in every().filter(|config| config.kind.has_latents()) {
        for config in switched(&config, "draws") {
            let fresh =
                config.table().get("draws").is_some_and(|draws| draws.as_str() == Some("fresh"));
            let objective = is_dense(config.kind) && fresh;
            let want = if objective { Bound::Objective } else { Bound::Lower };
            assert_eq!(build(&config, Init::new(1)).unwrap().bound(), want);
        }
    }
}

#[test]
fn coupled_steps_have_no_weight_each() {
    for kind in KINDS {
        for (decoder, none) in [("gated", true), ("pointwise", false)] {
            let config = with(&tiny(kind, (Task::Speech, HeadKind::Normal)), "decoder", decoder);
            let weights = model(&config).importance_weights(&batch(&config, &[4]), &noise(), 2);
            assert_eq!(weights.is_none(), none);
            if let Some(weights) = weights {
                assert_eq!(weights.len(), 2);
                assert_ne!(weights[0], weights[1]);
            }
        }
    }
}

/// z^l of another step costs what the output reads from it: nothing where there is one step, or where it does not see z^l.
#[test]
fn a_latent_of_another_step_is_told_from_that_of_its_own() {
    for kind in KINDS {
        let config = with(&tiny(kind, (Task::Speech, HeadKind::Normal)), "decoder", "pointwise");
        let (model, batch) = (model(&config), batch(&config, &[6, 1]));
        let latents = config.own::<Config>().latents.len();
        let of = |l| {
            let found = model.likelihoods(&batch, &noise(), 2, Latents::Shuffled(l)).unwrap();
            assert_eq!(found.len(), 2);
            assert_ne!(found[0], found[1], "two draws");
            found.into_iter().next().unwrap()
        };
        let own = model.elbo(&Tape::inference(), &batch, &noise(), Kl::Analytic).log_px.value();
        assert_eq!(of(latents), own, "no latent of that number: the posterior's draws");
        for l in 0..latents {
            let shuffled = of(l);
            assert_eq!(super::row(&shuffled, 1, 0)[0], super::row(&own, 1, 0)[0], "one step");
            let seen = l == 0 || is_dense(kind);
            assert_eq!(shuffled != own, seen, "{kind}, z.{}", l + 1);
        }
    }
    let gated = with(&tiny(STCN, (Task::Speech, HeadKind::Normal)), "decoder", "gated");
    let batch = batch(&gated, &[4]);
    assert!(model(&gated).likelihoods(&batch, &noise(), 1, Latents::Prior).is_none());
}

/// The a with `ln(1 + eᵃ) = σ`.
fn before_softplus(std: f64) -> Real {
    std.exp_m1().ln() as Real
}

/// stcn.md §0: prior z² ~ N(0, 1), z¹ = z² (but for σ = 10⁻³, the clip), x ~ N((z¹ + z²)/2, s²), and the
/// Gaussian q that is best for the released objective: variance v = 1/(1 + s⁻²/2), mean x/(1 + s²).
fn toy(draws: Draws, x: f64, s: f64) -> Stcn {
    let mut config = tiny(STCN_DENSE, (Task::Speech, HeadKind::Normal));
    config.obs.input = 1;
    let own = Config {
        channels: 2,
        latents: vec![1, 1],
        blocks_per_latent: 1,
        latent_layers: 1,
        output_layers: 1,
        decoder: Decoder::Pointwise,
        draws,
        ..config.own()
    };
    let mut toy = Stcn::new(&mut Init::new(1), &own, &config.obs, true);
    let (v, m) = (1. / (1. + 0.5 / (s * s)), x / (1. + s * s));
    let estimate = 1. / (1. / v - 1.); // σ̂², so that precisions add up to 1/v
    let [pass, pass_half]: [&[Real]; 2] = [&[1., -1.], &[0.5, -0.5, 0.5, -0.5]]; // relu(z), relu(−z)
    let low_high = [-30., 30.]; // clipped to 10⁻³ and 5
    toy.visit_mut(&mut |p| {
        let only_z = [0., 0., 0., 0., 1., -1.]; // inputs d, d, z²
        let values = match p.path() {
            "prior.2.std.2.bias" => vec![before_softplus(1.)],
            "infer.2.std.2.bias" => vec![before_softplus(estimate.sqrt())],
            "infer.2.mean.2.bias" => vec![(m * estimate / v) as Real],
            "prior.1.mean.1.weight" | "infer.1.mean.1.weight" => only_z.into(),
            "prior.1.mean.2.weight" | "infer.1.mean.2.weight" | "head.mean.weight" => pass.into(),
            "prior.1.std.2.bias" => vec![low_high[0]],
            "infer.1.std.2.bias" => vec![low_high[1]],
            "output.1.weight" => pass_half.into(),
            "head.std.bias" => vec![before_softplus(s)],
            _ => vec![0.; p.value.len()],
        };
        p.value = Tensor::new(p.value.shape(), values);
    });
    toy
}

#[test]
fn the_released_dense_objective_exceeds_the_likelihood_by_the_closed_form() {
    let (x, s) = (0.8, 0.5);
    let n = 20_000;
    let batch = Batch {
        x: Tensor::from_fn(&[n, 1, 1], || x as Real),
        lengths: vec![1; n],
        samples: (0..n as u64).collect(),
    };
    // Mean and standard error over n draws.
    let objective = |draws| {
        let toy = toy(draws, x, s);
        let tape = Tape::inference();
        let elbo = toy.elbo(&tape, &batch, &noise(), Kl::Analytic);
        let total = elbo.kl.iter().fold(elbo.log_px, |sum, &kl| sum - kl).value();
        super::bounds::mean_and_error(&masked_sums(&total, &batch.lengths))
    };
    let log_normal =
        |variance: f64| -0.5 * (std::f64::consts::TAU * variance).ln() - x * x / (2. * variance);
    let (exact, two_draws) = (log_normal(1. + s * s), log_normal(0.5 + s * s));
    let p = 1. / (s * s);
    let excess = 0.5 * ((1. + p) / (1. + p / 2.)).ln();
    let over_two = 0.5 * x * x * (1. / (0.5 + s * s) - 1. / (1. + s * s));
    let (fresh, error) = objective(Draws::Fresh);
    assert!(4. * error < excess / 5. && 4. * error < over_two / 2., "{error} decides nothing");
    assert_close(fresh, exact + excess, 4. * error, "over the exact value of the shared model");
    assert_close(fresh, two_draws + over_two, 4. * error, "over that of the two-draw model");
    let (shared, error) = objective(Draws::Shared);
    assert!(shared < exact + 4. * error, "{shared} is no bound of {exact}");
    assert!(fresh > exact + 0.2, "{fresh} would pass as a bound of {exact}");
}
