use crate::common::preset;
use stcn::data::Batch;
use stcn::internals::parallel;
use stcn::internals::shards::{map_shards, shards};
use stcn::nn::Init;
use stcn::{Real, Tensor, models};

#[test]
fn a_batch_is_halved_by_its_shapes_and_its_model_alone() {
    let of = |set: &str, sequences| {
        let mut config = preset("ink", None, None).unwrap();
        config.set(set).unwrap();
        let shards = shards(&*models::build(&config.model, Init::new(1)).unwrap(), sequences);
        shards.into_iter().map(|rows| (rows.start, rows.end)).collect::<Vec<_>>()
    };
    assert_eq!(of("model.channels=32", 5), [(0, 2), (2, 5)]);
    assert_eq!(of("model.channels=32", 1), [(0, 1)]);
    assert_eq!(of("model.channels=32", 0), [(0, 0)]);
    assert_eq!(of("model.channels=128", 5), [(0, 5)], "beyond a million parameters");
}

#[test]
fn every_shard_is_computed_in_order_with_threads_of_its_own() {
    let config = preset("ink-tiny", None, None).unwrap();
    let model = models::build(&config.model, Init::new(1)).unwrap();
    let x = Tensor::new(&[3, 2, 3], (0..18).map(|i| i as Real).collect());
    let batch = Batch { x, lengths: vec![1, 2, 2], samples: vec![5, 6, 7] };
    for (threads, hands) in [(1, 1), (2, 1), (4, 2)] {
        let asked = || map_shards(&*model, &batch, |shard| (shard.clone(), parallel::threads()));
        let want = vec![(batch.slice(0..1), hands), (batch.slice(1..3), hands)];
        assert_eq!(parallel::with_threads(threads, asked).unwrap(), want);
    }
}
