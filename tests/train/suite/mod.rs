mod page;
mod report;
mod saved;
mod text;

use serde_json::{Value, json};
use stcn::internals::suite::saved::Saved;
use stcn::internals::suite::{Budget, Run, Suite};
use stcn::{Config, Registry, Result};
use std::path::Path;

/// A suite of `rows` with a budget of 20 updates.
fn suite(rows: &str) -> Result<Suite> {
    parse(&format!("about = \"A test\"\npreset = \"ink-tiny\"\nsteps = 20\n{rows}"))
}

fn parse(text: &str) -> Result<Suite> {
    Suite::parse(text, Path::new("dir/suite.toml"), None, &Registry::default())
}

#[track_caller]
fn refused(text: &str) -> String {
    parse(text).err().expect("an error").to_string()
}

fn names(suite: &Suite) -> Vec<&str> {
    suite.rows.iter().map(|row| row.name.as_str()).collect()
}

/// What `evaluate --save` writes, with these values in place of its own.
fn saved(own: &[(&str, Value)]) -> Saved {
    let mut value = json!({
        "bound": "lower", "params": 7, "step": 20, "checkpoint_sha256": "ab", "fingerprint": "cd", "split": "valid",
        "draws": 1, "seed": 1, "elbo_seq": 3.0, "elbo_step": 0.3, "bits_per_dim": 1.0, "kl": [],
        "per_sequence": { "elbo": [2.0, 4.0] },
    });
    own.iter().for_each(|(name, x)| value[*name] = x.clone());
    serde_json::from_value(value).unwrap()
}

#[test]
fn lists_multiply_into_rows_and_seeds_into_runs() {
    let suite = suite(
        "seeds = [1, 7]\n[[row]]\nname = \"STCN\"\nmodel = [\"stcn\", \"stcn-dense\"]\nhead = [\"normal\", \"gmm\"]\n\
         vary = { model.draws = [\"shared\", \"fresh\"] }\n[[row]]\nmodel = \"rnn\"\n",
    )
    .unwrap();
    let names = names(&suite);
    assert_eq!(names.len(), 2 * 2 * 2 + 1);
    assert_eq!(names[0], "STCN, stcn, normal, draws = shared");
    assert_eq!(names[7], "STCN, stcn-dense, gmm, draws = fresh");
    assert_eq!(names[8], "rnn");
    let runs: Vec<&Run> = suite.runs().collect();
    assert_eq!(runs.len(), 18);
    assert_eq!(runs[1].name, "stcn-stcn-normal-draws-shared.seed-7");
    assert_eq!(runs[1].config.seed, 7);
    assert_eq!((runs[1].config.train.steps, runs[1].config.train.epochs), (20, 0));
    assert!(runs[2].args.join(" ").contains("--set model.draws=fresh"), "{:?}", runs[2].args);
}

#[test]
fn a_rows_settings_come_after_those_of_the_suite() {
    let suite = suite(
        "set = { train.batch = 3, train.lr = 0.5 }\n[[row]]\nmodel = \"rnn\"\nset = { train.batch = 5 }\n",
    );
    let train = suite.unwrap().rows[0].runs[0].config.train.clone();
    assert_eq!((train.batch, train.lr), (5, 0.5));
}

#[test]
fn the_commands_of_a_run_are_those_that_a_user_would_type() {
    let suite = suite(
        "data = \"lines.npz\"\nevaluate = { draws = 2, iwae = 8, fivo = 4, controls = true }\nsample = { count = 3, steps = 50 }\n\
         [[row]]\nmodel = \"vrnn\"\n[[row]]\nmodel = \"stcn-dense\"\nset = { model.draws = \"fresh\" }\n[[row]]\nmodel = \"rnn\"\n",
    )
    .unwrap();
    let [vrnn, fresh, rnn] = [0, 1, 2].map(|i| &suite.rows[i].runs[0]);
    let root = Path::new("out/vrnn.seed-1");
    let words = |args: Vec<String>| args.join(" ");
    assert_eq!(
        words(suite.train_args(vrnn, root, None)),
        "train --model vrnn --preset ink-tiny --data dir/lines.npz --set train.epochs=0 --seed 1 --out out/vrnn.seed-1 \
         --steps 20"
    );
    assert_eq!(
        words(suite.train_args(vrnn, root, Some(0.))),
        "train --resume out/vrnn.seed-1 --steps 20"
    );
    assert_eq!(
        words(suite.sample_args(root).unwrap()),
        "sample out/vrnn.seed-1 --count 3 --steps 50 --out out/vrnn.seed-1/samples"
    );
    assert_eq!(
        words(suite.evaluate_args(vrnn, root)),
        "evaluate out/vrnn.seed-1 --split valid --draws 2 --iwae 8 --fivo 4 --controls --save"
    );
    // Where there is no filter, FIVO is not asked for.
    assert_eq!([vrnn, fresh, rnn].map(|run| suite.fivo(run)), [4, 0, 0]);
}

#[test]
fn of_minutes_those_are_left_that_were_not_trained() {
    let suite = parse("about = \"\"\nminutes = 5\n[[row]]\nmodel = \"rnn\"\n").unwrap();
    assert_eq!(suite.budget, Budget::Minutes(5.));
    let minutes = |spent: f64| {
        let args = suite.train_args(&suite.rows[0].runs[0], Path::new("out"), Some(spent));
        args.last().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!((minutes(0.), minutes(120.)), (5., 3.));
    assert!(minutes(1e6) > 0., "no minute left is an argument that train refuses");
}

#[test]
fn pictures_on_the_way_are_a_setting_as_any_other_and_no_reason_to_train_again() {
    let row = "[[row]]\nmodel = \"rnn\"\n";
    let suite = suite(&format!("set = {{ train.sample_every = 5 }}\n{row}")).unwrap();
    let run = &suite.rows[0].runs[0];
    assert_eq!(run.config.train.sample_every, 5);
    assert!(run.args.contains(&"train.sample_every=5".to_string()), "{:?}", run.args);
    let mut without = run.config.clone();
    without.train.sample_every = 0;
    assert!(run.mismatch(&without).is_none());
}

#[test]
fn what_is_wrong_with_a_suite_is_said_with_its_place() {
    let row = "[[row]]\nmodel = \"rnn\"\n";
    let head = "about = \"\"\nsteps = 5\n";
    for (text, wanted) in [
        (format!("about = \"\"\n{row}"), "wants a budget above 0 for every run"),
        (format!("{head}minutes = 3\n{row}"), "wants a budget above 0"),
        (format!("{head}seeds = []\n{row}"), "has nothing to show"),
        (head.to_string(), "has nothing to show"),
        (
            Config::default().to_toml(),
            "is no suite, since it has no [[row]]: want a suite in TOML, such as data/suites/smoke.toml of the repository, or the word smoke; a config such as \
             config.toml of a run is for `stcn train --config`",
        ),
        (format!("{head}{row}sead = 3\n"), "data/suites/smoke.toml is an example of a suite"),
        (format!("{head}{row}sead = 3\n"), "line 5: unknown field `sead`"),
        (
            format!("{head}evaluate = {{ split = \"vlid\" }}\n{row}"),
            "evaluate.split: unknown split `vlid`",
        ),
        (format!("{head}[[row]]\nmodel = \"rnm\"\n"), "row `rnm`: unknown model `rnm`"),
        (
            format!("{head}{row}set = {{ model.channels = 3 }}\n"),
            "row `rnn`: rnn has no key `model.channels`",
        ),
        (format!("{head}{row}set = {{ seed = 3 }}\n"), "write `seeds = [1, 2]`"),
        (format!("{head}{row}{row}"), "has two runs `rnn.seed-1`"),
    ] {
        let said = refused(&text);
        assert!(
            said.starts_with("dir/suite.toml: ") && said.contains(wanted),
            "{wanted:?} in: {said}"
        );
    }
}

#[test]
fn a_run_with_other_settings_is_told_from_one_that_went_less_far() {
    let suite = suite("[[row]]\nmodel = \"rnn\"\n").unwrap();
    let run = &suite.rows[0].runs[0];
    let mut found = run.config.clone();
    (found.train.steps, found.data.fingerprint) = (10, "ab".into());
    assert_eq!(run.mismatch(&found), None);
    found.train.batch += 1;
    assert_eq!(run.mismatch(&found).unwrap().key, "train.batch");
}

#[test]
fn every_suite_that_is_shipped_can_be_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/suites");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let suites: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(!suites.is_empty());
    for path in suites {
        Suite::read(&path, None, &Registry::default()).unwrap();
    }
}
