//! Numbers that go wrong: the run stops before the update, and leaves what there is to look at.

use super::{TINY, sha256};
use crate::common::preset;
use crate::common::{Lab, says, sentence, stderr, stdout};
use safetensors::SafeTensors;
use serde_json::Value;

/// Steps so long that the squares of the next pass overflow.
const TOO_FAST: &str = "--set train.lr=1e18 --set train.eval_every=100 --json";

#[test]
fn a_run_whose_numbers_go_wrong_stops_before_the_update_and_leaves_the_pass() {
    let lab = Lab::new();
    let words = format!("--data ink.npz {TINY} {TOO_FAST}");
    let output = lab.stcn(&format!("train {words} --out run --steps 50")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = sentence(&output);
    let wrong = ["step 2: the loss is ", ", first in node ", ", from node ", "nothing was updated"];
    says(&said, &wrong);
    says(&said, &["run/diverged.safetensors", "stcn train --resume run --set train.lr="]);
    let bytes = lab.read("run/diverged.safetensors");
    let (_, about) = SafeTensors::read_metadata(&bytes).unwrap();
    let about: Value = serde_json::from_str(&about.metadata().as_ref().unwrap()["stcn"]).unwrap();
    assert_eq!(about["step"], 2);
    assert!(said.contains(about["first"].as_str().unwrap()), "{said}\n{about}");
    let sequences = about["sequences"].as_array().unwrap();
    assert!(
        !sequences.is_empty() && sequences.iter().all(|i| (1..=10).contains(&i.as_u64().unwrap()))
    );
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for name in
        ["input.x", "first.value", "first.input.1", "param.tcn.1.filter.weight", "value.loss"]
    {
        assert!(tensors.tensor(name).is_ok(), "no {name} among {:?}", tensors.names());
    }
    let first = tensors.tensor("first.value").unwrap();
    let numbers = first.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b));
    assert!(numbers.into_iter().any(|x| !x.is_finite()));
}

#[test]
fn a_run_that_diverges_keeps_its_last_checkpoint_and_goes_on_more_slowly() {
    let lab = Lab::new();
    let straight = sha256(&lab, &format!("train --data ink.npz --out straight {TINY} --steps 9"));
    lab.ok(&format!("train --data ink.npz --out run {TINY} --steps 6"));
    let before = lab.read("run/checkpoint/latest.stcn");
    let fast = lab.stcn("train --resume run --steps 50 --set train.lr=1e18").output().unwrap();
    assert_eq!(fast.status.code(), Some(1), "{}", stderr(&fast));
    let said = stderr(&fast);
    says(
        said.lines().last().unwrap(),
        &["error: step 8: the loss is ", "the last checkpoint is kept"],
    );
    assert!(lab.read("run/checkpoint/latest.stcn") == before);
    let usual = preset("ink-tiny", None, None).unwrap().train.lr;
    let slow = format!("train --resume run --steps 9 --set train.lr={usual}");
    assert_eq!(sha256(&lab, &slow), straight);
}
