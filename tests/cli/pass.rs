//! The pass that `inspect` and `explain` look at.

use super::trained;
use crate::common::says;
use stcn::internals::npz::{self, Flat};
use stcn::train::Checkpoint;

#[test]
fn data_with_nothing_to_look_at_is_refused() {
    // Only a checkpoint that nobody trained has a rule by which all of a file is for testing.
    let lab = trained();
    let path = lab.path("run/checkpoint/best.stcn");
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    let text = &mut checkpoint.header.config_toml;
    *text = text.replace("split = \"\"", "split = \"all-test\"");
    checkpoint.save(&path).unwrap();
    let flat =
        Flat { channels: 3, samples: vec![0., 1., 1.], lengths: vec![1], split: None, rate: None };
    npz::write(lab.path("x.npz"), &flat).unwrap();
    for words in ["inspect run", "explain run z.1"] {
        says(
            &lab.refused(&format!("{words} --data x.npz")),
            &[
                "x.npz: has no sequence in split train, wanted one to look at: name other data by --data",
            ],
        );
    }
}
