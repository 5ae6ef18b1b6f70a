//! RNN: what VRNN's authors compared it with.

use super::{batch, model, tiny};
use stcn::models::rnn::{Config, Paper};
use stcn::models::{HeadKind, ModelConfig, ObservationConfig, Preset, Task};
use stcn::models::{Kl, RNN, count};
use stcn::tape::Tape;
use stcn::{Noise, Real};

#[test]
fn the_papers_sizes_have_their_parameter_counts() {
    // rivals.md §2, with ρ in the mixture of ink.
    let obs = ObservationConfig::preset(Preset::Ink, Some(HeadKind::Bigmm));
    let ink = Config { hidden_size: 1200, embedding_size: 300, layers: 1 };
    assert_eq!(count(&ModelConfig::new(&Paper, obs, &ink)).unwrap(), 7_602_721);
    let speech = |head, embedding_size| {
        let obs = ObservationConfig::preset(Preset::Speech, Some(head));
        ModelConfig::new(&Paper, obs, &Config { hidden_size: 4000, embedding_size, layers: 4 })
    };
    assert_eq!(count(&speech(HeadKind::Normal, 800)).unwrap(), 84_342_800);
    assert_eq!(count(&speech(HeadKind::Gmm, 700)).unwrap(), 86_723_620);
}

#[test]
fn the_first_step_is_scored_by_what_the_output_makes_of_nothing() {
    let config = tiny(RNN, (Task::Speech, HeadKind::Normal));
    let model = model(&config);
    let mut batch = batch(&config, &[3, 3]);
    // Both first steps alike: the same state and the same x_1 give the same number.
    let (first, second) = batch.x.data_mut().split_at_mut(3 * config.obs.input);
    second[..config.obs.input].copy_from_slice(&first[..config.obs.input]);
    let tape = Tape::inference();
    let elbo = model.elbo(&tape, &batch, &Noise::new(1, "rnn"), Kl::Analytic);
    let log_px: Vec<Real> = elbo.log_px.value().data().to_vec();
    assert_eq!(log_px[0], log_px[3]);
    assert_ne!(log_px[1], log_px[4]);
    assert!(elbo.kl.is_empty());
}
