use super::report::line;
use super::{saved, suite};
use serde_json::json;
use stcn::internals::suite::report::Report;
use stcn::internals::suite::text::{command, csv, markdown, runs_csv};

fn report() -> Report {
    let objective = saved(&[
        ("bound", json!("objective")),
        ("elbo_seq", json!(9.)),
        ("iwae_k", json!(4)),
        ("iwae_seq", json!(5.)),
        ("iwae_step", json!(0.5)),
        ("kl", json!([1., 2.])),
        (
            "controls",
            json!({
                "posterior_log_px_seq": 7., "prior_log_px_seq": 1., "prior_k": 4, "prior_seq": 2.5,
                "shuffled_log_px_seq": [3., 7.5], "one_draw_elbo_seq": 6., "one_draw_iwae_seq": 6.5,
            }),
        ),
        ("per_sequence", json!({ "elbo": [9., 9.], "iwae": [4., 6.] })),
    ]);
    let lines = vec![
        line("plain", vec![saved(&[])]),
        line("a|b", vec![objective]),
        line("not run", vec![]),
    ];
    Report::of("A test".into(), "valid".into(), lines)
}

#[test]
fn a_value_that_is_no_bound_is_struck_out_and_its_bound_stands_beside_it() {
    let text = markdown(&report());
    let row = text.lines().find(|line| line.starts_with("| a")).unwrap();
    assert!(row.starts_with("| a\\|b |"), "{row}");
    assert!(row.contains("| ~~9.0~~ | 5.0 (IWAE-4) | +2.0 (+2.0 to +2.0) | 1.0, 2.0 |"), "{row}");
    let plain = text.lines().find(|line| line.starts_with("| plain")).unwrap();
    assert!(plain.contains("| 3.0 | 3.0 (ELBO) |"), "{plain}");
}

#[test]
fn controls_stand_in_a_table_of_their_own_with_what_a_shuffled_latent_costs() {
    let text = markdown(&report());
    let (_, controls) = text.split_once("| z from the prior |").unwrap();
    assert!(
        controls.contains("| a\\|b | 7.0 | 1.0 | 2.5 (K = 4) | -4.0, +0.5 | ELBO 6.0, IWAE 6.5 |"),
        "{controls}"
    );
    assert!(!controls.contains("plain"), "a row without controls is not in it: {controls}");
    let report = Report::of("A test".into(), "valid".into(), vec![line("plain", vec![saved(&[])])]);
    assert!(!markdown(&report).contains("z from the prior"));
}

#[test]
fn what_was_not_run_is_empty() {
    let report = report();
    let text = markdown(&report);
    let row = text.lines().find(|line| line.starts_with("| not run")).unwrap();
    assert!(row.ends_with("| 0 of 1 |  |  |  |  |  |"), "{row}");
    assert!(!text.contains("| paper |"), "a column that is empty everywhere is left out");
    let csv = csv(&report);
    let row = csv.lines().find(|line| line.starts_with("not run")).unwrap();
    assert!(row.contains(",0,1,,,,,,,,,,,,,,,"), "{row}");
}

#[test]
fn every_run_has_its_own_numbers() {
    let found = |kl: [f64; 2]| saved(&[("kl", json!(kl)), ("iwae_seq", json!(5.5))]);
    let line = line("stcn", vec![found([0.5, 2.]), found([3., 0.])]);
    let report = Report::of("A test".into(), "valid".into(), vec![line]);
    let text = runs_csv(&report, &suite("seeds = [1, 2]\n[[row]]\nmodel = \"stcn\"\n").unwrap());
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| {
        let at = rows[0].iter().position(|title| *title == name).expect(name);
        [rows[1][at], rows[2][at]]
    };
    assert_eq!(rows.len(), 3);
    assert_eq!(column("run"), ["stcn.seed-1", "stcn.seed-2"]);
    assert_eq!(column("kl"), ["0.5 2", "3 0"]);
    assert_eq!((column("iwae_seq"), column("fivo_seq")), (["5.5"; 2], [""; 2]));
    assert!(column("train")[1].starts_with("stcn train --model stcn "), "{text}");
}

#[test]
fn a_command_is_one_that_a_shell_takes() {
    let args = ["train", "--out", "my runs/a", "--set", "model.latents=[2,1]"].map(String::from);
    assert_eq!(command(&args), "stcn train --out 'my runs/a' --set 'model.latents=[2,1]'");
}
