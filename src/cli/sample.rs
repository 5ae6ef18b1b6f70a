//! `stcn sample`: draws sequences from a trained model, as numbers, pictures and sound.

use super::data::{draw, open, rate_of_sound};
use super::trained::RunArgs;
use super::{check_rate, print_json};
use crate::data::{Batch, DataSet, Split, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::file::write_whole;
use crate::inspect::{midi, page::Drawing, png, wav};
use crate::models::Registry;
use crate::models::config::Task;
use crate::tensor::{Real, Tensor};
use crate::train::ranks::Crew;
use crate::train::samples::{COUNT, NUMBERS_AT_ONCE, SEED, room};
use crate::train::{Ranks, Trained, data, drawn};
use clap::Parser;
use indicatif::ProgressBar;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Draw sequences from a trained model, as .npz, .svg, .png, for speech .wav, and for music .mid
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn sample runs/ink --count 8 --steps 600 --temperature 0.8 --out drawn\n  \
    stcn sample runs/ink --prime lines.npz:12 --prime-steps 300 --out continued"
)]
pub(super) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Number of sequences
    #[arg(long, default_value_t = COUNT, value_name = "N")]
    count: usize,
    /// Time steps to draw per sequence [default: the median length of the run's training data]
    #[arg(long, value_name = "T")]
    steps: Option<usize>,
    /// Continue a real sequence: number INDEX of FILE, counted from 1; `embedded:INDEX` for the embedded handwriting
    #[arg(long, value_name = "FILE:INDEX")]
    prime: Option<String>,
    /// Use only the first N steps of the --prime sequence
    #[arg(long, value_name = "N")]
    prime_steps: Option<usize>,
    /// Multiplies every standard deviation and divides every logit: below 1, samples vary less
    #[arg(long, default_value_t = 1., value_name = "X")]
    temperature: f64,
    /// Seed of the draws
    #[arg(long, default_value_t = SEED, value_name = "N")]
    seed: u64,
    /// Sampling rate of speech, in Hz [default: that of the data the model was trained on, or 16000 if it is unknown]
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Directory to write to: sample.npz; sample.svg and sample.png, of the first 64 sequences at most; for speech
    /// sample-1.wav, sample-2.wav, …; for music of 88 keys sample-1.mid, … (a step is a quarter note at tempo 120, a key
    /// that stays on is held) [default: samples, in the run directory if it is one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    json: bool,
}

/// Steps of a sample where the run's data are not there to take a median length from.
const STEPS: usize = 400;

/// The most sequences of one call.
const MOST_SEQUENCES: usize = 1 << 26;

/// The most numbers of one sequence: more than an hour of speech, 256 MiB in f32.
const MOST_NUMBERS: usize = 1 << 26;

/// The most sequences drawn side by side; [`NUMBERS_AT_ONCE`] bounds memory too, however many are asked for.
const SIDE_BY_SIDE: usize = 32;

pub(super) fn run(args: Args, registry: &Registry, ranks: Ranks) -> Result<()> {
    if args.count == 0 {
        return Err(Error::usage("--count 0 draws nothing: ask for 1 or more"));
    }
    if args.count > MOST_SEQUENCES {
        let count = args.count;
        return Err(Error::usage(format!("--count {count}: want {MOST_SEQUENCES} at most")));
    }
    if args.steps == Some(0) {
        return Err(Error::usage("--steps 0 draws nothing: ask for 1 or more"));
    }
    if !(args.temperature >= 0. && args.temperature.is_finite()) {
        return Err(Error::usage("--temperature takes a number from 0 on, such as 0.8"));
    }
    args.rate.map(check_rate).transpose()?;
    if args.prime_steps.is_some() && args.prime.is_none() {
        let cure = "name the sequence to continue with --prime FILE.npz:INDEX";
        return Err(Error::usage(format!("--prime-steps without --prime: {cure}")));
    }
    let trained = args.run.open(registry)?;
    let channels = trained.config.model.obs.input;
    let given = args.prime.as_deref().map(|prime| primed(prime, &trained)).transpose()?;
    let (mut given, rate_of_prime) = given.unwrap_or_default();
    given.truncate(args.prime_steps.unwrap_or(usize::MAX).saturating_mul(channels));
    let primed = given.len() / channels;
    let usual = || data::usual_length(&trained.config).unwrap_or(STEPS);
    let steps = args.steps.unwrap_or_else(usual);
    let numbers = primed.checked_add(steps).and_then(|n| n.checked_mul(channels));
    let Some(numbers) = numbers.filter(|&numbers| numbers <= MOST_NUMBERS) else {
        return Err(Error::usage(format!(
            "{primed} + {steps} steps of {channels} numbers make more than {MOST_NUMBERS}: draw shorter sequences \
             by --steps"
        )));
    };
    let out = args.out.unwrap_or_else(|| args.run.directory().join("samples"));
    std::fs::create_dir_all(&out).map_err(Error::write(&out))?;

    let prime: Vec<Real> = given.iter().map(|&x| Real::from(x)).collect();
    let task = trained.config.model.obs.task;
    let at_once = (NUMBERS_AT_ONCE / numbers).clamp(1, SIDE_BY_SIDE * ranks.count());
    let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(args.count as u64) };
    let temperature = args.temperature.max(1e-6) as Real; // 0: the likeliest of everything
    let drawing = drawn::Drawing { seed: args.seed, steps, temperature };
    let crew = Crew::new(ranks.of(&trained.config.portable_toml()), &*trained.model);
    let npz = out.join("sample.npz");
    let mut writer = Writer::create(&npz, channels, &[])?;
    let rate_of_run = Some(trained.config.data.rate).filter(|&rate| rate > 0);
    let rate = args.rate.or(rate_of_run).or(rate_of_prime).filter(|_| task == Task::Speech);
    rate.into_iter().for_each(|rate| writer.set_rate(rate));
    // Each is written as soon as it is drawn, and forgotten.
    for first in (0..args.count).step_by(at_once) {
        let samples: Vec<u64> =
            (first..args.count.min(first + at_once)).map(|i| i as u64).collect();
        let n = samples.len();
        let x = Tensor::new(&[n, primed, channels], prime.repeat(n));
        let given = Batch { x, lengths: vec![primed; n], samples };
        let drawn = match ranks.count() {
            1 => drawing.draw(&*trained.model, &given, |t| {
                bar.set_position((first + n * t / (primed + steps)) as u64);
            }),
            _ => drawing.draw_on(&crew, &given),
        };
        let raw = trained.raw(&drawn);
        if !drawn.is_finite() || raw.iter().flatten().any(|x| !x.is_finite()) {
            return Err(ErrorKind::Diverged(
                "the model drew numbers that are not finite: train it further, or lower --temperature"
                    .into(),
            )
            .into());
        }
        for rows in raw {
            writer.push(&rows, Split::Train, &[])?;
        }
    }
    bar.finish_and_clear();
    writer.finish()?;

    // Sounds and pictures are made of the finished file, so that none is left where the model drew numbers that are
    // not finite.
    let set = DataSet::open_within(&npz, None, 4 * NUMBERS_AT_ONCE as u64)?;
    let mut files = vec![npz.display().to_string()];
    let mut heard = Heard::default();
    let rate = rate_of_sound(task, rate);
    for i in 0..set.len() {
        let path = |end| out.join(format!("sample-{}.{end}", i + 1));
        let path = match task {
            Task::Speech => {
                let (rows, path) = (set.sequence(i)?, path("wav"));
                heard.add(&rows, wav::wav(&rows, rate, &path)?);
                path
            }
            Task::Music if channels == midi::KEYS => {
                let path = path("mid");
                midi::midi(&set.sequence(i)?, &path)?;
                path
            }
            _ => break,
        };
        files.push(path.display().to_string());
    }
    let pictured = set.len().min(room(task, channels, numbers));
    let pictured = (0..pictured).map(|i| set.sequence(i)).collect::<Result<Vec<_>>>()?;
    let clipped = (task == Task::Speech).then(|| heard.tell());
    if pictured.is_empty() {
        eprintln!(
            "note: there is no picture, since a sequence of {numbers} numbers is too long for one"
        );
    } else {
        if pictured.len() < args.count {
            let (shown, count) = (pictured.len(), args.count);
            eprintln!("note: the picture shows the first {shown} of {count} sequences");
        }
        let drawings: Vec<_> = pictured.iter().map(|rows| Drawing { rows, primed }).collect();
        let svg = draw(task, &drawings, channels, rate);
        files.extend(pictures(&out.join("sample"), &svg)?);
    }
    if args.json {
        let mut line = json!({ "checkpoint": trained.checkpoint.to_string_lossy(), "step": trained.step, "count": args.count, "steps": steps, "primed": primed, "files": files });
        if let Some(clipped) = clipped {
            line["clipped"] = clipped.into();
            line["rate"] = rate.into();
        }
        print_json(&line);
    } else {
        eprintln!("drawn from {}", trained.origin());
        files.iter().for_each(|file| println!("{file}"));
    }
    Ok(())
}

/// What the sounds are like together.
#[derive(Default)]
struct Heard {
    samples: usize,
    clipped: usize,
    loud: bool,
}

impl Heard {
    /// Adds a sound: its samples, in units of 16-bit integers, and how many of them were clipped.
    fn add(&mut self, rows: &[f32], clipped: usize) {
        self.samples += rows.len();
        self.clipped += clipped;
        self.loud |= rows.iter().any(|x| x.abs() >= 2.);
    }

    /// The share of samples that were clipped. Notes on stderr if there are any, or if the sound is too quiet to
    /// hear.
    fn tell(&self) -> f64 {
        let share = self.clipped as f64 / self.samples.max(1) as f64;
        if self.clipped > 0 {
            let percent = 100. * share;
            eprintln!("note: {percent:.3} % of the samples are beyond 16 bits and were clipped");
        }
        if !self.loud {
            eprintln!(
                "note: nothing to hear: all samples lie between -2 and 2 where a .wav goes to 32767; prepare \
                 the data in units of 16-bit integers"
            );
        }
        share
    }
}

/// Writes `stem.svg`, and `stem.png` if this build can.
fn pictures(stem: &Path, svg: &str) -> Result<Vec<String>> {
    let path = stem.with_extension("svg");
    write_whole(&path, |file| file.write_all(svg.as_bytes()))?;
    let mut files = vec![path.display().to_string()];
    if cfg!(feature = "png") {
        let path = stem.with_extension("png");
        png::png(svg, &path)?;
        files.push(path.display().to_string());
    }
    Ok(files)
}

/// The normalised rows of `FILE:INDEX`, and their sampling rate if it is known.
fn primed(prime: &str, trained: &Trained) -> Result<(Vec<f32>, Option<u32>)> {
    let wrong = || Error::usage(format!("--prime {prime}: want FILE:INDEX, such as lines.npz:12"));
    let (file, index) = prime.rsplit_once(':').ok_or_else(wrong)?;
    let index: usize = index.parse().map_err(|_| wrong())?;
    let set = open(Path::new(file))?;
    let (found, wanted) = (set.channels(), trained.config.model.obs.input);
    if found != wanted {
        let what = format!(
            "has D = {found} channels, the model takes {wanted}: prime with data of its kind"
        );
        return Err(Error::invalid(file, what));
    }
    if index == 0 || index > set.len() {
        let what = format!("has sequences 1 to {}, not {index}: choose another", set.len());
        return Err(Error::invalid(file, what));
    }
    data::check_values(trained.config.model.obs.task, &set)?;
    data::check_rate(&trained.config, &set)?;
    let raw = set.sequence(index - 1)?;
    let mut rows = vec![0.; raw.len()];
    trained.normalisation.apply(&raw, &mut rows);
    Ok((rows, set.rate()))
}
