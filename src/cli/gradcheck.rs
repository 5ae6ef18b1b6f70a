//! `stcn gradcheck`: every op, and every parameter of small models, against finite differences.

use super::print_json;
use crate::check::Check;
use crate::error::{Error, ErrorKind, Result};
use crate::models::{Registry, config::HeadKind};

use crate::train::gradients::{check_model, models};
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
    let (mut checked, mut failed) = (0, 0);
    let mut report = |name: &str, check: Check| {
        let (error, ok) = (check.relative_error(), check.relative_error() <= TOLERANCE);
        checked += 1;
        failed += usize::from(!ok);
        if args.json {
            print_json(&json!({ "op_or_param": name, "max_rel_error": error, "ok": ok }));
        } else {
            println!("{error:9.1e}  {}  {name}", if ok { "ok  " } else { "FAIL" });
        }
    };
    for (name, check) in crate::ops::check::checks() {
        report(name, check);
    }
    for config in models(&kinds, head) {
        let name = format!("{} {}", config.kind, config.obs.head);
        for (path, check) in check_model(&config)? {
            report(&format!("{name} {path}"), check);
        }
    }
    if failed > 0 {
        let what = format!("{failed} of {checked} gradients are off by more than {TOLERANCE:e}");
        return Err(ErrorKind::Diverged(what).into());
    }
    if !args.json {
        println!("{checked} gradients agree with finite differences to {TOLERANCE:e}");
    }
    Ok(())
}
