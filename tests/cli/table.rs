//! Suites as a user runs them: killed and started again, from the directories alone, with what fails.

use crate::common::Lab;
#[cfg(all(target_os = "linux", not(feature = "f64")))]
use std::process::Command;

/// Two rows of two seeds, seconds in all.
const SUITE: &str = "about = \"A test\"\npreset = \"ink-tiny\"\nseeds = [1, 2]\nsteps = 20\n\
    set = { train.batch = 2, train.eval_every = 10, data.crop = 20 }\nevaluate = { draws = 1, iwae = 2, controls = true }\n\
    sample = { count = 1, steps = 10 }\n\
    [[row]]\nname = \"WaveNet\"\nmodel = \"wavenet\"\nset = { model.channels = 4, model.levels = 2 }\n\
    [[row]]\nname = \"RNN\"\nmodel = \"rnn\"\nset = { model.hidden_size = 4, model.layers = 1 }\n";

const REPORTS: [&str; 4] = ["report.md", "report.csv", "runs.csv", "report.html"];

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("suite.toml", SUITE);
    lab
}

/// The report in `out`; commands name their run directory from there.
fn reports(lab: &Lab, out: &str) -> Vec<Vec<u8>> {
    REPORTS.map(|name| lab.read(&format!("{out}/{name}"))).to_vec()
}

#[test]
fn a_suite_ends_in_a_report_and_done_again_in_the_same() {
    let lab = lab();
    let said = lab.ok("table suite.toml --out all --jobs 2");
    assert!(said.contains("| WaveNet |") && said.contains("2 of 2 | 20 |"), "{said}");
    let first = reports(&lab, "all");
    // Nothing is left; the report alone gives the same bytes, and so does a run of each of its commands.
    assert_eq!(lab.ok("table suite.toml --out all --list"), "");
    lab.ok("table suite.toml --out all --report");
    assert!(reports(&lab, "all") == first);
    let list = lab.ok("table suite.toml --out typed --list");
    assert_eq!(list.lines().count(), 4);
    for line in list.lines() {
        line.split(" && ").for_each(|command| {
            lab.ok(command.strip_prefix("stcn ").unwrap());
        });
    }
    lab.ok("table suite.toml --out typed --report");
    assert!(reports(&lab, "typed") == first);
}

#[test]
fn what_is_no_suite_is_refused_with_an_example() {
    let lab = lab();
    let wanted =
        "want a suite in TOML, such as data/suites/smoke.toml of the repository, or the word smoke";
    let said = lab.refused("table nowhere.toml");
    assert_eq!(said, format!("nowhere.toml: there is no such file: {wanted}"));
    let said = lab.refused("table ink.npz");
    assert_eq!(said, format!("ink.npz: is not text in UTF-8: {wanted}"));
    lab.write("config.toml", "seed = 1\n[train]\nlr = 0.1\n");
    let said = lab.refused("table config.toml");
    assert!(said.starts_with("config.toml: is no suite, since it has no [[row]]: want "), "{said}");
    let said = lab.refused("table .");
    assert!(said.contains("is not a file, want a suite in TOML"), "{said}");
}

#[cfg(not(feature = "f64"))] // likewise
#[test]
fn a_larger_budget_goes_on_where_the_smaller_ended() {
    let lab = lab();
    lab.ok("table suite.toml --out all");
    lab.write("suite.toml", SUITE.replace("steps = 20", "steps = 30"));
    let list = lab.ok("table suite.toml --out all --list");
    assert!(list.starts_with("stcn train --resume all/wavenet.seed-1 --steps 30 && "), "{list}");
    assert!(lab.ok("table suite.toml --out all").contains("2 of 2 | 30 |"));
    let straight = lab.ok("table suite.toml --out straight");
    assert!(straight.contains("| 30 |"));
    assert!(reports(&lab, "all") == reports(&lab, "straight"));
}

#[test]
fn a_report_of_half_the_runs_leaves_the_others_empty() {
    let lab = lab();
    let list = lab.ok("table suite.toml --out all --list");
    for command in list.lines().next().unwrap().split(" && ") {
        lab.ok(command.strip_prefix("stcn ").unwrap());
    }
    let said = lab.ok("table suite.toml --out all --report");
    assert!(said.contains("| 1 of 2 | 20 |") && said.contains("| 0 of 2 |  |"), "{said}");
}

#[test]
fn a_run_that_fails_does_not_stop_the_others() {
    let lab = lab();
    let worse = SUITE.replace("model.channels = 4", "model.channels = 4, train.lr = 1e38");
    lab.write("suite.toml", worse);
    let output = lab.stcn("table suite.toml --out all").output().unwrap();
    let said = crate::common::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("2 runs failed; the first: wavenet.seed-1: "), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("| RNN |"));
    assert!(lab.path("all/rnn.seed-2/evaluation-valid.json").exists());
}

#[test]
fn a_run_of_other_settings_in_its_place_is_refused_before_anything_is_done() {
    let lab = lab();
    lab.ok("table suite.toml --out all");
    let first = reports(&lab, "all");
    std::fs::write(lab.path("suite.toml"), SUITE.replace("train.batch = 2", "train.batch = 3"))
        .unwrap();
    let said = lab.refused("table suite.toml --out all");
    assert!(said.contains("was trained with train.batch = 2, and the suite says 3"), "{said}");
    assert!(reports(&lab, "all") == first);
}

#[test]
fn what_lies_in_the_place_of_a_run_is_refused_before_anything_is_done() {
    let lab = lab();
    std::fs::create_dir_all(lab.path("all/rnn.seed-1/config.toml")).unwrap();
    let said = lab.refused("table suite.toml --out all");
    assert!(said.starts_with("all/rnn.seed-1/config.toml: is not a file"), "{said}");
}

/// Killed once after each of its stages has begun: what a stage leaves is what the next one finds.
#[cfg(all(target_os = "linux", not(feature = "f64")))] // which promises no bits
#[test]
fn a_suite_killed_at_any_stage_ends_in_the_same_report() {
    let lab = lab();
    lab.ok("table suite.toml --out straight");
    let straight = reports(&lab, "straight");
    // The first file of each stage: of training, of sampling, of evaluation, of the next run, of the report.
    let stages = [
        "wavenet.seed-1/config.toml",
        "wavenet.seed-1/checkpoint/latest.stcn",
        "wavenet.seed-1/checkpoint/best.stcn",
        "wavenet.seed-1/samples/sample.npz",
        "wavenet.seed-1/evaluation-valid.json",
        "rnn.seed-2/metrics.csv",
        "report.csv",
    ];
    for stage in stages {
        let mut child = lab.stcn("table suite.toml --out cut").spawn().unwrap();
        // Watches for the file, as closely as it can.
        while !lab.path(format!("cut/{stage}")).exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let kill = format!("kill -KILL {}", child.id());
        Command::new("sh").args(["-c", &kill]).status().unwrap();
        child.wait().unwrap();
    }
    let output = lab.stcn("table suite.toml --out cut").output().unwrap();
    assert!(output.status.success(), "{}", crate::common::stderr(&output));
    assert!(reports(&lab, "cut") == straight);
}
