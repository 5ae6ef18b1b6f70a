//! What several test modules share: the binary as a process, in a directory that vanishes.

pub mod allocator;
pub mod recordings;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use stcn::data::DataSet;
use stcn::models::Registry;
use stcn::train::{Config, Overrides};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, str};
use tempfile::TempDir;

/// A preset by the names that a user types.
pub fn preset(preset: &str, model: Option<&str>, head: Option<&str>) -> stcn::Result<Config> {
    let overrides = Overrides { preset: Some(preset), model, head, ..Overrides::default() };
    Config::resolve(&overrides, &Registry::default())
}

/// The SHA-256 of a file's bytes in hex; of a checkpoint, its `checkpoint_sha256`.
pub fn sha256_of(path: &Path) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(fs::read(path).unwrap()))
}

/// Sets those of `sizes` that the model has.
pub fn shrink(config: &mut Config, sizes: &[&str]) {
    let known = config.keys();
    let own = |size: &&&str| known.iter().any(|key| size.split('=').next() == Some(key));
    sizes.iter().filter(own).for_each(|size| config.set(size).unwrap());
}

/// A directory to run the binary in; names without a slash in front are looked for there.
pub struct Lab {
    dir: TempDir,
}

impl Lab {
    /// With `ink.npz`: ten lines of ink that nobody wrote, the shortest of 12 steps.
    pub fn new() -> Self {
        let lab = Self { dir: TempDir::new().unwrap() };
        ink(12).save(lab.path("ink.npz")).unwrap();
        lab
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// `stcn` with these words, to be started.
    pub fn stcn(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stcn"));
        command.args(words.split_whitespace()).current_dir(self.dir.path());
        command.env_remove("CLICOLOR_FORCE");
        command
    }

    /// What it wrote to stdout; panics unless it ended well.
    pub fn ok(&self, words: &str) -> String {
        let output = self.stcn(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "stcn {words}\n{}", stderr(&output));
        stdout(&output)
    }

    /// The objects it wrote to stdout, one a line and nothing else.
    pub fn json(&self, words: &str) -> Vec<Value> {
        let lines = self.ok(&format!("{words} --json"));
        let object = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert!(value.is_object(), "{line}");
            value
        };
        lines.lines().map(object).collect()
    }

    /// The sentence with which it refuses, having changed no file and written nothing to stdout.
    pub fn refused(&self, words: &str) -> String {
        let before = self.files("");
        let output = self.stcn(words).output().unwrap();
        let said = sentence(&output);
        assert_eq!(output.status.code(), Some(2), "stcn {words}\n{said}");
        assert_eq!(stdout(&output), "", "stcn {words}");
        assert!(self.files("") == before, "stcn {words}: changed files, and said {said}");
        said
    }

    /// Every file and directory below `name`, the files with their bytes; none if it is not there.
    pub fn files(&self, name: &str) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        fn walk(at: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                    found.insert(path, None);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    found.insert(path, Some(bytes));
                }
            }
        }
        let mut found = BTreeMap::new();
        if self.path(name).exists() {
            walk(&self.path(name), &mut found);
        }
        found
    }
}

/// Runs an ignored test in a process of its own, for what is counted for a whole process, with `words` in `STCN_COUNTED`;
/// gives the numbers that it prints after `counted`.
pub fn counted_alone(test: &str, words: &str) -> Vec<f64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("STCN_COUNTED", words);
    let output = command.output().unwrap();
    let text = stdout(&output);
    let line = text.lines().find_map(|line| line.strip_prefix("counted "));
    let line = line.unwrap_or_else(|| panic!("{test} {words}: {text}{}", stderr(&output)));
    line.split(' ').map(|number| number.parse().unwrap()).collect()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A named pipe, whose path it gives back: who opens it to read waits for somebody who writes.
#[cfg(unix)]
pub fn pipe(path: &Path) -> PathBuf {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    path.into()
}

/// The one line on stderr, without its `error: `.
#[track_caller]
pub fn sentence(output: &Output) -> String {
    let said = stderr(output);
    let line = said.strip_prefix("error: ").and_then(|rest| rest.strip_suffix('\n'));
    let line = line.filter(|line| !line.contains('\n'));
    line.unwrap_or_else(|| panic!("want one line `error: …`, found:\n{said}")).to_string()
}

/// Asserts that every one of `parts` is in `text`.
#[track_caller]
pub fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "want {part:?} in: {text}");
    }
}

/// Ten sequences, `shortest` steps long and longer: six to train on, two to validate, two to test.
pub fn ink(shortest: usize) -> DataSet {
    let sequence = |i: usize| {
        let steps = shortest + 3 * i;
        let row = |t: usize| {
            let lift = t % 7 == 6 || t + 1 == steps;
            [
                ((7 * i + 5 * t) % 11) as f32 - 4.,
                ((3 * i + t * t) % 13) as f32 - 6.,
                f32::from(u8::from(lift)),
            ]
        };
        (0..steps).flat_map(row).collect()
    };
    let split = vec![0, 0, 0, 1, 0, 2, 0, 1, 0, 2];
    DataSet::from_parts("ink", 3, (0..10).map(sequence).collect(), Some(split)).unwrap()
}

/// Files a little beside a good one: bytes written over, cut out, doubled and put in, and the end cut off.
pub fn mutations(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (0..4, any::<Index>(), any::<Index>(), any::<u8>());
    let cut = prop::option::weighted(0.2, any::<Index>());
    (prop::collection::vec(change, 1..6), cut).prop_map(move |(changes, cut)| {
        let mut bytes = good.clone();
        for (kind, a, b, byte) in changes {
            let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
            let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 40));
            match kind {
                0 => bytes[start..].iter_mut().take(1).for_each(|x| *x = byte),
                1 => drop(bytes.drain(start..end)),
                2 => bytes.extend_from_within(start..end),
                _ => bytes.insert(start, byte),
            }
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len() + 1)));
        bytes
    })
}
