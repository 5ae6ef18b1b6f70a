use crate::common::{Lab, says};

#[test]
fn shells_and_man_know_every_command_and_flag() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lab.ok(&format!("completions {shell}"));
        says(&script, &["expect-sha256", "gradcheck", "evaluate", "table"]);
    }
    lab.ok("man --out man");
    let page = String::from_utf8(lab.read("man/stcn-train.1")).unwrap();
    says(&page, &[".TH", "expect\\-sha256", "preset"]);
    assert!(lab.files("man").len() > 15);
}

#[test]
fn help_is_there_for_who_types_it_first() {
    let lab = Lab::new();
    assert_eq!(lab.ok("help train"), lab.ok("train --help"));
    says(&lab.ok("help"), &["Usage: stcn", "train", "verify"]);
}
