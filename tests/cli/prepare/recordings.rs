//! `stcn data prepare`: statistics, notes, bad arguments, and no file that is half there.

use crate::common::recordings::{meta, ramp, sphere, wav};
use crate::common::{Lab, says, stderr};
use stcn::data::DataSet;
use std::fs;

fn write(lab: &Lab, name: &str, bytes: Vec<u8>) {
    fs::create_dir_all(lab.path(name).parent().unwrap()).unwrap();
    lab.write(name, bytes);
}

/// A lab with a TIMIT of five utterances.
fn timit() -> Lab {
    let lab = Lab::new();
    for (i, name) in
        ["TRAIN/DR1/A/1", "TRAIN/DR1/A/2", "TRAIN/DR2/B/1", "TEST/DR1/C/1"].iter().enumerate()
    {
        write(&lab, &format!("TIMIT/{name}.WAV"), sphere(&ramp(i, 16_000)));
    }
    lab
}

#[test]
fn timit_is_prepared_and_counted() {
    let lab = timit();
    let words = "data prepare timit --input TIMIT --output timit.npz";
    let said = lab.ok(words);
    says(&said, &["timit.npz\n", "train 3 sequences, 120 steps", "valid 1 sequences, 40 steps"]);
    says(&said, &["test  1 sequences, 79 steps", "train mean"]);
    says(&said, &["found 3 + 1 utterances, unlike the 4620 + 1680 of TIMIT"]);
    let line = &lab.json(words)[0];
    assert_eq!(line["splits"][0]["sequences"], 3);
    assert_eq!(lab.json(&format!("{words} --segment 0"))[0]["splits"][0]["sequences"], 2);
    assert_eq!(
        lab.json(&format!("{words} --segment 10 --streams 3"))[0]["splits"][0]["sequences"],
        15
    );
    write(&lab, "valid.txt", b"train/dr1/a/2".to_vec());
    write(&lab, "train.txt", b"train/dr2/b/1".to_vec());
    let lists = format!("{words} --split lists --valid-list valid.txt --train-list train.txt");
    says(&lab.ok(&lists), &["left out 1 utterances that are in no list"]);
}

#[test]
fn timit_tells_whether_speakers_of_training_are_held_out() {
    let lab = timit();
    let words = "data prepare timit --input TIMIT --output timit.npz --segment 0";
    let said = lab.ok(words);
    says(&said, &["valid has 1 speakers, none of whom is in training"]);
    says(&said, &["test has 1 speakers, none of whom is in training"]);
    write(&lab, "valid.txt", b"train/dr1/a/2".to_vec());
    let said = lab.ok(&format!("{words} --split lists --valid-list valid.txt"));
    let parts = [
        "valid has 1 speakers, of whom 1 are in training too",
        "--split speakers keeps them apart",
    ];
    says(&said, &parts);
}

#[test]
fn blizzard_and_wav_are_prepared_and_counted() {
    let lab = Lab::new();
    for i in 0..10 {
        write(&lab, &format!("b/{i}.wav"), wav(16_000, &ramp(0, 16_500)));
    }
    let said = lab.ok("data prepare blizzard --input b --output b.npz --streams 2 --block 5");
    says(&said, &["train 18 sequences, 720 steps", "found 10 recordings of 0.00 hours"]);
    write(&lab, "b/short.wav", wav(8000, &ramp(0, 50)));
    let wav = "data prepare wav --input b --output w.npz";
    let said = lab.ok(&format!("{wav} --test [01].wav --valid 2* --frame 160"));
    says(&said, &["train 7 sequences", "test  2 sequences", "found 10 recordings, of which 0 had"]);
    says(&said, &["1 recordings shorter than a frame, left out"]);
    let line = &lab.json(&format!("{wav} --split fractions:0.1,0.2,1 --rate 8000"))[0];
    assert_eq!(line["splits"][2]["sequences"], 2);
    assert_eq!(line["file"], "w.npz");
    let output = lab.stcn(&format!("{wav} --split all-train --json")).output().unwrap();
    says(&stderr(&output), &["found 10 recordings", "left out"]);
}

#[test]
fn recordings_keep_their_rate_if_they_are_asked_to_and_all_have_it() {
    let lab = Lab::new();
    write(&lab, "b/1.wav", wav(8000, &ramp(0, 500)));
    write(&lab, "b/2.wav", wav(8000, &ramp(0, 500)));
    let words = "data prepare wav --input b --output w.npz --split all-train";
    let rate = |more: &str| {
        let said = lab.ok(&format!("{words} {more}"));
        (said, DataSet::open(lab.path("w.npz"), None).unwrap().rate())
    };
    let (said, recorded) = rate("--rate recorded");
    assert_eq!(recorded, Some(8000));
    says(&said, &["of which 0 had another rate"]);
    assert_eq!(rate("").1, Some(16_000));
    write(&lab, "b/3.wav", wav(16_000, &ramp(0, 500)));
    let said = lab.refused(&format!("{words} --rate recorded"));
    says(&said, &["b: holds 1.wav of 8000 samples per second and 3.wav of 16000, wanted one rate"]);
}

#[test]
fn words_that_make_no_sense_are_refused() {
    let lab = timit();
    let said =
        |words: &str| lab.refused(&format!("data prepare {words} --input TIMIT --output x.npz"));
    says(&said("timit --split lists"), &["--split lists needs --valid-list"]);
    says(&said("timit --valid-list a"), &["need --split lists"]);
    says(&said("timit --test-list a"), &["need --split lists"]);
    says(&said("timit --split random"), &["--split random: want speakers, utterances or lists"]);
    says(&said("timit --streams 0"), &["--streams 0: want 1 to 1024"]);
    says(&said("timit --segment 4000000000"), &["--segment 4000000000: want 0 to 1048576"]);
    says(&said("blizzard --streams 1025"), &["--streams 1025: want 1 to 1024"]);
    says(&said("blizzard --block 0"), &["--block 0: want 1"]);
    says(
        &said("wav"),
        &["there is no default split", "--split fractions:0.1,0.1,1", "--valid and --test"],
    );
    let rate = |rate| said(&format!("wav --split all-train --rate {rate}"));
    for other in ["999", "768001"] {
        let parts = [&format!("--rate {other}: want samples per second from 1000 to 768000")[..]];
        says(&rate(other), &parts);
    }
    says(&rate("fast"), &["--rate fast: want samples per second, such as 16000, or recorded"]);
    says(&said("wav --split all-train --frame 0"), &["--frame 0: want 1 to 65536"]);
    says(&said("wav --split most"), &["--split most: want all-train", "fractions:0.1,0.1,1"]);
    let long = said("wav --split all-train --frame 65536");
    says(&long, &["TIMIT: has 4 recordings, all shorter than a frame of 65536", "smaller --frame"]);
    says(&said("wav --test [0-4"), &["the pattern `[0-4` is invalid at character 1"]);
    let words = "data prepare wav --split all-train --input TIMIT --output x.zip";
    says(&lab.refused(words), &["--output x.zip: want a name that ends in .npz"]);
}

#[test]
fn a_damaged_recording_leaves_no_file_behind() {
    let lab = timit();
    write(&lab, "TIMIT/TEST/DR1/C/2.WAV", sphere(&ramp(0, 500))[..1500].to_vec());
    for kind in ["timit", "blizzard --streams 1", "wav --split all-train"] {
        let said = lab.refused(&format!("data prepare {kind} --input TIMIT --output x.npz"));
        says(&said, &["2.WAV: has 1500 bytes", "need 2024", "copy the original again"]);
    }
}

#[test]
fn a_timit_with_nothing_to_train_on_is_refused() {
    let lab = Lab::new();
    write(&lab, "TIMIT/TEST/DR1/C/1.WAV", sphere(&ramp(0, 500)));
    let said = lab.refused("data prepare timit --input TIMIT --output x.npz");
    says(&said, &["TIMIT: has 0 utterances below TRAIN and 1 below TEST", "top folder as --input"]);
}

#[test]
fn a_set_takes_the_place_of_an_older_one_with_all_that_was_told_of_it() {
    let lab = timit();
    lab.ok("data prepare timit --input TIMIT --output x.npz");
    assert!(!meta(&lab.path("x.npz")).is_empty());
    lab.ok("data prepare blizzard --streams 1 --block 2 --input TIMIT --output x.npz");
    assert!(meta(&lab.path("x.npz")).is_empty());
}

#[test]
fn another_run_at_the_same_file_is_not_disturbed_and_a_folder_is_none() {
    let lab = timit();
    let words = "data prepare timit --input TIMIT --output x.npz";
    let name = ".x.npz.tmp";
    let another = fs::File::create(lab.path(name)).unwrap();
    another.lock().unwrap();
    let said = lab.refused(words);
    says(&said, &["is being written by another run: wait for it, or name another file"]);
    // The other one is killed, and what it left is nobody's. (Its end would do, but for processes that other
    // tests are just starting, which have its files for a moment.)
    another.unlock().unwrap();
    let output = lab.stcn(words).output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output), format!("removed {name}, left by a run that was killed\n"));
    assert!(!lab.path(name).exists());
    fs::create_dir(lab.path("y.npz")).unwrap();
    let said = lab.refused("data prepare timit --input TIMIT --output y.npz");
    says(&said, &["y.npz: is a folder; name a file in it"]);
}

/// Killed at the n-th call of each system call that gives files their names and places, from the first to the last.
#[cfg(target_os = "linux")]
#[test]
fn a_set_killed_at_any_call_is_the_old_one_or_the_new_one_with_all_that_is_known_of_it() {
    use std::process::Command;
    // A program that makes no such call must run through: else strace may not trace here.
    let probe = ["-o", "/dev/null", "-e", "inject=rename:signal=SIGKILL:when=1", "true"];
    if !Command::new("strace").args(probe).output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: no strace that may kill at a chosen system call");
    }
    let lab = timit();
    let words = "data prepare timit --input TIMIT --output x.npz";
    // All files that are named after the set.
    let made = || {
        let mut files = lab.files("");
        files.retain(|path, _| path.to_string_lossy().contains("x.npz"));
        files
    };
    lab.ok(&format!("{words} --segment 20"));
    let old = made();
    lab.ok(words);
    let new = made();
    assert!(old.keys().eq(new.keys()) && old.keys().all(|path| old[path] != new[path]));
    let mut kills = 0;
    for call in ["write", "rename", "unlink", "fsync"] {
        for n in 1.. {
            assert!(n < 1000, "{call}: killed without end");
            for (path, bytes) in &old {
                fs::write(path, bytes.as_ref().unwrap()).unwrap();
            }
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")]);
            strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={n}")]);
            strace.arg(env!("CARGO_BIN_EXE_stcn")).args(words.split_whitespace());
            let output = strace.current_dir(lab.path("")).output().unwrap();
            if output.status.success() {
                break;
            }
            kills += 1;
            let mut found = made();
            found.retain(|path, _| path.extension().is_none_or(|e| e != "tmp"));
            assert!(found == old || found == new, "{call} {n}: {:?}", found.keys());
            lab.ok(words);
            assert!(made() == new, "{call} {n}: the next one left {:?}", made().keys());
        }
    }
    println!("{kills} kills");
    assert!(kills >= 5, "{kills} kills");
}
