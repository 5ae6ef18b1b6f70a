use super::{TINY, numbers, texts, tiny};
use crate::common::{Lab, says, sha256_of, stderr, stdout};
use stcn::data::DataSet;

#[test]
fn json_lines_have_the_fields_of_the_contract() {
    let lab = Lab::new();
    for model in ["stcn-dense", "wavenet"] {
        let words = format!("train --data ink.npz --out {model} --steps 25 {}", tiny(model));
        let lines = lab.json(&format!("{words} --set train.eval_every=20"));
        let (end, reports) = lines.split_last().unwrap();
        let steps: Vec<u64> = reports.iter().map(|line| line["step"].as_u64().unwrap()).collect();
        // Step 20 is reported, then checked; the last check is off the schedule.
        assert_eq!(steps, [1, 10, 20, 20, 25], "{reports:?}");
        for line in reports {
            numbers(
                line,
                &[
                    "step",
                    "epoch",
                    "seconds",
                    "loss",
                    "elbo_seq",
                    "log_px_seq",
                    "kl_seq",
                    "kl_weight",
                    "lr",
                    "grad_norm",
                    "steps_per_s",
                ],
            );
            let elbo = line["log_px_seq"].as_f64().unwrap() - line["kl_seq"].as_f64().unwrap();
            assert!((elbo - line["elbo_seq"].as_f64().unwrap()).abs() < 1e-9);
        }
        let best = reports.iter().filter(|line| line.get("best").is_some());
        let best: Vec<f64> = best
            .map(|line| {
                assert!(line["best"].is_boolean());
                line["valid_elbo_seq"].as_f64().unwrap()
            })
            .collect();
        assert_eq!(best.len(), 2);
        numbers(end, &["step", "seconds", "best_elbo_seq"]);
        texts(end, &["run", "checkpoint_sha256"]);
        assert_eq!(
            (&end["done"], &end["step"], &end["run"]),
            (&true.into(), &25.into(), &model.into())
        );
        let latest = lab.path(format!("{model}/checkpoint/latest.stcn"));
        assert_eq!(end["checkpoint_sha256"], sha256_of(&latest));
        // Both were better than what came before, or the first is still the best.
        let checks = reports.iter().filter(|line| line["best"] == true);
        let (step, elbo) =
            checks.map(|line| (&line["step"], &line["valid_elbo_seq"])).next_back().unwrap();
        assert_eq!((&end["best_step"], &end["best_elbo_seq"]), (step, elbo));
    }
}

#[test]
fn off_a_terminal_progress_is_a_line_per_check_and_stdout_is_silent() {
    let lab = Lab::new();
    let words = format!("train --data ink.npz --out run --steps 20 {TINY}");
    let output = lab.stcn(&format!("{words} --set train.eval_every=8")).output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(stdout(&output), "");
    assert!(!said.contains(['\r', '\x1b']), "{said}");
    let steps: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("step "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(steps, ["8", "16", "20"]);
    says(
        &said,
        &[
            "stcn-dense, head gmm, preset ink-tiny: ",
            "train 6 sequences",
            "valid 2 sequences",
            "seed 1",
            "nats/sequence",
            "done at step 20",
            "stcn evaluate run",
            "stcn sample run",
        ],
    );
    assert_eq!(stderr(&lab.stcn("train --resume run --json").output().unwrap()), "");
}

#[test]
fn a_channel_that_never_changes_is_told() {
    let lab = Lab::new();
    let value = |i: usize, j: usize| if j % 3 == 1 { 0.1 } else { ((i + j) % 7) as f32 };
    let rows = |i| (0..12 * 3).map(|j| value(i, j)).collect();
    let set = DataSet::from_parts("x", 3, (0..4).map(rows).collect(), None).unwrap();
    set.save(lab.path("x.npz")).unwrap();
    let words = format!("--preset series-tiny --data x.npz --steps 1 {TINY}");
    let notes = |more: &str| {
        let said = stderr(&lab.stcn(&format!("train {words} {more}")).output().unwrap());
        said.lines()
            .filter(|line| line.starts_with("note: channel "))
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let told = notes("--out a");
    says(&told.join("\n"), &["note: channel 2 has one and the same value in the training part"]);
    assert_eq!(told.len(), 1);
    assert_eq!(
        notes("--out b --set data.normalise=none"),
        [""; 0],
        "0.1 is not the mean that was subtracted"
    );
}
