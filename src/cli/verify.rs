//! `stcn verify`: whether this machine computes the bits that every machine should, and whether bounds bound.

use super::print_json;
use crate::data::{DataSet, Normalisation, Split};
use crate::error::{ErrorKind, Result};
use crate::kernel::math::{exp_f64, ln_f64};
use crate::kernel::simd::isa;
use crate::models::{Registry, parameters};
use crate::noise::Noise;
use crate::parallel::{threads, with_threads};
use crate::train::evaluate::standard_error;
use crate::train::exact::{DIE, LinearGaussian, Proposal, Spikes, copies, log_likelihood};
use crate::train::{
    ARITHMETIC, Ancestors, Config, Copies, Overrides, Plan, Resample, Trainer, evaluate, fivo, iwae,
};
use clap::Parser;
use indicatif::ProgressBar;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Train three small models and compare their parameters with the known hashes, bit for bit
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn verify\n  stcn verify --bounds\n\nExit code 0: all is as it should be; 3: it is not."
)]
pub(super) struct Args {
    /// Check instead that ELBO, IWAE and FIVO bound a likelihood that is known exactly, and that dequantised data
    /// are not worth fewer bits than their entropy
    #[arg(long)]
    bounds: bool,
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
    if args.bounds {
        return bounds(args.json);
    }
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

/// Copies of the sequence behind each mean.
const COPIES: usize = 8000;

/// Standard errors that a mean may be off: a false alarm in 30,000.
const ERRORS: f64 = 4.;

/// What is checked, what it should be, and whether it is.
struct Finding {
    what: String,
    value: f64,
    error: f64,
    wanted: &'static str,
    holds: bool,
}

fn bounds(json: bool) -> Result<()> {
    let log_p = log_likelihood();
    let mut findings = vec![];
    for (proposal, name) in [
        (Proposal::Prior, "the prior"),
        (Proposal::Present, "p(z|x_t)"),
        (Proposal::Future, "the posterior"),
    ] {
        let model = LinearGaussian(proposal);
        let (batch, noise) = (copies(COPIES), Noise::new(1, "verify"));
        let how = (Resample::Ess, Ancestors::Multinomial);
        for (bound, values) in [
            ("ELBO", iwae(&model, &batch, &noise, 1).0),
            ("IWAE-16", iwae(&model, &batch, &noise, 16).0),
            ("FIVO-16", fivo(&model, &batch, &noise, 16, how)),
        ] {
            let what = format!("{bound}, z drawn from {name}");
            let (value, error) = mean(&values);
            // A filter that resamples is unbiased in p, so a little below in ln p, whatever it draws from.
            let exact = proposal == Proposal::Future && bound != "FIVO-16";
            let holds = if exact {
                (value - log_p).abs() < ROUNDING
            } else {
                value < log_p + ERRORS * error
            };
            let wanted = if exact { "equal to ln p(x)" } else { "at most ln p(x)" };
            findings.push(Finding { what, value, error, wanted, holds });
            // The mean of the estimates of p(x) itself.
            let ratios: Vec<f64> = values.iter().map(|value| exp_f64(value - log_p)).collect();
            let (value, error) = mean(&ratios);
            let what = "  its estimate of p(x), over p(x)".to_string();
            let holds = (value - 1.).abs() < ERRORS * error + ROUNDING;
            findings.push(Finding { what, value, error, wanted: "1", holds });
        }
    }
    let entropy = ln_f64(DIE as f64) / std::f64::consts::LN_2;
    for (std, dequantise) in [(0.001, false), (0.001, true), (0.3, true)] {
        let value = evaluate_die(std, dequantise)?;
        let what = format!(
            "bits a throw by spikes of σ = {std}, {}",
            if dequantise { "dequantised" } else { "as they are" }
        );
        let (wanted, holds) = match dequantise {
            true => ("at least the entropy", value >= entropy),
            false => ("less: no code has so few", value < entropy),
        };
        findings.push(Finding { what, value, error: 0., wanted, holds });
    }
    if json {
        for Finding { what, value, error, wanted, holds } in &findings {
            print_json(
                &json!({ "what": what.trim(), "value": value, "error": error, "wanted": wanted, "holds": holds }),
            );
        }
    } else {
        println!(
            "A linear model with normal noise, five steps: by a Kalman filter ln p(x) = {log_p:.4}."
        );
        println!("A fair die: its entropy is {entropy:.4} bits a throw.\n");
        for Finding { what, value, error, wanted, holds } in &findings {
            let value = format!(
                "{value:.4}{}",
                if *error > 0. { format!(" ± {error:.4}") } else { String::new() }
            );
            println!("{what:49} {value:>19}  {wanted}{}", if *holds { "" } else { ": NO" });
        }
    }
    match findings.iter().find(|finding| !finding.holds) {
        None => Ok(()),
        Some(Finding { what, value, wanted, .. }) => {
            let what = what.trim();
            Err(ErrorKind::Differs(format!(
                "{what}: {value}, which should be {wanted}. Please report it"
            ))
            .into())
        }
    }
}

/// By how much a sum of fifteen logarithms in f32, of up to 10 nats each, may be off.
const ROUNDING: f64 = 5e-5;

/// Bits a throw of 200 × 50 throws of a die, as `stcn evaluate` has them.
fn evaluate_die(std: f64, dequantise: bool) -> Result<f64> {
    let noise = Noise::new(1, "verify");
    let throws = |i: u64| {
        let mut words = [0; 50];
        noise.words("die", i, 0, &mut words);
        words.map(|word| ((u64::from(word) * DIE as u64) >> 32) as f32).to_vec()
    };
    let split = (0..200).map(|i| u8::from(i > 0)).collect(); // one to normalise by, which is not done
    let set = DataSet::from_parts("die", 1, (0..200).map(throws).collect(), Some(split))?;
    let copies = dequantise.then(|| Copies::new(Copies::REPORTED, 1));
    let plan = Plan { copies, ..Plan::new(Split::Valid) };
    let value = evaluate(&Spikes { std }, &set, &Normalisation::identity(1), plan, |_| ())?;
    Ok(value.bits_per_dim)
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().fold(0., |sum, x| sum + x) / values.len() as f64;
    (mean, standard_error(values).unwrap_or(0.))
}
