//! One `checkpoint_sha256`, however many threads, wherever the data, however often cut in two.

use super::{TINY, sha256, trained};
use crate::common::{Lab, ink, says};
use std::fs;
#[cfg(not(feature = "f64"))]
use std::path::Path;

/// Large enough that elementwise work is cut into several pieces, which tiny models never see.
fn wide() -> Lab {
    let lab = Lab::new();
    ink(200).save(lab.path("wide.npz")).unwrap();
    lab
}

const WIDE: &str =
    "--data wide.npz --set model.channels=16 --set train.batch=5 --set train.eval_every=10";

#[test]
fn thirty_steps_give_the_same_checkpoint_on_1_2_3_and_8_threads_and_cut_in_two() {
    let of_stcn = "--set model.latents=[4,2] --set model.blocks_per_latent=2";
    let of_wavenet = "--set model.levels=2 --set model.blocks_per_level=2";
    for (model, head, sizes) in [("stcn-dense", "gmm", of_stcn), ("wavenet", "normal", of_wavenet)]
    {
        let lab = wide();
        let choice = format!("--model {model} --head {head} {WIDE} {sizes}");
        let run = |out: &str, steps: u64, threads: u64| {
            let words = format!("train {choice} --out {out} --steps {steps} --threads {threads}");
            sha256(&lab, &words)
        };
        let straight = run("one", 30, 1);
        for threads in [2, 3, 8] {
            assert_eq!(run(&format!("on-{threads}"), 30, threads), straight, "{model}, {threads}");
        }
        let half = run("cut", 15, 3);
        assert_ne!(half, straight);
        let rest = sha256(&lab, "train --resume cut --steps 30 --threads 2");
        assert_eq!(rest, straight, "{model}, cut after 15 steps");
        assert_eq!(lab.read("cut/checkpoint/best.stcn"), lab.read("one/checkpoint/best.stcn"));
        assert_eq!(lab.read("cut/config.toml"), lab.read("one/config.toml"));
    }
}

/// Regression, 22 November 2026: the check at the end of a run that was cut off its schedule could be the
/// best, and stayed it, where a run that was not cut never looked.
#[test]
fn the_best_checkpoint_is_the_same_wherever_a_run_was_cut() {
    let lab = Lab::new();
    // So fast that every later check is worse.
    let words = format!("--data ink.npz {TINY} --set train.eval_every=4 --set train.lr=0.3");
    lab.ok(&format!("train {words} --out one --steps 8"));
    for cut in 1..8 {
        lab.ok(&format!("train {words} --out cut-{cut} --steps {cut}"));
        lab.ok(&format!("train --resume cut-{cut} --steps 8"));
        for name in ["best", "latest"] {
            let file = |run: &str| lab.read(&format!("{run}/checkpoint/{name}.stcn"));
            assert!(file("one") == file(&format!("cut-{cut}")), "{name}, cut after {cut}");
        }
    }
}

#[test]
fn a_run_cut_in_three_writes_each_step_into_its_metrics_once() {
    let lab = Lab::new();
    let words = format!("--data ink.npz --set train.eval_every=4 {TINY}");
    let straight = sha256(&lab, &format!("train {words} --out one --steps 21"));
    lab.ok(&format!("train {words} --out cut --steps 7"));
    lab.ok("train --resume cut --steps 14");
    assert_eq!(sha256(&lab, "train --resume cut --steps 21"), straight);
    let steps = |run: &str| -> Vec<String> {
        let csv = String::from_utf8(lab.read(&format!("{run}/metrics.csv"))).unwrap();
        csv.lines().map(|row| row.split(',').next().unwrap().to_string()).collect()
    };
    assert_eq!(steps("one"), ["step", "4", "8", "10", "12", "16", "20", "21"]);
    assert_eq!(steps("cut"), steps("one"));
}

#[test]
fn resuming_a_run_that_is_done_changes_no_bit() {
    let lab = trained();
    let before = lab.read("run/checkpoint/latest.stcn");
    lab.ok("train --resume run");
    lab.ok("train --resume run --threads 3");
    assert_eq!(lab.read("run/checkpoint/latest.stcn"), before);
}

/// Regression, 22 November 2026: the last state was saved only if a check had looked at it, and data
/// without a validation part is never checked.
#[test]
fn a_run_without_a_validation_part_is_saved_at_its_checks_and_at_its_end() {
    let lab = Lab::new();
    let all = stcn::data::DataSet::open(lab.path("ink.npz"), None).unwrap();
    let sequences = (0..all.len()).map(|i| all.sequence(i).unwrap().to_vec()).collect();
    let all = stcn::data::DataSet::from_parts("all", 3, sequences, Some(vec![0; 10])).unwrap();
    all.save(lab.path("all.npz")).unwrap();
    let train = format!("train --data all.npz --set train.eval_every=5 {TINY} --steps");
    let straight = sha256(&lab, &format!("{train} 10 --out one"));
    let load = |name: &str| stcn::train::Checkpoint::load(&lab.path(name)).unwrap();
    assert_eq!(load("one/checkpoint/latest.stcn").header.step, 10);
    lab.ok(&format!("{train} 5 --out cut"));
    assert_eq!(load("cut/checkpoint/best.stcn").header.step, 5);
    assert_eq!(sha256(&lab, "train --resume cut --steps 10"), straight);
    // Nothing tells which was best, so it is the last, and that is what is evaluated.
    assert_eq!(lab.read("cut/checkpoint/best.stcn"), lab.read("cut/checkpoint/latest.stcn"));
}

#[test]
fn the_run_directory_is_enough_to_repeat_the_run() {
    let lab = Lab::new();
    let words = "train --seed 7 --set train.lr=0.01 --steps 6 --data ink.npz --out one";
    let first = sha256(&lab, &format!("{words} {TINY}"));
    assert_eq!(sha256(&lab, "train --config one/config.toml --out again"), first);
    assert_ne!(sha256(&lab, "train --config one/config.toml --out other --seed 8"), first);
}

#[test]
fn the_same_data_elsewhere_gives_the_same_checkpoint() {
    let lab = Lab::new();
    fs::create_dir(lab.path("it's here")).unwrap();
    fs::copy(lab.path("ink.npz"), lab.path("it's here/moved data.npz")).unwrap();
    let words = format!("train {TINY} --steps 6 --out");
    let straight = sha256(&lab, &format!("{words} one --data ink.npz"));
    let mut elsewhere = lab.stcn(&format!("{words} two"));
    let output = elsewhere.args(["--data", "it's here/moved data.npz"]).output().unwrap();
    assert!(output.status.success(), "{}", crate::common::stderr(&output));
    assert_eq!(lab.read("two/checkpoint/latest.stcn"), lab.read("one/checkpoint/latest.stcn"));
    // A run whose data was moved is told where it is now.
    lab.ok(&format!("train {TINY} --steps 3 --out three --data ink.npz"));
    fs::rename(lab.path("ink.npz"), lab.path("new.npz")).unwrap();
    says(&lab.refused("train --resume three --steps 6"), &["ink.npz: there is no such file"]);
    assert_eq!(sha256(&lab, "train --resume three --steps 6 --data new.npz"), straight);
}

#[test]
fn looking_at_a_run_changes_nothing_in_it() {
    let lab = Lab::new();
    let train = format!("train --data ink.npz {TINY} --out");
    let straight = sha256(&lab, &format!("{train} one --steps 8"));
    lab.ok(&format!("{train} cut --steps 4"));
    let before = lab.files("cut");
    lab.ok("inspect cut");
    lab.ok("inspect cut --node z.1");
    lab.ok("inspect cut --dump pass.safetensors");
    lab.ok("evaluate cut --iwae 2");
    lab.ok("sample cut --steps 4 --out drawn");
    lab.ok("export cut --out cut.safetensors");
    assert!(lab.files("cut") == before);
    assert_eq!(sha256(&lab, "train --resume cut --steps 8"), straight);
}

#[cfg(not(feature = "f64"))]
#[test]
#[ignore = "make slow"]
fn the_run_and_the_picture_of_the_readme_are_made_again_to_the_bit() {
    let (lab, root) = (Lab::new(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let told = readme.lines().find_map(|line| line.strip_prefix("checkpoint ")).unwrap();
    let lines = lab.json("train --out demo");
    let hash = lines.last().unwrap()["checkpoint_sha256"].as_str().unwrap();
    assert!(hash.starts_with(told.trim_end_matches('…')), "{hash}");
    assert!(lab.stcn("sample demo --out drawn").output().unwrap().status.success());
    let picture = fs::read(root.join("data/handwriting/written-by-stcn.svg")).unwrap();
    assert!(lab.read("drawn/sample.svg") == picture, "the picture is another one");
}
