//! TIMIT as distributed by the LDC, in raw frames of 200 samples, with a seeded or a listed validation split.
//!
//! Files are `{TRAIN,TEST}/DR1…8/<speaker>/<sentence>.WAV`, in upper or lower case, at any depth. Test sequences are
//! whole utterances. Train and valid are concatenated and cut into pieces, as by Fraccaro et al. 2016 and later papers,
//! optionally in the order of parallel streams. Not here: carrying a state along a stream; every piece starts anew.

use super::audio::{Audio, SPEECH_RATE};
use super::folder::{self, Found};
use super::streams::Joined;
use crate::data::split::Split;
use crate::data::writer::Writer;
use crate::error::{Error, Result};
use crate::file::read_whole;
use crate::noise::Noise;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// D: samples per frame.
pub const FRAME: usize = 200;

/// The metadata columns; for a piece, those of the utterance in which it begins.
pub const COLUMNS: [&str; 2] = ["file", "speaker"];

/// Numbers of utterances in TRAIN and in TEST as distributed by the LDC.
pub const UTTERANCES: (usize, usize) = (4620, 1680);

/// How the set is cut and split.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Frames per piece of train and valid; 0 keeps whole utterances.
    pub segment: usize,
    /// Write the pieces in the order of this many parallel streams: sequence i·streams + j is piece i of stream j. The
    /// end that does not fill a piece in every stream is dropped.
    pub streams: Option<usize>,
    /// What is for validation.
    pub split: Rule,
}

/// How the set is split.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// TEST is test; whole speakers of TRAIN are valid, chosen by [`seeded`].
    Speakers,
    /// TEST is test; utterances of TRAIN are valid, chosen by [`seeded`]. Their speakers are in training too.
    Utterances,
    /// By lists.
    Lists(Lists),
}

/// Text files with one path per line, of which the last four components count, in upper or lower case.
#[derive(Clone, Debug, PartialEq)]
pub struct Lists {
    /// Utterances for validation.
    pub valid: PathBuf,
    /// Utterances for training; `None`: all of TRAIN that is in no other list.
    pub train: Option<PathBuf>,
    /// Utterances for testing; `None`: all of TEST that is in no other list.
    pub test: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Numbers of utterances below TRAIN and below TEST.
    pub utterances: (usize, usize),
    /// Recordings outside TIMIT's folders, left out.
    pub elsewhere: usize,
    /// Utterances in none of the lists, left out.
    pub unlisted: usize,
    /// Utterances shorter than a frame, left out.
    pub short: usize,
    /// The speakers of the validation split.
    pub valid: Speakers,
    /// The speakers of the test split.
    pub test: Speakers,
}

/// The speakers of a split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speakers {
    /// Their number.
    pub all: usize,
    /// How many of them are in the train split too.
    pub in_train: usize,
}

/// An utterance that was found and checked.
struct Utterance {
    file: Found,
    samples: u64,
    speaker: String,
}

/// Reads the recordings below `folder` and writes train, valid and test, each in the order of `dr/speaker/sentence`.
pub fn import(
    folder: &Path,
    options: &Options,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Counts> {
    writer.set_rate(SPEECH_RATE);
    let mut counts = Counts::default();
    let files = tree(folder, &mut counts)?;
    let splits = match &options.split {
        Rule::Speakers => seeded(files.keys(), speaker, "timit speakers"),
        Rule::Utterances => seeded(files.keys(), |key| key, "timit"),
        Rule::Lists(lists) => listed(lists, &files)?,
    };
    counts.unlisted = files.len() - splits.len();
    let speakers = Split::ALL.map(|wanted| {
        let of = splits.iter().filter(|(_, split)| **split == wanted);
        of.map(|(key, _)| speaker(key)).collect::<BTreeSet<_>>()
    });
    let [train, valid, test] = &speakers;
    let count =
        |of: &BTreeSet<&str>| Speakers { all: of.len(), in_train: of.intersection(train).count() };
    (counts.valid, counts.test) = (count(valid), count(test));
    let total = files.values().map(|file| file.bytes).sum::<u64>().max(1) as f64;
    let (mut done, mut parts) = (0, [vec![], vec![], vec![]]);
    for (key, file) in files {
        done += file.bytes;
        if let Some(&split) = splits.get(&key) {
            let mut audio = open(&file)?;
            audio.check_extremes()?;
            let samples = audio.header().samples;
            audio.check_length(samples)?;
            let speaker = key.rsplit('/').nth(1).unwrap_or_default().to_string();
            parts[split as usize].push(Utterance { file, samples, speaker });
        }
        progress(0.5 * done as f64 / total);
    }
    let total =
        parts.iter().flatten().map(|utterance| utterance.samples).sum::<u64>().max(1) as f64;
    let mut done = 0;
    let mut push = |rows: &[f32], split, utterance: &Utterance| {
        done += rows.len();
        progress(0.5 + 0.5 * done as f64 / total);
        writer.push(rows, split, &[&utterance.file.name, &utterance.speaker])
    };
    for (split, part) in Split::ALL.into_iter().zip(&parts) {
        let files = part.iter().map(|utterance| (&utterance.file, utterance.samples));
        let mut signal = Joined::new(files, open);
        if split == Split::Test || options.segment == 0 {
            let mut start = 0;
            for utterance in part {
                let frames = utterance.samples as usize / FRAME;
                let mut rows = vec![0.; frames * FRAME];
                signal.read(start, &mut rows)?;
                start += utterance.samples;
                match frames {
                    0 => counts.short += 1,
                    _ => push(&rows, split, utterance)?,
                }
            }
        } else {
            let streams = options.streams.unwrap_or(1) as u64;
            let frames = signal.samples() / FRAME as u64;
            // The published layout drops one frame, so where the pieces would fit exactly it drops one of each
            // stream.
            let kept = if options.streams.is_some() { frames.saturating_sub(1) } else { frames };
            let pieces = kept / (options.segment as u64 * streams);
            if pieces == 0 && !part.is_empty() {
                return Err(Error::invalid(
                    folder,
                    format!(
                        "has {frames} frames of {FRAME} samples in {split}, wanted at least one piece \
                         of {} in each of {streams} streams; choose a shorter --segment, or 0",
                        options.segment
                    ),
                ));
            }
            signal.rows(streams, pieces, options.segment * FRAME, |file, rows| {
                push(rows, split, &part[file])
            })?;
        }
    }
    if writer.is_empty() || parts[Split::Train as usize].is_empty() {
        let what = format!(
            "has {} utterances below TRAIN and {} below TEST, which leave none to train on; give TIMIT's top folder as \
             --input, lists that leave some to train on, or --split utterances if all are by one speaker",
            counts.utterances.0, counts.utterances.1
        );
        return Err(Error::invalid(folder, what));
    }
    progress(1.); // ends that were dropped are not counted
    Ok(counts)
}

fn open(file: &Found) -> Result<Audio> {
    let audio = Audio::open(&file.path)?;
    audio.check_speech().map(|()| audio)
}

/// The utterances below `folder`, by `{train,test}/dr/speaker/sentence` in lower case.
fn tree(folder: &Path, counts: &mut Counts) -> Result<BTreeMap<String, Found>> {
    let mut files: BTreeMap<String, Found> = BTreeMap::new();
    let whole = std::path::absolute(folder).map_err(Error::read(folder))?;
    for file in folder::recordings(folder, &["wav"])? {
        // `folder` may be TRAIN itself, or below it.
        let path = format!("{}/{}", whole.display(), file.name);
        let Some((key, split)) =
            key(&path).and_then(|key| Some((key.clone(), original_split(&key)?)))
        else {
            counts.elsewhere += 1;
            continue;
        };
        if let Some(other) = files.get(&key) {
            // Some copies also have a converted SA1.WAV.wav next to SA1.WAV.
            if file.path.parent() == other.path.parent() {
                continue;
            }
            let what = format!(
                "holds {key} twice, as {} and {}, wanted it once; give the folder of one copy",
                other.name, file.name
            );
            return Err(Error::invalid(folder, what));
        }
        match split {
            Split::Test => counts.utterances.1 += 1,
            _ => counts.utterances.0 += 1,
        }
        files.insert(key, file);
    }
    if files.is_empty() {
        let what = format!(
            "has {} recordings, but none like TRAIN/DR1/FCJF0/SA1.WAV or TEST/…, wanted TIMIT's folders; \
             for others use `stcn data prepare wav`",
            counts.elsewhere
        );
        return Err(Error::invalid(folder, what));
    }
    Ok(files)
}

/// The last four components of a path in lower case, the last cut at its first dot.
fn key(path: &str) -> Option<String> {
    let path = path.trim().replace('\\', "/").to_lowercase();
    let mut parts = path.rsplitn(5, '/');
    let [sentence, speaker, dialect, part] = std::array::from_fn(|_| parts.next());
    let sentence = sentence?.split('.').next()?;
    Some(format!("{}/{}/{}/{sentence}", part?, dialect?, speaker?))
}

/// Train or test, if a key is below TRAIN or TEST.
fn original_split(key: &str) -> Option<Split> {
    let (part, rest) = key.split_once('/')?;
    match part {
        "train" if rest.starts_with("dr") => Some(Split::Train),
        "test" if rest.starts_with("dr") => Some(Split::Test),
        _ => None,
    }
}

/// The part of a key without the sentence.
pub fn speaker(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(speaker, _)| speaker)
}

/// TEST is test. The units of TRAIN, such as its speakers, are sorted and shuffled with seed 1234 and `name`; the first
/// twentieth (24 of 462 speakers, 231 of 4,620 utterances) is valid.
pub fn seeded<'a>(
    keys: impl IntoIterator<Item = &'a String>,
    unit: impl Fn(&str) -> &str,
    name: &str,
) -> BTreeMap<String, Split> {
    let mut splits: BTreeMap<_, _> =
        keys.into_iter().filter_map(|key| Some((key.clone(), original_split(key)?))).collect();
    let train = splits.iter().filter(|(_, split)| **split == Split::Train);
    let units: BTreeSet<String> = train.map(|(key, _)| unit(key).into()).collect();
    let units: Vec<String> = units.into_iter().collect();
    let order = Noise::new(1234, "data").shuffle(name, units.len());
    let valid: BTreeSet<&str> =
        order[..units.len().div_ceil(20)].iter().map(|&i| &units[i][..]).collect();
    for (key, split) in &mut splits {
        if *split == Split::Train && valid.contains(unit(key)) {
            *split = Split::Valid;
        }
    }
    splits
}

/// The splits given by the lists.
fn listed(lists: &Lists, files: &BTreeMap<String, Found>) -> Result<BTreeMap<String, Split>> {
    let mut splits = BTreeMap::new();
    let given = [(&lists.train, Split::Train), (&lists.test, Split::Test)];
    let given = given.into_iter().filter_map(|(list, split)| Some((list.as_ref()?, split)));
    for (list, split) in given.chain([(&lists.valid, Split::Valid)]) {
        for (line, key) in keys(list)? {
            let wrong =
                |what: String| Error::invalid(list, format!("line {line} names {key}, {what}"));
            if !files.contains_key(&key) {
                return Err(wrong("which is not there; give TIMIT's top folder as --input".into()));
            }
            if let Some(other) = splits.insert(key.clone(), split).filter(|other| *other != split) {
                return Err(wrong(format!(
                    "which is in the list of {other} too, wanted it in one; delete it from the other"
                )));
            }
        }
    }
    for key in files.keys() {
        let (split, list) = match original_split(key) {
            Some(Split::Test) => (Split::Test, &lists.test),
            _ => (Split::Train, &lists.train),
        };
        if list.is_none() {
            splits.entry(key.clone()).or_insert(split);
        }
    }
    Ok(splits)
}

/// The most bytes of a list; all of TIMIT takes half a MiB, or a few with long paths.
const LONGEST_LIST: u64 = 1 << 24;

/// The keys of a list with their line numbers from 1; blank lines are skipped.
fn keys(list: &Path) -> Result<Vec<(usize, String)>> {
    let text = read_whole(list, LONGEST_LIST, "a list with one path per line")?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let key = |(i, line): (usize, &str)| match key(line) {
        Some(key) => Ok((i + 1, key)),
        None => {
            let shown: String = line.chars().take(100).collect();
            let what = format!(
                "line {} is \"{shown}\", wanted a path like TRAIN/DR1/FCJF0/SA1.WAV; write the last \
                 four components of each",
                i + 1
            );
            Err(Error::invalid(list, what))
        }
    };
    lines.map(key).collect()
}
