//! What a training leaves behind and says meanwhile.

use super::{IMPATIENT, TINY, last, tiny, trained};
use crate::common::{Lab, says, stderr};
use serde_json::Value;
use stcn::models::Registry;
use stcn::train::{Checkpoint, Config};

#[test]
fn a_run_directory_has_its_config_metrics_events_and_checkpoints() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out runs/a --seed 5 --steps 12 {TINY}"));
    let files = lab.files("runs/a");
    let names: Vec<String> = files
        .keys()
        .map(|path| path.strip_prefix(lab.path("runs/a")).unwrap().display().to_string())
        .collect();
    let events = names.iter().find(|name| name.starts_with("events.out.tfevents.")).unwrap();
    let mut wanted = [
        "checkpoint",
        "checkpoint/best.stcn",
        "checkpoint/latest.stcn",
        "config.schema.json",
        "config.toml",
        events,
        "lock",
        "metrics.csv",
        "samples",
    ];
    wanted.sort_unstable();
    let mut found: Vec<&str> = names.iter().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, wanted);

    let text = String::from_utf8(lab.read("runs/a/config.toml")).unwrap();
    let config = Config::from_toml(&text, "config.toml".as_ref(), &Registry::default()).unwrap();
    let ink = stcn::data::DataSet::open(lab.path("ink.npz"), None).unwrap();
    assert_eq!((config.seed, config.train.steps), (5, 12));
    assert_eq!(
        (config.preset.name(), config.data.fingerprint.as_str()),
        ("ink-tiny", ink.fingerprint())
    );
    assert_eq!(
        config.data.path.canonicalize().unwrap(),
        lab.path("ink.npz").canonicalize().unwrap()
    );
    says(&text, &[env!("CARGO_PKG_VERSION")]);

    let csv = String::from_utf8(lab.read("runs/a/metrics.csv")).unwrap();
    assert!(csv.starts_with("step,epoch,seconds,loss,elbo_seq,"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().starts_with("10,"), "{csv}");
    let checkpoint = Checkpoint::load(&lab.path("runs/a/checkpoint/latest.stcn")).unwrap();
    assert_eq!(checkpoint.header.step, 12);
    assert_eq!(
        Config::from_toml(&checkpoint.header.config_toml, "".as_ref(), &Registry::default())
            .unwrap()
            .train
            .steps,
        12
    );
}

#[test]
fn a_run_without_a_name_is_called_after_preset_and_model() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --steps 1 {}", tiny("wavenet")));
    assert!(lab.path("runs/ink-tiny-wavenet/checkpoint/latest.stcn").exists());
}

#[test]
fn without_data_it_is_the_embedded_handwriting() {
    let lab = Lab::new();
    let lines = lab.json(&format!("train --out run --steps 1 --set data.crop=16 {TINY}"));
    assert!(last(&lines)["done"].as_bool().unwrap());
    let text = String::from_utf8(lab.read("run/config.toml")).unwrap();
    says(&text, &["path = \"\"\n"]);
    // A checkpoint alone is enough, for everyone has this data.
    lab.ok("inspect run/checkpoint/latest.stcn --batch 1 --steps 8");
}

#[test]
fn early_stopping_ends_a_run() {
    let lab = Lab::new();
    let words = "--set train.eval_every=1 --set train.patience=2 --set train.after_step=0 \
                 --set train.min_gain=0.9 --set train.kl_anneal=0 --steps 50";
    let lines = lab.json(&format!("train --data ink.npz --out run {words} {TINY}"));
    let step = last(&lines)["step"].as_u64().unwrap();
    assert!(last(&lines)["done"].as_bool().unwrap() && step < 50, "{step}");
    assert_eq!(last(&lines)["early_stop"], true);
}

#[test]
fn a_run_that_stopped_early_stops_again_and_says_how_to_go_on_anyway() {
    let lab = Lab::new();
    let words = format!("train --data ink.npz --out run {TINY} {IMPATIENT} --steps 100");
    let said = stderr(&lab.stcn(&words).output().unwrap());
    says(&said, &["stopped early: validation no longer improves at step 8 "]);
    let names = ["checkpoint/latest.stcn", "checkpoint/best.stcn", "metrics.csv"];
    let read = || names.map(|name| lab.read(&format!("run/{name}")));
    let before = read();
    let again = stderr(&lab.stcn("train --resume run").output().unwrap());
    says(&again, &["stopped early: validation no longer improves at step 8 "]);
    assert!(read() == before);
    let command = again.lines().find_map(|line| line.strip_prefix("go on anyway: stcn "));
    let anyway = lab.json(command.expect("a command"));
    assert_eq!((&last(&anyway)["step"], &last(&anyway)["early_stop"]), (&14.into(), &true.into()));
}

#[test]
fn a_run_that_goes_on_by_another_measure_forgets_the_best_of_the_last() {
    let lab = Lab::new();
    let words = format!("{} --data ink.npz --out run --set train.eval_every=2", tiny("vrnn"));
    lab.ok(&format!("train {words} --steps 2 --set train.objective=fivo --set train.particles=2"));
    let said = |words: &str| stderr(&lab.stcn(words).output().unwrap());
    let saw = said("train --resume run --steps 4 --set train.lr_floor=0 --set train.lr=1e-9");
    says(&saw, &["validation ELBO", "FIVO-2 ", "where fivo was best"]);
    // At that rate nothing is learnt, so that a bound below the last would not be the best of both.
    let saw = said("train --resume run --steps 6 --set train.objective=elbo");
    says(&saw, &["  (best so far)", "best validation ELBO"]);
    let said = lab.refused("train --resume run --steps 8 --set seed=7");
    says(&said, &["seed is 1 in this run and cannot become 7"]);
}

#[test]
fn a_run_begins_with_the_weights_of_another() {
    let lab = trained();
    lab.ok("export run --out weights.safetensors");
    // No update is large at such a rate: what is learnt is what was there.
    let still = "--data ink.npz --steps 1 --set train.lr_floor=0 --set train.lr=1e-30";
    let value = |run: &str| lab.json(&format!("evaluate {run}"))[0]["elbo_seq"].as_f64().unwrap();
    for (out, from) in
        [("a", "run"), ("b", "run/checkpoint/best.stcn"), ("c", "weights.safetensors")]
    {
        lab.ok(&format!("train --init {from} --out {out} {still}"));
        assert_eq!(value(out), value("run"), "from {from}");
    }
    // And it is a run like any other.
    lab.ok("train --resume a --steps 3");
    says(
        &lab.refused("train --init run --data ink.npz --out d --set model.channels=5"),
        &["holds", "leave the sizes"],
    );
    says(
        &lab.refused("train --init run --data ink.npz --out d --set data.normalise=none"),
        &["the weights of --init", "are used to data.normalise = per-channel"],
    );
    assert!(!lab.path("d").exists());
}

#[test]
fn a_hash_that_was_not_expected_ends_with_code_3_and_both_hashes() {
    let lab = Lab::new();
    let words = |out: &str, hash: &str| {
        format!("train --data ink.npz --out {out} --steps 1 {TINY} --expect-sha256 {hash}")
    };
    let output = lab.stcn(&words("a", "01234567")).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let found = crate::common::sha256_of(&lab.path("a/checkpoint/latest.stcn"));
    says(&said, &[&found, "and 01234567 was expected"]);
    lab.ok(&words("b", &found));
    lab.ok(&words("c", &found[..8]));
    says(&lab.refused(&words("d", "0123456")), &["want 8 to 64 digits"]);
    says(&lab.refused(&words("d", "0123456G")), &["want 8 to 64 digits"]);
    assert!(!lab.path("d").exists());
}

#[test]
fn a_dry_run_tells_what_a_run_takes_and_writes_nothing() {
    let lab = Lab::new();
    let words = format!("train --data ink.npz --out a --steps 50 --dry-run {TINY}");
    let said = lab.ok(&words);
    says(
        &said,
        &[
            "parameters, stcn-dense head gmm",
            "memory: about",
            "an update takes",
            "50 updates at most",
        ],
    );
    let line = &lab.json(&words)[0];
    let count = |shape: &Value| -> u64 {
        shape[1].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product()
    };
    let total: u64 = line["shapes"].as_array().unwrap().iter().map(count).sum();
    assert_eq!(line["params"], total);
    assert_eq!(line["steps"], 50);
    assert!(!lab.path("a").exists());
}
