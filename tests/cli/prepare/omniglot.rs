//! `stcn data prepare omniglot`: what is told of alphabets.

use crate::common::{Lab, says};
use std::fs;

fn lab() -> Lab {
    let lab = Lab::new();
    for (i, name) in ["Angelic", "Early_Aramaic", "Latin", "Tagalog"].iter().enumerate() {
        let folder = format!("strokes_background/{name}/character01");
        fs::create_dir_all(lab.path(&folder)).unwrap();
        let text = format!("START\n0,0,0\n{i},1,1\n2,{i},2\nBREAK\n");
        lab.write(&format!("{folder}/0001_01.txt"), text);
    }
    lab
}

const WORDS: &str = "data prepare omniglot --input strokes_background --output o.npz";

#[test]
fn alphabets_and_their_splits_are_told() {
    let lab = lab();
    let said = lab.ok(WORDS);
    says(
        &said,
        &["train 1 sequences, 2 steps", "  train Latin\n  valid Tagalog\n  test  Early_Aramaic\n"],
    );
    says(&said, &["left out 1 alphabets that are in neither small background set"]);
    says(&said, &["found 1 + 1 + 1 drawings, unlike the 4060 + 340 + 440 of the two small sets"]);
    let said = lab.ok(&format!("{WORDS} --test [AE]* --valid Tag*"));
    says(&said, &["  test  Angelic, Early_Aramaic\n"]);
    assert!(!said.contains("unlike"), "{said}");
    let line = &lab.json(&format!("{WORDS} --split all-train"))[0];
    assert_eq!(line["alphabets"]["train"].as_array().unwrap().len(), 4);
}

#[test]
fn words_that_make_no_sense_are_refused() {
    let lab = lab();
    let said = |more: &str| lab.refused(&format!("{WORDS} {more}"));
    says(&said("--split half"), &["--split half: want all-train or fractions:VALID,TEST,SEED"]);
    says(&said("--valid [a"), &["the pattern `[a` is invalid at character 1"]);
    says(&said("--valid Korean"), &["holds no alphabet that matches the pattern `Korean`"]);
}
