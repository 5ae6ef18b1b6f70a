use super::{on_ranks, on_ranks_told};
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

#[test]
fn gradients_leave_in_the_order_in_which_they_are_whole_those_of_late_layers_first() {
    let mut config = preset("ink-tiny", Some("wavenet"), None).unwrap();
    ["train.batch=2", "data.crop=12"].iter().for_each(|set| config.set(set).unwrap());
    let (mut paths, tags) = on_ranks_told(2, |ranks| {
        let mut trainer = Trainer::new(config.clone()).unwrap().on_ranks(ranks);
        trainer.step().unwrap();
        let mut paths = vec![];
        trainer.model().visit(&mut |p| paths.push((p.number(), p.path().to_string())));
        paths
    });
    paths.sort();
    let left: Vec<&str> = tags.iter().map(|&tag| &*paths[tag].1).collect();
    assert_eq!(left.len(), paths.len(), "each parameter once");
    assert!(left[0].starts_with("head."), "{left:?}");
    assert_eq!(left[left.len() - 2..], ["first.bias", "first.weight"]);
    let place = |path| left.iter().position(|other| *other == path).unwrap();
    assert!(place("tcn.15.filter.weight") < place("tcn.14.filter.weight"), "{left:?}");
}
