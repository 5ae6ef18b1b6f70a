//! `stcn inspect`: the nodes of one pass of a trained model.

use super::check_extension;
use super::history::history;
use super::pass::{Made, PassArgs};
use crate::check::{Check, check_node};
use crate::error::Result;
use crate::file::write_whole;
use crate::inspect::{Pass, dump::Dump, html, table};
use crate::models::Registry;
use crate::models::config::Task;
use crate::tape::{Grads, Tape, Var};
use crate::train::bounds::per_sequence;
use crate::train::config::Objective;
use crate::train::objective::forward;
use clap::Parser;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// Show one pass of a trained model node by node: values, gradients, formulas
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn inspect runs/demo --table\n  stcn inspect runs/demo --node z.2\n  \
    stcn inspect runs/demo --html pass.html\n  \
    stcn inspect runs/demo --html pass.html --history\n  \
    stcn inspect runs/demo --dump pass.safetensors"
)]
pub(super) struct Args {
    #[command(flatten)]
    pass: PassArgs,
    /// Explain one node, such as `z.2` or `tcn.3.filter.weight`, or by its number: as `stcn explain RUN NODE`
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Show every node in order: op, shape, inputs, RMS of value and gradient (the default)
    #[arg(long)]
    table: bool,
    /// Write one page for a browser: the model as a graph, every node with value, gradient and chain rule
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// With --html: also show the checkpoints that train.keep kept, and curves over training
    #[arg(long, requires = "html")]
    history: bool,
    /// Write input, noise, parameters, values and gradients, to compare with another framework
    #[arg(long, value_name = "FILE.safetensors")]
    dump: Option<PathBuf>,
}

/// Whether this build computes in f64, so that gradients can be checked against finite differences.
const F64: bool = cfg!(feature = "f64");

/// The most nodes whose gradients are all checked, four passes each; of more, only of those with a name.
const MOST_CHECKED: usize = 1000;

/// The gradients of a pass against finite differences; `again` computes its loss anew.
fn checks(tape: &Tape, grads: &Grads, again: impl Fn(&Tape) -> f64) -> BTreeMap<usize, Check> {
    let chosen = |x: &Var| tape.len() <= MOST_CHECKED || !x.label().is_empty();
    let check = |x: Var| Some((x.id().index(), check_node(x, grads.wrt(x)?, &again)));
    tape.vars().filter(chosen).filter_map(check).collect()
}

pub(super) fn run(args: Args, registry: &Registry) -> Result<()> {
    for (flag, path, extension) in
        [("html", &args.html, "html"), ("dump", &args.dump, "safetensors")]
    {
        path.iter().try_for_each(|path| check_extension(flag, path, &[extension]))?;
    }
    let usual = if args.html.is_some() { 1 } else { PassArgs::SEQUENCES };
    let made = args.pass.make(usual, registry)?;
    let head = made.about();
    let Made { trained, batch, noise, tape, grads, weight, loss } = made;
    let config = &trained.config;
    let explain = |node: &String| -> Result<String> {
        let pass = Pass::new(&tape, &grads, &*trained.model, config.model.kind.equations());
        Ok(pass.explain(&pass.find(node)?, 1).to_string())
    };
    let node = args.node.as_ref().map(explain).transpose()?;
    let table = (args.table || (node.is_none() && args.dump.is_none() && args.html.is_none()))
        .then(|| table(&tape, &grads));
    if node.is_some() || table.is_some() {
        println!("{head}");
        [node, table].iter().flatten().for_each(|text| print!("{text}"));
    }
    let about = json!({
        "step": trained.step,
        // As `data show` and --prime count them.
        "sequences": batch.samples.iter().map(|i| i + 1).collect::<Vec<_>>(),
        "lengths": batch.lengths,
        "draws": config.train.draws(),
        "mean": trained.normalisation.mean,
        "std": trained.normalisation.std,
        "kl_weight": weight,
        "loss": loss,
    });
    if let Some(path) = &args.html {
        let channels: &[&str] =
            if config.model.obs.task == Task::Ink { &["dx", "dy", "pen"] } else { &[] };
        let mut about = about.clone();
        about["model"] = config.model.kind.name().into();
        about["run"] = trained.checkpoint.to_string_lossy().into();
        about["task"] = config.model.obs.task.name().into();
        about["channels"] = channels.into();
        let equations = config.model.kind.equations();
        let history = args.history.then(|| history(&trained, &batch, &noise, &tape, registry));
        let again = |tape: &Tape| {
            let (all, train) = (&batch.lengths, &config.train);
            let pass = forward(&*trained.model, tape, &batch, all, &noise, weight, train);
            f64::from(pass.loss.value().item())
        };
        let more = html::More {
            history: history.transpose()?,
            checks: if F64 { checks(&tape, &grads, again) } else { BTreeMap::new() },
        };
        about["f64"] = F64.into();
        let page = html::page(&tape, &grads, &*trained.model, equations, &about, &more);
        write_whole(path, |file| file.write_all(page.as_bytes()))?;
        println!("{}", path.display());
    }
    if let Some(path) = &args.dump {
        let mut dump = Dump::default();
        dump.add("input.x", &batch.x);
        dump.add("input.mask", &batch.mask());
        dump.add_pass(&tape, &grads, &*trained.model);
        let mut about = about;
        about["config"] = json!(config);
        // With other objectives a row is a draw or a particle, not a sequence.
        if config.train.objective == Objective::Elbo {
            let total =
                |x: Var| per_sequence(&x.value(), &batch.lengths).iter().fold(0., |sum, x| sum + x);
            let kl = (1..).map_while(|l| tape.find(&format!("kl.{l}")).map(total));
            about["kl_sum"] = kl.collect::<Vec<_>>().into();
            about["log_px_sum"] = tape.find("log_px").map(total).into();
        }
        dump.save(path, &about)?;
        println!("{}", path.display());
    }
    Ok(())
}
