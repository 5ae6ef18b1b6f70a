//! `stcn verify`: whether this machine computes the bits that every machine should.

use super::print_json;
use crate::error::{ErrorKind, Result};
use crate::kernel::simd::isa;
use crate::models::{Registry, parameters};
use crate::parallel::{threads, with_threads};
use crate::train::{ARITHMETIC, Config, Overrides, Trainer};
use clap::Parser;
use indicatif::ProgressBar;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Train three small models and compare their parameters with the known hashes, bit for bit
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn verify\n\nExit code 0: the same bits; 3: other bits.")]
pub(super) struct Args {
    /// One JSON object per model on stdout, nothing else
    #[arg(long)]
    json: bool,
}

/// Updates of each.
const UPDATES: usize = 20;

/// A model on the embedded handwriting, and the SHA-256 of its parameters (f32, little-endian, in the model's order)
/// under [`ARITHMETIC`] 5: convolutions and latents, a recurrence with latents, LSTMs without.
const KNOWN: [(&str, &str); 3] = [
    ("stcn-dense", "2889d84ea79f2643ff2684c3092f4c55b618a292125b3a2ba84b251221dcb490"),
    ("vrnn", "4dab56d05021a2e3d71376af9938572c4267c1815245e6e65b228942c697e2da"),
    ("rnn", "0d262338f414ad6bfb77ff771c5a4c4c8a2c877185b1ac02e077c5e6823f720a"),
];

pub(super) fn run(args: Args) -> Result<()> {
    let mut differing = vec![];
    let bar =
        if args.json { ProgressBar::hidden() } else { ProgressBar::new((2 * KNOWN.len()) as u64) };
    for (model, known) in KNOWN {
        for threads in [1, threads().max(2)] {
            let found = with_threads(threads, || train(model))??;
            bar.inc(1);
            if args.json {
                print_json(
                    &json!({ "model": model, "threads": threads, "sha256": found, "known": known, "equal": found == known }),
                );
            }
            if found != known {
                differing.push(format!("{model} with --threads {threads}: {found}, want {known}"));
            }
        }
    }
    bar.finish_and_clear();
    let (isa, all) = (isa().name(), threads().max(2));
    if let Some(first) = differing.first() {
        return Err(ErrorKind::Differs(format!(
            "this machine ({isa}) does not compute the known bits of arithmetic {ARITHMETIC}; the first difference: {first}. \
             Please report it with the name of the CPU"
        ))
        .into());
    }
    if !args.json {
        println!(
            "The same bits: {} models, {UPDATES} updates each, on 1 and {all} threads, {isa}, arithmetic {ARITHMETIC}.",
            KNOWN.len()
        );
        KNOWN.iter().for_each(|(model, known)| println!("  {model:12}{known}"));
    }
    Ok(())
}

/// Trains a model; the hash of its parameters.
fn train(model: &str) -> Result<String> {
    let set = ["train.batch=4", "data.crop=100"].map(String::from);
    let overrides = Overrides { model: Some(model), set: &set, ..Overrides::default() };
    let mut trainer = Trainer::new(Config::resolve(&overrides, &Registry::default())?)?;
    for _ in 0..UPDATES {
        trainer.step()?;
    }
    let mut hash = Sha256::new();
    for (_, value) in parameters(trainer.model()) {
        value.data().iter().for_each(|&x| hash.update((x as f32).to_le_bytes()));
    }
    Ok(hex::encode(hash.finalize()))
}
