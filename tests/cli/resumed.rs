//! What a resumed run goes on from: its checkpoint, whatever has become of the files around it.

use super::{TINY, sha256, suggested, tiny, trained};
use crate::common::{Lab, ink, says, stderr};
use stcn::train::Checkpoint;
use std::fs;
use std::process::Command;

/// The checkpoint that a run of five steps ends in.
fn five(lab: &Lab) -> String {
    sha256(lab, &format!("train --data ink.npz --out straight --steps 5 {TINY}"))
}

#[test]
fn a_config_that_was_emptied_resumes_no_run_and_the_cure_that_is_named_cures() {
    let lab = trained();
    lab.write("run/config.toml", "");
    let said = lab.refused("train --resume run --steps 5");
    says(
        &said,
        &["run/config.toml: has lost data.fingerprint", "remove the file", "--data FILE.npz"],
    );
    fs::remove_file(lab.path("run/config.toml")).unwrap();
    let said = lab.refused("train --resume run --steps 5");
    says(&said, &["is not the data this run began with", "name it with --data FILE.npz"]);
    assert_eq!(sha256(&lab, "train --resume run --steps 5 --data ink.npz"), five(&lab));
    assert_eq!(lab.read("run/config.toml"), lab.read("straight/config.toml"));
}

#[test]
fn an_edited_config_changes_what_may_change_and_nothing_else() {
    let lab = trained();
    let text = String::from_utf8(lab.read("run/config.toml")).unwrap();
    for (old, new, key) in [
        ("normalise = \"per-channel\"", "normalise = \"none\"", "data.normalise"),
        ("seed = 1\n", "seed = 2\n", "seed"),
        ("channels = 4\n", "channels = 5\n", "model.channels"),
        ("beta1 = 0.9\n", "beta1 = 0.5\n", "train.beta1"),
        ("fingerprint = \"", "fingerprint = \"0", "data.fingerprint"),
    ] {
        assert!(text.contains(old), "{old} in\n{text}");
        lab.write("run/config.toml", text.replacen(old, new, 1));
        let said = lab.refused("train --resume run --steps 5");
        let parts =
            [&format!("run/config.toml: has {key} = ")[..], "latest.stcn has ", "put it back"];
        says(&said, &parts);
    }
    lab.write("run/config.toml", text.replacen("steps = 3\n", "steps = 4\n", 1));
    let said = stderr(&lab.stcn("train --resume run --set train.lr=0.5").output().unwrap());
    says(
        &said,
        &["changed: train.lr ", " → 0.5\n", "changed: train.steps 3 → 4\n", "done at step 4"],
    );
}

#[test]
fn what_a_checkpoint_means_cannot_be_changed_by_set() {
    let lab = trained();
    for (set, said) in [
        ("data.normalise=none", "data.normalise is \"per-channel\" in this run and cannot become"),
        ("model.channels=8", "model.channels is 4 in this run and cannot become 8"),
        ("seed=7", "seed is 1 in this run and cannot become 7"),
    ] {
        let found = lab.refused(&format!("train --resume run --steps 5 --set {set}"));
        says(&found, &[said, "`stcn train --help`", "--out DIR"]);
    }
    let output = lab.stcn("train --resume run --released").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let help = lab.ok("train --help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    says(&help, &["With --resume, --steps", &stcn::internals::resume::MAY_CHANGE.join(", ")]);
}

#[test]
fn a_checkpoint_of_another_run_is_not_taken() {
    let lab = trained();
    ink(20).save(lab.path("longer.npz")).unwrap();
    lab.ok(&format!("train --data longer.npz --out other --steps 3 {TINY}"));
    lab.ok(&format!("train --data ink.npz --out sown --steps 3 {TINY} --seed 2"));
    for (run, key) in [("other", "data.fingerprint"), ("sown", "seed")] {
        lab.write("run/checkpoint/latest.stcn", lab.read(&format!("{run}/checkpoint/latest.stcn")));
        let said = lab.refused("train --resume run --steps 5");
        says(
            &said,
            &[&format!("run/config.toml: has {key} = "), "run/checkpoint/latest.stcn has "],
        );
    }
    // Nor is it evaluated on data that it was not trained on.
    lab.write("run/checkpoint/best.stcn", lab.read("other/checkpoint/best.stcn"));
    let parts = ["ink.npz: is not the data this model was trained on", "--data FILE.npz"];
    says(&lab.refused("evaluate run"), &parts);
    lab.ok("evaluate run --data ink.npz");
}

#[test]
fn a_run_that_has_lost_its_latest_checkpoint_goes_on_from_its_best_by_the_commands_that_are_named()
{
    let lab = Lab::new();
    let words = format!("--data ink.npz {TINY} --set train.eval_every=2");
    let straight = sha256(&lab, &format!("train {words} --out straight --steps 8"));
    lab.ok(&format!("train {words} --out run --steps 5"));
    let best = Checkpoint::load(&lab.path("run/checkpoint/best.stcn")).unwrap().header.step;
    fs::remove_file(lab.path("run/checkpoint/latest.stcn")).unwrap();
    let said = lab.refused("train --resume run --steps 8");
    says(&said, &["run/checkpoint/latest.stcn: is not there"]);
    let copy = suggested(&said, "go on from that with ");
    assert!(
        Command::new("sh").args(["-c", copy]).current_dir(lab.path("")).status().unwrap().success()
    );
    let resume = suggested(&said, "best.stcn run/checkpoint/latest.stcn` and ");
    let lines = lab.json(&format!("{resume} --steps 8"));
    assert_eq!(lines[0]["step"], best + 1);
    assert_eq!(super::last(&lines)["checkpoint_sha256"], straight);
}

#[test]
fn a_run_that_has_lost_both_checkpoints_is_not_begun_again_over_its_metrics() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 10 {TINY}"));
    for name in ["latest", "best"] {
        fs::remove_file(lab.path(format!("run/checkpoint/{name}.stcn"))).unwrap();
    }
    let said = lab.refused("train --resume run");
    says(&said, &["run/checkpoint/latest.stcn: is not there, and metrics.csv says"]);
    lab.ok(&suggested(&said, "train it again with ").replace("DIR", "again"));
    assert_eq!(lab.read("again/config.toml"), lab.read("run/config.toml"));
}

#[test]
fn a_best_checkpoint_alone_is_not_overwritten_by_a_new_run() {
    let lab = trained();
    for name in ["config.toml", "checkpoint/latest.stcn"] {
        fs::remove_file(lab.path(format!("run/{name}"))).unwrap();
    }
    let said = lab.refused(&format!("train --data ink.npz --out run --steps 3 {}", tiny("rnn")));
    says(&said, &["run: holds a run already"]);
}

#[test]
fn metrics_that_are_no_text_keep_no_run_from_going_on() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 10 {TINY}"));
    let metrics = [&lab.read("run/metrics.csv")[..], b"\xff\xfe\n"].concat();
    lab.write("run/metrics.csv", metrics);
    lab.ok("train --resume run --steps 20");
    let after = lab.read("run/metrics.csv");
    assert!(after.windows(3).any(|bytes| bytes == b"\xff\xfe\n") && after.ends_with(b"\n"));
}

#[test]
fn a_run_of_a_version_with_fewer_columns_goes_on_with_all_of_them() {
    let lab = Lab::new();
    let words = format!("--data ink.npz {TINY} --set train.eval_every=5");
    lab.ok(&format!("train {words} --out run --steps 10"));
    let csv = String::from_utf8(lab.read("run/metrics.csv")).unwrap();
    // What 0.2 wrote before there were norms by group.
    let names: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let early = |line: &str| {
        let cells = line.split(',').zip(&names);
        let kept = cells.filter(|(_, name)| !name.contains('.') && **name != "clipped");
        kept.map(|(cell, _)| cell).collect::<Vec<_>>().join(",") + "\n"
    };
    let old: String = csv.lines().map(early).collect();
    assert!(old.len() < csv.len() / 2);
    lab.write("run/metrics.csv", &old);
    lab.ok("train --resume run --steps 20");
    let after = String::from_utf8(lab.read("run/metrics.csv")).unwrap();
    assert_eq!(after.lines().next(), csv.lines().next());
    assert!(after.lines().map(early).collect::<String>().starts_with(&old));
    assert!(after.lines().all(|line| line.split(',').count() == names.len()));
}
