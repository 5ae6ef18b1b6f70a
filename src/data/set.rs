//! [`DataSet`]: raw, checked sequences, each with its split, in memory or read from disk on demand.
//!
//! All data passes the checks of [`DataSet::from_flat`] once, and other code relies on them. Messages count
//! sequences, steps and channels from 1. Not here: the file format ([`super::npz`]).

use super::agreement::{Flat, RATES, check_channels, check_count, check_rate, offsets};
#[cfg(feature = "files")]
use super::npz;
use super::samples::Samples;
use super::split::{MissingSplit, Split};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Sequences of finite numbers, each at least one step long, with their splits.
#[derive(Debug)]
pub struct DataSet {
    name: PathBuf,
    fingerprint: String,
    channels: usize,
    samples: Samples,
    /// Offset of each sequence in `samples`, then the end of the last.
    offsets: Vec<usize>,
    split: Vec<Split>,
    rate: Option<u32>,
    /// The sequences of each split, so that millions need not be searched.
    by_split: [Vec<usize>; 3],
}

/// Values per piece of [`DataSet::pieces`], or one row if that has more.
const PIECE: usize = 1 << 16;

impl DataSet {
    /// The most bytes of samples that [`open`](Self::open) loads into memory.
    pub const IN_MEMORY: u64 = 1 << 30;

    /// Samples per second that sound may have.
    pub const RATES: RangeInclusive<u32> = RATES;

    /// A data set in memory, from sequences of shape `[steps, channels]`; without `split`, all are for training.
    ///
    /// `name` replaces the file name in messages; the fingerprint is computed from the values.
    pub fn from_parts(
        name: impl Into<PathBuf>,
        channels: usize,
        sequences: Vec<Vec<f32>>,
        split: Option<Vec<u8>>,
    ) -> Result<Self> {
        let name = name.into();
        if let Some(i) = sequences.iter().position(|s| s.len() % channels.max(1) != 0) {
            return Err(Error::invalid(
                name,
                format!(
                    "sequence {} has {} numbers, wanted a multiple of {channels} channels; crop \
                     or pad it",
                    i + 1,
                    sequences[i].len()
                ),
            ));
        }
        let lengths = sequences.iter().map(|s| (s.len() / channels.max(1)) as i64).collect();
        if let Some(i) = split.iter().flatten().position(|&n| n > 2) {
            let number = split.map_or(0, |split| split[i]);
            return Err(Error::invalid(name, unknown_split(i, number.into())));
        }
        let split = split.map(|split| split.into_iter().map(|n| n as i8).collect());
        let flat = Flat { channels, samples: sequences.concat(), lengths, split, rate: None };
        let fingerprint = fingerprint(&flat);
        Self::from_flat(name, fingerprint, flat, Some(MissingSplit::AllTrain))
    }

    /// Checks everything that a data set guarantees, and builds it.
    pub(crate) fn from_flat(
        name: PathBuf,
        fingerprint: String,
        flat: Flat<impl Into<Samples>>,
        missing: Option<MissingSplit>,
    ) -> Result<Self> {
        let wrong = |what: String| Error::invalid(&name, what);
        let Flat { channels, samples, lengths, split, rate } = flat;
        let samples = samples.into();
        check_channels(channels).map_err(wrong)?;
        let offsets = offsets(&lengths, channels, samples.len()).map_err(wrong)?;
        let rate = rate.map(check_rate).transpose().map_err(wrong)?;
        let split = splits(split, lengths.len(), missing).map_err(wrong)?;
        let by_split =
            Split::ALL.map(|wanted| (0..split.len()).filter(|&i| split[i] == wanted).collect());
        let set = Self { name, fingerprint, channels, samples, offsets, split, rate, by_split };
        if set.samples.are_integral() {
            return Ok(set);
        }
        match set.first_value(|_, x| !x.is_finite())? {
            Some((place, x)) => Err(Error::invalid(
                &set.name,
                format!(
                    "{place} of `samples` is {x}, wanted finite numbers; fix or drop the sequence \
                     before np.savez"
                ),
            )),
            None => Ok(set),
        }
    }

    /// The path of its file, or the name it was given.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// SHA-256 in hex of the file, or of the values of a set made in memory.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.split.len()
    }

    /// Always false: a set without sequences is refused.
    pub fn is_empty(&self) -> bool {
        self.split.is_empty()
    }

    /// D: values per step.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of sound per second; `None` if that is unknown, or the data are not sound.
    pub fn rate(&self) -> Option<u32> {
        self.rate
    }

    /// The same values as sound of `rate` samples per second. Fails if that is not in [`RATES`](Self::RATES).
    pub fn with_rate(self, rate: u32) -> Result<Self> {
        let rate = check_rate(rate.into()).map_err(|what| Error::invalid(&self.name, what))?;
        Ok(Self { rate: Some(rate), ..self })
    }

    /// Sequence `i`, raw: `[steps, channels]`.
    #[track_caller]
    pub fn sequence(&self, i: usize) -> Result<Cow<'_, [f32]>> {
        self.rows(i, 0, self.length(i))
    }

    /// Steps `start..start + steps` of sequence `i`, raw: `[steps, channels]`. Fails if they are on disk and the file
    /// has changed since it was opened.
    ///
    /// # Panics
    /// If the sequence has fewer steps.
    #[track_caller]
    pub fn rows(&self, i: usize, start: usize, steps: usize) -> Result<Cow<'_, [f32]>> {
        assert!(start + steps <= self.length(i), "rows: beyond the end of sequence {i}");
        let from = self.offsets[i] + start * self.channels;
        self.samples.read(from..from + steps * self.channels)
    }

    /// Sequence `i` in pieces of whole rows, each of bounded size.
    pub fn pieces(&self, i: usize) -> impl Iterator<Item = Result<Cow<'_, [f32]>>> {
        let (length, most) = (self.length(i), (PIECE / self.channels).max(1));
        (0..length).step_by(most).map(move |start| self.rows(i, start, most.min(length - start)))
    }

    /// Bytes of memory in use, without samples left on disk.
    pub fn bytes_in_memory(&self) -> u64 {
        let numbers = if let Samples::Memory(numbers) = &self.samples { numbers.len() } else { 0 };
        (numbers * size_of::<f32>() + self.offsets.len() * 2 * size_of::<usize>()) as u64
    }

    /// Steps of sequence `i`.
    #[track_caller]
    pub fn length(&self, i: usize) -> usize {
        (self.offsets[i + 1] - self.offsets[i]) / self.channels
    }

    /// The split of sequence `i`.
    #[track_caller]
    pub fn split_of(&self, i: usize) -> Split {
        self.split[i]
    }

    /// The sequences of a split, in order.
    pub fn split(&self, split: Split) -> &[usize] {
        &self.by_split[split as usize]
    }

    /// Total steps of a split.
    pub fn steps(&self, split: Split) -> usize {
        self.split(split).iter().map(|&i| self.length(i)).sum::<usize>()
    }

    /// Counts and lengths of a split; `None` if it is empty.
    pub fn summary(&self, split: Split) -> Option<Summary> {
        Summary::new(split, self.split(split).iter().map(|&i| self.length(i)).collect())
    }

    /// Checks that the data suits a handwriting head: dx, dy and a pen that is 0 or 1.
    pub fn check_ink(&self) -> Result<()> {
        if self.channels != 3 {
            return Err(Error::invalid(
                &self.name,
                format!(
                    "has {} channels, ink wants 3 (dx, dy, pen): choose a --preset for this data, such as \
                     series-tiny",
                    self.channels
                ),
            ));
        }
        match self.first_value(|channel, x| channel == 2 && x != 0. && x != 1.)? {
            None => Ok(()),
            Some((Place { sequence, step, .. }, pen)) => Err(Error::invalid(
                &self.name,
                format!(
                    "sequence {sequence}, step {step} has pen {pen}, ink wants 0 or 1 (1 on the \
                     last point of a stroke): fix the third channel, or, if this is not ink, choose --preset \
                     series-tiny (in `stcn data show`, --as series)"
                ),
            )),
        }
    }

    /// Checks that the first `real_channels` channels can be dequantised: integers, small enough that f32 can hold them
    /// with noise added.
    pub fn check_grid(&self, real_channels: usize) -> Result<()> {
        // Noise has 2³² addresses per sequence.
        let most = (1_u64 << 32) / real_channels.max(1) as u64;
        if let Some(i) = (0..self.len()).find(|&i| self.length(i) as u64 > most) {
            return Err(Error::invalid(
                &self.name,
                format!(
                    "sequence {} has {} steps, dequantisation takes at most {most}; split it",
                    i + 1,
                    self.length(i)
                ),
            ));
        }
        if self.samples.are_integral() {
            return Ok(());
        }
        let off_grid = |x: f32| x.fract() != 0. || x.abs() > LARGEST_CELL;
        match self.first_value(|channel, x| channel < real_channels && off_grid(x))? {
            None => Ok(()),
            Some((place, x)) => Err(Error::invalid(
                &self.name,
                format!(
                    "{place} is {x}, dequantisation wants whole numbers from −{LARGEST_CELL} to \
                     {LARGEST_CELL} in all real channels; prepare the data in the units it was \
                     recorded in, or leave out --dequantise"
                ),
            )),
        }
    }

    /// Checks that the data suits the Bernoulli head: only 0 and 1.
    pub fn check_binary(&self) -> Result<()> {
        match self.first_value(|_, x| x != 0. && x != 1.)? {
            None => Ok(()),
            Some((place, x)) => Err(Error::invalid(
                &self.name,
                format!(
                    "{place} is {x}, --head bernoulli wants 0 or 1; write (samples > \
                     0).astype('<f4'), or choose a preset of ink, speech or series"
                ),
            )),
        }
    }

    /// The first value, in index order, for which `wrong(channel, value)` holds; channels count from 0.
    fn first_value(&self, wrong: impl Fn(usize, f32) -> bool) -> Result<Option<(Place, f32)>> {
        for i in 0..self.len() {
            let mut step = 0;
            for rows in self.pieces(i) {
                for row in rows?.chunks_exact(self.channels) {
                    step += 1;
                    if let Some(d) = (0..self.channels).find(|&d| wrong(d, row[d])) {
                        let place = Place { sequence: i + 1, step, channel: d + 1 };
                        return Ok(Some((place, row[d])));
                    }
                }
            }
        }
        Ok(None)
    }
}

#[cfg(feature = "files")]
impl DataSet {
    /// Opens an .npz. `missing` is the rule to use if the file has no `split`.
    ///
    /// Samples that would take more than [`IN_MEMORY`](Self::IN_MEMORY) are left on disk and their rows read on demand;
    /// they must be uncompressed.
    pub fn open(path: impl AsRef<Path>, missing: Option<MissingSplit>) -> Result<Self> {
        Self::open_within(path, missing, Self::IN_MEMORY)
    }

    /// [`open`](Self::open) with another limit, in bytes.
    pub fn open_within(
        path: impl AsRef<Path>,
        missing: Option<MissingSplit>,
        most_bytes: u64,
    ) -> Result<Self> {
        let (flat, fingerprint) = npz::open(&path, most_bytes)?;
        Self::from_flat(path.as_ref().into(), fingerprint, flat, missing)
    }

    /// The [`summary`](Self::summary) of a file, whose samples are not read.
    pub fn summary_of(
        path: impl AsRef<Path>,
        missing: Option<MissingSplit>,
        split: Split,
    ) -> Result<Option<Summary>> {
        let flat = npz::outline(&path)?;
        let splits = splits(flat.split, flat.lengths.len(), missing)
            .map_err(|what| Error::invalid(path.as_ref(), what))?;
        let lengths = flat.lengths.into_iter().zip(splits).filter(|(_, of)| *of == split);
        Ok(Summary::new(split, lengths.map(|(steps, _)| steps as usize).collect()))
    }

    /// Writes an .npz. Splits are included if one is train, since a `split` without train is refused on reading. The
    /// file's fingerprint differs from this set's.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let split = self.split.iter().map(|&split| split as i8).collect();
        let flat = Flat {
            channels: self.channels,
            samples: self.samples.read(0..self.samples.len())?.into_owned(),
            lengths: (0..self.len()).map(|i| self.length(i) as i64).collect(),
            split: self.split.contains(&Split::Train).then_some(split),
            rate: self.rate.map(i64::from),
        };
        npz::write(path, &flat)
    }
}

/// Above it, f32 keeps fewer than eight bits of the added noise.
const LARGEST_CELL: f32 = 65536.;

/// The location of a value, counted from 1.
struct Place {
    sequence: usize,
    step: usize,
    channel: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, step, channel } = self;
        write!(f, "sequence {sequence}, step {step}, channel {channel}")
    }
}

/// Counts and lengths of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The split.
    pub split: Split,
    /// Number of sequences.
    pub sequences: usize,
    /// Total steps.
    pub steps: usize,
    /// Length of the shortest sequence.
    pub shortest: usize,
    /// Median length.
    pub median: f64,
    /// Length of the longest sequence.
    pub longest: usize,
}

impl Summary {
    /// `None` without sequences.
    fn new(split: Split, mut lengths: Vec<usize>) -> Option<Self> {
        lengths.sort_unstable();
        let n = lengths.len();
        Some(Self {
            split,
            sequences: n,
            steps: lengths.iter().sum::<usize>(),
            shortest: *lengths.first()?,
            median: (lengths[(n - 1) / 2] + lengths[n / 2]) as f64 / 2.,
            longest: *lengths.last()?,
        })
    }

    /// How many steps a sample has unless they are given: the median, rounded down.
    pub(crate) fn usual_length(&self) -> usize {
        self.median as usize
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { split, sequences, steps, shortest, median, longest } = self;
        write!(
            f,
            "{split:<5} {sequences} sequences, {steps} steps, lengths {shortest} to {longest}, \
             median {median}"
        )
    }
}

/// Checks and converts the `split` of a file.
fn checked_split(split: &[i8], sequences: usize) -> Result<Vec<Split>, String> {
    check_count(split.len(), sequences)?;
    let named = |(i, &n): (usize, &i8)| {
        let found = usize::try_from(n).ok().and_then(|n| Split::ALL.get(n).copied());
        found.ok_or_else(|| unknown_split(i, n.into()))
    };
    let split = split.iter().enumerate().map(named).collect::<Result<Vec<_>, _>>()?;
    match split.contains(&Split::Train) {
        true => Ok(split),
        false => Err(
            "`split` has no 0 (train), wanted at least one, since normalisation is computed from train; \
                      mark some sequences"
                .into(),
        ),
    }
}

fn unknown_split(i: usize, number: i64) -> String {
    format!(
        "`split` gives sequence {} the number {number}, wanted 0 (train), 1 (valid) or 2 (test); \
         renumber it",
        i + 1
    )
}

/// The split of each of `sequences`, by the file or by the rule for files without; or what is wrong.
fn splits(
    split: Option<Vec<i8>>,
    sequences: usize,
    missing: Option<MissingSplit>,
) -> std::result::Result<Vec<Split>, String> {
    match (split, missing) {
        (Some(split), _) => checked_split(&split, sequences),
        (None, Some(rule)) => {
            let split = rule.assign(sequences);
            if rule != MissingSplit::AllTest && !split.contains(&Split::Train) {
                return Err(format!(
                    "has {sequences} sequences, of which {rule} leaves none to train on; choose smaller fractions"
                ));
            }
            Ok(split)
        }
        (None, None) => {
            Err("has no `split`, and there is no default; add one (0 train, 1 valid, 2 test), or \
                             choose a rule with --set data.split=all-train, all-test or \
                             fractions:VALID,TEST,SEED"
                .into())
        }
    }
}

/// SHA-256 of data that came from no file.
fn fingerprint(flat: &Flat) -> String {
    let mut bytes = (flat.channels as u64).to_le_bytes().to_vec();
    bytes.extend(flat.lengths.iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(flat.split.iter().flatten().flat_map(|n| n.to_le_bytes()));
    bytes.extend(flat.samples.iter().flat_map(|x| x.to_le_bytes()));
    hex::encode(Sha256::digest(&bytes))
}
