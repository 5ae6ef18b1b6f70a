//! `stcn list`: what there is to choose from.

use super::args::List;
use super::{print_json, thousands};
use crate::error::Result;
use crate::models::{self, ALL, Preset, config::HeadKind};
use crate::train::config::Config;
use serde_json::json;

pub(super) fn run(words: List) -> Result<()> {
    if words.json { lines() } else { table() }
}

fn lines() -> Result<()> {
    for &preset in Preset::ALL {
        let about = preset.about();
        for kind in ALL {
            let config = Config::preset(preset, kind, None)?;
            let (head, params) = (config.model.obs.head, models::count(&config.model)?);
            print_json(
                &json!({ "preset": preset, "model": kind, "head": head, "params": params, "about": about }),
            );
        }
    }
    Ok(())
}

fn table() -> Result<()> {
    println!("--model");
    ALL.iter().for_each(|kind| println!("  {kind:18}{}", kind.about()));
    println!("\n--head");
    HeadKind::ALL.iter().for_each(|head| println!("  {head:18}{}", head.about()));
    println!("\n--preset");
    Preset::ALL.iter().for_each(|preset| println!("  {preset:18}{}", preset.about()));
    println!("\nParameters of every model in every preset, with the preset's own head:");
    let presets: String = Preset::ALL.iter().map(|preset| format!("{preset:>14}")).collect();
    println!("  {:16}{presets}", "");
    for kind in ALL {
        let mut counts = String::new();
        for &preset in Preset::ALL {
            let config = Config::preset(preset, kind, None)?;
            counts += &format!("{:>14}", thousands(models::count(&config.model)?));
        }
        println!("  {kind:16}{counts}");
    }
    Ok(())
}
