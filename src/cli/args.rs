//! What was typed. What it means is for the commands to say.

mod prepare;

pub(super) use prepare::{Blizzard, Deepwriting, Files, IamOndb, Music, Prepare, Timit, Wav};

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Stochastic temporal convolutional networks on a CPU: train, evaluate, draw, and look at every gradient.
#[derive(Parser)]
#[command(name = "stcn", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Threads to work on; any number gives the same bits [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(super) threads: Option<usize>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    Train(Train),
    Evaluate(Evaluate),
    Sample(Sample),
    Inspect(Inspect),
    Gradcheck(Gradcheck),
    /// Prepare data sets, and look at them
    Data {
        #[command(subcommand)]
        command: Data,
    },
    Export(Export),
    Import(Import),
    /// Time training steps or generation
    Bench {
        #[command(subcommand)]
        command: Bench,
    },
    List(List),
}

#[derive(Subcommand)]
pub(super) enum Data {
    /// Turn a data set as its owners hand it out into one .npz, with its figures
    Prepare {
        #[command(subcommand)]
        kind: Prepare,
    },
    Show(Show),
}

#[derive(Subcommand)]
pub(super) enum Bench {
    Step(BenchStep),
    Generate(BenchGenerate),
}

/// What to build and how to train it: preset, then file, then words, then --set.
#[derive(clap::Args)]
pub(super) struct Choose {
    /// One of those that `stcn list` names [default: stcn-dense]
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    /// normal, gmm, bigmm, bernoulli [default: the one that suits the preset's data]
    #[arg(long, value_name = "H")]
    pub head: Option<String>,
    /// Sizes and training settings; `stcn list` shows all [default: ink-tiny]
    #[arg(long, value_name = "P")]
    pub preset: Option<String>,
    /// Change one key of the config, as `model.channels=64`; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Train a model; without --data, on the embedded handwriting
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn train --preset ink-small --data lines.npz --out runs/ink --minutes 20\n  \
    stcn train --resume runs/ink"
)]
pub(super) struct Train {
    #[command(flatten)]
    pub choose: Choose,
    /// A config file, as the run directory's config.toml
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A data set: samples, lengths and split in one .npz
    #[arg(long, value_name = "FILE.npz")]
    pub data: Option<PathBuf>,
    /// The run directory to write [default: runs/<preset>-<model>]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on from the last checkpoint of a run, to the same bits as if it had never stopped
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "head", "preset", "config", "seed"])]
    pub resume: Option<PathBuf>,
    /// Seed of everything that is drawn [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Updates to make in all; 0: no limit [default: the preset's]
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Add noise of one raw unit to whole numbers, so that bounds are those of a code length
    #[arg(long)]
    pub dequantise: bool,
    /// Stop after so many minutes
    #[arg(long, value_name = "M")]
    pub minutes: Option<f64>,
    /// One JSON object per report on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// Bounds of a trained model on a part of a data set, with their standard errors
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn evaluate runs/ink --split test --draws 10 --iwae 16 --fivo 16"
)]
pub(super) struct Evaluate {
    /// A run directory or a checkpoint
    pub run: PathBuf,
    /// Another data set than the run's own
    #[arg(long, value_name = "FILE.npz")]
    pub data: Option<PathBuf>,
    /// train, valid or test
    #[arg(long, default_value = "valid", value_name = "SPLIT")]
    pub split: String,
    /// Draws of the latents that the ELBO is the mean of
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub draws: usize,
    /// Score 4 copies with noise of one raw unit added, so that bounds are those of a code length;
    /// as a run that was trained so always is
    #[arg(long)]
    pub dequantise: bool,
    /// Also the importance-weighted bound of K draws: per step where the model's steps are independent,
    /// else per sequence
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub iwae: usize,
    /// Also the bound of a filter of K particles, for models with latents
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub fivo: usize,
    /// Also how far above another run's ELBO or likelihood: sequence by sequence, so that what is hard for
    /// both cancels in the standard error
    #[arg(long, value_name = "RUN")]
    pub against: Option<PathBuf>,
    /// Seed of the draws
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// Draw sequences from a trained model: .npz, .svg and .png, and .wav for speech
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn sample runs/ink --count 8 --steps 600 --temperature 0.8 --out drawn\n  \
    stcn sample runs/ink --prime lines.npz:12 --prime-steps 300 --out continued"
)]
pub(super) struct Sample {
    /// A run directory or a checkpoint
    pub run: PathBuf,
    /// How many
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub count: usize,
    /// Steps to draw of each [default: as long as the run's sequences are at the median]
    #[arg(long, value_name = "T")]
    pub steps: Option<usize>,
    /// Continue a real sequence: number INDEX of FILE, from 1; `embedded:INDEX` for the embedded handwriting
    #[arg(long, value_name = "FILE:INDEX")]
    pub prime: Option<String>,
    /// Use only so many steps of it
    #[arg(long, value_name = "N")]
    pub prime_steps: Option<usize>,
    /// Below 1 less varied: multiplies every standard deviation, divides every logit
    #[arg(long, default_value_t = 1., value_name = "X")]
    pub temperature: f64,
    /// Seed of the draws
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Samples of speech a second
    #[arg(long, default_value_t = 16_000, value_name = "N")]
    pub rate: u32,
    /// Where to write sample.npz, sample.svg, sample.png; for speech also sample-1.wav …
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// One pass of a trained model, node by node: values, gradients, formulas
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn inspect runs/demo --table\n  stcn inspect runs/demo --node z.2\n  \
    stcn inspect runs/demo --dump pass.safetensors"
)]
pub(super) struct Inspect {
    /// A run directory or a checkpoint
    pub run: PathBuf,
    /// Another data set than the run's own
    #[arg(long, value_name = "FILE.npz")]
    pub data: Option<PathBuf>,
    /// Sequences in the pass
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub batch: usize,
    /// Longest piece of each, in steps
    #[arg(long, default_value_t = 64, value_name = "T")]
    pub steps: usize,
    /// The terms of the chain rule at one node, as `z.2` or `tcn.3.filter.weight`
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Every node in order: op, shape, inputs, sizes of value and gradient (the default)
    #[arg(long)]
    pub table: bool,
    /// Write input, noise, parameters, values and gradients for another framework to compare
    #[arg(long, value_name = "FILE.safetensors")]
    pub dump: Option<PathBuf>,
}

/// Every op and every parameter's gradient against finite differences, in f64
#[derive(Parser)]
#[command(
    after_help = "Example:\n  cargo run --release --features f64 -- gradcheck --model stcn-dense --head gmm"
)]
pub(super) struct Gradcheck {
    /// One model [default: all]
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    /// One head [default: all that suit]
    #[arg(long, value_name = "H")]
    pub head: Option<String>,
    /// One JSON object per check on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// What a data set holds, and pictures of its sequences
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data show lines.npz --index 1 --index 7 --out lines.png\n  \
    stcn data show digits.npz --rate 8000 --out digits.svg"
)]
pub(super) struct Show {
    /// A .npz, or `embedded` for the embedded handwriting
    pub file: PathBuf,
    /// Sequences to draw, from 1 [default: the first six]
    #[arg(long, value_name = "I")]
    pub index: Vec<usize>,
    /// The picture; without it, only the figures
    #[arg(long, value_name = "FILE.svg|.png")]
    pub out: Option<PathBuf>,
    /// Draw it as ink, music or speech [default: ink if D = 3, music if all is 0 or 1, else speech]
    #[arg(long = "as", value_name = "KIND")]
    pub kind: Option<String>,
    /// Samples of speech a second
    #[arg(long, default_value_t = 16_000, value_name = "N")]
    pub rate: u32,
}

/// Write a run's weights as safetensors, by parameter path
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn export runs/ink --out ink.safetensors")]
pub(super) struct Export {
    /// A run directory or a checkpoint
    pub run: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
}

/// Make a run directory from exported weights
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn import ink.safetensors --out runs/imported")]
pub(super) struct Import {
    /// What `stcn export` wrote
    pub file: PathBuf,
    /// The run directory to make
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Time training steps on random data, against this machine's own matrix-product roof
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn bench step --preset ink --set model.channels=64 --batch 20 --time 200"
)]
pub(super) struct BenchStep {
    #[command(flatten)]
    pub choose: Choose,
    /// Sequences in the batch [default: the preset's]
    #[arg(long, value_name = "B")]
    pub batch: Option<usize>,
    /// Steps of each
    #[arg(long, default_value_t = 200, value_name = "T")]
    pub time: usize,
    /// Timed training steps, after two that are not
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub steps: usize,
    /// Then as many steps again, with time and bytes by rule
    #[arg(long)]
    pub profile: bool,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// Time cached generation
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn bench generate --preset ink --steps 2000 --count 1")]
pub(super) struct BenchGenerate {
    #[command(flatten)]
    pub choose: Choose,
    /// Steps to draw
    #[arg(long, default_value_t = 2000, value_name = "T")]
    pub steps: usize,
    /// Sequences at once
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub count: usize,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// Models, heads and presets, with parameter counts
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn list")]
pub(super) struct List {
    /// One JSON object per preset and model on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}
