//! Without f64 there is nothing to check, and it says what to do.

use crate::common::{Lab, says};

#[cfg(not(feature = "f64"))]
#[test]
fn in_f32_it_refuses_with_the_command_that_works() {
    let lab = Lab::new();
    for words in ["gradcheck", "gradcheck --model stcn --head gmm --json"] {
        let said = lab.refused(words);
        says(&said, &["computes in f32", "`cargo run --release --features f64 -- gradcheck`"]);
    }
}

#[test]
fn an_unknown_model_or_head_is_refused_first() {
    let lab = Lab::new();
    says(&lab.refused("gradcheck --model wavenets"), &["did you mean `wavenet`"]);
    says(&lab.refused("gradcheck --head bi-gmm"), &["did you mean `bigmm`"]);
}

#[cfg(feature = "f64")]
#[test]
fn the_table_has_a_line_for_every_op_and_parameter_with_both_values_and_the_rule() {
    let lab = Lab::new();
    let said = lab.ok("gradcheck --model wavenet --head normal");
    says(&said, &["error", "by tape", "differences", "rule: forward, backward"]);
    let row = |name: &str| said.lines().find(|line| line.contains(name)).expect(name);
    says(row("  tanh "), &["ok", "y = tanh x   x̄ = ȳ (1 − y²)"]);
    says(row("wavenet normal tcn.1.filter.weight"), &["ok", "gated_conv: f̄ = ȳ s(1 − a²)"]);
    says(&said, &["gradients agree with finite differences to 1e-6"]);
    for line in lab.json("gradcheck --model wavenet --head normal") {
        super::numbers(&line, &["max_rel_error", "tape", "differences"]);
        super::texts(&line, &["op_or_param", "op", "formula"]);
    }
}

#[cfg(feature = "f64")]
#[test]
fn a_wrong_rule_ends_it_with_its_name() {
    use clap::Parser;
    use stcn::models::Registry;
    let words = ["stcn", "gradcheck", "--model", "wrong", "--head", "normal"];
    let args = stcn::cli::Args::try_parse_from(words).unwrap();
    let registry = Registry::default().with(crate::train::gradients::WRONG);
    let said = stcn::cli::run(args, &registry).unwrap_err();
    assert_eq!(said.exit_code(), 1);
    says(
        &said.to_string(),
        &["gradients are off by more than 1e-6, most of all wrong normal first."],
    );
    says(
        &said.to_string(),
        &["only the wrong ones come through half_square (x̄ = ȳ x), so look at"],
    );
}
