//! A page that shows how a run got where it is.

use super::{TINY, tiny, trained};
use crate::common::{Lab, says};
use serde_json::Value;

/// The first block of data of a page.
pub fn pass(lab: &Lab, page: &str) -> Value {
    let text = String::from_utf8(lab.read(page)).unwrap();
    let (_, rest) = text.split_once("<script id=\"pass\" type=\"application/json\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_page_has_the_kept_checkpoints_and_the_curves_of_the_run() {
    let lab = Lab::new();
    let words = "--set train.keep=4 --set train.kl_anneal=10 --set train.eval_every=5";
    lab.ok(&format!("train --data ink.npz --out run --steps 10 {words} {TINY}"));
    lab.ok("inspect run --latest --steps 9 --html pass.html --history");
    let page = pass(&lab, "pass.html");
    let passes = page["history"]["passes"].as_array().unwrap();
    let of = |key: &str| passes.iter().map(|pass| pass[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("step"), [0, 4, 8]);
    assert_eq!(of("kl_weight"), [0.1, 0.4, 0.8], "that of the step, from the first on");
    assert_eq!(page["about"]["step"], 10);
    let curves = &page["history"]["curves"];
    let csv = String::from_utf8(lab.read("run/metrics.csv")).unwrap();
    let columns: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!(curves["columns"], serde_json::json!(columns));
    assert_eq!(curves["rows"].as_array().unwrap().len(), csv.lines().count() - 1);
    // The one that is opened is shown once, in full.
    lab.ok("inspect run/kept/step-000004.stcn --steps 9 --html past.html --history");
    let page = pass(&lab, "past.html");
    let passes = page["history"]["passes"].as_array().unwrap();
    let steps: Vec<&Value> = passes.iter().map(|pass| &pass["step"]).collect();
    assert_eq!((steps, &page["about"]["step"]), (vec![&0.into(), &8.into()], &4.into()));
    // Asked for alone, the page is the one without a history.
    lab.ok("inspect run --latest --steps 9 --html alone.html");
    assert!(pass(&lab, "alone.html")["history"].is_null());
}

#[test]
fn a_run_that_kept_nothing_says_how_to_keep_something() {
    let lab = trained();
    let said = lab.refused("inspect run --html pass.html --history");
    says(&said, &["run: has kept no checkpoints for --history to show", "`--set train.keep=16`"]);
    let command = super::suggested(&said, "or go on with ").replace("--steps N", "--steps 6");
    lab.ok(&command);
    lab.ok("inspect run --html pass.html --history");
}

#[test]
fn a_history_without_a_run_or_of_a_filter_is_refused() {
    let lab = trained();
    lab.write("alone.stcn", lab.read("run/checkpoint/best.stcn"));
    says(
        &lab.refused("inspect alone.stcn --data ink.npz --html pass.html --history"),
        &["--history wants a run directory"],
    );
    let words = "--set train.objective=fivo --set train.particles=2 --set train.keep=2";
    lab.ok(&format!("train --data ink.npz --out fivo --steps 1 {words} {}", tiny("vrnn")));
    says(
        &lab.refused("inspect fivo --html pass.html --history"),
        &["--history", "with train.objective fivo", "leave it out"],
    );
    let output = lab.stcn("inspect run --history").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    says(&crate::common::stderr(&output), &["--html"]);
}

#[test]
fn of_more_checkpoints_than_a_page_has_room_for_it_shows_some_from_the_first_to_the_last() {
    let lab = Lab::new();
    let words = "--set train.keep=64 --set train.eval_every=100";
    lab.ok(&format!("train --data ink.npz --out run --steps 40 {words} {TINY}"));
    lab.ok("inspect run --latest --steps 9 --html pass.html --history");
    let page = pass(&lab, "pass.html");
    let passes = page["history"]["passes"].as_array().unwrap();
    let steps: Vec<u64> = passes.iter().map(|pass| pass["step"].as_u64().unwrap()).collect();
    assert_eq!((steps.len(), steps[0], steps[31]), (32, 0, 39));
    assert!(steps.windows(2).all(|pair| (1..=2).contains(&(pair[1] - pair[0]))), "{steps:?}");
}
