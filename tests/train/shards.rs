use crate::common::preset;
use stcn::data::Batch;
use stcn::internals::parallel;
use stcn::internals::shards::{map_shards, shards};
use stcn::nn::Init;
use stcn::{Real, Tensor, models};

#[test]
fn a_batch_is_cut_into_as_many_branches_of_its_tree_as_there_are_threads() {
    let of = |set: &str, sequences, threads| {
        let mut config = preset("ink", None, None).unwrap();
        config.set(set).unwrap();
        let model = models::build(&config.model, Init::new(1)).unwrap();
        let shards = parallel::with_threads(threads, || shards(&*model, sequences)).unwrap();
        shards.into_iter().map(|rows| (rows.start, rows.end)).collect::<Vec<_>>()
    };
    let small = "model.channels=32";
    assert_eq!(of(small, 5, 1), [(0, 5)]);
    assert_eq!(of(small, 5, 2), [(0, 2), (2, 5)]);
    assert_eq!(of(small, 5, 3), [(0, 2), (2, 5)]);
    assert_eq!(of(small, 5, 16), [(0, 1), (1, 2), (2, 3), (3, 5)]);
    assert_eq!(of(small, 1, 2), [(0, 1)]);
    assert_eq!(of(small, 0, 2), [(0, 0)]);
    assert_eq!(of("model.channels=128", 5, 2), [(0, 5)], "beyond a million parameters");
}

#[test]
fn a_part_of_a_recurrent_model_has_four_sequences_or_two_where_threads_are_many() {
    for (kind, least) in
        [("stcn", 1), ("wavenet", 1), ("swavenet", 1), ("ladder-rnn", 4), ("rnn", 4), ("vrnn", 4)]
    {
        let config = preset("ink-tiny", Some(kind), None).unwrap();
        let model = models::build(&config.model, Init::new(1)).unwrap();
        let count =
            |(threads, n)| parallel::with_threads(threads, || shards(&*model, n).len()).unwrap();
        let of_two = [(16, 7), (16, 8), (16, 16), (8, 3)].map(count);
        assert_eq!(of_two, if least == 1 { [4, 8, 16, 2] } else { [2, 4, 8, 1] }, "{kind}");
        let of_four = [(2, 7), (4, 8), (8, 16), (12, 32)].map(count);
        assert_eq!(of_four, if least == 1 { [2, 4, 8, 8] } else { [1, 2, 4, 8] }, "{kind}");
    }
}

#[test]
fn every_shard_is_computed_in_order_with_threads_of_its_own() {
    let config = preset("ink-tiny", None, None).unwrap();
    let model = models::build(&config.model, Init::new(1)).unwrap();
    let x = Tensor::new(&[3, 2, 3], (0..18).map(|i| i as Real).collect());
    let batch = Batch { x, lengths: vec![1, 2, 2], samples: vec![5, 6, 7] };
    let halved = || vec![batch.slice(0..1), batch.slice(1..3)];
    for (threads, shards, team) in [(1, vec![batch.clone()], 1), (2, halved(), 1), (4, halved(), 2)]
    {
        let asked = || map_shards(&*model, &batch, |shard| (shard.clone(), parallel::threads()));
        let want: Vec<_> = shards.into_iter().map(|shard| (shard, team)).collect();
        assert_eq!(parallel::with_threads(threads, asked).unwrap(), want);
    }
}
