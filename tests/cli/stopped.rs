//! Runs that end before their time: Ctrl-C, kills, a full disk, a second writer, a reader that goes away.

use super::{TINY, last, sha256, trained};
use crate::common::recordings::wav;
use crate::common::{Lab, says, sentence, stderr, stdout};
use serde_json::Value;
use stcn::train::Checkpoint;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

/// A run that nobody waits for; should a test lose it, it ends by itself.
const LONG: &str = "--steps 100000000 --minutes 2 --data ink.npz --json";

/// Starts a run, waits for `line` JSON lines, sends it a signal, and gives what it wrote after that.
fn cut(lab: &Lab, words: &str, lines: usize, signal: &str) -> Output {
    let mut command = lab.stcn(words);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(run.stdout.take().unwrap());
    for _ in 0..lines {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with('{'), "{line}");
    }
    let kill = format!("kill -{signal} {}", run.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut rest = vec![];
    stdout.read_to_end(&mut rest).unwrap();
    Output { stdout: rest, ..run.wait_with_output().unwrap() }
}

fn step_of(lab: &Lab, run: &str) -> u64 {
    let path = lab.path(format!("{run}/checkpoint/latest.stcn"));
    Checkpoint::load(&path).unwrap().header.step
}

/// Asserts that the run `cut` goes on to the bits of one that was never stopped.
#[track_caller]
fn goes_on_to_the_same_bits(lab: &Lab, config: &str) {
    let steps = step_of(lab, "cut") + 3;
    let resumed = sha256(lab, &format!("train --resume cut --steps {steps} --threads 3"));
    let words = format!("train --data ink.npz --out straight --steps {steps} {config}");
    assert_eq!(resumed, sha256(lab, &words));
    assert!(!lab.path("cut/checkpoint/.latest.stcn.tmp").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_data_set_for_which_the_disk_is_too_small_leaves_nothing() {
    let lab = Lab::new();
    fs::create_dir(lab.path("digits")).unwrap();
    lab.write("digits/a.wav", wav(8000, &[7; 80_000]));
    let before = lab.files("");
    let words = "data prepare wav --input digits --rate 8000 --split all-train --output digits.npz";
    let output = on_a_small_disk(&lab, words, true, 4);
    assert_eq!(output.status.code(), Some(2));
    says(&sentence(&output), &["cannot write digits.npz: "]);
    assert!(lab.files("") == before);
}

#[cfg(unix)]
#[test]
fn a_data_set_that_is_stopped_on_its_way_leaves_nothing() {
    let lab = Lab::new();
    fs::create_dir(lab.path("digits")).unwrap();
    let noise: Vec<i16> = (0..8000 * 600_i64).map(|i| (i * i % 2003) as i16).collect();
    lab.write("digits/a.wav", wav(8000, &noise[..80_000]));
    lab.write("digits/b.wav", wav(8000, &noise)); // takes seconds to bring to another rate
    let words = "data prepare wav --input digits --split all-train --output digits.npz";
    let mut command = lab.stcn(words);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let written = || fs::metadata(lab.path(".digits.npz.tmp")).map_or(0, |about| about.len());
    while written() == 0 {
        std::thread::yield_now();
    }
    let kill = format!("kill -INT {}", run.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    says(&stderr(&output), &["error: stopped; nothing was written"]);
    let left: Vec<_> = lab.files("").into_keys().collect();
    assert_eq!(left.len(), 4, "{left:?}"); // ink.npz, the folder and its two recordings
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_save_exit_130_and_lose_no_bit() {
    for signal in ["INT", "TERM"] {
        let lab = Lab::new();
        let config = format!("{TINY} --set train.eval_every=1000000");
        let output = cut(&lab, &format!("train --out cut {LONG} {config}"), 1, signal);
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        says(&sentence(&output), &["stopped; the state is saved"]);
        let lines = stdout(&output);
        let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!((&line["done"], &line["step"]), (&false.into(), &step_of(&lab, "cut").into()));
        let sha = crate::common::sha256_of(&lab.path("cut/checkpoint/latest.stcn"));
        assert_eq!(line["checkpoint_sha256"], sha);
        goes_on_to_the_same_bits(&lab, &config);
    }
}

#[cfg(unix)]
#[test]
fn a_kill_loses_what_came_after_the_last_check_and_no_bit() {
    let lab = Lab::new();
    let config = format!("{TINY} --set train.eval_every=3");
    // The lines of step 1 and of the checks at 3 and 6.
    let output = cut(&lab, &format!("train --out cut {LONG} {config}"), 3, "KILL");
    assert_eq!(output.status.code(), None);
    let step = step_of(&lab, "cut");
    assert!(step >= 3 && step.is_multiple_of(3), "{step}");
    goes_on_to_the_same_bits(&lab, &config);
}

#[cfg(unix)]
#[test]
fn a_run_killed_before_its_first_check_can_be_resumed() {
    let lab = Lab::new();
    let config = format!("{TINY} --set train.eval_every=1000000");
    cut(&lab, &format!("train --out cut {LONG} {config}"), 1, "KILL");
    assert_eq!(step_of(&lab, "cut"), 0);
    goes_on_to_the_same_bits(&lab, &config);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_begins_again() {
    let lab = Lab::new();
    let straight = sha256(&lab, &format!("train --data ink.npz --out run --steps 3 {TINY}"));
    for name in ["checkpoint/latest.stcn", "checkpoint/best.stcn", "metrics.csv"] {
        fs::remove_file(lab.path("run").join(name)).unwrap();
    }
    let again = format!("train --data ink.npz --out run --steps 3 {TINY}");
    says(&lab.refused(&again), &["run: holds a run already", "stcn train --resume run"]);
    assert_eq!(sha256(&lab, "train --resume run"), straight);
}

/// `stcn` in a shell where no file may grow beyond `ulimit -f` blocks, with that signal ignored or not.
fn on_a_small_disk(lab: &Lab, words: &str, ignored: bool, blocks: usize) -> Output {
    let ignore = if ignored { "trap '' XFSZ; " } else { "" };
    let shell = format!("{ignore}ulimit -c 0; ulimit -f {blocks}; exec \"$STCN\" {words}");
    let mut command = Command::new("sh");
    command.args(["-c", &shell]).env("STCN", env!("CARGO_BIN_EXE_stcn"));
    command.current_dir(lab.path("")).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_checkpoint_and_the_run_goes_on_to_the_same_bits() {
    for ignored in [true, false] {
        let lab = trained();
        let old = lab.read("run/checkpoint/latest.stcn");
        assert!(old.len() > 8192, "too small for the limit: {}", old.len());
        let output = on_a_small_disk(&lab, "train --resume run --steps 9", ignored, 16);
        if ignored {
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            let last = stderr(&output).lines().last().unwrap().to_string();
            // As long as no check was due, the last state is the best known, and saved as that first.
            let parts = ["error: cannot write run/checkpoint/best.stcn: ", "File too large"];
            says(&last, &parts);
            assert!(!lab.path("run/checkpoint/.best.stcn.tmp").exists());
        } else {
            assert_eq!(output.status.code(), None, "{}", stderr(&output)); // killed by SIGXFSZ
        }
        assert_eq!(lab.read("run/checkpoint/latest.stcn"), old);
        let resumed = sha256(&lab, "train --resume run --steps 9");
        let words = format!("train --data ink.npz --out straight --steps 9 {TINY}");
        assert_eq!(resumed, sha256(&lab, &words));
        assert_eq!(lab.files("run/checkpoint").len(), 2);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_first_checkpoint_found_the_disk_full_begins_again() {
    let lab = Lab::new();
    let train = format!("train --data ink.npz --steps 3 {TINY} --out");
    let output = on_a_small_disk(&lab, &format!("{train} run"), true, 16); // holds the config and its schema
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    says(&stderr(&output), &["error: cannot write run/checkpoint/latest.stcn: File too large"]);
    assert!(lab.files("run/checkpoint").is_empty());
    let straight = sha256(&lab, &format!("{train} straight"));
    assert_eq!(sha256(&lab, "train --resume run"), straight);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_export() {
    let lab = trained();
    for words in ["export run --out x.safetensors", "inspect run --dump x.safetensors"] {
        let before = lab.files("");
        let output = on_a_small_disk(&lab, words, true, 4);
        assert_eq!(output.status.code(), Some(2));
        says(&sentence(&output), &["cannot write x.safetensors: File too large"]);
        assert!(lab.files("") == before, "{words}");
    }
}

#[test]
fn a_finished_run_is_not_written_over() {
    let lab = trained();
    let cure = "run: holds a run already: resume it with `stcn train --resume run` or choose another --out";
    says(&lab.refused(&format!("train --data ink.npz --out run --steps 3 {TINY}")), &[cure]);
    lab.ok("export run --out x.safetensors");
    says(&lab.refused("import x.safetensors --out run"), &[cure]);
}

#[test]
fn a_run_under_way_is_not_written_by_another() {
    let lab = trained();
    let lock = File::options().append(true).open(lab.path("run/lock")).unwrap();
    lock.lock().unwrap();
    let cure = "run: is being written by another stcn: wait for it or choose another --out";
    says(&lab.refused(&format!("train --data ink.npz --out run --steps 3 {TINY}")), &[cure]);
    says(&lab.refused("train --resume run --steps 5"), &[cure]);
    lab.ok("evaluate run"); // looking is allowed
    drop(lock);
    lab.ok("train --resume run --steps 5");
}

#[cfg(unix)]
#[test]
fn a_training_whose_reader_goes_away_saves_and_stops() {
    let lab = Lab::new();
    let config = format!("{TINY} --set train.eval_every=1000000");
    let mut command = lab.stcn(&format!("train --out cut {LONG} {config}"));
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = run.wait_with_output().unwrap(); // the reader above is gone
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    says(&sentence(&output), &["stopped; the state is saved"]);
    assert!(step_of(&lab, "cut") >= 1);
    goes_on_to_the_same_bits(&lab, &config);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_a_listing_quietly() {
    let lab = trained();
    for words in ["inspect run --table", "list", "evaluate run"] {
        let mut run =
            lab.stcn(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(run.stdout.take());
        let output = run.wait_with_output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{words}");
    }
}

#[test]
fn minutes_end_a_run_as_its_last_step_does() {
    let lab = Lab::new();
    let words = format!("train --data ink.npz --out run --steps 100000000 --minutes 0.0005 {TINY}");
    let lines = lab.json(&words);
    assert_eq!(last(&lines)["done"], true);
    assert_eq!(last(&lines)["step"], step_of(&lab, "run"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_or_closed_stderr_changes_no_exit_code() {
    let lab = trained();
    for (words, code) in [
        ("list --threads 9999", 2),
        ("evaluate nowhere", 2),
        ("train --sed 3", 2),
        ("train --resume run --steps 4", 0),
    ] {
        for to in ["2>/dev/full", "2>&-"] {
            let shell = format!("exec \"$STCN\" {words} {to} >/dev/null");
            let mut command = Command::new("sh");
            command.args(["-c", &shell]).env("STCN", env!("CARGO_BIN_EXE_stcn"));
            let status = command.current_dir(lab.path("")).status().unwrap();
            assert_eq!(status.code(), Some(code), "{words} {to}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_told() {
    let lab = trained();
    let run = |words: &str| {
        let shell = format!("exec \"$STCN\" {words} >/dev/full");
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).env("STCN", env!("CARGO_BIN_EXE_stcn"));
        command.current_dir(lab.path("")).output().unwrap()
    };
    let full = "error: cannot write to stdout: No space left on device (os error 28)\n";
    for words in ["list", "evaluate run", "data show ink.npz"] {
        let output = run(words);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(2), full), "{words}");
    }
    // A run is saved first.
    let output = run(&format!("train --out cut {LONG} {TINY}"));
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(stderr(&output), format!("{full}error: stopped; the state is saved\n"));
    assert!(step_of(&lab, "cut") >= 1);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_told_as_well_as_they_can_be() {
    use std::os::unix::ffi::OsStrExt;
    let lab = trained();
    let name = std::ffi::OsStr::from_bytes(b"r\xff");
    let json = |words: &str| {
        let output = lab.stcn(words).arg(name).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let lines = stdout(&output);
        serde_json::from_str::<Value>(lines.lines().last().unwrap()).unwrap()
    };
    let line = json(&format!("train --data ink.npz --steps 1 {TINY} --out"));
    assert_eq!(line["run"], "r\u{fffd}");
    assert_eq!(json("evaluate run --against")["against"]["run"], "r\u{fffd}");
    let drawn = json("sample run --count 1 --steps 3 --out");
    assert_eq!(drawn["files"][0], "r\u{fffd}/sample.npz");
    fs::create_dir(lab.path("digits")).unwrap();
    lab.write("digits/a.wav", wav(8000, &[7; 8000]));
    let name = std::ffi::OsStr::from_bytes(b"d\xff.npz");
    let words = "data prepare wav --input digits --rate 8000 --split all-train --json --output";
    let output = lab.stcn(words).arg(name).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let line: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(line["file"], "d\u{fffd}.npz");
}

#[cfg(unix)]
#[test]
fn outputs_that_are_no_files_are_left_as_they_are() {
    let lab = trained();
    let pipe = crate::common::pipe(&lab.path("pipe.safetensors"));
    std::os::unix::fs::symlink("/dev/null", lab.path("null.svg")).unwrap();
    for words in ["export run --out pipe.safetensors", "inspect run --dump pipe.safetensors"] {
        let output = lab.stcn(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        says(
            &stderr(&output),
            &["pipe.safetensors: is a device or a pipe, not a file; name a file"],
        );
    }
    let output = lab.stcn("data show ink.npz --out null.svg").output().unwrap();
    says(&stderr(&output), &["null.svg: is a device or a pipe, not a file; name a file"]);
    assert!(fs::symlink_metadata(lab.path("null.svg")).unwrap().is_symlink());
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    // Nor is what a run finds in the place of its own files.
    fs::remove_file(lab.path("run/lock")).unwrap();
    crate::common::pipe(&lab.path("run/lock"));
    let output = lab.stcn("train --resume run --steps 5").output().unwrap();
    says(&sentence(&output), &["run/lock: is not a file: move it away"]);
    fs::remove_file(lab.path("run/lock")).unwrap();
    std::os::unix::fs::symlink("../../ink.npz", lab.path("run/checkpoint/.latest.stcn.tmp"))
        .unwrap();
    let ink = lab.read("ink.npz");
    let output = lab.stcn("train --resume run --steps 5").output().unwrap();
    says(&sentence(&output), &["run/checkpoint/.latest.stcn.tmp: is not a regular file"]);
    assert!(lab.read("ink.npz") == ink);
}

#[test]
fn what_a_killed_run_was_writing_is_gone_when_it_goes_on() {
    let lab = trained();
    for name in [
        "run/.config.toml.tmp",
        "run/.config.schema.json.tmp",
        "run/checkpoint/.latest.stcn.tmp",
        "run/checkpoint/.best.stcn.tmp",
        "run/samples/.step-000002.svg.tmp",
    ] {
        lab.write(name, "half");
    }
    lab.ok("train --resume run --steps 3");
    assert!(!lab.files("run").keys().any(|path| path.extension().is_some_and(|e| e == "tmp")));
}
