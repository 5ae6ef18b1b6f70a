//! Times have no right value; their fields have names.

use super::{TINY, numbers, texts, tiny};
use crate::common::{Lab, says};

#[test]
fn bench_step_has_the_fields_of_the_contract() {
    let lab = Lab::new();
    let words = "--head normal --time 12 --steps 3 --batch 2 --threads 1";
    let lines = lab.json(&format!("bench step {words} {}", tiny("wavenet")));
    assert_eq!(lines.len(), 1);
    texts(&lines[0], &["model", "head"]);
    numbers(
        &lines[0],
        &[
            "params",
            "batch",
            "time",
            "threads",
            "steps",
            "step_ms_median",
            "step_ms_min",
            "forward_ms_median",
            "gflop_per_step",
            "gflops",
            "gemm_roof_gflops",
            "roof_fraction",
        ],
    );
    for (field, value) in [("batch", 2), ("time", 12), ("threads", 1), ("steps", 3)] {
        assert_eq!(lines[0][field], value);
    }
    assert_eq!((&lines[0]["model"], &lines[0]["head"]), (&"wavenet".into(), &"normal".into()));
    if cfg!(target_os = "linux") {
        numbers(&lines[0], &["rss_mb"]);
    }
}

#[test]
fn the_products_of_a_step_are_those_counted_by_hand() {
    let words = "--head normal --time 7 --steps 1 --batch 2 --set model.embedding_size=5";
    let line = &Lab::new().json(&format!("bench step {words} {}", tiny("rnn")))[0];
    // Embedding 3 → 5, the gates of 4 units from it and from the state, decoder 4 → 5, head 5 → 2, 2, 1: once
    // forward, and once for the gradient of each factor that has one. The data has none.
    let a_row = 2 * (3 * 5) + 3 * (5 * 16 + 4 * 16 + 4 * 5 + 5 * (2 + 2 + 1));
    let flop = (1e9 * line["gflop_per_step"].as_f64().unwrap()).round();
    assert_eq!(flop, f64::from(2 * 2 * 7 * a_row));
}

#[test]
fn products_are_those_of_the_objective() {
    let gflop = |words: &str| {
        let words = format!("bench step --time 5 --steps 1 --batch 2 --threads 1 {TINY} {words}");
        Lab::new().json(&words)[0]["gflop_per_step"].as_f64().unwrap()
    };
    let (one, four) = (gflop(""), gflop("--set train.objective=iwae --set train.particles=4"));
    assert!((four / one - 4.).abs() < 1e-9, "{four} and {one}");
    let said = Lab::new()
        .refused(&format!("bench step --set train.objective=fivo --set model.draws=fresh {TINY}"));
    assert!(said.contains("cannot be run by a particle filter"), "{said}");
}

#[test]
fn bench_generate_has_the_fields_of_the_contract() {
    let lab = Lab::new();
    let lines = lab.json(&format!("bench generate --steps 60 --count 2 {TINY}"));
    assert_eq!(lines.len(), 1);
    let read = ["weights_mb", "weights_gb_per_s", "memory_gb_per_s"];
    numbers(&lines[0], &["params", "count", "steps", "ms_per_step_median"]);
    numbers(&lines[0], &read);
    assert_eq!((&lines[0]["count"], &lines[0]["steps"]), (&2.into(), &60.into()));
    assert_eq!(lines[0]["model"], "stcn-dense");
    // So few steps that nothing is left to take a median around.
    lab.json(&format!("bench generate --steps 1 {TINY}"));
}

#[test]
fn for_people_it_says_what_was_timed() {
    let said = Lab::new().ok(&format!("bench step --time 8 --steps 1 --threads 1 {TINY}"));
    says(
        &said,
        &[
            "stcn-dense, head gmm",
            "training step: ",
            " ms (median of 1)",
            "GFLOP/s",
            "forward alone",
        ],
    );
    let said = Lab::new().ok(&format!("bench generate --steps 4 {TINY}"));
    says(&said, &["stcn-dense", "a step: ", "steps/s"]);
}
