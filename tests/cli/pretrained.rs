//! The weights that come with the program: used by name, and made again to the same bytes.

use crate::common::{Lab, says};
use stcn::train::{ARITHMETIC, Checkpoint};

const FILE: &str = "data/pretrained/ink-tiny.stcn";

#[test]
fn the_weights_that_come_with_the_program_go_by_their_name() {
    let lab = Lab::new();
    let bytes = std::fs::read(FILE).unwrap();
    assert!(bytes.len() <= 500_000, "{} bytes", bytes.len());
    let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(checkpoint.header.arithmetic, ARITHMETIC, "make it again: make pretrained");
    lab.write("copy.stcn", &bytes);
    let elbo = |run: &str| lab.json(&format!("evaluate {run} --draws 1"))[0]["elbo_seq"].clone();
    assert_eq!(elbo("pretrained"), elbo("copy.stcn"));
    let line = &lab.json("sample pretrained --steps 30 --out drawn")[0];
    assert_eq!(
        (&line["checkpoint"], &line["step"]),
        (&"pretrained".into(), &checkpoint.header.step.into())
    );
    let lines = lab.json("train --init pretrained --out run --steps 1 --set data.crop=40");
    assert_eq!(lines.last().unwrap()["step"], 1);
    // What the program needs from a run directory, it says.
    says(
        &lab.refused("evaluate pretrained --draws 1 --save"),
        &["--save writes into a run directory", "pretrained is in none"],
    );
    says(&lab.refused("export pretrained --out x.stcn"), &["pretrained"]);
    // A run of that name comes first.
    lab.ok("train --init pretrained --out pretrained --steps 1 --set data.crop=40");
    let line = &lab.json("sample pretrained --steps 3 --out drawn")[0];
    assert_eq!(line["step"], 1);
}

#[cfg(not(feature = "f64"))] // which promises no bits
#[test]
#[ignore = "make slow"]
fn anybody_makes_them_again_to_the_same_bytes() {
    let lab = Lab::new();
    lab.ok("train --preset ink-tiny --out run");
    lab.ok("export run --out ink-tiny.stcn");
    assert!(
        lab.read("ink-tiny.stcn") == std::fs::read(FILE).unwrap(),
        "other bytes: make pretrained"
    );
}
