//! A file system that fails at any call that writes to it: runs go on to the same bytes, other files are the old
//! ones or the new ones. The failing calls come from `faults.c`.
#![cfg(target_os = "linux")]

use super::killed::{Remains, begin_or_resume, checks, holds, remains};
use super::{TINY, trained};
use crate::common::recordings::wav;
use crate::common::{Lab, stderr, stdout};
use stcn::train::Checkpoint;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The library that makes calls fail.
pub struct Faults {
    folder: TempDir,
}

/// Which call fails, from 1; with `stays`, all after it too.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub at: usize,
    pub kind: &'static str,
    pub stays: bool,
}

/// The ways in which a call fails.
pub const KINDS: [(&str, bool); 5] =
    [("EIO", false), ("ENOSPC", false), ("SHORT", false), ("EIO", true), ("ENOSPC", true)];

impl Faults {
    /// `None`, and a line that says so, where there is no C compiler.
    pub fn new() -> Option<Self> {
        let faults = Self { folder: TempDir::new().unwrap() };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/faults.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(faults.library()).arg(source).arg("-ldl");
        match cc.output() {
            Ok(output) if output.status.success() => Some(faults),
            Ok(output) => panic!("{}", stderr(&output)),
            Err(e) => {
                println!("skipped: no C compiler: {e}");
                None
            }
        }
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("faults.so")
    }

    /// `stcn` with these words where this call fails.
    pub fn stcn(&self, lab: &Lab, words: &str, fault: Fault) -> Output {
        let mut command = lab.stcn(words);
        command.env("LD_PRELOAD", self.library()).env("FAULT", fault.kind);
        command.env("FAULT_AT", fault.at.to_string());
        command.env("FAULT_STAYS", u8::from(fault.stays).to_string());
        command.env("FAULT_CALLS", self.folder.path().join("calls"));
        command.output().unwrap()
    }

    /// How many calls the last `stcn` made.
    pub fn calls(&self) -> usize {
        fs::read_to_string(self.folder.path().join("calls")).unwrap().parse().unwrap()
    }
}

/// Asserts that a command ended well, or was refused with a sentence.
#[track_caller]
pub fn ended_or_refused(output: &Output, about: &str) {
    match output.status.code() {
        Some(0) => (),
        // Above it may stand that something was swept that an earlier one left.
        Some(2) => {
            let said = stderr(output);
            let last = said.lines().last().unwrap_or_default();
            assert!(last.starts_with("error: cannot "), "{about}: {said}");
        }
        code => panic!("{about}: {code:?}\n{}", stderr(output)),
    }
}

/// A run in which one call fails, and then another in each piece that goes on with it, by `faults_of`, until there
/// are no more: it ends as `straight`.
pub fn survives(faults: &Faults, words: &str, straight: &Remains, of_pieces: &[Fault]) {
    let lab = Lab::new();
    let mut reported = None;
    for fault in of_pieces {
        let output = faults.stcn(&lab, &begin_or_resume(&lab, words), *fault);
        ended_or_refused(&output, &format!("{of_pieces:?}"));
        let lines: Vec<String> = stdout(&output).lines().map(String::from).collect();
        reported = reported.max(checks(&lines).max());
        holds(&lab, reported);
    }
    lab.ok(&begin_or_resume(&lab, words));
    assert!(remains(&lab, "cut") == *straight, "{of_pieces:?}");
    let left = lab.files("cut");
    let left: Vec<_> = left.keys().filter(|p| p.extension().is_some_and(|e| e == "tmp")).collect();
    assert!(left.is_empty(), "{of_pieces:?}: {left:?}");
}

/// What a run leaves in which nothing fails, and how many calls it makes.
pub fn straight(faults: &Faults, words: &str) -> (Remains, usize) {
    let lab = Lab::new();
    let none = Fault { at: 0, kind: "EIO", stays: false };
    let output = faults.stcn(&lab, &format!("train --out cut {words} --json"), none);
    assert!(output.status.success(), "{}", stderr(&output));
    (remains(&lab, "cut"), faults.calls())
}

fn every_call(kinds: &[(&'static str, bool)]) {
    let Some(faults) = Faults::new() else { return };
    let words =
        format!("--data ink.npz --set train.eval_every=1 --set train.keep=2 {TINY} --steps 2");
    let (straight, calls) = straight(&faults, &words);
    assert!(calls > 10, "only {calls} calls were seen");
    for &(kind, stays) in kinds {
        for at in 1..=calls {
            survives(&faults, &words, &straight, &[Fault { at, kind, stays }]);
        }
    }
    println!("{} faults", calls * kinds.len());
}

#[test]
fn a_run_goes_on_to_the_same_bytes_whatever_call_fails() {
    every_call(&KINDS[3..4]);
}

#[test]
#[ignore = "make slow"]
fn a_run_goes_on_to_the_same_bytes_however_any_call_fails() {
    every_call(&KINDS);
}

#[test]
fn a_file_is_the_old_one_or_the_new_one_whatever_call_fails() {
    let Some(faults) = Faults::new() else { return };
    let lab = trained();
    fs::create_dir(lab.path("digits")).unwrap();
    lab.write("digits/a.wav", wav(8000, &[7; 800]));
    fs::create_dir(lab.path("drawn")).unwrap();
    for (words, files) in [
        ("export run --out x.safetensors", &["x.safetensors"][..]),
        ("data show ink.npz --out x.svg", &["x.svg"]),
        ("sample run --count 1 --steps 3 --out drawn", &["drawn/sample.npz", "drawn/sample.svg"]),
        (
            "data prepare wav --input digits --rate 8000 --split all-train --output x.npz",
            &["x.npz"],
        ),
    ] {
        lab.ok(words);
        let new: Vec<Vec<u8>> = files.iter().map(|file| lab.read(file)).collect();
        let mut calls = usize::MAX;
        let mut at = 0;
        while at <= calls {
            files.iter().for_each(|file| lab.write(file, "old"));
            let output = faults.stcn(&lab, words, Fault { at, kind: "ENOSPC", stays: true });
            ended_or_refused(&output, words);
            calls = if at == 0 { faults.calls() } else { calls };
            for (file, wanted) in files.iter().zip(&new) {
                let found = lab.read(file);
                assert!(found == b"old" || found == *wanted, "{words}: {file}, call {at}");
            }
            at += 1;
        }
        lab.ok(words);
        assert!(files.iter().zip(&new).all(|(file, new)| lab.read(file) == *new), "{words}");
        let left = lab.files("");
        assert!(!left.keys().any(|path| path.extension().is_some_and(|e| e == "tmp")), "{words}");
    }
}

/// A config alone would be a run to train from its first step, without the weights.
#[test]
fn an_import_is_a_run_with_its_weights_or_none_whatever_call_fails() {
    let Some(faults) = Faults::new() else { return };
    let lab = trained();
    lab.ok("export run --out x.safetensors");
    let mut calls = usize::MAX;
    let mut at = 0;
    while at <= calls {
        let words = "import x.safetensors --out other";
        let output = faults.stcn(&lab, words, Fault { at, kind: "ENOSPC", stays: true });
        ended_or_refused(&output, words);
        calls = if at == 0 { faults.calls() } else { calls };
        if output.status.success() || lab.path("other/config.toml").exists() {
            let weights = |run: &str| {
                let path = lab.path(format!("{run}/checkpoint/best.stcn"));
                Checkpoint::load(&path).unwrap().params
            };
            assert!(weights("other") == weights("run"), "call {at}");
        }
        if lab.path("other").exists() {
            fs::remove_dir_all(lab.path("other")).unwrap();
        }
        at += 1;
    }
    assert!(calls > 10, "only {calls} calls were seen");
}
