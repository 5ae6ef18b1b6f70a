//! Colours where they are asked for, and the same bytes without them.

use super::TINY;
use crate::common::{Lab, says, stderr};

/// What it says on stderr with these variables set.
fn said(lab: &Lab, words: &str, variables: &[(&str, &str)]) -> String {
    stderr(&lab.stcn(words).envs(variables.iter().copied()).output().unwrap())
}

const FORCED: (&str, &str) = ("CLICOLOR_FORCE", "1");

#[test]
fn errors_are_red_where_colours_are_forced_and_plain_in_a_pipe_and_under_no_color() {
    let lab = Lab::new();
    let plain = said(&lab, "list --model vrn", &[]);
    assert!(plain.starts_with("error: unknown model `vrn`"), "{plain}");
    assert_eq!(said(&lab, "list --model vrn", &[FORCED, ("NO_COLOR", "1")]), plain);
    let red = said(&lab, "list --model vrn", &[FORCED]);
    assert_eq!(red, plain.replacen("error:", "\x1b[1m\x1b[31merror:\x1b[0m", 1));
}

#[test]
fn a_check_that_is_the_best_so_far_is_green() {
    let lab = Lab::new();
    let words = |out: &str| {
        format!("train --data ink.npz --out {out} --steps 1 {TINY} --set train.eval_every=1")
    };
    let green = said(&lab, &words("a"), &[FORCED]);
    says(&green, &["per step", "  \x1b[32m(best so far)\x1b[0m\n"]);
    let plain = said(&lab, &words("b"), &[]);
    says(&plain, &["  (best so far)\n"]);
    assert!(!plain.contains('\x1b'));
    // What goes to stdout is for programs.
    let json = lab.stcn("train --resume a --json").env(FORCED.0, FORCED.1).output().unwrap();
    assert!(!json.stdout.contains(&0x1b));
}

#[test]
fn a_suite_quotes_what_a_run_said_without_its_colours() {
    let lab = Lab::new();
    lab.write(
        "suite.toml",
        "about = \"\"\nsteps = 2\nset = { train.lr = 1e38, train.batch = 2, data.crop = 20, model.hidden_size = 4 }\n\
         [[row]]\nmodel = \"rnn\"\n",
    );
    let said = said(&lab, "table suite.toml --out all", &[FORCED]);
    says(&said, &["\x1b[1m\x1b[31merror:\x1b[0m rnn.seed-1: "]);
    assert_eq!(said.matches("error:").count(), 1, "{said}");
}
