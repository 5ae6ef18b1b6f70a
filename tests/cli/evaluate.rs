//! Bounds: their fields, their sums, and the same numbers on any number of threads.

use super::{TINY, numbers, texts, tiny, trained};
use crate::common::{Lab, ink, says};

fn number(line: &serde_json::Value, field: &str) -> f64 {
    line[field].as_f64().unwrap_or_else(|| panic!("{field} in {line}"))
}

#[test]
fn the_fields_are_those_of_the_contract_and_agree_with_each_other() {
    let lab = trained();
    let lines = lab.json("evaluate run --split test --draws 3 --iwae 4");
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    texts(line, &["model", "head", "split"]);
    numbers(
        line,
        &[
            "params",
            "sequences",
            "steps",
            "draws",
            "elbo_seq",
            "elbo_se",
            "elbo_step",
            "elbo_step_mean",
            "log_px_seq",
            "kl_seq",
            "iwae_k",
            "iwae_seq",
            "iwae_step",
            "iwae_step_mean",
            "bits_per_dim",
        ],
    );
    assert_eq!((&line["model"], &line["head"]), (&"stcn-dense".into(), &"gmm".into()));
    assert_eq!(
        (&line["split"], &line["draws"], &line["iwae_k"]),
        (&"test".into(), &3.into(), &4.into())
    );
    assert_eq!(line["valid_bound"], true);
    let set = ink(12);
    let steps = set.length(5) + set.length(9);
    assert_eq!((&line["sequences"], &line["steps"]), (&2.into(), &steps.into()));
    let kl: Vec<f64> = line["kl"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert_eq!(kl.len(), 2);
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * a.abs().max(1.), "{a} and {b}");
    close(number(line, "kl_seq"), kl[0] + kl[1]);
    close(number(line, "elbo_seq"), number(line, "log_px_seq") - number(line, "kl_seq"));
    close(number(line, "elbo_step") * steps as f64, number(line, "elbo_seq") * 2.);
    close(number(line, "iwae_step") * steps as f64, number(line, "iwae_seq") * 2.);
}

#[test]
fn a_likelihood_that_is_exact_has_no_kl_and_more_draws_change_nothing() {
    let lab = Lab::new();
    let choice = "--head normal --data ink.npz";
    lab.ok(&format!("train {choice} --out run --steps 2 {}", tiny("wavenet")));
    let line = &lab.json("evaluate run --iwae 4 --draws 9")[0];
    assert_eq!((&line["kl"], &line["valid_bound"]), (&serde_json::json!([]), &true.into()));
    assert_eq!((&line["draws"], &line["iwae_seq"]), (&1.into(), &line["elbo_seq"]));
    let said = lab.ok("evaluate run");
    says(&said, &["log-likelihood (exact)", "nats/sequence", "valid: 2 sequences"]);
}

#[test]
fn controls_say_what_the_output_reads_from_the_latents() {
    let lab = Lab::new();
    let shared = format!("--data ink.npz --out run --steps 3 {TINY}");
    lab.ok(&format!("train {shared}"));
    let line = &lab.json("evaluate run --iwae 3 --controls")[0];
    let found = &line["controls"];
    numbers(found, &["posterior_log_px_seq", "prior_log_px_seq", "prior_k", "prior_seq"]);
    assert_eq!(
        (&found["prior_k"], found["shuffled_log_px_seq"].as_array().unwrap().len()),
        (&3.into(), 2)
    );
    assert!(
        number(found, "prior_seq") > number(found, "prior_log_px_seq"),
        "ln of a mean, mean of ln"
    );
    assert!(found.get("one_draw_elbo_seq").is_none(), "it has one draw of each");
    let said = lab.ok("evaluate run --iwae 3 --controls");
    says(&said, &["z from the posterior", "3 draws from the prior", "another step: z.1 "]);
    assert!(!said.contains("one shared draw"), "{said}");

    // With separate draws, the same parameters under one draw are those of a run that is told so.
    lab.ok(&format!("train {} --set model.draws=fresh", shared.replace("run", "fresh")));
    let line = &lab.json("evaluate fresh --iwae 3 --controls")[0];
    assert_eq!(line["bound"], "objective");
    let found = &line["controls"];
    assert!(number(found, "one_draw_elbo_seq") < number(found, "one_draw_iwae_seq"));
    assert_ne!(number(found, "one_draw_elbo_seq"), number(line, "elbo_seq"));
    says(&lab.ok("evaluate fresh --controls"), &["with one shared draw of each latent: ELBO "]);

    lab.ok(&format!("train --data ink.npz --out wavenet --steps 3 {}", tiny("wavenet")));
    says(
        &lab.refused("evaluate wavenet --controls"),
        &["wavenet has no latents", "leave --controls out"],
    );
    // A suite asks every model, and takes no for an answer.
    lab.ok("evaluate wavenet --controls --save");
    assert!(
        String::from_utf8(lab.read("wavenet/evaluation-valid.json"))
            .unwrap()
            .contains("\"controls\": null")
    );
}

#[test]
fn what_was_not_asked_for_is_absent() {
    let line = &trained().json("evaluate run")[0];
    let fields = ["k", "seq", "se", "step", "step_mean", "per"];
    for name in fields.iter().flat_map(|field| ["iwae", "fivo"].map(|b| format!("{b}_{field}"))) {
        assert!(line.get(&name).is_none(), "{name}");
    }
}

#[test]
fn it_says_what_the_mean_of_weights_was_taken_of_and_what_the_posterior_sees() {
    let lab = trained();
    let line = &lab.json("evaluate run --iwae 2")[0];
    assert_eq!((&line["iwae_per"], &line["posterior"]), (&"step".into(), &"filtering".into()));
    says(&lab.ok("evaluate run --iwae 2"), &["IWAE-2 (weights of steps): "]);
    // A decoder that looks back couples the steps.
    let words = "train --data ink.npz --out coupled --steps 1 --set model.decoder=gated";
    lab.ok(&format!("{words} {TINY}"));
    let line = &lab.json("evaluate coupled --iwae 2 --fivo 3")[0];
    assert_eq!(
        (&line["iwae_per"], &line["iwae_k"], &line["fivo_k"]),
        (&"sequence".into(), &2.into(), &3.into())
    );
    numbers(line, &["fivo_k", "fivo_seq", "fivo_se", "fivo_step", "fivo_step_mean"]);
    let said = lab.ok("evaluate coupled --iwae 2 --fivo 3");
    says(&said, &["IWAE-2 (weights of sequences): ", "FIVO-3: ", "nats/sequence"]);
    assert!(!said.contains("future"), "{said}");
}

#[test]
fn a_filter_of_a_model_without_latents_is_refused() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 1 {}", tiny("rnn")));
    says(&lab.refused("evaluate run --fivo 4"), &["--fivo: this model has no latents"]);
    assert!(lab.json("evaluate run")[0].get("posterior").is_none());
}

#[test]
fn floored_probabilities_are_said() {
    let lab = Lab::new();
    let words = format!("train --data ink.npz --steps 1 {}", tiny("wavenet"));
    lab.ok(&format!("{words} --out floors --set model.floors=as-released"));
    says(&lab.ok("evaluate floors"), &["released objective (no bound: floored probabilities sum"]);
    assert_eq!(lab.json("evaluate floors")[0]["valid_bound"], false);
    lab.ok(&format!("{words} --out released --released"));
    assert_eq!(lab.json("evaluate released")[0]["valid_bound"], false);
}

#[test]
fn two_runs_are_compared_on_the_same_sequences() {
    let lab = trained();
    lab.ok(&format!("train --data ink.npz --out other --steps 2 {}", tiny("wavenet")));
    let [ours, theirs] =
        ["run", "other"].map(|run| number(&lab.json(&format!("evaluate {run}"))[0], "elbo_seq"));
    let against = |a: &str, b: &str| {
        let line = lab.json(&format!("evaluate {a} --against {b} --iwae 2")).remove(0);
        assert_eq!(line["against"]["run"], b);
        ["seq", "se"].map(|field| number(&line["against"], field))
    };
    let [above, se] = against("run", "other");
    assert!((above - (ours - theirs)).abs() < 1e-9 * ours.abs() && se > 0., "{above} {se}");
    assert_eq!(against("other", "run"), [-above, se]);
    assert_eq!(against("run", "run"), [0., 0.]);
    let parts = [
        "minus that of other/checkpoint/best.stcn of step 2, wavenet, log-likelihood (exact): ",
        "standard error of the differences",
    ];
    says(&lab.ok("evaluate run --against other"), &parts);
}

#[test]
fn runs_whose_nats_have_another_unit_are_not_compared() {
    let lab = trained();
    ink(20).save(lab.path("longer.npz")).unwrap();
    lab.ok(&format!("train --data longer.npz --out other --steps 1 {}", tiny("rnn")));
    let said = lab.refused("evaluate run --against other");
    says(&said, &["--against other: its data were normalised with other means", "data.normalise"]);
    says(&lab.refused("evaluate run --against nowhere"), &["nowhere"]);
}

#[test]
fn an_objective_that_is_no_bound_says_so() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 2 --set model.draws=fresh {TINY}"));
    assert_eq!(lab.json("evaluate run")[0]["valid_bound"], false);
    says(&lab.ok("evaluate run"), &["no bound"]);
}

#[test]
fn the_same_seed_gives_the_same_words_on_1_and_3_threads() {
    let lab = trained();
    let words = "evaluate run --iwae 3 --json --seed";
    let one = lab.ok(&format!("{words} 7 --threads 1"));
    assert_eq!(lab.ok(&format!("{words} 7 --threads 1")), one);
    assert_eq!(lab.ok(&format!("{words} 7 --threads 3")), one);
    assert_ne!(lab.ok(&format!("{words} 8")), one);
}

#[test]
fn for_people_it_says_what_the_number_is_and_how_sure() {
    let said = trained().ok("evaluate run --iwae 2");
    says(
        &said,
        &[
            "stcn-dense, head gmm",
            "run/checkpoint/best.stcn of step 3",
            "ELBO (a lower bound): ",
            " ± ",
            "KL per latent: z.1 ",
            "IWAE-2",
        ],
    );
    assert!(!said.contains('\x1b'), "{said}");
}

/// Regression, 22 November 2026: a checkpoint does not say where its data lies, and was evaluated on the
/// embedded handwriting without a word.
#[test]
fn a_checkpoint_alone_asks_for_the_data_it_was_trained_on() {
    let lab = trained();
    let whole = lab.ok("evaluate run --json");
    lab.write("alone.stcn", lab.read("run/checkpoint/best.stcn"));
    let parts = ["fingerprint", "not the embedded handwriting", "--data FILE.npz"];
    says(&lab.refused("evaluate alone.stcn --json"), &parts);
    says(&lab.refused("inspect alone.stcn"), &parts);
    let alone = |text: String| text.replace("run/checkpoint/best.stcn", "alone.stcn");
    assert_eq!(lab.ok("evaluate alone.stcn --json --data ink.npz"), alone(whole));
    let table = lab.ok("inspect alone.stcn --data ink.npz");
    assert_eq!(table, alone(lab.ok("inspect run")));
}

#[test]
fn another_data_set_is_normalised_as_the_runs_own() {
    let lab = trained();
    ink(20).save(lab.path("longer.npz")).unwrap();
    let line = &lab.json("evaluate run --data longer.npz")[0];
    assert_eq!(line["steps"], ink(20).steps(stcn::data::Split::Valid));
    says(&lab.refused("evaluate run --data nowhere.npz"), &["nowhere.npz: there is no such file"]);
}

#[test]
fn dequantised_bounds_say_so_and_a_run_trained_so_always_has_them() {
    let lab = trained();
    let plain = lab.json("evaluate run --iwae 2");
    assert!(plain[0].get("dequantised").is_none());
    let spread = lab.json("evaluate run --iwae 2 --dequantise");
    assert_eq!(spread[0]["dequantised"], true);
    for field in ["elbo_seq", "iwae_seq", "bits_per_dim"] {
        assert_ne!(number(&spread[0], field), number(&plain[0], field), "{field}");
    }
    says(&lab.ok("evaluate run --dequantise"), &["mean of 4 copies", "bound a code length"]);
    lab.ok(&format!("train --data ink.npz --out spread --steps 2 --dequantise {TINY}"));
    says(&String::from_utf8(lab.read("spread/config.toml")).unwrap(), &["dequantise = true"]);
    assert_eq!(lab.json("evaluate spread")[0]["dequantised"], true);
    lab.ok("train --resume spread --steps 3");
}

#[test]
fn dequantising_what_is_no_whole_number_is_refused_with_the_first() {
    let lab = trained();
    let off = vec![1., 2., 0., 3., 0.25, 1.];
    let off = stcn::data::DataSet::from_parts("off", 3, vec![off], None).unwrap();
    off.save(lab.path("off.npz")).unwrap();
    let said = lab.refused("evaluate run --dequantise --split train --data off.npz");
    says(&said, &["off.npz: sequence 1, step 2, channel 2 is 0.25, dequantisation wants whole"]);
    let said = lab.refused("train --dequantise --data off.npz --out new");
    says(&said, &["off.npz: sequence 1, step 2, channel 2 is 0.25, dequantisation wants whole"]);
    let said = lab.refused("train --preset music-small --dequantise --data off.npz --out new");
    says(&said, &["data.dequantise is true, but music has binary keys"]);
}
