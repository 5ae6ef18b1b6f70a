//! `stcn explain`: one node of a pass in sentences.

use super::pass::{Made, PassArgs};
use super::print_json;
use crate::error::{Error, Result};
use crate::inspect::Pass;
use crate::models::Registry;
use clap::Parser;
use serde_json::json;

/// Explain one node of a pass: what it is, what it is made of, and where its gradient comes from
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn explain runs/demo z.2\n  stcn explain runs/demo tcn.1.filter.weight --depth 3\n  \
    stcn explain runs/demo 217\n  stcn explain runs/demo --to tcn.1.filter.weight\n  stcn explain runs/demo z.2 --element 1,5,2"
)]
pub(super) struct Args {
    #[command(flatten)]
    pass: PassArgs,
    /// The node: its label (`z.2`), the path of a parameter (`tcn.3.filter.weight`), or its number (`217`, `node 217`)
    #[arg(value_name = "NODE", num_args = 1..=2, required_unless_present = "to")]
    node: Vec<String>,
    /// Show instead by which routes the gradient comes to this node, with the share of each
    #[arg(long, value_name = "NODE", conflicts_with_all = ["node", "depth", "element"])]
    to: Option<String>,
    /// Where those routes begin
    #[arg(long, value_name = "NODE", default_value = "loss", requires = "to")]
    from: String,
    /// Follow the gradient through this many ops [default: 1; with --element 3]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Show instead one number of the gradient as a sum of single multiplications, on to the loss: sequence, step and
    /// channel (`1,5,2`), step and channel of the first sequence (`5,2`), or the indices of a weight, counted from 1
    #[arg(long, value_name = "I,J", requires = "node")]
    element: Option<String>,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, registry: &Registry) -> Result<()> {
    if args.depth == Some(0) {
        return Err(Error::usage("--depth 0 follows nothing: want 1 or more"));
    }
    let made = args.pass.make(PassArgs::SEQUENCES, registry)?;
    let about = made.about();
    let Made { trained, tape, grads, .. } = made;
    let equations = trained.config.model.kind.equations();
    let pass = Pass::new(&tape, &grads, &*trained.model, equations);
    let (text, object) = match &args.to {
        Some(to) => {
            let routes = pass.routes(&pass.find(&args.from)?, &pass.find(to)?)?;
            (routes.to_string(), json!(routes))
        }
        None => {
            let node = match &args.node[..] {
                [first, second, ..] if pass.find(first).is_ok() && pass.find(second).is_ok() => {
                    return Err(two_nodes(&pass, [first, second]));
                }
                words => pass.find(&words.join(" "))?,
            };
            match &args.element {
                Some(element) => {
                    let number = pass.element(&node, element, args.depth.unwrap_or(3))?;
                    (number.to_string(), json!(number))
                }
                None => {
                    let explanation = pass.explain(&node, args.depth.unwrap_or(1));
                    (explanation.to_string(), json!(explanation))
                }
            }
        }
    };
    if args.json {
        print_json(&object);
    } else {
        print!("{about}\n{text}");
    }
    Ok(())
}

/// The refusal of two nodes where one is wanted.
fn two_nodes(pass: &Pass, [first, second]: [&str; 2]) -> Error {
    let comes = |from: &str, to: &str| {
        let found = pass.find(from).and_then(|from| pass.routes(&from, &pass.find(to)?));
        found.is_ok().then(|| {
            format!(
                "; `--from {from} --to {to}` shows how the gradient comes from the one to the other"
            )
        })
    };
    let cure = comes(first, second).or_else(|| comes(second, first)).unwrap_or_default();
    Error::usage(format!(
        "{first} and {second} are two nodes, and one at a time is explained{cure}"
    ))
}
