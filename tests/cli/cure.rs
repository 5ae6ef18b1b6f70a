use super::TINY;
use crate::common::{Lab, says, stderr};

fn refused(words: &str) -> String {
    let lab = Lab::new();
    let output = lab.stcn(words).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}: {}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_key_of_the_config_that_is_given_as_an_option_is_named() {
    for (given, key) in [
        ("--lr 0.1", "train.lr"),
        ("--batch 4", "train.batch"),
        ("--epochs 5", "train.epochs"),
        ("--eval-every 5", "train.eval_every"),
        ("--channels 8", "model.channels"),
    ] {
        let cure = format!("`{key}` is a key of the config: give it as --set {key}=VALUE");
        says(&refused(&format!("train {given}")), &["unexpected argument", &cure]);
    }
    assert!(!refused("train --nonsense").contains("a key of the config"));
}

#[test]
fn a_command_mistyped_after_help_is_named_as_it_is_without() {
    says(&refused("help explian"), &["unrecognized subcommand", "did you mean `explain`?"]);
    says(&refused("explian"), &["unrecognized subcommand", "'explain'"]);
    assert!(!refused("help nonsense").contains("did you mean"));
}

#[test]
fn a_missing_argument_is_shown_by_an_example() {
    says(&refused("explain pretrained"), &["<NODE>", "For example: stcn explain runs/demo z.2"]);
    says(&refused("plot runs/demo"), &["--out", "For example: stcn plot runs/a runs/b --out"]);
    says(&refused("data prepare wav"), &["For example: stcn data prepare wav"]);
}

#[test]
fn a_number_that_is_none_is_told_what_is_wanted() {
    says(&refused("train --steps many"), &["--steps", "want a whole number, 0 or more"]);
    says(&refused("train --steps -5"), &["`-5`: want a number of 0 or more"]);
    says(&refused("train --minutes soon"), &["--minutes", "want a number, such as 0.5"]);
    says(&refused("train --threads 0"), &["--threads 0: want 1 or more", "all cores"]);
}

#[test]
fn words_that_are_nearly_right_are_recognised() {
    says(&refused("evaluate pretrianed"), &["did you mean `pretrained`?"]);
    says(&refused("train --model VRNN"), &["did you mean `vrnn`"]);
}

#[test]
fn a_run_is_not_resumed_to_fewer_updates_than_it_has() {
    let lab = Lab::new();
    lab.ok(&format!("train --out run --steps 4 {TINY}"));
    let before = std::fs::read(lab.path("run/config.toml")).unwrap();
    let output = lab.stcn("train --resume run --steps 2").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    says(&stderr(&output), &["--steps 2", "the run has made 4: give more than that"]);
    assert!(std::fs::read(lab.path("run/config.toml")).unwrap() == before, "nothing is written");
}

#[test]
fn samples_go_into_the_run_where_no_place_is_named() {
    let lab = Lab::new();
    lab.ok(&format!("train --out run --steps 2 {TINY}"));
    lab.ok("sample run --count 1 --steps 9");
    assert!(lab.path("run/samples/sample.svg").exists());
    lab.ok("sample pretrained --count 1 --steps 9");
    assert!(lab.path("samples/sample.svg").exists());
}

#[test]
fn the_end_of_a_run_says_where_its_best_is_and_a_line_comes_before_the_first_check() {
    let lab = Lab::new();
    let words = format!("train --out run --steps 13 --set train.eval_every=20 {TINY}");
    let output = lab.stcn(&words).output().unwrap();
    says(
        &stderr(&output),
        &["an update takes about", "with a line here, every", "(best so far, kept in latest.stcn)"],
    );
}

#[test]
fn the_small_suite_needs_no_file() {
    let lab = Lab::new();
    let listed = lab.ok("table smoke --list");
    assert!(listed.lines().count() > 1, "{listed}");
    assert!(listed.lines().all(|line| line.starts_with("stcn train")), "{listed}");
}
