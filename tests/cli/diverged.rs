//! Numbers that go wrong: the run stops before the update, and leaves what there is to look at.

use super::TINY;
use crate::common::{Lab, says, sentence, stderr, stdout};
use safetensors::SafeTensors;
use serde_json::Value;
use stcn::train::Checkpoint;

/// Steps so long that the squares of the next pass overflow.
const TOO_FAST: &str = "--set train.lr=1e18 --set train.eval_every=100 --json";

#[test]
fn a_run_whose_numbers_go_wrong_stops_before_the_update_and_leaves_the_pass() {
    let lab = Lab::new();
    let words = format!("--data ink.npz {TINY} {TOO_FAST}");
    let output = lab.stcn(&format!("train {words} --out run --steps 50")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = sentence(&output);
    let step = Checkpoint::load(&lab.path("run/checkpoint/latest.stcn")).unwrap().header.step;
    says(&said, &[&format!("step {}: the loss is ", step + 1), ", first in node ", ", from node "]);
    says(&said, &["nothing was updated", &format!("the run stands at step {step}")]);
    says(&said, &["run/diverged.safetensors", "stcn train --resume run --set train.lr="]);
    // The last good state is the one a run of so many steps ends in.
    assert!(step > 0);
    lab.ok(&format!("train {words} --out straight --steps {step}"));
    let latest = |run: &str| {
        let mut checkpoint =
            Checkpoint::load(&lab.path(format!("{run}/checkpoint/latest.stcn"))).unwrap();
        checkpoint.header.config_toml.clear(); // asks for another number of steps
        checkpoint
    };
    assert!(latest("run") == latest("straight"));

    let bytes = lab.read("run/diverged.safetensors");
    let (_, about) = SafeTensors::read_metadata(&bytes).unwrap();
    let about: Value = serde_json::from_str(&about.metadata().as_ref().unwrap()["stcn"]).unwrap();
    assert_eq!(about["step"], step + 1);
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
fn a_run_that_diverged_can_be_resumed_and_says_the_same_again() {
    let lab = Lab::new();
    let output = |words: &str| lab.stcn(words).output().unwrap();
    let first = output(&format!("train --data ink.npz --out run {TINY} {TOO_FAST} --steps 50"));
    let again = output("train --resume run");
    assert_eq!((first.status.code(), again.status.code()), (Some(1), Some(1)));
    let last = |output: &std::process::Output| stderr(output).lines().last().unwrap().to_string();
    assert_eq!(last(&first), last(&again));
}
