//! The words behind `stcn data prepare`, a kind of data set after another.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// The data sets that can be prepared.
#[derive(Subcommand)]
pub(in crate::cli) enum Prepare {
    IamOndb(IamOndb),
    Deepwriting(Deepwriting),
    Timit(Timit),
    Blizzard(Blizzard),
    Wav(Wav),
    Music(Music),
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
pub(in crate::cli) struct IamOndb {
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
pub(in crate::cli) struct Deepwriting {
    #[command(flatten)]
    pub files: Files,
}

/// Polyphonic music: lists of MIDI notes as JSON, or piano rolls as .mat or .npz
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn data prepare music --input jsb-chorales-quarter.json --output jsb.npz\n\n\
    The JSON is {\"train\": [...], \"valid\": [...], \"test\": [...]} of pieces, a piece a list of steps, a step \
    a list of the MIDI notes that sound, 21 to 108 (-1: a voice that rests). The .mat (version 5 to 7, not 7.3) \
    holds traindata, validdata and testdata, cells of matrices [steps, 88] of 0 and 1; the .npz holds samples \
    [total, 88] of 0 and 1, lengths and split. Of a pickle make such JSON first."
)]
pub(in crate::cli) struct Music {
    #[command(flatten)]
    pub files: Files,
}

/// Where a data set comes from and goes to.
#[derive(clap::Args)]
pub(in crate::cli) struct Files {
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
pub(in crate::cli) struct Timit {
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
pub(in crate::cli) struct Blizzard {
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
pub(in crate::cli) struct Wav {
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
