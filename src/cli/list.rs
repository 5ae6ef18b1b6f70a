//! `stcn list`: the models, heads and presets.

use super::{print_json, thousands};
use crate::error::Result;
use crate::models::config::{HeadKind, Key, ModelConfig, Preset};
use crate::models::{self, ModelKind, Registry};
use crate::train::{Config, presets};
use clap::Parser;
use serde_json::json;
use toml::Value;

/// List models, heads and presets, with parameter counts; or every key of a config
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn list\n  stcn list --model vrnn")]
pub(super) struct Args {
    /// The keys of the model, and those of data and training: meaning, and value in every preset
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// One JSON object per preset and model on stdout, nothing else; with --model, one per key
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, registry: &Registry) -> Result<()> {
    let kind = args.model.as_deref().map(|name| registry.find(name)).transpose()?;
    match (kind, args.json) {
        (Some(kind), false) => print_keys(kind),
        (Some(kind), true) => keys(kind).into_iter().for_each(|(section, key, values)| {
            let of = |(preset, value): (&Preset, _)| (preset.name().to_string(), json!(value));
            let presets: serde_json::Map<_, _> = Preset::ALL.iter().zip(values).map(of).collect();
            let name = format!("{section}.{}", key.name);
            print_json(&json!({
                "model": kind, "key": name, "about": key.about, "values": key.values, "presets": presets
            }));
        }),
        (None, false) => print_table(registry)?,
        (None, true) => print_lines(registry)?,
    }
    Ok(())
}

/// Every key of a config with its section and its value in every preset, the model's first.
fn keys(kind: ModelKind) -> Vec<(&'static str, Key, Vec<Value>)> {
    let of = |&preset: &Preset| {
        let [data, model, train] = Config::of_preset(preset, kind, None).sections();
        let each = |(section, keys): (_, Vec<_>)| {
            keys.into_iter().map(move |(key, value)| (section, key, value))
        };
        [model, data, train].into_iter().flat_map(each).collect::<Vec<_>>()
    };
    let presets: Vec<_> = Preset::ALL.iter().map(of).collect();
    let values = |i: usize| presets.iter().map(|keys| keys[i].2.clone()).collect();
    presets[0].iter().enumerate().map(|(i, &(section, key, _))| (section, key, values(i))).collect()
}

fn print_keys(kind: ModelKind) {
    println!("{kind}: {}", kind.about());
    println!(
        "Set a key with --set KEY=VALUE. Its values in the presets (default: {}):",
        presets::DEFAULT
    );
    for (section, key, values) in keys(kind) {
        println!("\n  {section}.{}", key.name);
        println!("      {}", key.about);
        if !key.values.is_empty() {
            println!("      one of {}", key.values.join(", "));
        }
        // Presets with the same value share a line.
        let mut groups: Vec<(Value, Vec<&str>)> = vec![];
        for (preset, value) in Preset::ALL.iter().zip(values) {
            match groups.iter_mut().find(|(known, _)| *known == value) {
                Some((_, presets)) => presets.push(preset.name()),
                None => groups.push((value, vec![preset.name()])),
            }
        }
        match &groups[..] {
            [(value, _)] => println!("      {} in every preset", plain(value)),
            _ => groups.iter().for_each(|(value, presets)| {
                println!("      {:22}{}", plain(value), presets.join(", "));
            }),
        }
    }
}

/// A value as text, without quotes but those of nothing.
fn plain(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).map_or_else(|| value.to_string(), str::to_string)
}

fn print_lines(registry: &Registry) -> Result<()> {
    for &preset in Preset::ALL {
        for &kind in registry.models() {
            let config = ModelConfig::preset(kind, preset, None);
            let (head, params) = (config.obs.head, models::count(&config)?);
            print_json(&json!({
                "preset": preset, "model": kind, "head": head, "params": params, "about": preset.about()
            }));
        }
    }
    Ok(())
}

fn print_table(registry: &Registry) -> Result<()> {
    println!("--model (its keys: stcn list --model M)");
    registry.models().iter().for_each(|kind| println!("  {kind:18}{}", kind.about()));
    println!("\n--head");
    HeadKind::ALL.iter().for_each(|head| println!("  {head:18}{}", head.about()));
    println!("\n--preset");
    Preset::ALL.iter().for_each(|preset| println!("  {preset:18}{}", preset.about()));
    println!("\nParameters of every model in every preset, with the preset's own head:");
    let presets: String = Preset::ALL.iter().map(|preset| format!("{preset:>14}")).collect();
    println!("  {:16}{presets}", "");
    for &kind in registry.models() {
        let mut counts = String::new();
        for &preset in Preset::ALL {
            let config = ModelConfig::preset(kind, preset, None);
            counts += &format!("{:>14}", thousands(models::count(&config)?));
        }
        println!("  {kind:16}{counts}");
    }
    Ok(())
}
