//! What was typed. What it means is for the commands to say.

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

/// The data sets that can be prepared.
#[derive(Subcommand)]
pub(super) enum Prepare {
    IamOndb(IamOndb),
    Deepwriting(Deepwriting),
    Timit(Timit),
    Blizzard(Blizzard),
    Wav(Wav),
}

/// IAM-OnDB: lines on a whiteboard, as XML in folders or archives, and their lists
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare iam-ondb --input IAM-OnDB --output lines.npz\n  \
    stcn train --preset ink --data lines.npz --set data.normalise=chung-scalar\n\n\
    IAM-OnDB holds lineStrokes-all.tar.gz and task1/trainset.txt, testset_v.txt, testset_t.txt, \
    testset_f.txt; with ascii-all.tar.gz and original-xml-all.tar.gz, what was written and by whom \
    goes into lines.npz.meta.csv. Archives may be unpacked or not."
)]
pub(super) struct IamOndb {
    #[command(flatten)]
    pub files: Files,
    /// vrnn: testset_v validates, all else trains; official (or clean): testset_f tests, testset_t is left out
    #[arg(long, default_value = "vrnn", value_name = "P")]
    pub protocol: String,
    /// The normalisation to name the word for; the file stays raw: vrnn (one pair, Chung's) or channel
    #[arg(long, default_value = "channel", value_name = "N")]
    pub normalise: String,
}

/// DeepWriting: the training and the validation .npz of a release, version 1 or 2
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare deepwriting --input deepwriting_training.npz --output deepwriting.npz\n\n\
    The validation file is looked for beside it. Python's objects in them are read without running anything."
)]
pub(super) struct Deepwriting {
    #[command(flatten)]
    pub files: Files,
}

/// Where a data set comes from and goes to.
#[derive(clap::Args)]
pub(super) struct Files {
    /// The data set as its owners hand it out
    #[arg(long, value_name = "PATH")]
    pub input: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE.npz")]
    pub output: PathBuf,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// TIMIT as the LDC hands it out, into frames of 200 samples
///
/// Utterances of TEST test. Of TRAIN, sorted and shuffled with a fixed seed, 231 validate (of another
/// number, one in 20), or what a list says: lists hold a path a line, of which the last four parts count.
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn data prepare timit --input TIMIT --output timit.npz\n  \
    stcn data prepare timit --input TIMIT --output timit.npz --split lists --valid-list valid.txt")]
pub(super) struct Timit {
    #[command(flatten)]
    pub files: Files,
    /// Who validates: seeded or lists
    #[arg(long, default_value = "seeded", value_name = "RULE")]
    pub split: String,
    /// The utterances that validate
    #[arg(long, value_name = "FILE")]
    pub valid_list: Option<PathBuf>,
    /// Those to train on [default: all of TRAIN that no other list has]
    #[arg(long, value_name = "FILE")]
    pub train_list: Option<PathBuf>,
    /// Those to test on [default: all of TEST that no other list has]
    #[arg(long, value_name = "FILE")]
    pub test_list: Option<PathBuf>,
    /// Frames of the pieces into which train and valid are joined and cut; 0 keeps utterances
    #[arg(long, default_value_t = 40, value_name = "P")]
    pub segment: u32,
    /// Pieces in the published order of so many streams (64), for batches that go on [default: one stream]
    #[arg(long, value_name = "N")]
    pub streams: Option<u32>,
}

/// Blizzard 2013, decoded to .wav or headerless .raw (16 bits, 16 kHz, mono), into rows of half a second
///
/// Row piece·streams + stream of each block; train, valid and test are 283, 16 and 16 hours as published
/// where there are as many, else nine tenths and a twentieth each.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare blizzard --input blizzard/wavs --output blizzard.npz"
)]
pub(super) struct Blizzard {
    #[command(flatten)]
    pub files: Files,
    /// Recordings of a block
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub block: u32,
    /// Streams of a block
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub streams: u32,
}

/// A folder of .wav files, and of those in it, brought to one rate and cut into frames
///
/// Which files are for what comes from --split, or from patterns of their paths in the folder: `*` stands
/// for any characters, `?` for one, `[0-4]` for one of these; what fits no pattern is to train on.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare wav --input fsdd --output digits.npz --rate 8000 --test '*_[0-4].wav'\n  \
    stcn data prepare wav --input speech --output speech.npz --split fractions:0.1,0.1,1"
)]
pub(super) struct Wav {
    #[command(flatten)]
    pub files: Files,
    /// Samples a second that all are brought to
    #[arg(long, default_value_t = 16_000, value_name = "HZ")]
    pub rate: u32,
    /// Samples of a frame, the channels of the data set
    #[arg(long, default_value_t = 200, value_name = "D")]
    pub frame: u32,
    /// fractions:VALID,TEST,SEED by file, or all-train
    #[arg(long, value_name = "RULE", conflicts_with_all = ["valid", "test"])]
    pub split: Option<String>,
    /// Files that validate; may be given again
    #[arg(long, value_name = "PATTERN")]
    pub valid: Vec<String>,
    /// Files to test on; may be given again
    #[arg(long, value_name = "PATTERN")]
    pub test: Vec<String>,
}

#[derive(Subcommand)]
pub(super) enum Bench {
    Step(BenchStep),
    Generate(BenchGenerate),
}

/// What to build and how to train it: preset, then file, then words, then --set.
#[derive(clap::Args)]
pub(super) struct Choose {
    /// stcn, stcn-dense, wavenet, wavenet-dense [default: stcn-dense]
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
#[command(after_help = "Example:\n  stcn evaluate runs/ink --split test --draws 10 --iwae 16")]
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
    /// Also the importance-weighted bound of K draws per step
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub iwae: usize,
    /// Seed of the draws
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    pub json: bool,
}

/// Draw sequences from a trained model: .npz, and .svg and .png for ink
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
    /// Where to write sample.npz, sample.svg, sample.png
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
#[command(after_help = "Example:\n  stcn data show lines.npz --index 1 --index 7 --out lines.png")]
pub(super) struct Show {
    /// A .npz, or `embedded` for the embedded handwriting
    pub file: PathBuf,
    /// Sequences to draw, from 1 [default: the first six]
    #[arg(long, value_name = "I")]
    pub index: Vec<usize>,
    /// The picture; without it, only the figures
    #[arg(long, value_name = "FILE.svg|.png")]
    pub out: Option<PathBuf>,
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
