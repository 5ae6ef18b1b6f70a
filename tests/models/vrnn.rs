//! VRNN: counts, and what its latent sees.

use super::{batch, model, tiny};
use stcn::models::config::*;
use stcn::models::{Kl, count, shapes};
use stcn::noise::Noise;
use stcn::tape::Tape;
use stcn::train::Config;

#[test]
fn the_papers_sizes_have_their_parameter_counts() {
    // rivals.md §3, with ρ in the mixture of ink; DeepWriting's without.
    let ink = ModelConfig {
        kind: ModelKind::Vrnn,
        head: HeadKind::Bigmm,
        channels: 1200,
        embedding: 250,
        latent_embedding: 150,
        latent_hidden: 150,
        latents: vec![50],
        output_layers: 1,
        ..ModelConfig::default()
    };
    assert_eq!(count(&ink).unwrap(), 8_489_571);
    let deepwriting = ModelConfig {
        head: HeadKind::Gmm,
        embedding: 256,
        latent_embedding: 256,
        latent_hidden: 256,
        latents: vec![128],
        ..ink.clone()
    };
    assert_eq!(count(&deepwriting).unwrap(), 9_467_429);
    let normal = ModelConfig { head: HeadKind::Normal, ..deepwriting };
    assert_eq!(count(&normal).unwrap(), 9_442_757);
    let speech = ModelConfig {
        task: Task::Speech,
        head: HeadKind::Normal,
        input: 200,
        channels: 4000,
        embedding: 600,
        latent_embedding: 500,
        latent_hidden: 500,
        latents: vec![200],
        output_layers: 4,
        ..ink
    };
    assert_eq!(count(&speech).unwrap(), 93_898_000);
    let gmm = ModelConfig { head: HeadKind::Gmm, embedding: 500, ..speech };
    assert_eq!(count(&gmm).unwrap(), 94_894_820);
}

#[test]
fn without_the_posterior_the_generator_has_the_specified_count() {
    for (name, generating) in [("ink-small", 574_101), ("speech-small", 856_613)] {
        let config = Config::preset(name, Some("vrnn"), Some("gmm")).unwrap().model;
        let posterior = |path: &str| path.starts_with("infer.");
        let shapes = shapes(&config).unwrap();
        let kept = shapes.iter().filter(|(path, _)| !posterior(path));
        let count = kept.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>();
        assert_eq!(count, generating, "{name}");
    }
}

#[test]
fn what_was_drawn_at_one_step_moves_the_likelihood_of_the_next() {
    let config = tiny(ModelKind::Vrnn, (Task::Speech, HeadKind::Normal));
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
