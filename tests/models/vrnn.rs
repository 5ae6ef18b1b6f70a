//! VRNN: counts, and what its latent sees.

use super::{batch, generative, model, tiny};
use stcn::Noise;
use stcn::models::vrnn::{Config, Paper};
use stcn::models::{HeadKind, ModelConfig, ObservationConfig, Preset, Task};
use stcn::models::{Kl, VRNN, count};
use stcn::tape::Tape;

#[test]
fn the_papers_sizes_have_their_parameter_counts() {
    // rivals.md §3, with ρ in the mixture of ink; DeepWriting's without.
    let of = |preset, head, sizes: [usize; 6]| {
        let [
            hidden_size,
            embedding_size,
            latent_size,
            latent_embedding_size,
            latent_hidden_size,
            layers,
        ] = sizes;
        let own = Config {
            hidden_size,
            embedding_size,
            latent_size,
            latent_embedding_size,
            latent_hidden_size,
            layers,
        };
        let obs = ObservationConfig::preset(preset, Some(head));
        count(&ModelConfig::new(&Paper, obs, &own)).unwrap()
    };
    assert_eq!(of(Preset::Ink, HeadKind::Bigmm, [1200, 250, 50, 150, 150, 1]), 8_489_571);
    let deepwriting = [1200, 256, 128, 256, 256, 1];
    assert_eq!(of(Preset::Ink, HeadKind::Gmm, deepwriting), 9_467_429);
    assert_eq!(of(Preset::Ink, HeadKind::Normal, deepwriting), 9_442_757);
    let speech = |head, embedding| of(Preset::Speech, head, [4000, embedding, 200, 500, 500, 4]);
    assert_eq!(speech(HeadKind::Normal, 600), 93_898_000);
    assert_eq!(speech(HeadKind::Gmm, 500), 94_894_820);
}

#[test]
fn without_the_posterior_the_generator_has_the_specified_count() {
    for (preset, want) in [(Preset::InkSmall, 574_101), (Preset::SpeechSmall, 856_613)] {
        let config = ModelConfig::preset(VRNN, preset, Some(HeadKind::Gmm));
        assert_eq!(generative(&config), want, "{preset}");
    }
}

#[test]
fn what_was_drawn_at_one_step_moves_the_likelihood_of_the_next() {
    let config = tiny(VRNN, (Task::Speech, HeadKind::Normal));
    let (model, batch) = (model(&config), batch(&config, &[4]));
    let log_px = |seed| {
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &Noise::new(seed, "vrnn"), Kl::Analytic);
        assert_eq!(elbo.kl.len(), 1);
        assert!(elbo.kl[0].value().data().iter().all(|&kl| kl > 0.));
        elbo.log_px.value()
    };
    assert_eq!(log_px(1), log_px(1));
    assert_ne!(log_px(1).data()[1], log_px(2).data()[1]);
}
