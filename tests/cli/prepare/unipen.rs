//! `stcn data prepare unipen`: what is told of contributors and segments.

use crate::common::{Lab, says, stderr};
use std::fs;

fn write(lab: &Lab, name: &str, text: &str) {
    fs::create_dir_all(lab.path(name).parent().unwrap()).unwrap();
    lab.write(name, text);
}

/// A lab with a release of two contributors, one of lines and one of dots.
fn lab() -> Lab {
    let lab = Lab::new();
    write(&lab, "up/include/none", "");
    for (name, high) in [("aaa", 30), ("zzz", 0)] {
        let mut text = String::from(".COORD X Y\n.WRITER_ID Ann\n");
        for i in 0..8 {
            let points = (0..=20)
                .map(|t| format!("{} {}\n", 300 * i + (10 + i) * t * (high / 30), t % 2 * high));
            text += &format!(".PEN_DOWN\n{}", points.collect::<String>());
        }
        text += ".SEGMENT TEXT 0-3 OK \"one\"\n.SEGMENT TEXT 4-7 ? \"two\"\n.SEGMENT TEXT 0 OK \"short\"\n\
                 .SEGMENT TEXT 0-3 OK \"again\"\n.SEGMENT TEXT 0-3 BAD \"bad\"\n.SEGMENT TEXT 0-9 OK \"beyond\"\n";
        write(&lab, &format!("up/data/8/{name}/x.dat"), &text);
    }
    lab
}

const WORDS: &str = "data prepare unipen --input up --output up.npz";

#[test]
fn contributors_and_what_is_left_out_are_told() {
    let lab = lab();
    let said = lab.ok(WORDS);
    says(
        &said,
        &["up.npz\n  train 2 sequences, 166 steps", "aaa            2      0     0        1"],
    );
    says(
        &said,
        &["left out 1 sequences of zzz, since its median step has 0.0 units of the tablet"],
    );
    says(
        &said,
        &["left out 2 of 12 segments of quality BAD", "left out 2 of 12 segments that do not"],
    );
    says(
        &said,
        &["left out 2 of 12 segments that are shorter", "left out 3 of 12 segments that equal"],
    );
    says(&said, &["found 2 + 0 + 0 sequences, unlike the 3122 + 306 + 284 of the whole release"]);
    says(&said, &["none is for validation"]);
    let all = lab.ok(&format!("{WORDS} --contributors all --units tablet"));
    says(&all, &["train 3 sequences"]);
    assert!(!all.contains("unlike the"), "other choices have no published numbers: {all}");
    let line = &lab.json(WORDS)[0];
    assert_eq!(line["contributors"][0]["sequences"][0], 2);
    assert_eq!(line["contributors"][1]["name"], "zzz");
    let short = lab.ok(&format!("{WORDS} --shortest 20 --longest 20 --contributors all"));
    says(&short, &["train 2 sequences, 40 steps"]);
}

#[test]
fn words_that_make_no_sense_are_refused() {
    let lab = lab();
    let said = |more: &str| lab.refused(&format!("{WORDS} {more}"));
    says(&said("--shortest 0"), &["--shortest 0: want 1 to"]);
    says(&said("--shortest 9 --longest 8"), &["--shortest 9 is more than --longest 8: swap them"]);
    says(&said("--contributors some"), &["unknown contributors `some`: want one of lines, all"]);
    says(&said("--units mm"), &["unknown units `mm`: want one of scaled, tablet"]);
    says(&said("--category 9"), &["has no category 9; choose a --category of 8"]);
}

#[test]
fn damaged_files_are_left_out_if_that_is_asked_for_and_told() {
    let lab = lab();
    write(&lab, "up/data/8/aaa/y.dat", ".PEN_DOWN\n1 2\n");
    says(&lab.refused(WORDS), &["y.dat: line 1 has points before .COORD", "add --skip-damaged"]);
    let output = lab.stcn(&format!("{WORDS} --skip-damaged")).output().unwrap();
    assert!(output.status.success());
    says(
        &stderr(&output),
        &["warning: left out 1 files that cannot be read, such as up/data/8/aaa/y.dat"],
    );
}
