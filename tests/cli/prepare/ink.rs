//! `stcn data prepare`: what is told of each set, and that a refusal leaves nothing behind.

use crate::cli::{TINY, sha256};
use crate::common::{Lab, says};
use crate::data::prepare::iam;
use serde_json::Value;
use std::fs;

/// A lab with a small IAM-OnDB in `iam` and a small DeepWriting in `dw`.
fn lab() -> Lab {
    let lab = Lab::new();
    for (name, bytes) in iam::database() {
        let path = lab.path("iam").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::create_dir(lab.path("dw")).unwrap();
    let files = [
        ("training", &include_bytes!("../../data/fixtures/v1_3_training.npz")[..]),
        ("validation", include_bytes!("../../data/fixtures/v1_4_validation.npz")),
    ];
    for (part, bytes) in files {
        lab.write(&format!("dw/deepwriting_{part}.npz"), bytes);
    }
    lab
}

const IAM: &str = "data prepare iam-ondb --input iam --output lines.npz";

#[test]
fn iam_ondb_tells_counts_constants_and_the_word_to_train_with() {
    let lab = lab();
    let said = lab.ok(&format!("{IAM} --normalise vrnn"));
    says(&said, &["lines.npz\n  train 7 sequences", "valid 1 sequences"]);
    says(&said, &["found / published", "2 / 775", "5 / 5,364", "differs", "in no list"]);
    says(&said, &["per-channel", "chung-scalar", "chung-floor", "+0.00000"]);
    let last = said.lines().last().unwrap();
    says(last, &["stcn train --preset ink --data lines.npz --set data.normalise=chung-scalar"]);
    says(&lab.ok(IAM), &["--set data.normalise=per-channel"]);
}

#[test]
fn iam_ondb_tells_the_same_in_json() {
    let lab = lab();
    let lines = lab.json(&format!("{IAM} --protocol clean"));
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line["protocol"], "official");
    assert_eq!(line["splits"].as_array().unwrap().len(), 3);
    assert_eq!(line["lists"][0]["found"]["lines"], 5);
    assert_eq!(line["lists"][0]["published"]["lines"], 5364);
    assert_eq!(
        (&line["absent"], &line["normalise"]),
        (&Value::Array(vec![]), &"per-channel".into())
    );
    let rows = line["normalisations"].as_array().unwrap();
    let number = |row: usize, key: &str, d: usize| rows[row][key][d].as_f64().unwrap();
    let shift = rows[1]["shift_per_step"].as_f64().unwrap();
    let expected = (number(1, "std", 0) * number(1, "std", 1)
        / (number(0, "std", 0) * number(0, "std", 1)))
    .ln();
    assert!(shift.abs() > 0.1 && (shift - expected).abs() < 1e-9, "{shift} {expected}");
    assert!((number(1, "mean", 0) - number(0, "mean", 0) - number(0, "mean", 1)).abs() < 1e-9);
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_left_behind() {
    let lab = lab();
    let said = lab.refused(&format!("{IAM} --protocol vrn"));
    says(&said, &["unknown protocol `vrn`: did you mean `vrnn` (of vrnn, official)?"]);
    let said = lab.refused(&format!("{IAM} --normalise chung"));
    says(&said, &["unknown normalisation `chung`"]);
    says(&lab.refused("data prepare iam-ondb --input iam --output lines"), &["ends in .npz"]);
    let said = lab.refused("data prepare iam-ondb --input dw --output lines.npz");
    says(&said, &["dw: has no trainset.txt"]);
    fs::remove_file(lab.path("dw/deepwriting_training.npz")).unwrap();
    let said = lab.refused("data prepare deepwriting --input dw --output dw.npz");
    says(&said, &["dw: holds no training file"]);
}

#[test]
fn deepwriting_tells_its_version_and_what_was_undone() {
    let lab = lab();
    let said = lab.ok("data prepare deepwriting --input dw --output dw.npz");
    says(&said, &["train 3 sequences, 15 steps", "valid 2 sequences, 7 steps"]);
    says(&said, &["DeepWriting version 1, its standardisation undone; dy points up; the zero row"]);
    let lines =
        lab.json("data prepare deepwriting --input dw/deepwriting_training.npz --output b.npz");
    assert_eq!((&lines[0]["version"], &lines[0]["dropped_first_rows"]), (&1.into(), &true.into()));
    assert_eq!(lab.read("b.npz"), lab.read("dw.npz"));
}

#[test]
fn one_file_of_deepwriting_alone_is_imported_to_train_on() {
    let lab = lab();
    fs::remove_file(lab.path("dw/deepwriting_training.npz")).unwrap();
    let said = lab.ok("data prepare deepwriting --input dw --output v.npz --only valid");
    says(&said, &["train 2 sequences, 7 steps", "DeepWriting version 1", "dy points up"]);
    let said = lab.refused("data prepare deepwriting --input dw --output w.npz --only all");
    says(&said, &["unknown split `all`"]);
}

#[test]
fn chungs_pair_trains_resumes_and_evaluates() {
    let lab = lab();
    lab.ok(IAM);
    let set = "--set data.normalise=chung-scalar";
    let words = format!("train --data lines.npz {set} {TINY}");
    let straight = sha256(&lab, &format!("{words} --out straight --steps 4"));
    lab.ok(&format!("{words} --out cut --steps 2"));
    assert_eq!(sha256(&lab, "train --resume cut --steps 4"), straight);
    let config = String::from_utf8(lab.read("cut/config.toml")).unwrap();
    says(&config, &["normalise = \"chung-scalar\""]);
    let bits = |run: &str| {
        let line = &lab.json(&format!("evaluate {run}"))[0];
        let (nats, bits) = (line["elbo_step"].as_f64().unwrap(), line["bits_per_dim"].as_f64());
        (nats, 3. * bits.unwrap())
    };
    // bits = (Σ ln std − nats)/ln 2: with Chung's constants, as the preparation tells them.
    let lines = lab.json(IAM);
    let std = lines[0]["normalisations"][1]["std"][0].as_f64().unwrap();
    let (nats, bits) = bits("cut");
    let expected = (2. * std.ln() - nats) / std::f64::consts::LN_2;
    assert!(std > 2. && (bits - expected).abs() < 1e-6 * expected.abs(), "{bits} {expected}");
}

#[test]
fn neither_file_of_a_deepwriting_is_written_over() {
    let lab = lab();
    for part in ["training", "validation"] {
        let file = format!("dw/deepwriting_{part}.npz");
        let said = lab.refused(&format!("data prepare deepwriting --input dw --output {file}"));
        says(&said, &[&file, "is a file that is read: name another"]);
    }
    let file = "dw/deepwriting_validation.npz";
    let said =
        lab.refused(&format!("data prepare deepwriting --input dw --only valid --output {file}"));
    says(&said, &[file, "is a file that is read: name another"]);
    let said = lab.refused("data prepare deepwriting --input nowhere --output x.npz");
    says(&said, &["nowhere: does not exist"]);
}
