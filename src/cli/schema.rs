//! `stcn schema`: what an editor must know of a config to complete and check it.

use crate::error::Result;
use crate::models::Registry;
use crate::train::schema::schema;
use clap::Parser;

/// Print the JSON Schema of a config, by which editors complete and check its keys
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn schema > stcn.schema.json\n\nWith `#:schema ./stcn.schema.json` as its first line, a config is \
    completed and checked in editors that know\ntaplo or Tombi (VS Code: Even Better TOML). A run has config.schema.json \
    beside its config.toml, which says so."
)]
pub(super) struct Args {
    /// Of this model's configs only [default: of all models']
    #[arg(long, value_name = "M")]
    model: Option<String>,
}

pub(super) fn run(args: Args, registry: &Registry) -> Result<()> {
    let schema = match &args.model {
        Some(name) => schema(&[registry.find(name)?]),
        None => schema(registry.models()),
    };
    println!("{schema:#}");
    Ok(())
}
