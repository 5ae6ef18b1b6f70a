//! TIMIT: the LDC's tree of utterances becomes frames of 200 samples, raw, with either convention of splits.
//!
//! `{TRAIN,TEST}/DR1…8/<speaker>/<sentence>.WAV`, in any letter case and at any depth. The test part is always
//! by utterance; train and valid are joined and cut into pieces, as Fraccaro et al. 2016 did and the papers
//! after them, in the order of their streams if asked for; else the order is the loader's to shuffle.
//! Not here: the streams' state, which begins anew in each piece.

use super::audio::Audio;
use super::folder::{self, Found};
use super::streams::Joined;
use crate::data::split::Split;
use crate::data::writer::Writer;
use crate::error::{Error, Result};
use crate::file::read_whole;
use crate::noise::Noise;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// D: samples of a frame.
pub const FRAME: usize = 200;

/// What is told of each sequence; of a piece, what holds where it begins.
pub const COLUMNS: [&str; 2] = ["file", "speaker"];

/// Utterances of the train and the test part as the LDC hands them out.
pub const UTTERANCES: (usize, usize) = (4620, 1680);

/// How the set is cut and split.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Frames of a piece of train and valid; 0 keeps utterances.
    pub segment: usize,
    /// Write the pieces in the order of so many streams: row i·streams + j is piece i of stream j. The rest
    /// that fills no row of all streams is dropped.
    pub streams: Option<usize>,
    /// The splits of somebody's lists; without, [`seeded`].
    pub lists: Option<Lists>,
}

/// Files with a path a line, of which the last four parts count, in any letter case.
#[derive(Clone, Debug, PartialEq)]
pub struct Lists {
    /// The utterances that validate.
    pub valid: PathBuf,
    /// Those to train on; without, all of TRAIN that no other list has.
    pub train: Option<PathBuf>,
    /// Those to test on; without, all of TEST that no other list has.
    pub test: Option<PathBuf>,
}

/// What was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Utterances below TRAIN and below TEST.
    pub utterances: (usize, usize),
    /// Recordings at places where TIMIT has none.
    pub elsewhere: usize,
    /// Utterances that are in none of the lists.
    pub unlisted: usize,
    /// Utterances without a whole frame, left out.
    pub short: usize,
}

/// An utterance, found and checked.
struct Utterance {
    file: Found,
    samples: u64,
    speaker: String,
}

/// Reads the tree below `folder` and pushes train, valid and test, each in the order of
/// `dr/speaker/sentence`.
pub fn import(
    folder: &Path,
    options: &Options,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Counts> {
    let mut counts = Counts::default();
    let files = tree(folder, &mut counts)?;
    let splits = match &options.lists {
        None => seeded(files.keys()),
        Some(lists) => listed(lists, &files)?,
    };
    counts.unlisted = files.len() - splits.len();
    let total = files.values().map(|file| file.bytes).sum::<u64>().max(1) as f64;
    let (mut done, mut parts) = (0, [vec![], vec![], vec![]]);
    for (key, file) in files {
        done += file.bytes;
        if let Some(&split) = splits.get(&key) {
            let mut audio = open(&file)?;
            audio.check_extremes()?;
            let samples = audio.header().samples;
            audio.check_held(samples)?;
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
            // Where whole pieces leave nothing over, the published layout drops one frame,
            // and so a piece of each stream.
            let kept = if options.streams.is_some() { frames.saturating_sub(1) } else { frames };
            let pieces = kept / (options.segment as u64 * streams);
            if pieces == 0 && !part.is_empty() {
                return Err(Error::invalid(
                    folder,
                    format!(
                        "has {frames} frames of {FRAME} samples in {split}, wanted at least a piece \
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
            "has {} utterances below TRAIN and {} below TEST, of which nothing is left to train on; name \
             TIMIT's whole tree as --input, and lists that leave some to train on",
            counts.utterances.0, counts.utterances.1
        );
        return Err(Error::invalid(folder, what));
    }
    progress(1.); // tails fill nothing
    Ok(counts)
}

fn open(file: &Found) -> Result<Audio> {
    let audio = Audio::open(&file.path)?;
    audio.check_speech().map(|()| audio)
}

/// The utterances below `folder` by `{train,test}/dr/speaker/sentence` in small letters.
fn tree(folder: &Path, counts: &mut Counts) -> Result<BTreeMap<String, Found>> {
    let mut files: BTreeMap<String, Found> = BTreeMap::new();
    let whole = std::path::absolute(folder).map_err(Error::read(folder))?;
    for file in folder::recordings(folder, &["wav"])? {
        // The folder may be TRAIN itself, or one below.
        let path = format!("{}/{}", whole.display(), file.name);
        let Some((key, part)) = key(&path).and_then(|key| Some((key.clone(), part(&key)?))) else {
            counts.elsewhere += 1;
            continue;
        };
        if let Some(other) = files.get(&key) {
            // Some copies have SA1.WAV and, converted, SA1.WAV.wav beside it.
            if file.path.parent() == other.path.parent() {
                continue;
            }
            let what = format!(
                "holds {key} twice, as {} and {}, wanted it once; name one of the copies",
                other.name, file.name
            );
            return Err(Error::invalid(folder, what));
        }
        match part {
            Split::Test => counts.utterances.1 += 1,
            _ => counts.utterances.0 += 1,
        }
        files.insert(key, file);
    }
    if files.is_empty() {
        let what = format!(
            "has {} recordings, but none as TRAIN/DR1/FCJF0/SA1.WAV or TEST/…, wanted TIMIT's tree; \
             for other folders there is `stcn data prepare wav`",
            counts.elsewhere
        );
        return Err(Error::invalid(folder, what));
    }
    Ok(files)
}

/// The last four parts of a path in small letters, the last without what follows its first dot.
fn key(path: &str) -> Option<String> {
    let path = path.trim().replace('\\', "/").to_lowercase();
    let mut parts = path.rsplitn(5, '/');
    let [sentence, speaker, dialect, part] = std::array::from_fn(|_| parts.next());
    let sentence = sentence?.split('.').next()?;
    Some(format!("{}/{}/{}/{sentence}", part?, dialect?, speaker?))
}

/// Whether a key is below TRAIN or TEST.
fn part(key: &str) -> Option<Split> {
    let (part, rest) = key.split_once('/')?;
    match part {
        "train" if rest.starts_with("dr") => Some(Split::Train),
        "test" if rest.starts_with("dr") => Some(Split::Test),
        _ => None,
    }
}

/// TEST tests; of TRAIN, sorted and shuffled with seed 1234, the first twentieth validates: 231 of 4,620.
pub fn seeded<'a>(keys: impl IntoIterator<Item = &'a String>) -> BTreeMap<String, Split> {
    let mut splits: BTreeMap<_, _> =
        keys.into_iter().filter_map(|key| Some((key.clone(), part(key)?))).collect();
    let mut train: Vec<_> =
        splits.iter_mut().map(|(_, split)| split).filter(|s| **s == Split::Train).collect();
    let order = Noise::new(1234, "data").shuffle("timit", train.len());
    for &i in &order[..train.len().div_ceil(20)] {
        *train[i] = Split::Valid;
    }
    splits
}

/// The splits of the lists.
fn listed(lists: &Lists, files: &BTreeMap<String, Found>) -> Result<BTreeMap<String, Split>> {
    let mut splits = BTreeMap::new();
    let given = [(&lists.train, Split::Train), (&lists.test, Split::Test)];
    let given = given.into_iter().filter_map(|(list, split)| Some((list.as_ref()?, split)));
    for (list, split) in given.chain([(&lists.valid, Split::Valid)]) {
        for (line, key) in keys(list)? {
            let wrong =
                |what: String| Error::invalid(list, format!("line {line} names {key}, {what}"));
            if !files.contains_key(&key) {
                return Err(wrong("which is not there; name TIMIT's whole tree as --input".into()));
            }
            if let Some(other) = splits.insert(key.clone(), split).filter(|other| *other != split) {
                return Err(wrong(format!(
                    "which is in the list of {other} too, wanted it in one; strike it from the other"
                )));
            }
        }
    }
    for key in files.keys() {
        let (split, list) = match part(key) {
            Some(Split::Test) => (Split::Test, &lists.test),
            _ => (Split::Train, &lists.train),
        };
        if list.is_none() {
            splits.entry(key.clone()).or_insert(split);
        }
    }
    Ok(splits)
}

/// A list longer than this is none: all of TIMIT takes half a MiB, with long paths a few.
const LONGEST_LIST: u64 = 1 << 24;

/// The keys of a list, each with its line from 1; blank lines are none.
fn keys(list: &Path) -> Result<Vec<(usize, String)>> {
    let text = read_whole(list, LONGEST_LIST, "a list with a path a line")?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let key = |(i, line): (usize, &str)| match key(line) {
        Some(key) => Ok((i + 1, key)),
        None => {
            let shown: String = line.chars().take(100).collect();
            let what = format!(
                "line {} is \"{shown}\", wanted a path as TRAIN/DR1/FCJF0/SA1.WAV; write the last \
                 four parts of each",
                i + 1
            );
            Err(Error::invalid(list, what))
        }
    };
    lines.map(key).collect()
}
