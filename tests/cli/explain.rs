//! A node in sentences: every kind of node, by every name, the same text by both commands.

use super::{tiny, trained};
use crate::common::{Lab, says};
use serde_json::Value;

/// The number of the node with this label, by `inspect`.
fn number(lab: &Lab, label: &str) -> String {
    let table = lab.ok("inspect run");
    let row = table.lines().find(|line| line.split_whitespace().nth(2) == Some(label));
    row.expect("a row").split_whitespace().next().unwrap().to_string()
}

/// N of `--depth N all of them`.
fn suggested_depth(said: &str) -> usize {
    let before = said.split_once(" all of them)").expect("a depth that writes all").0;
    before.rsplit_once(' ').expect("a number").1.parse().unwrap()
}

#[test]
fn a_node_is_explained_by_its_label_its_path_and_its_number_and_by_inspect_in_the_same_words() {
    let lab = trained();
    let said = lab.ok("explain run z.1");
    assert!(said.starts_with("run/checkpoint/best.stcn of step 3, the loss of 4 sequences (a page of `inspect --html` has 1: --batch 1)\nz.1 is node "), "{said}");
    says(&said, &["rsample of q.1.mean, q.1.std and noise.z.1", "In the paper: z_t^l ~ q("]);
    says(&said, &["Formula:  z = μ + σ ε", "Recorded at src/", "Value:    (4, ", "Gradient: rms "]);
    says(&said, &["→ output.1 ", "concat, node ", "x̄ᵢ = ȳ[i]", "█"]);
    let node = number(&lab, "z.1");
    for same in [node.clone(), format!("node {node}")] {
        assert_eq!(lab.ok(&format!("explain run {same}")), said);
    }
    assert_eq!(lab.ok("inspect run --node z.1"), said);
    assert_eq!(lab.ok(&format!("inspect run --node {node}")), said);
    assert_eq!(lab.ok("explain run z.1 --threads 3"), said);
    assert_ne!(lab.ok("explain run z.1 --batch 1 --steps 5"), said);
    says(&lab.ok("explain run tcn.1.filter.weight"), &["a parameter", "gated_conv", "→ tcn.1 "]);
    says(
        &lab.ok("explain run noise.z.1"),
        &["standard normal numbers", "Gradient: none", "Read by"],
    );
    says(&lab.ok("explain run loss"), &["∂L/∂L = 1"]);
    says(&lab.ok("explain run 1"), &["Node 1: prepend_zero of x.\n"]);
    let deep = lab.ok("explain run z.1 --depth 3");
    assert!(deep.lines().count() > said.lines().count() + 4, "{deep}");
}

#[test]
fn nodes_from_the_first_to_the_last_of_three_models_are_explained_and_their_shares_sum_to_one() {
    for model in ["stcn-dense", "vrnn", "wavenet"] {
        let lab = Lab::new();
        lab.ok(&format!("train --data ink.npz --out run --steps 1 {}", tiny(model)));
        let nodes = lab.ok("inspect run --steps 6").lines().count() - 2;
        for node in [0, 1, nodes / 4, nodes / 3, nodes / 2, nodes - 2, nodes - 1] {
            let found = lab.json(&format!("explain run {node} --steps 6"));
            let terms = found[0]["terms"].as_array().unwrap();
            let total = terms.iter().fold(0., |sum, term| sum + term["share"].as_f64().unwrap());
            let none = terms.is_empty() || found[0]["gradient"]["rms"] == 0.;
            assert!(none || (total - 1.).abs() < 1e-5, "{model} {node}: {total}");
            for key in ["node", "name", "op", "formula", "vjp", "source", "value", "what"] {
                assert_ne!(found[0][key], Value::Null, "{model} {node}: {key}");
            }
        }
    }
}

#[test]
fn a_recurrent_latent_is_explained_over_all_steps() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 1 {}", tiny("vrnn")));
    let said = lab.ok("explain run z.1 --steps 6 --depth 2");
    says(&said, &["the values of 6 steps", "at 6 steps", "most at step ", "In the paper: "]);
}

#[test]
fn routes_and_single_numbers_are_told_in_words_and_as_json() {
    let lab = trained();
    let said = lab.ok("explain run --to tcn.1.filter.weight");
    says(
        &said,
        &[
            "run/checkpoint/best.stcn of step 3, the loss of 4 sequences (a page of `inspect --html` has 1: --batch 1)\nThe gradient at tcn.1.filter.weight comes from loss",
        ],
    );
    says(
        &said,
        &["loss → log_px → head → output.1 → ", " → tcn.1.filter.weight\n", "They sum to 100 %."],
    );
    assert_eq!(lab.ok("explain run --from loss --to tcn.1.filter.weight --threads 3"), said);
    let routes = lab.json("explain run --to z.2 --from z.1");
    assert_eq!(routes[0]["from"], "z.1");
    super::numbers(&routes[0], &["share"]);
    let said = lab.ok("explain run tcn.1.filter.weight --element 2,1,1");
    says(
        &said,
        &["tcn.1.filter.weight[2, 1, 1] is ", "if it grew by a little ε", "(s(1 − a²), a = tanh("],
    );
    says(&said, &["multiplications, the largest first:\n", "by rounding.\n", "at loss[1]"]);
    assert_eq!(lab.ok("explain run tcn.1.filter.weight --element 2,1,1 --threads 3"), said);
    let short = lab.ok("explain run tcn.1.filter.weight --element 2,1,1 --depth 1");
    assert!(short.len() < said.len(), "{short}");
    says(&said, &["\nWritten out to --depth 3. From here on to the loss, "]);
    let all = suggested_depth(&said);
    let whole = lab.ok(&format!("explain run tcn.1.filter.weight --element 2,1,1 --depth {all}"));
    assert!(whole.len() > said.len() && !whole.contains("Written out to"), "{whole}");
    let levels = lab.json("explain run z.1 --element 5,2");
    super::numbers(&levels[0]["levels"][0], &["value", "gradient", "count", "miss"]);
}

#[test]
fn a_route_or_an_element_that_is_none_is_refused() {
    let lab = trained();
    says(&lab.refused("explain run --to x"), &["x has no gradient, so no route carries a share"]);
    says(&lab.refused("explain run --from z.2 --to z.1"), &["no gradient comes from z.2 to z.1"]);
    says(&lab.refused("explain run z.1 --element 999,1"), &["--element 999,1: z.1 has shape (4, "]);
    says(
        &lab.refused("explain run z.1 --element one"),
        &["counted from 1, so its last element is 4,"],
    );
    says(&lab.refused("explain run x --element 1,1"), &["x has no gradient"]);
}

#[test]
fn a_node_that_is_none_is_refused_with_the_nearest() {
    let lab = trained();
    let parts = ["no node is called kl.7: did you mean kl.", "`stcn inspect RUN` lists all"];
    says(&lab.refused("inspect run --node kl.7"), &parts);
    says(&lab.refused("explain run kl.7"), &parts);
    let parts = ["z.2 and z.1 are two nodes", "`--from z.1 --to z.2` shows"];
    says(&lab.refused("explain run z.2 z.1"), &parts);
    lab.ok("explain run --from z.1 --to z.2");
    let said = lab.refused("explain run x z.1");
    assert!(said.contains("x and z.1 are two nodes") && !said.contains("--from"), "{said}");
    says(&lab.refused("explain run 9999"), &["there is no node 9999: this pass has nodes 0 to "]);
    says(&lab.refused("explain run prior.1"), &["prior.1 is a place with", "such as"]);
    says(&lab.refused("explain run z.1 --depth 0"), &["--depth 0", "1 or more"]);
}
