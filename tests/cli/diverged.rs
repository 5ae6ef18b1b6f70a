//! Numbers that go wrong: the run stops before the update, and leaves what there is to look at.

use super::{TINY, sha256, suggested};
use crate::common::{Lab, ink, preset, says, sentence, stderr, stdout};
use safetensors::SafeTensors;
use serde_json::Value;
use stcn::data::DataSet;
use stcn::train::Checkpoint;

/// Steps so long that the squares of the next pass overflow.
const TOO_FAST: &str = "--set train.lr=1e18 --set train.eval_every=100 --json";

/// far.npz: a line of ink for each entry of `split`; line `at` begins with `value`.
fn with_far_value(lab: &Lab, at: usize, value: f32, split: Vec<u8>) {
    let lines = (0..split.len()).map(|i| ink(12).sequence(i).unwrap().to_vec());
    let mut lines: Vec<Vec<f32>> = lines.collect();
    lines[at][0] = value;
    DataSet::from_parts("far", 3, lines, Some(split)).unwrap().save(lab.path("far.npz")).unwrap();
}

#[test]
fn a_run_whose_numbers_go_wrong_stops_before_the_update_and_leaves_the_pass() {
    let lab = Lab::new();
    let words = format!("--data ink.npz {TINY} {TOO_FAST}");
    let output = lab.stcn(&format!("train {words} --out run --steps 50")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = sentence(&output);
    let wrong = ["step 2: the loss is ", ", first in node ", ", from node ", "look for outliers"];
    says(&said, &wrong);
    says(
        &said,
        &["run/diverged.safetensors", "run/checkpoint/latest.stcn is kept as it was at step 0"],
    );
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
fn a_run_that_diverges_keeps_its_last_good_checkpoint_and_the_command_that_is_named_goes_on() {
    // Without a check on the way; with one each time, which finds numbers that are not finite, or no way on.
    for (lr, every) in [("1e18", 100), ("1e6", 1), ("1e12", 1), ("1e39", 1), ("1e39", 100)] {
        let lab = Lab::new();
        let straight = format!("train --data ink.npz --out straight {TINY} --steps 9");
        let straight = sha256(&lab, &format!("{straight} --set train.eval_every={every}"));
        let words = format!("train --data ink.npz --out run {TINY} --steps 6");
        lab.ok(&format!("{words} --set train.eval_every={every}"));
        let before = lab.read("run/checkpoint/latest.stcn");
        let fast = format!("train --resume run --steps 50 --set train.lr={lr}");
        let fast = lab.stcn(&fast).output().unwrap();
        assert_eq!(fast.status.code(), Some(1), "{lr}: {}", stderr(&fast));
        let said = stderr(&fast);
        let said = said.lines().last().unwrap();
        says(said, &["error: step ", "run/checkpoint/latest.stcn is kept as it was at step "]);
        let kept = Checkpoint::load(&lab.path("run/checkpoint/latest.stcn")).unwrap();
        says(said, &[&format!("at step {}: ", kept.header.step)]);
        let usual = preset("ink-tiny", None, None).unwrap().train.lr;
        let slow = suggested(said, "go on from there more slowly with ");
        assert_eq!(slow, format!("train --resume run --set train.lr={usual:e}"));
        let resumed = sha256(&lab, &format!("{slow} --steps 9"));
        if lab.read("run/checkpoint/latest.stcn") == before || kept.header.step == 6 {
            assert_eq!(resumed, straight, "{lr}");
        }
    }
}

/// The numbers of such a state are finite, and so is its check: that no update leads on shows when one is tried.
#[test]
fn a_state_that_no_update_leads_on_from_is_not_saved() {
    let lab = Lab::new();
    with_far_value(&lab, 6, 1e30, vec![0, 0, 0, 0, 0, 0, 0, 1]);
    let one = TINY.replace("train.batch=4", "train.batch=1");
    let words = "--data far.npz --set data.normalise=none --set train.eval_every=1 --steps 7";
    // The step that is refused, by seed: that of the sequence.
    let refused = |seed: u64| -> u64 {
        let words = format!("train {words} {one} --seed {seed} --out {seed}");
        let output = lab.stcn(&words).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let (_, step) = said.split_once("error: step ").unwrap();
        step.split(':').next().unwrap().parse().unwrap()
    };
    let late = (1..20).map(|seed| (seed, refused(seed))).find(|(_, step)| *step > 2);
    let (seed, step) = late.expect("a seed by which the sequence comes later");
    let path = lab.path(format!("{seed}/checkpoint/latest.stcn"));
    let kept = Checkpoint::load(&path).unwrap().header.step;
    assert_eq!(kept, step - 2, "the update before it was made, checked, and not saved");
}

#[test]
fn a_new_run_that_diverges_is_told_a_rate_with_which_it_does_not() {
    let lab = Lab::new();
    let words = format!("train --data ink.npz {TINY} --set train.eval_every=3 --out run --steps 5");
    let output = lab.stcn(&format!("{words} --set train.lr=1e18")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    lab.ok(suggested(&said, "go on from there more slowly with "));
}

#[test]
fn a_pass_that_no_rate_changes_is_not_blamed_on_the_rate() {
    let lab = Lab::new();
    // Normalised by the train part's figures, which the last sequence of it is not among.
    with_far_value(&lab, 1, 1e30, vec![0; 4]);
    let words = format!("train --data far.npz {TINY} --out run --steps 5");
    let output = lab.stcn(&format!("{words} --set data.normalise=none")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    says(&said, &["error: step 1: the ", "(step 0), so a lower learning rate will not help"]);
}

#[test]
fn a_check_that_is_not_finite_ends_the_run_and_evaluating_such_a_model_says_so() {
    let lab = Lab::new();
    // The validation part alone has a value whose square overflows.
    with_far_value(&lab, 7, 1e25, vec![0, 0, 0, 1, 0, 2, 0, 1, 0, 2]);
    let words = format!("train --data far.npz {TINY} --out run --set train.eval_every=2 --steps 5");
    let output = lab.stcn(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    says(&said, &["error: step 2: the ELBO of sequence 8 of ", "far.npz is ", "at step 0: go on"]);
    assert!(!lab.path("run/checkpoint/best.stcn").exists());
    assert!(!lab.path("run/diverged.safetensors").exists(), "no pass was refused");
    for words in ["evaluate run", "evaluate run --json"] {
        let output = lab.stcn(words).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{words}");
        says(&sentence(&output), &["the ELBO of sequence 8 of ", "far.npz is "]);
    }
}
