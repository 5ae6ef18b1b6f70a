//! Runs killed with SIGKILL at any moment and at every system call that writes a checkpoint, and disks that
//! fill up or turn read-only under them: they go on to the same bits.
#![cfg(target_os = "linux")]

use super::{IMPATIENT, TINY, tiny};
use crate::common::{Lab, stderr};
use serde_json::Value;
use stcn::Noise;
use stcn::train::Checkpoint;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run leaves behind but for clocks: both checkpoints, the steps of its metrics, what it has kept and what it has drawn.
pub type Remains = (Vec<u8>, Vec<u8>, Vec<String>, Vec<(String, Vec<u8>)>);

/// The same of the run `run`.
pub fn remains(lab: &Lab, run: &str) -> Remains {
    let csv = String::from_utf8(lab.read(&format!("{run}/metrics.csv"))).unwrap();
    let steps = csv.lines().map(|row| row.split(',').next().unwrap().to_string()).collect();
    let [latest, best] =
        ["latest", "best"].map(|name| lab.read(&format!("{run}/checkpoint/{name}.stcn")));
    let kept = ["kept", "samples"].into_iter().flat_map(|name| lab.files(&format!("{run}/{name}")));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let kept = kept.map(|(path, bytes)| (name(&path), bytes.unwrap())).collect();
    (latest, best, steps, kept)
}

/// The steps of the checks that JSON lines tell of: each is told once it is saved.
pub fn checks(lines: &[String]) -> impl Iterator<Item = u64> {
    let checked = |line: &String| {
        let line: Value = serde_json::from_str(line).ok()?; // the last may be cut short
        line.get("valid_elbo_seq").map(|_| line["step"].as_u64().unwrap())
    };
    lines.iter().filter_map(checked)
}

/// Asserts that the run `cut` has all that it reported saved, up to the step `reported`, and that its checkpoints
/// belong together.
pub fn holds(lab: &Lab, reported: Option<u64>) {
    let load = |name: &str| {
        let path = lab.path(format!("cut/checkpoint/{name}.stcn"));
        path.exists().then(|| Checkpoint::load(&path).unwrap().header)
    };
    let (latest, best) = (load("latest"), load("best"));
    assert!(latest.as_ref().map(|latest| latest.step) >= reported, "reported saved, and lost");
    let of =
        |header: Option<stcn::train::Header>| header.and_then(|header| header.best_step.into());
    assert!(
        of(best) >= of(latest).filter(|step: &u64| *step > 0),
        "latest knows a best that was lost"
    );
}

/// The words that begin the run `cut`, or go on with it where it has begun.
pub fn begin_or_resume(lab: &Lab, words: &str) -> String {
    match lab.path("cut/config.toml").exists() {
        true => "train --resume cut --json".into(),
        false => format!("train --out cut {words} --json"),
    }
}

/// Starts or resumes the run `cut`, sends it `signal` after `wait` unless it has ended, and checks that what it
/// reported saved is there. Whether it was stopped.
pub fn kill_after(lab: &Lab, words: &str, wait: Duration, signal: &str) -> bool {
    let words = begin_or_resume(lab, words);
    let mut child = lab.stcn(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (mut seen, mut line) = (vec![], String::new());
        while lines.read_line(&mut line).is_ok_and(|n| n > 0) {
            seen.push(std::mem::take(&mut line));
        }
        seen
    });
    // Not for anything to have happened: so that the kill falls anywhere.
    std::thread::sleep(wait);
    // One that has ended is still there to be sent a signal, until it is waited for.
    let send = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &send]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    holds(lab, checks(&reader.join().unwrap()).max());
    let stopped = matches!(output.status.code(), None | Some(130));
    assert!(stopped || output.status.success(), "{}", stderr(&output));
    stopped
}

/// Kills a run again and again until it ends, and compares it with one left alone; gives how many kills it
/// took.
fn killed_until_done(lab: &Lab, straight: &str, words: &str, seed: u64) -> usize {
    let start = Instant::now();
    lab.ok(&format!("train --out straight {straight}"));
    let whole = start.elapsed();
    let (mut kills, noise) = (0, Noise::new(seed, "kills"));
    loop {
        let mut share = [0.];
        noise.uniforms("wait", kills as u64, 0, &mut share);
        // Up to half the run: each piece gets somewhere, none gets through at once.
        if !kill_after(lab, words, whole.mul_f64(0.5 * f64::from(share[0])), "KILL") {
            break;
        }
        kills += 1;
    }
    let (cut, straight) = (remains(lab, "cut"), remains(lab, "straight"));
    assert!(cut == straight, "after {kills} kills: {:?}, not {:?}", cut.2, straight.2);
    kills
}

/// A checkpoint at every step, some that stay, and pictures: most of the time goes into writing.
const WRITING: &str =
    "--data ink.npz --set train.eval_every=1 --set train.keep=3 --set train.sample_every=4";

#[test]
fn a_run_killed_again_and_again_ends_in_the_same_bytes() {
    for (seed, model) in ["stcn-dense", "wavenet"].into_iter().enumerate() {
        let words = format!("{WRITING} {} --steps 40", tiny(model));
        let kills = killed_until_done(&Lab::new(), &words, &words, seed as u64);
        println!("{model}: {kills} kills");
    }
}

#[test]
fn a_run_on_data_on_the_disk_killed_again_and_again_ends_in_the_bytes_of_one_in_memory() {
    let lab = Lab::new();
    let mut writer = stcn::data::Writer::create(lab.path("stored.npz"), 3, &[]).unwrap();
    let ink = crate::common::ink(12);
    for i in 0..ink.len() {
        writer.push(&ink.sequence(i).unwrap(), ink.split_of(i), &[]).unwrap();
    }
    writer.finish().unwrap();
    let words =
        format!("--data stored.npz --set train.eval_every=1 {TINY} --steps 40 --dequantise");
    let disk = format!("{words} --set data.in_memory=0");
    println!("{} kills", killed_until_done(&lab, &words, &disk, 9));
}

#[test]
#[ignore = "make slow"]
fn two_hundred_kills_lose_no_bit() {
    let (mut kills, mut runs) = (0, 0);
    while kills < 200 {
        let model = ["stcn-dense", "wavenet", "stcn", "wavenet-dense"][runs % 4];
        let large = format!("--model {model} --set model.channels=48 --set train.batch=4");
        let sizes = if runs % 2 == 0 { tiny(model) } else { large };
        let eval_every = 1 + runs % 3;
        let words = format!("{WRITING} {sizes} --set train.eval_every={eval_every} --steps 60");
        kills += killed_until_done(&Lab::new(), &words, &words, 100 + runs as u64);
        runs += 1;
    }
    println!("{kills} kills in {runs} runs, every run to the bytes of one that was left alone");
}

/// Whether this machine lets strace kill at a chosen system call.
fn may_kill_at_calls() -> bool {
    // A program that makes no such call must run through: else strace may not trace here.
    let probe = ["-o", "/dev/null", "-e", "inject=rename:signal=SIGKILL:when=1", "true"];
    let may = Command::new("strace").args(probe).output().is_ok_and(|out| out.status.success());
    if !may {
        println!("skipped: no strace that may kill at a chosen system call");
    }
    may
}

/// Kills a training at its n-th `call`, from the first to the last, resumes it, and compares it with one left alone;
/// gives how many kills that were.
fn killed_at_each(call: &str, words: &str) -> usize {
    let straight = Lab::new();
    straight.ok(&format!("train --out cut {words}"));
    let straight = remains(&straight, "cut");
    for n in 1.. {
        assert!(n < 100, "{call}: killed without end");
        let lab = Lab::new();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={n}")]);
        strace.arg(env!("CARGO_BIN_EXE_stcn")).args(["train", "--out", "cut"]);
        strace.args(words.split_whitespace()).current_dir(lab.path(""));
        let output = strace.output().unwrap();
        if output.status.success() {
            assert!(n > 1, "no {call} was seen");
            return n - 1;
        }
        let begun = lab.path("cut/config.toml").exists();
        lab.ok(&if begun {
            "train --resume cut".into()
        } else {
            format!("train --out cut {words}")
        });
        assert!(remains(&lab, "cut") == straight, "killed at {call} number {n}");
    }
    unreachable!("a run makes no end of calls")
}

#[test]
fn a_run_killed_at_any_call_that_writes_a_file_ends_in_the_same_bytes() {
    if may_kill_at_calls() {
        let words = format!("{WRITING} {TINY} --steps 3");
        let kills = ["rename", "fsync", "mkdir", "unlink"].map(|call| killed_at_each(call, &words));
        println!("{kills:?} kills");
    }
}

/// Regression, 23 November 2026: killed at its last fsync, it trained on.
#[test]
fn a_run_that_stopped_early_and_was_killed_at_any_fsync_ends_in_the_same_bytes() {
    if may_kill_at_calls() {
        let words = format!("--data ink.npz {TINY} {IMPATIENT} --steps 10");
        println!("{} kills", killed_at_each("fsync", &words));
    }
}

#[test]
fn a_run_that_ends_off_its_schedule_and_was_killed_at_any_fsync_ends_in_the_same_bytes() {
    if may_kill_at_calls() {
        let words = format!("--data ink.npz {TINY} --set train.eval_every=2 --steps 3");
        println!("{} kills", killed_at_each("fsync", &words));
    }
}

/// What a training, a resumed one on the disk turned read-only, and one on a larger disk say and leave.
#[test]
fn a_disk_that_fills_up_and_turns_read_only_loses_nothing() {
    let lab = Lab::new();
    let words = format!("{WRITING} {TINY} --set model.channels=24");
    lab.ok(&format!("train --out straight {words} --steps 6"));
    let size = lab.read("straight/checkpoint/latest.stcn").len() / 1024;
    // Room for two checkpoints and a half, where a third is being written before it replaces one.
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size={}k none disk || exit 77
        cp ink.npz . 2>/dev/null
        $STCN train --out disk/run {words} --steps 6 2>first; echo $? >codes
        ls -A disk/run/checkpoint >left
        mount -o remount,ro disk
        $STCN train --resume disk/run 2>second; echo $? >>codes
        mount -o remount,rw,size=100m disk
        $STCN train --resume disk/run --steps 6; echo $? >>codes
        cp -r disk/run cut",
        size * 5 / 2 + 16
    );
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-c", &script]).env("STCN", env!("CARGO_BIN_EXE_stcn"));
    let output = unshare.current_dir(lab.path("")).output();
    if !output.as_ref().is_ok_and(|output| output.status.success()) {
        return println!("skipped: no right to mount a tmpfs in a namespace of its own");
    }
    let text = |name: &str| String::from_utf8(lab.read(name)).unwrap();
    assert_eq!(text("codes"), "2\n2\n0\n", "{}\n{}", text("first"), text("second"));
    let first = text("first");
    assert!(
        first.contains("error: cannot write disk/run/checkpoint/")
            && first.contains("No space left"),
        "{first}"
    );
    assert!(!text("left").contains(".tmp"), "{}", text("left"));
    let second = text("second");
    assert!(
        second.contains("error: cannot write disk/run/lock: Read-only file system"),
        "{second}"
    );
    assert!(remains(&lab, "cut") == remains(&lab, "straight"));
}
