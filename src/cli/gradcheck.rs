//! `stcn gradcheck`: every op, and every parameter of small models, against finite differences.

use super::print_json;
use crate::check::Check;
use crate::error::{Error, ErrorKind, Result};
use crate::models::{Registry, config::HeadKind};
use crate::tape::Rule;
use crate::train::gradients::{Checked, check_model, models, suspects};
use clap::Parser;
use serde_json::json;

/// Check the gradients of every op and every parameter against finite differences, in f64
#[derive(Parser)]
#[command(
    after_help = "Example:\n  cargo run --release --features f64 -- gradcheck --model stcn-dense --head gmm"
)]
pub(super) struct Args {
    /// Check this model only [default: all]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Check this head only [default: all that suit]
    #[arg(long, value_name = "H")]
    head: Option<String>,
    /// One JSON object per check on stdout, nothing else
    #[arg(long)]
    json: bool,
}

/// The largest relative error that passes, in f64.
const TOLERANCE: f64 = 1e-6;

pub(super) fn run(args: Args, registry: &Registry) -> Result<()> {
    let kinds = match &args.model {
        Some(name) => vec![registry.find(name)?],
        None => registry.models().to_vec(),
    };
    let head = args.head.as_deref().map(HeadKind::parse).transpose()?;
    if cfg!(not(feature = "f64")) {
        return Err(Error::usage(
            "this stcn computes in f32, too coarse for finite differences: from a checkout, run \
             `cargo run --release --features f64 -- gradcheck`",
        ));
    }
    let (mut counted, mut failed) = (0, 0);
    let mut report = |name: &str, check: Check, rule: &Rule, formula: &str| {
        let (error, ok) = (check.relative_error(), check.relative_error() <= TOLERANCE);
        counted += 1;
        failed += usize::from(!ok);
        if args.json {
            print_json(&json!({
                "op_or_param": name,
                "max_rel_error": error,
                "ok": ok,
                "tape": check.exact,
                "differences": check.numeric,
                "op": rule.name,
                "formula": formula,
            }));
        } else {
            let ok = if ok { "ok  " } else { "FAIL" };
            let Check { exact, numeric } = check;
            println!("{error:9.1e}  {exact:13.6e}  {numeric:13.6e}  {ok}  {name:44}  {formula}");
        }
        ok
    };
    if !args.json {
        let [error, tape, numeric, name] = ["error", "by tape", "differences", "op or parameter"];
        println!("{error:>9}  {tape:>13}  {numeric:>13}        {name:44}  rule: forward, backward");
    }
    let (mut right, mut wrong) = (vec![], vec![]);
    for (rule, check) in crate::ops::check::checks() {
        let formula = format!("{}   {}", rule.forward, rule.vjp);
        let list = if report(rule.name, check, rule, &formula) { &mut right } else { &mut wrong };
        list.push(rule.name);
    }
    let mut all = vec![];
    for config in models(&kinds, head) {
        let model = format!("{} {}", config.kind, config.obs.head);
        for checked in check_model(&config)? {
            let formula = format!("{}: {}", checked.rule.name, checked.rule.vjp);
            let name = format!("{model} {}", checked.path);
            let ok = report(&name, checked.check, checked.rule, &formula);
            all.push((name, (checked, ok)));
        }
    }
    let (names, all): (Vec<String>, Vec<(Checked, bool)>) = all.into_iter().unzip();
    if failed > 0 {
        let error = |(checked, _): &(Checked, bool)| checked.check.relative_error();
        let worst = (0..all.len()).max_by(|&a, &b| error(&all[a]).total_cmp(&error(&all[b])));
        return Err(ErrorKind::Diverged(failure(
            (failed, counted),
            &wrong,
            worst.map(|i| &*names[i]),
            &suspects(&all, &right),
        ))
        .into());
    }
    if !args.json {
        println!("{counted} gradients agree with finite differences to {TOLERANCE:e}");
    }
    Ok(())
}

/// What is wrong, and where to look: at the `ops` that are wrong by themselves, or else at the `suspects`.
fn failure(
    (failed, counted): (usize, usize),
    ops: &[&str],
    worst: Option<&str>,
    suspects: &[&Rule],
) -> String {
    let mut said = format!("{failed} of {counted} gradients are off by more than {TOLERANCE:e}");
    if !ops.is_empty() {
        return format!("{said}: correct the vjp of {}", ops.join(", "));
    }
    if let Some(worst) = worst {
        said += &format!(", most of all {worst}");
    }
    match suspects {
        [] => said + ": no single op explains all of them",
        some => {
            let rules: Vec<String> =
                some.iter().map(|rule| format!("{} ({})", rule.name, rule.vjp)).collect();
            format!(
                "{said}: only the wrong ones come through {}, so look at its vjp first",
                rules.join(", ")
            )
        }
    }
}
