//! UNIPEN's training release train_r01_v07: handwriting from many tablets, in segments of text, words or characters.
//!
//! Rows are dx, dy (upwards), pen, with the movements of a lifted pen left out. By default they are what the book's
//! tables use: lines of text (category 8) of 50 to 2000 steps from tablets that are fine enough, divided by one number
//! for each contributor. Splits keep writers apart. Not here: the format of its files ([`super::unipen_format`]).
//! Source: Guyon et al. 1994, "UNIPEN project of on-line data exchange and recognizer benchmarks".

use super::tree;
use super::unipen_format::{Document, Segment};
use crate::choice::choice;
use crate::data::{Split, Writer};
use crate::error::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

choice! {
    /// Which contributors are taken.
    Contributors, "contributors":
    /// Those whose tablets are fine enough and whose sequences are lines of text, judged by [`verdict`].
    Lines = "lines",
    /// All.
    All = "all",
}

choice! {
    /// The units of dx and dy.
    Units, "units":
    /// Divided by the standard deviation of dx and dy taken together, over all sequences of the contributor.
    Scaled = "scaled",
    /// As recorded.
    Tablet = "tablet",
}

/// What is taken of the release.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A folder in `data`: 8 is text; 6 and 7 are words; 1a to 3 are characters.
    pub category: String,
    /// The fewest and the most steps of a sequence.
    pub lengths: [usize; 2],
    /// Which contributors are taken.
    pub contributors: Contributors,
    /// The units of dx and dy.
    pub units: Units,
    /// Whether files that cannot be read are left out, and not refused.
    pub skip_damaged: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            category: "8".into(),
            lengths: [50, 2000],
            contributors: Contributors::Lines,
            units: Units::Scaled,
            skip_damaged: false,
        }
    }
}

/// Numbers of sequences for train, valid and test that the [default](Options::default) makes of the whole release.
pub const PUBLISHED: [usize; 3] = [3_122, 306, 284];

/// A contributor with at least one sequence of the lengths asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributor {
    /// Three letters.
    pub name: String,
    /// Why it is left out, as words after "its"; `None` if it is taken.
    pub verdict: Option<String>,
    /// Numbers of sequences for train, valid and test; all for train if it is left out.
    pub sequences: [usize; 3],
    /// Their writers.
    pub writers: usize,
    /// By what number dx and dy are divided, in units of the tablet.
    pub scale: f64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// In the order of their names.
    pub contributors: Vec<Contributor>,
    /// Segments of the category's level.
    pub segments: usize,
    /// Segments of quality BAD, left out.
    pub bad: usize,
    /// Segments that do not name whole components of their file, left out.
    pub partial: usize,
    /// Segments that are too short or too long, left out.
    pub other_lengths: usize,
    /// Sequences exactly equal to an earlier one, left out.
    pub repeated: usize,
    /// Files that could not be read, left out.
    pub damaged: usize,
    /// What was wrong with the first of them.
    pub first_damaged: Option<String>,
}

/// The metadata columns of each sequence.
pub const COLUMNS: [&str; 4] = ["contributor", "writer", "text", "file"];

/// A sequence in units of the tablet.
struct Sequence {
    rows: Vec<f32>,
    writer: String,
    text: String,
    /// Number of its file.
    file: usize,
}

/// The most segments, steps and bytes of text that are read: about ten times those of the largest category.
const MOST: [usize; 3] = [1 << 21, 1 << 25, 1 << 26];

/// The most bytes that are read, since files can include the same file again and again: about ten times those of the
/// largest category.
const MOST_BYTES: u64 = 1 << 33;

/// How many folders down files are looked for.
const DEPTH: usize = 4;

/// Reads a category of the release in `folder`, which holds `data` and `include`, into `writer`, which has 3 channels
/// and [`COLUMNS`]. Sequences are in the order of the files' paths.
///
/// Memory: the sequences that are taken, 12 bytes for each step, and those of one contributor.
pub fn import(
    folder: &Path,
    options: &Options,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Report> {
    let release = Release::find(folder, &options.category)?;
    let mut reading = Reading {
        release: &release,
        options,
        report: Report::default(),
        seen: BTreeSet::new(),
        found: [0; 3],
        bytes: 0,
    };
    let mut kept: Vec<(String, Vec<Sequence>)> = vec![];
    let mut rest = 0..release.files.len();
    while !rest.is_empty() {
        let name = release.contributor(rest.start);
        let mut sequences = vec![];
        while !rest.is_empty() && release.contributor(rest.start) == name {
            reading.read(rest.start, &mut sequences)?;
            rest.start += 1;
            progress(0.9 * rest.start as f64 / release.files.len() as f64);
        }
        if reading.judge(&name, &sequences) {
            kept.push((name, sequences));
        }
    }
    let mut report = reading.report;
    if kept.is_empty() {
        let what = format!(
            "has {} segments in data/{}, of which none is left{}; choose other --shortest and --longest, or \
             --contributors all",
            report.segments,
            options.category,
            report.why()
        );
        return Err(Error::invalid(folder, what));
    }
    let splits = splits(&kept);
    let total = kept.iter().map(|(_, sequences)| sequences.len()).sum::<usize>() as f64;
    let mut done = 0;
    for (name, sequences) in &kept {
        let about = report.contributors.iter_mut().find(|about| about.name == *name);
        let about = about.expect("it was judged");
        about.sequences = [0; 3];
        for Sequence { rows, writer: hand, text, file } in sequences {
            let split = splits[&place(name, hand)];
            about.sequences[split as usize] += 1;
            let path = &release.names[*file];
            match options.units {
                Units::Tablet => writer.push(rows, split, &[name, hand, text, path])?,
                Units::Scaled => {
                    writer.push(&scaled(rows, about.scale), split, &[name, hand, text, path])?;
                }
            }
            done += 1;
            progress(0.9 + 0.1 * f64::from(done) / total);
        }
    }
    Ok(report)
}

impl Report {
    /// Why segments were left out, to be appended to their number.
    fn why(&self) -> String {
        let counts = [
            (self.bad, "of quality BAD"),
            (self.partial, "not whole components"),
            (self.other_lengths, "too short or too long"),
            (self.repeated, "repeated"),
            (self.contributors.len(), "contributors unlike lines of text"),
        ];
        let some = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let some: Vec<_> = some.collect();
        if some.is_empty() { String::new() } else { format!(" ({})", some.join(", ")) }
    }
}

/// The files of a category.
struct Release {
    /// The folder with `data` and `include`.
    top: PathBuf,
    files: Vec<PathBuf>,
    /// Their paths from the category's folder on, with `/` on every system.
    names: Vec<String>,
}

impl Release {
    /// `folder` is the release, or holds its folder.
    fn find(folder: &Path, category: &str) -> Result<Self> {
        let is_release =
            |path: &PathBuf| path.join("data").is_dir() && path.join("include").is_dir();
        let mut places = vec![folder.to_path_buf()];
        if folder.is_dir() {
            places.extend(tree::entries(folder)?.into_iter().filter(|path| path.is_dir()));
        }
        let Some(top) = places.into_iter().find(is_release) else {
            let what = "is not a folder with the folders data and include, and holds none; give the path of UNIPEN's \
                        train_r01_v07, unpacked";
            return Err(Error::invalid(folder, what));
        };
        let data = top.join("data");
        let place = data.join(category);
        if tree::name(&place) != category || !place.is_dir() {
            let all = tree::entries(&data)?;
            let all: Vec<_> =
                all.iter().filter(|path| path.is_dir()).map(|p| tree::name(p)).collect();
            let what =
                format!("has no category {category}; choose a --category of {}", all.join(", "));
            return Err(Error::invalid(data, what));
        }
        let mut files = vec![];
        tree::files(&place, DEPTH, &mut files)?;
        files.retain(|path| {
            let (name, extension) = (tree::name(path), path.extension());
            !name.starts_with('.') && extension.is_some_and(|e| e.eq_ignore_ascii_case("dat"))
        });
        if files.is_empty() {
            let what = "holds no file that ends in .dat; unpack the release again";
            return Err(Error::invalid(place, what));
        }
        let name = |path: &PathBuf| {
            let parts = path.strip_prefix(&place).unwrap_or(path).iter();
            parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
        };
        let names = files.iter().map(name).collect();
        Ok(Self { top, files, names })
    }

    /// The folder in the category that file number `file` is in.
    fn contributor(&self, file: usize) -> String {
        let name = &self.names[file];
        name.split_once('/').map_or("", |(contributor, _)| contributor).into()
    }
}

/// What has been read so far.
struct Reading<'a> {
    release: &'a Release,
    options: &'a Options,
    report: Report,
    /// Hashes of all sequences, to find equal ones.
    seen: BTreeSet<[u8; 32]>,
    /// To be compared with [`MOST`].
    found: [usize; 3],
    bytes: u64,
}

impl Reading<'_> {
    /// Adds the sequences of file number `file`.
    fn read(&mut self, file: usize, sequences: &mut Vec<Sequence>) -> Result<()> {
        let path = &self.release.files[file];
        let level = level(&self.options.category);
        let document = match Document::read(path, &self.release.top.join("include"), level) {
            Ok(document) => document,
            Err(e)
                if self.options.skip_damaged && matches!(e.kind(), ErrorKind::Invalid { .. }) =>
            {
                self.report.damaged += 1;
                self.report.first_damaged.get_or_insert_with(|| e.to_string());
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        self.bytes += document.bytes;
        for segment in &document.segments {
            self.report.segments += 1;
            self.found[0] += 1;
            if segment.bad {
                self.report.bad += 1;
                continue;
            }
            let Some(strokes) = document.strokes(segment) else {
                self.report.partial += 1;
                continue;
            };
            let steps = document.points(&strokes).saturating_sub(1);
            let [shortest, longest] = self.options.lengths;
            if !(shortest.max(1)..=longest).contains(&steps) {
                self.report.other_lengths += 1;
                continue;
            }
            self.found[1] += steps;
            self.check_size()?;
            let rows = document.rows(&strokes);
            let mut hash = Sha256::new();
            rows.iter().for_each(|x| hash.update(x.to_le_bytes()));
            if !self.seen.insert(hash.finalize().into()) {
                self.report.repeated += 1;
                continue;
            }
            let Segment { label, writer, .. } = segment;
            let (writer, text) = (document.writers[*writer].clone(), label.clone());
            self.found[2] += writer.len() + text.len();
            sequences.push(Sequence { rows, writer, text, file });
        }
        self.check_size()
    }

    /// Refuses more than [`MOST`] and [`MOST_BYTES`].
    fn check_size(&self) -> Result<()> {
        let few = self.found.iter().zip(MOST).all(|(&found, most)| found <= most);
        if few && self.bytes <= MOST_BYTES {
            return Ok(());
        }
        let [segments, steps, text] = MOST;
        let what = format!(
            "has more than {segments} segments, {steps} steps, {text} bytes of text or {MOST_BYTES} bytes in all, about \
             ten times the release; copy the release again"
        );
        Err(Error::invalid(&self.release.top, what))
    }

    /// Whether a contributor is taken; puts it into the report.
    fn judge(&mut self, name: &str, sequences: &[Sequence]) -> bool {
        if sequences.is_empty() {
            return false;
        }
        let rows: Vec<_> = sequences.iter().map(|sequence| &sequence.rows[..]).collect();
        let verdict = match self.options.contributors {
            Contributors::Lines => verdict(&rows),
            Contributors::All => None,
        };
        let writers: BTreeSet<_> = sequences.iter().map(|s| s.writer.to_lowercase()).collect();
        let taken = verdict.is_none();
        self.report.contributors.push(Contributor {
            name: name.into(),
            verdict,
            sequences: [sequences.len(), 0, 0],
            writers: writers.len(),
            scale: scale(&rows),
        });
        taken
    }
}

/// The level of a category's segments.
fn level(category: &str) -> &'static str {
    match category {
        "8" => "TEXT",
        "4" | "5" | "6" | "7" => "WORD",
        _ => "CHARACTER",
    }
}

/// Why a contributor's sequences, as they were recorded, are not fine lines of text, as words after "its"; `None` if
/// they are.
///
/// The pen must be lifted at more than 0.5 % of the points. Within strokes, the median step must be at least 7 units,
/// and at most 5 % of the steps may be zero. The median sequence must be at least 8 times as wide as high.
pub fn verdict(sequences: &[&[f32]]) -> Option<String> {
    let (mut steps, mut lifted, mut still) = (0_usize, 0_usize, 0_usize);
    let (mut lengths, mut shapes) = (vec![], vec![]);
    for rows in sequences {
        let (mut place, mut least, mut most) = ([0_f64; 2], [0_f64; 2], [0_f64; 2]);
        let mut within = true;
        for row in rows.as_chunks::<3>().0 {
            let [dx, dy] = [f64::from(row[0]), f64::from(row[1])];
            if within {
                still += usize::from(dx == 0. && dy == 0.);
                lengths.push((dx * dx + dy * dy).sqrt());
            }
            within = row[2] == 0.;
            lifted += usize::from(!within);
            steps += 1;
            for (d, offset) in [dx, dy].into_iter().enumerate() {
                place[d] += offset;
                least[d] = if place[d] < least[d] { place[d] } else { least[d] };
                most[d] = if place[d] > most[d] { place[d] } else { most[d] };
            }
        }
        let [width, height] = [most[0] - least[0], most[1] - least[1]];
        shapes.push(if width == 0. { 0. } else { width / height });
    }
    let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
    let (lifted, still) = (share(lifted, steps), share(still, lengths.len()));
    let (step, shape) = (median(lengths), median(shapes));
    if lifted <= 0.005 {
        Some(format!(
            "pen is lifted at {:.2} % of the points, wanted more than 0.5 %",
            100. * lifted
        ))
    } else if step < 7. {
        Some(format!("median step has {step:.1} units of the tablet, wanted at least 7"))
    } else if still > 0.05 {
        Some(format!("pen rests in {:.1} % of the steps, wanted at most 5 %", 100. * still))
    } else if shape < 8. {
        Some(format!("median sequence is {shape:.1} times as wide as high, wanted at least 8"))
    } else {
        None
    }
}

/// The middle value, or the mean of the two in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.,
    }
}

/// The standard deviation of dx and dy taken together; 1 if they are constant.
///
/// Coordinates are integers, of which f64 adds squares without rounding.
pub fn scale(sequences: &[&[f32]]) -> f64 {
    let (mut n, mut sum, mut squares) = (0_usize, 0., 0.);
    for x in sequences.iter().flat_map(|rows| rows.as_chunks::<3>().0).flat_map(|row| &row[..2]) {
        let x = f64::from(*x);
        n += 1;
        sum += x;
        squares += x * x;
    }
    let mean = sum / n as f64;
    let variance = squares / n as f64 - mean * mean;
    if variance > 0. { variance.sqrt() } else { 1. }
}

/// Rows with dx and dy divided by `scale`.
pub fn scaled(rows: &[f32], scale: f64) -> Vec<f32> {
    let divided = |x: f32| (f64::from(x) / scale) as f32;
    rows.as_chunks().0.iter().flat_map(|&[dx, dy, pen]| [divided(dx), divided(dy), pen]).collect()
}

/// Contributors whose whole set is one split, by what the contributor calls it: evaluation, development, training.
const FIXED: [(&str, Split); 4] =
    [("bba", Split::Test), ("bbb", Split::Valid), ("bbc", Split::Valid), ("bbd", Split::Train)];

/// Contributors for which the same people wrote, and which are therefore split as one.
const TOGETHER: [&str; 3] = ["cea", "ceb", "cec"];

/// What [`TOGETHER`] is called.
const CED: &str = "ced";

/// The group that a writer is split in, and the writer's name in lower case.
pub fn place(contributor: &str, writer: &str) -> (String, String) {
    let group = if TOGETHER.contains(&contributor) { CED } else { contributor };
    (group.into(), writer.to_lowercase())
}

/// The split of each writer.
fn splits(kept: &[(String, Vec<Sequence>)]) -> BTreeMap<(String, String), Split> {
    let mut steps: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (name, sequences) in kept {
        for Sequence { rows, writer, .. } in sequences {
            *steps.entry(place(name, writer)).or_default() += rows.len() / 3;
        }
    }
    split_writers(&steps)
}

/// The split of each writer, by the steps of each, so that test and valid have at most 9.5 and 8.5 % of a group's.
///
/// The writers of a group are taken in the order of the SHA-256 of `group/writer`. One goes to test if test then has
/// no more than its share, else to valid if valid has, else to train. A group with few writers is all for train.
pub fn split_writers(
    steps: &BTreeMap<(String, String), usize>,
) -> BTreeMap<(String, String), Split> {
    let mut total: BTreeMap<&str, usize> = BTreeMap::new();
    for ((group, _), steps) in steps {
        *total.entry(group).or_default() += steps;
    }
    let hash = |(group, writer): &(String, String)| Sha256::digest(format!("{group}/{writer}"));
    let mut writers: Vec<_> =
        steps.iter().map(|(place, steps)| (hash(place), place, *steps)).collect();
    writers.sort();
    let mut held: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let split = |place: &(String, String), steps: usize, held: &mut [usize; 2]| {
        if let Some((_, split)) = FIXED.iter().find(|(group, _)| *group == place.0) {
            return *split;
        }
        let share = |held: usize| (held + steps) as f64 / total[&place.0[..]] as f64;
        if share(held[0]) <= 0.095 {
            held[0] += steps;
            Split::Test
        } else if share(held[1]) <= 0.085 {
            held[1] += steps;
            Split::Valid
        } else {
            Split::Train
        }
    };
    writers
        .into_iter()
        .map(|(_, place, steps)| {
            (place.clone(), split(place, steps, held.entry(&place.0).or_default()))
        })
        .collect()
}
