//! `stcn list`: the models, heads and presets.

use super::{print_json, thousands};
use crate::error::Result;
use crate::models::{self, ModelKind, config::HeadKind};
use crate::train::config::Config;
use crate::train::presets::PRESETS;
use clap::Parser;
use serde_json::json;

/// List models, heads and presets, with parameter counts
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn list")]
pub(super) struct Args {
    /// One JSON object per preset and model on stdout, nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<()> {
    if args.json { lines() } else { table() }
}

fn lines() -> Result<()> {
    for (preset, about) in PRESETS {
        for kind in ModelKind::ALL {
            let config = Config::preset(preset, Some(kind.name()), None)?;
            let (head, params) = (config.model.head, models::count(&config.model)?);
            print_json(
                &json!({ "preset": preset, "model": kind, "head": head, "params": params, "about": about }),
            );
        }
    }
    Ok(())
}

fn table() -> Result<()> {
    println!("--model");
    ModelKind::ALL.iter().for_each(|kind| println!("  {kind:18}{}", kind.about()));
    println!("\n--head");
    HeadKind::ALL.iter().for_each(|head| println!("  {head:18}{}", head.about()));
    println!("\n--preset");
    PRESETS.iter().for_each(|(preset, about)| println!("  {preset:18}{about}"));
    println!("\nParameters of every model in every preset, with the preset's own head:");
    let presets = PRESETS.map(|(preset, _)| format!("{preset:>14}"));
    println!("  {:16}{}", "", presets.concat());
    for kind in ModelKind::ALL {
        let mut counts = String::new();
        for (preset, _) in PRESETS {
            let config = Config::preset(preset, Some(kind.name()), None)?;
            counts += &format!("{:>14}", thousands(models::count(&config.model)?));
        }
        println!("  {kind:16}{counts}");
    }
    Ok(())
}
