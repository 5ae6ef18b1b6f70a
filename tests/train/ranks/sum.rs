use super::on_ranks;
use crate::common::preset;
use stcn::train::Trainer;

#[test]
fn gradients_are_added_along_the_tree_for_every_kind_of_model() {
    for kind in ["wavenet", "rnn", "vrnn", "srnn", "ladder-rnn-dense", "dmm"] {
        let mut config = preset("ink-tiny", Some(kind), None).unwrap();
        ["train.batch=9", "data.crop=12"].iter().for_each(|set| config.set(set).unwrap());
        let run = |count| {
            on_ranks(count, |ranks| {
                let mut trainer = Trainer::new(config.clone()).unwrap().on_ranks(ranks);
                trainer.step().unwrap();
                trainer.checkpoint().to_bytes()
            })
        };
        let alone = run(1);
        for count in [2, 3, 5] {
            assert!(run(count) == alone, "{kind} on {count} ranks");
        }
    }
}
