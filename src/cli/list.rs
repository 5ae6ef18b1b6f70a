//! `stcn list`: what there is to choose from.

use super::args::List;
use super::{print_json, thousands};
use crate::error::Result;
use crate::models::{self, ModelKind, config::HeadKind};
use crate::train::config::Config;
use crate::train::presets::PRESETS;
use serde_json::json;

pub(super) fn run(words: List) -> Result<()> {
    if !words.json {
        let names = |names: Vec<&str>| names.join(" · ");
        println!("--model   {}", names(ModelKind::ALL.iter().map(|kind| kind.name()).collect()));
        println!("--head    {}", names(HeadKind::ALL.iter().map(|head| head.name()).collect()));
        println!("--preset  parameters with the preset's own head:");
        let models: Vec<String> = ModelKind::ALL.iter().map(|kind| format!("{kind:>14}")).collect();
        println!("{:14}{}", "", models.concat());
    }
    for (preset, about) in PRESETS {
        let mut counts = vec![];
        for kind in ModelKind::ALL {
            let config = Config::preset(preset, Some(kind.name()), None)?;
            let params = models::count(&config.model)?;
            if words.json {
                let head = config.model.head;
                print_json(
                    &json!({ "preset": preset, "model": kind, "head": head, "params": params, "about": about }),
                );
            }
            counts.push(format!("{:>14}", thousands(params)));
        }
        if !words.json {
            println!("{preset:14}{}   {about}", counts.concat());
        }
    }
    Ok(())
}
