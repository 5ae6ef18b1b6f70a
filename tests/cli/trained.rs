//! Which checkpoint a command opens, and on whose data.

use super::{TINY, last, trained};
use crate::common::{Lab, says, stderr, stdout};
use serde_json::Value;
use stcn::train::Checkpoint;
use std::fs;

/// A run that checks at step 2 and ends at step 3.
fn ended_off_schedule(lr: &str) -> (Lab, Vec<Value>) {
    let lab = Lab::new();
    let words = format!("train --data ink.npz --out run {TINY} --set train.eval_every=2 --steps 3");
    let lines = lab.json(&format!("{words} --set train.lr={lr}"));
    (lab, lines)
}

/// Checkpoint and step that a command says it opened.
fn opened(lab: &Lab, words: &str) -> (String, u64) {
    let line = lab.json(words).remove(0);
    (line["checkpoint"].as_str().unwrap().into(), line["step"].as_u64().unwrap())
}

/// Regression, 23 November 2026: a run reported the value of its last step, and kept, evaluated and drew from another.
#[test]
fn a_last_step_off_the_schedule_is_checked_written_down_and_opened_if_it_is_the_best() {
    let mut seen = [false; 2];
    for lr in ["0.002", "0.05"] {
        let (lab, lines) = ended_off_schedule(lr);
        let checks: Vec<&Value> = lines.iter().filter(|line| line.get("best").is_some()).collect();
        assert_eq!(checks.iter().map(|x| &x["step"]).collect::<Vec<_>>(), [2, 3]);
        let loss = |i: usize| checks[i]["valid_loss"].as_f64().unwrap();
        let better = loss(1) < loss(0);
        seen[usize::from(better)] = true;
        assert_eq!(checks[1]["best"], better, "{lr}");
        let kept = checks[usize::from(better)];
        let done = last(&lines);
        let found = (&done["best_step"], &done["best_elbo_seq"]);
        assert_eq!(found, (&kept["step"], &kept["valid_elbo_seq"]));
        let csv = String::from_utf8(lab.read("run/metrics.csv")).unwrap();
        let row = csv.lines().last().unwrap();
        let latest = Checkpoint::load(&lab.path("run/checkpoint/latest.stcn")).unwrap();
        let end = latest.header.end.unwrap();
        let wanted = format!(",{},{}", end.elbo, end.loss);
        assert!(row.starts_with("3,") && row.ends_with(&wanted), "{row}");
        let (name, step) = if better { ("latest", 3) } else { ("best", 2) };
        let wanted = (format!("run/checkpoint/{name}.stcn"), step);
        assert_eq!(opened(&lab, "evaluate run"), wanted);
        assert_eq!(opened(&lab, "sample run --steps 4 --out drawn"), wanted);
        let wanted = format!("{} of step {step}", wanted.0);
        says(&lab.ok("evaluate run"), &[&wanted]);
        assert!(lab.ok("inspect run --node z.1").starts_with(&format!("{wanted}, ")));
        let drawn = lab.stcn("sample run --steps 4 --out drawn").output().unwrap();
        assert_eq!(stderr(&drawn), format!("drawn from {wanted}\n"));
        // A damaged latest.stcn keeps nobody from the best.
        lab.write("run/checkpoint/latest.stcn", "STCN");
        assert_eq!(opened(&lab, "evaluate run").1, 2);
    }
    assert_eq!(seen, [true; 2], "the end was never the best, or always");
}

#[test]
fn the_end_of_a_run_that_goes_on_leaves_no_trace() {
    let straight = Lab::new();
    let words = |lr: &str, steps: u64| {
        format!(
            "--data ink.npz {TINY} --set train.eval_every=4 --set train.lr={lr} --steps {steps}"
        )
    };
    for lr in ["0.001", "0.3"] {
        straight.ok(&format!("train {} --out {lr}", words(lr, 22)));
        // At 10 and 20 rows are due anyway, without a check.
        for cut in [3, 10, 15, 20, 21] {
            let lab = Lab::new();
            lab.ok(&format!("train {} --out run", words(lr, cut)));
            lab.ok("train --resume run --steps 22");
            let numbers = |csv: Vec<u8>| -> Vec<Vec<String>> {
                let csv = String::from_utf8(csv).unwrap();
                let row = |row: &str| row.split(',').map(String::from).collect::<Vec<_>>();
                let without_clock = |mut row: Vec<String>| (row.remove(2), row).1;
                csv.lines().map(row).map(without_clock).collect()
            };
            let [found, wanted] =
                [lab.read("run/metrics.csv"), straight.read(&format!("{lr}/metrics.csv"))];
            assert_eq!(numbers(found), numbers(wanted), "{lr}, cut after {cut}");
            let latest = |lab: &Lab, run: &str| lab.read(&format!("{run}/checkpoint/latest.stcn"));
            assert!(latest(&lab, "run") == latest(&straight, lr), "{lr}, cut after {cut}");
            let best = |lab: &Lab, run: &str| {
                let path = lab.path(format!("{run}/checkpoint/best.stcn"));
                let best = Checkpoint::load(&path).unwrap();
                (best.header.step, best.params)
            };
            assert!(best(&lab, "run") == best(&straight, lr), "{lr}, cut after {cut}");
        }
    }
}

#[test]
fn latest_is_opened_when_it_is_asked_for() {
    let (lab, _) = ended_off_schedule("0.002");
    for words in ["evaluate", "sample --steps 4 --out drawn"] {
        let latest = ("run/checkpoint/latest.stcn".to_string(), 3);
        assert_eq!(opened(&lab, &format!("{words} run --latest")), latest);
        assert_eq!(opened(&lab, &format!("{words} run/checkpoint/best.stcn")).1, 2);
    }
    assert!(lab.ok("inspect run --latest").starts_with("run/checkpoint/latest.stcn of step 3, "));
    lab.ok("export run/checkpoint/best.stcn --out best.safetensors");
    lab.ok("export run --out latest.safetensors --latest");
    assert!(lab.read("best.safetensors") != lab.read("latest.safetensors"));
    lab.ok("train --resume run --steps 5 --set train.keep=2");
    let kept = "run/kept/step-000004.stcn of step 4";
    says(&lab.ok("evaluate run/kept/step-000004.stcn"), &[kept]);
    let said = lab.refused("evaluate run/checkpoint/best.stcn --latest");
    says(&said, &["--latest chooses between the checkpoints of a run", "is a file"]);
}

#[test]
fn a_checkpoint_in_its_run_finds_the_data_of_the_run() {
    let lab = trained();
    let whole = lab.ok("evaluate run --json");
    assert_eq!(lab.ok("evaluate run/checkpoint/best.stcn --json"), whole);
    assert_eq!(lab.ok("inspect run/checkpoint/best.stcn"), lab.ok("inspect run"));
    let mut inside = lab.stcn("evaluate best.stcn --json");
    let output = inside.current_dir(lab.path("run/checkpoint")).output().unwrap();
    let elbo = |text: &str| serde_json::from_str::<Value>(text).unwrap()["elbo_seq"].clone();
    assert_eq!(elbo(&stdout(&output)), elbo(&whole), "{}", stderr(&output));
    // In a folder of another name there is no run around it.
    fs::rename(lab.path("run/checkpoint"), lab.path("run/moved")).unwrap();
    says(&lab.refused("evaluate run/moved/best.stcn"), &["its path is not known"]);
}

/// Regression, 23 November 2026: a run whose data had been replaced was evaluated on the new without a word.
#[test]
fn a_run_is_not_evaluated_on_data_that_took_the_place_of_its_own() {
    let lab = trained();
    crate::common::ink(13).save(lab.path("ink.npz")).unwrap();
    for command in ["evaluate", "inspect"] {
        let said = lab.refused(&format!("{command} run"));
        says(&said, &["ink.npz: is not the data this model was trained on", "--data FILE.npz"]);
        lab.ok(&format!("{command} run --data ink.npz"));
    }
}
