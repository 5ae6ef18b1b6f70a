//! The report of a suite: a function of its run directories alone, so the same runs give the same bytes.
//!
//! Of several seeds: the mean and its standard error, s/√n. Against the first row: the mean over sequences of the paired
//! differences of the bounds that hold, each a mean over seeds, and an interval of 95 % by the bootstrap over sequences
//! (percentiles of 1000 resamples; Efron & Tibshirani 1993). Not here: its text (`text`), its page (`page`).

use super::saved::{Held, Saved, SavedControls};
use super::{Row, Run, Suite};
use crate::error::{Error, Result};
use crate::file::read_whole;
use crate::models::{self, Registry};
use crate::noise::Noise;
use crate::train::checkpoint::{Checkpoint, sha256_of};
use crate::train::evaluate::standard_error;
use crate::train::metrics;
use crate::train::run::RunDir;
use crate::train::{Config, Trained};
use std::path::{Path, PathBuf};

/// A report, ready to print.
pub struct Report {
    /// Its title.
    pub about: String,
    /// The part of the data that it is about.
    pub split: String,
    /// Its rows.
    pub lines: Vec<Line>,
}

/// A row of the report.
pub struct Line {
    /// As the suite names it.
    pub name: String,
    /// The model.
    pub model: String,
    /// The output distribution.
    pub head: String,
    /// Parameters.
    pub params: usize,
    /// Those that drawing samples needs.
    pub generating: usize,
    /// The runs that the suite wants.
    pub wanted: usize,
    /// Those that are trained and evaluated, by seed.
    pub found: Vec<Found>,
    /// The value that evaluation reports, bound or not: nats per sequence.
    pub value: Option<Mean>,
    /// Nats per step.
    pub step: Option<Mean>,
    /// Bits per channel of a raw unit.
    pub bits: Option<Mean>,
    /// Whether it is a bound.
    pub holds: bool,
    /// The highest of the bounds that hold: its name, nats per sequence, nats per step.
    pub held: Option<(String, Mean, Mean)>,
    /// Against the first row: the mean of the paired differences, and its interval of 95 %.
    pub difference: Option<[f64; 3]>,
    /// KL of every latent, z^1 first, mean over seeds.
    pub kl: Vec<f64>,
    /// What the output reads from the latents, mean over seeds.
    pub controls: Option<Controls>,
    /// What a paper reports.
    pub paper: Option<f64>,
    /// How its protocol differs.
    pub note: String,
}

/// The controls of a row, in nats per sequence; as [`SavedControls`] has them.
pub struct Controls {
    /// `E ln p(x | z)`, z from the posterior.
    pub posterior: Mean,
    /// The same, z from the prior.
    pub prior: Mean,
    /// The lower bound by K draws from the prior, and K.
    pub by_prior: (Mean, usize),
    /// `E ln p(x | z)` with one latent from another step, z^1 first.
    pub shuffled: Vec<f64>,
    /// ELBO and IWAE with one shared draw of each latent, where training made several.
    pub one_draw: [Option<Mean>; 2],
}

impl Controls {
    /// Of runs that all have them.
    fn of(found: &[Found]) -> Option<Self> {
        let all: Vec<&SavedControls> =
            found.iter().map(|found| found.saved.controls.as_ref()).collect::<Option<_>>()?;
        let mean = |of: &dyn Fn(&SavedControls) -> Option<f64>| {
            Mean::of(&all.iter().map(|one| of(one)).collect::<Option<Vec<f64>>>()?)
        };
        let first = all.first()?;
        let shuffled = (0..first.shuffled_log_px_seq.len())
            .map(|l| mean(&|one| one.shuffled_log_px_seq.get(l).copied()).map(|x| x.mean));
        Some(Self {
            posterior: mean(&|one| Some(one.posterior_log_px_seq))?,
            prior: mean(&|one| Some(one.prior_log_px_seq))?,
            by_prior: (mean(&|one| Some(one.prior_seq))?, first.prior_k),
            shuffled: shuffled.collect::<Option<_>>()?,
            one_draw: [mean(&|one| one.one_draw_elbo_seq), mean(&|one| one.one_draw_iwae_seq)],
        })
    }
}

/// A run that is trained and evaluated.
pub struct Found {
    /// The name of its directory.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// D, which a series has from its data.
    pub input: usize,
    /// Its evaluation.
    pub saved: Saved,
    /// The updates of the whole run.
    pub updates: u64,
    /// Whether it ended since validation no longer improved.
    pub out_of_patience: bool,
    /// Update and validation value, at every check.
    pub curve: Vec<(f64, f64)>,
    /// Seconds of training, all sessions together. In no report, since no two runs take the same.
    pub seconds: f64,
    /// Its samples, as SVG.
    pub samples: Option<String>,
}

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error; `None` for one seed.
    pub se: Option<f64>,
}

impl Mean {
    /// Of numbers; `None` if there are none.
    pub fn of(x: &[f64]) -> Option<Self> {
        let mean = x.iter().fold(0., |sum, x| sum + x) / x.len() as f64;
        (!x.is_empty()).then(|| Self { mean, se: standard_error(x) })
    }
}

/// The longest picture that a page holds.
const LONGEST_PICTURE: u64 = 1 << 22;

impl Report {
    /// Reads the runs of a suite below `out`. What is not there stays empty.
    pub fn read(suite: &Suite, out: &Path, registry: &Registry) -> Result<Self> {
        let lines = suite.rows.iter().map(|row| Line::read(row, suite, out, registry));
        let (about, split) = (suite.about.clone(), suite.evaluate.split.clone());
        Ok(Self::of(about, split, lines.collect::<Result<_>>()?))
    }

    /// Of rows: compares each with the first.
    pub fn of(about: String, split: String, mut lines: Vec<Line>) -> Self {
        if let Some((first, others)) = lines.split_first_mut() {
            for line in others {
                line.difference = difference(line, first);
            }
        }
        Self { about, split, lines }
    }
}

impl Line {
    fn read(row: &Row, suite: &Suite, out: &Path, registry: &Registry) -> Result<Self> {
        let found = row.runs.iter().map(|run| Found::read(run, suite, out, registry));
        let found: Vec<Option<Found>> = found.collect::<Result<_>>()?;
        Self::of(row, found.into_iter().flatten().collect())
    }

    /// Of the runs that are there.
    pub fn of(row: &Row, found: Vec<Found>) -> Result<Self> {
        let mut config = row.runs[0].config.model.clone();
        config.obs.input = found.first().map_or(config.obs.input, |found| found.input);
        let shapes = models::shapes(&config)?;
        let count = |all: bool| {
            let counted = shapes.iter().filter(|(path, _)| all || config.kind.generates_with(path));
            counted.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>()
        };
        let mean = |of: &dyn Fn(&Saved) -> f64| {
            Mean::of(&found.iter().map(|found| of(&found.saved)).collect::<Vec<_>>())
        };
        let latents = found.first().map_or(0, |found| found.saved.kl.len());
        let kl = (0..latents).map(|l| mean(&|saved| saved.kl[l]).map_or(0., |kl| kl.mean));
        Ok(Self {
            name: row.name.clone(),
            model: config.kind.name().into(),
            head: config.obs.head.name().into(),
            params: count(true),
            generating: count(false),
            wanted: row.runs.len(),
            value: mean(&|saved| saved.elbo_seq),
            step: mean(&|saved| saved.elbo_step),
            bits: mean(&|saved| saved.bits_per_dim),
            holds: found.iter().all(|found| found.saved.holds()),
            held: held(&found).map(|(name, held)| {
                let of = |of: fn(&Held) -> f64| {
                    let values: Vec<f64> = held.iter().map(of).collect();
                    Mean::of(&values).expect("a bound of every run that is there")
                };
                (name, of(|held| held.seq), of(|held| held.step))
            }),
            difference: None,
            kl: kl.collect(),
            controls: Controls::of(&found),
            paper: row.paper,
            note: row.note.clone(),
            found,
        })
    }
}

impl Found {
    /// A run of the suite, if it is evaluated as the suite wants it. That its settings are the suite's is for
    /// [`refuse_other`] to say, before.
    pub fn read(run: &Run, suite: &Suite, out: &Path, registry: &Registry) -> Result<Option<Self>> {
        let root = out.join(&run.name);
        let Some(saved) = Saved::read(&Saved::path(&root, &suite.evaluate.split))? else {
            return Ok(None);
        };
        let dir = RunDir::open(&root)?;
        let plan = &suite.evaluate;
        let asked = |k: usize| (k > 0).then_some(k);
        // A model without latents has one draw.
        let draws = if run.config.model.kind.has_latents() { plan.draws } else { 1 };
        let as_asked = saved.draws == draws
            && saved.iwae_k == asked(plan.iwae)
            && saved.fivo_k == asked(suite.fivo(run))
            && saved.asked_for_controls == plan.controls;
        let trained = Trained::open(&root, registry)?;
        if !as_asked || sha256_of(&trained.checkpoint)? != saved.checkpoint_sha256 {
            return Ok(None); // evaluated otherwise, or trained on since
        }
        let samples = root.join("samples").join("sample.svg");
        let samples = samples
            .exists()
            .then(|| read_whole(&samples, LONGEST_PICTURE, "a picture of `stcn sample`"));
        let samples =
            samples.transpose()?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (columns, rows) = metrics::table(&dir.metrics())?;
        let latest = Checkpoint::load(&dir.latest())?.header;
        let Config { train, model, .. } = dir.read_config(registry)?;
        Ok(Some(Self {
            name: run.name.clone(),
            seed: run.config.seed,
            input: model.obs.input,
            saved,
            updates: latest.step,
            out_of_patience: train.early_stop && latest.bad_checks >= train.patience,
            curve: metrics::points(&columns, &rows, "valid_elbo_seq").unwrap_or_default(),
            seconds: seconds(&columns, &rows),
            samples,
        }))
    }
}

/// Refuses a run that was trained with other settings than the suite has.
pub fn refuse_other(run: &Run, dir: &RunDir, registry: &Registry) -> Result<()> {
    match run.mismatch(&dir.read_config(registry)?) {
        None => Ok(()),
        Some(change) => {
            let what = format!(
                "was trained with {} = {}, and the suite says {}: move the run away, give the row another name, or choose \
                 another --out",
                change.key,
                if change.old.is_empty() { "nothing" } else { &change.old },
                if change.new.is_empty() { "nothing" } else { &change.new }
            );
            Err(Error::invalid(dir.root(), what))
        }
    }
}

/// The seconds that a run has been trained, from its metrics.
pub fn seconds_of(dir: &RunDir) -> Result<f64> {
    let path: PathBuf = dir.metrics();
    if !path.exists() {
        return Ok(0.);
    }
    let (columns, rows) = metrics::table(&path)?;
    Ok(seconds(&columns, &rows))
}

/// The sum over sessions: the column counts from the start of each.
fn seconds(columns: &[String], rows: &[metrics::Row]) -> f64 {
    let Some(i) = columns.iter().position(|name| name == "seconds") else { return 0. };
    let (mut sum, mut last) = (0., 0.);
    for second in rows.iter().filter_map(|row| *row.get(i)?) {
        if second < last {
            sum += last;
        }
        last = second;
    }
    sum + last
}

/// Of the bounds that hold for every run, that of the highest mean.
fn held(found: &[Found]) -> Option<(String, Vec<Held<'_>>)> {
    let all: Vec<Vec<Held>> = found.iter().map(|found| found.saved.bounds()).collect();
    let of = |name: &str| -> Option<Vec<Held>> {
        all.iter().map(|bounds| bounds.iter().find(|held| held.name == name).cloned()).collect()
    };
    let total = |held: &[Held]| held.iter().fold(0., |sum, held| sum + held.seq);
    let each = all.first()?.iter().filter_map(|held| Some((held.name.clone(), of(&held.name)?)));
    each.fold(None, |best: Option<(String, Vec<Held>)>, one| match best {
        Some(best) if total(&best.1) >= total(&one.1) => Some(best),
        _ => Some(one),
    })
}

/// The mean over seeds of the bound that holds, by sequence.
fn by_sequence(line: &Line) -> Option<Vec<f64>> {
    let (_, held) = held(&line.found)?;
    let (n, runs) = (held[0].per_sequence.len(), held.len() as f64);
    let mean = |i: usize| held.iter().fold(0., |sum, held| sum + held.per_sequence[i]) / runs;
    held.iter().all(|held| held.per_sequence.len() == n).then(|| (0..n).map(mean).collect())
}

/// Mean paired difference and its interval; `None` unless both are of the same data.
fn difference(line: &Line, first: &Line) -> Option<[f64; 3]> {
    let data = |line: &Line| line.found.first().map(|found| found.saved.fingerprint.clone());
    if data(line)? != data(first)? {
        return None;
    }
    let (own, other) = (by_sequence(line)?, by_sequence(first)?);
    let differences: Vec<f64> = own.iter().zip(&other).map(|(a, b)| a - b).collect();
    (own.len() == other.len()).then(|| bootstrap(&differences))
}

/// Resamples of the bootstrap.
const RESAMPLES: u64 = 1000;

/// The mean, and the percentiles 2.5 and 97.5 of the means of resamples.
pub fn bootstrap(x: &[f64]) -> [f64; 3] {
    let n = x.len();
    let noise = Noise::new(0, "evaluate");
    let mean_of = |sum: f64| sum / n as f64;
    let mut words = vec![0; n];
    let mut means: Vec<f64> = vec![];
    for sample in 0..RESAMPLES {
        noise.words("bootstrap", sample, 0, &mut words);
        let pick = |word: u32| x[((u64::from(word) * n as u64) >> 32) as usize];
        means.push(mean_of(words.iter().fold(0., |sum, &word| sum + pick(word))));
    }
    means.sort_by(f64::total_cmp);
    let percentile = |share: f64| means[((RESAMPLES - 1) as f64 * share).round() as usize];
    [mean_of(x.iter().fold(0., |sum, x| sum + x)), percentile(0.025), percentile(0.975)]
}
