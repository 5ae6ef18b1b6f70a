//! The binary as a process: exit codes, sentences, files written, nothing half-written, the same bits.

mod args;
mod bench;
mod colour;
mod completions;
mod config;
mod cure;
mod damaged;
mod data;
mod diverged;
mod evaluate;
mod explain;
mod faults;
mod gradcheck;
mod history;
mod inspect;
mod killed;
mod list;
mod page;
mod pass;
mod plot;
mod prepare;
mod pretrained;
mod profile;
mod ranks;
mod resumed;
mod safetensors;
mod same_bits;
mod sample;
mod schema;
mod screen;
mod series;
mod stopped;
#[cfg(not(feature = "f64"))] // for its small sizes, the matrix of bits is asked
mod storm;
mod table;
mod train;
mod trained;
#[cfg(not(feature = "f64"))] // which promises no bits
mod verify;

use crate::common::Lab;
use serde_json::Value;

/// The smallest model that has everything.
const TINY: &str = "--set model.channels=4 --set model.latents=[2,1] --set model.blocks_per_latent=1 \
                    --set model.latent_layers=1 --set model.output_layers=1 --set train.batch=4";

/// The same of another model.
fn tiny(model: &str) -> String {
    let sizes = match model {
        "stcn" | "stcn-dense" => return format!("--model {model} {TINY}"),
        "wavenet" | "wavenet-dense" => &["channels=4", "levels=2", "blocks_per_level=1"][..],
        "rnn" => &["hidden_size=4", "layers=1"],
        "vrnn" => &["hidden_size=4", "latent_size=2", "layers=1"],
        _ => panic!("{model} has no small sizes here: give it some"),
    };
    let sizes: String = sizes.iter().map(|size| format!("--set model.{size} ")).collect();
    format!("--model {model} {sizes} --set train.batch=4")
}

/// Stops a run at step 8, after three checks that brought no progress: a loss does not fall by half in two updates.
const IMPATIENT: &str = "--set train.eval_every=2 --set train.patience=3 --set train.after_step=0 \
                         --set train.min_gain=0.5";

/// The command between backticks after `words`, without its `stcn`.
#[track_caller]
fn suggested<'a>(said: &'a str, words: &str) -> &'a str {
    let rest = said.split_once(words).unwrap_or_else(|| panic!("want {words:?} in: {said}")).1;
    let command = rest.split('`').nth(1).expect("a command between backticks");
    command.strip_prefix("stcn ").unwrap_or(command)
}

/// A lab with a run of three steps in `run`.
fn trained() -> Lab {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 3 {TINY}"));
    lab
}

/// The last of a training's JSON lines.
fn last(lines: &[Value]) -> &Value {
    lines.last().expect("a line")
}

/// `checkpoint_sha256` at the end of a training.
fn sha256(lab: &Lab, words: &str) -> String {
    let lines = lab.json(words);
    last(&lines)["checkpoint_sha256"].as_str().expect("a hash").to_string()
}

/// Asserts that these fields are plain numbers.
#[track_caller]
fn numbers(line: &Value, fields: &[&str]) {
    for field in fields {
        assert!(line[field].is_number(), "want a number {field} in {line}");
    }
}

/// Asserts that these fields are text.
#[track_caller]
fn texts(line: &Value, fields: &[&str]) {
    for field in fields {
        assert!(line[field].is_string(), "want text {field} in {line}");
    }
}
