use super::{TINY, numbers, texts};
use crate::common::{Lab, says};

#[test]
fn a_profile_has_a_row_for_every_rule_and_adds_up_to_the_step() {
    let lab = Lab::new();
    let words = format!("bench step --time 200 --batch 8 --steps 9 {TINY} --set model.channels=32");
    let lines = lab.json(&format!("{words} --profile"));
    let rows = lines[0]["profile"].as_array().unwrap();
    let mut sum = 0.;
    for row in rows {
        texts(row, &["rule"]);
        numbers(row, &["calls", "forward_ms", "backward_ms", "values_mb", "subnormal"]);
        sum += row["forward_ms"].as_f64().unwrap() + row["backward_ms"].as_f64().unwrap();
    }
    let calls = |rule: &str| {
        let row =
            rows.iter().find(|row| row["rule"] == rule).unwrap_or_else(|| panic!("no {rule}"));
        row["calls"].as_u64().unwrap()
    };
    // Per step, not over all of them: two levels of one block each, a draw for each, of both halves.
    assert_eq!((calls("gated_conv"), calls("rsample"), calls("mixture_log_prob")), (4, 4, 2));
    assert_eq!(calls("clip, Adam, waiting"), 1);
    assert!(rows.iter().all(|row| row["subnormal"] == 0), "{rows:?}");
    // What is left of the wall clock: negative if the halves were counted twice.
    assert!(sum > 0. && rows.iter().all(|row| row["backward_ms"].as_f64().unwrap() >= 0.));
    assert!(lab.json(&words)[0].get("profile").is_none());
    let table = lab.ok(&format!("{words} --profile"));
    says(&table, &["rule", "forward ms", "subnormal", "gated_conv", "total"]);
}
