//! IAM-OnDB, handwriting on a whiteboard: XML files of lines, lists of forms, transcriptions, writers.
//!
//! Rows are dx, dy (upwards), pen (1 on the last point of a stroke), in integer units of the board, as in Chung et al.
//! 2015: the first point is dropped, and nothing is resampled, clipped or scaled. Lines are written in the order of the
//! lists, then by number, so all are kept in memory (6 bytes per step) until the last file is read. Not here: finding
//! files and reading archives (`tree`).
//! Source: Liwicki and Bunke 2005, "IAM-OnDB - an On-Line English Sentence Database".

use super::{tree, xml};
use crate::choice::choice;
use crate::data::{Split, Writer};
use crate::error::{Error, Result};
use crate::file::read_whole;
use roxmltree::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

choice! {
    /// Which lists form which split.
    Protocol, "protocol":
    /// As Chung et al. 2015 and papers that compare with them: trainset, testset_t and testset_f are train, testset_v
    /// is valid (and is reported), there is no test.
    Vrnn = "vrnn",
    /// As the database defines: trainset is train, testset_v is valid, testset_f is test; testset_t is left out.
    Official = "official",
}

impl Protocol {
    /// The split of list number `list` of [`PUBLISHED`]; `None` if it is left out.
    fn split(self, list: usize) -> Option<Split> {
        match (self, list) {
            (_, 0) => Some(Split::Train),
            (_, 1) => Some(Split::Valid),
            (Self::Vrnn, _) => Some(Split::Train),
            (Self::Official, 3) => Some(Split::Test),
            (Self::Official, _) => None,
        }
    }
}

/// Counts of one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Name of the list, or "in no list".
    pub name: &'static str,
    /// Number of forms with at least one line.
    pub forms: usize,
    /// Number of lines, which are the sequences.
    pub lines: usize,
    /// Rows of all lines; 0 for lines in no list.
    pub steps: usize,
}

/// Counts of the whole database as distributed.
pub const PUBLISHED: [Count; 5] = [
    Count { name: "trainset", forms: 775, lines: 5_364, steps: 3_293_060 },
    Count { name: "testset_v", forms: 192, lines: 1_438, steps: 884_526 },
    Count { name: "testset_t", forms: 216, lines: 1_518, steps: 1_035_285 },
    Count { name: "testset_f", forms: 544, lines: 3_859, steps: 2_421_683 },
    Count { name: "in no list", forms: 3, lines: 16, steps: 0 },
];

/// Number of lists in [`PUBLISHED`]; its last entry is not a list.
const LISTS: usize = 4;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the order of [`PUBLISHED`].
    pub counts: [Count; 5],
    /// Forms in a list that have no lines.
    pub absent: Vec<String>,
}

/// The metadata columns of each line.
pub const COLUMNS: [&str; 4] = ["name", "form", "writer", "text"];

/// Reads the database in `folder` into `writer`, which has 3 channels and [`COLUMNS`].
///
/// Lines, transcriptions and writers are read from the folders `lineStrokes…`, `ascii…` and `original…`, or else from
/// archives with such names. These and the lists may be up to two folders down.
pub fn import(
    folder: &Path,
    protocol: Protocol,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Report> {
    if !folder.is_dir() {
        let what = "is not a folder, wanted the one that holds lineStrokes-all.tar.gz, unpacked or \
                    not, and the lists of forms; give its path";
        return Err(Error::invalid(folder, what));
    }
    let mut sources = Sources::default();
    sources.find(folder, DEPTH)?;
    let lists = sources.read_lists(folder, protocol)?;
    let files = sources.files()?;
    let [texts, heads, strokes] = &files;
    if strokes.is_empty() {
        let what = "has neither a folder lineStrokes nor an archive lineStrokes-all.tar.gz, in it \
                    or up to two folders down; download what the database's page calls \"data set in \
                    XML format, lines\"";
        return Err(Error::invalid(folder, what));
    }
    let mut places = BTreeMap::new();
    for (list, forms) in lists.iter().enumerate() {
        places.extend(forms.iter().enumerate().map(|(i, form)| (form.as_str(), (list, i))));
    }
    let mut database = Database::new(folder, protocol, &lists, &places);
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |about| about.len());
    let total = files.iter().flatten().map(size).sum::<u64>().max(1);
    let mut done = 0;
    let mut each = |paths: &[PathBuf], most, wanted: Wanted, visit: Visit| -> Result<()> {
        for path in paths {
            let read = &mut |bytes| progress((done + bytes) as f64 / total as f64);
            tree::each(path, most, wanted, read, visit)?;
            done += size(path);
            progress(done as f64 / total as f64);
        }
        Ok(())
    };
    let wanted = |name: &str| form_name(name).is_some_and(|form| places.contains_key(form));
    each(texts, LONGEST_TEXT, &wanted, &mut |path, bytes| database.add_text(path, bytes))?;
    let wanted = |name: &str| name.starts_with("strokes") && name.ends_with(".xml");
    each(heads, HEAD, &wanted, &mut |_, bytes| {
        database.add_writer(bytes);
        Ok(())
    })?;
    let wanted = |name: &str| line_name(name).is_some();
    each(strokes, LONGEST, &wanted, &mut |path, bytes| database.add_line(path, bytes))?;
    let report = database.report()?;
    database.write(writer)?;
    Ok(report)
}

/// All that was read of the database.
struct Database<'a> {
    folder: &'a Path,
    protocol: Protocol,
    lists: &'a [Vec<String>; LISTS],
    /// The list of each form, and its position in the list.
    places: &'a BTreeMap<&'a str, (usize, usize)>,
    /// The text of each line, by form.
    texts: BTreeMap<String, Vec<String>>,
    text_bytes: usize,
    /// The writer of each form.
    writers: BTreeMap<String, String>,
    /// Rows, by list, position of the form in the list, and number of the line.
    lines: BTreeMap<(usize, usize, u32), Vec<[i16; 3]>>,
    counts: [Count; 5],
    /// Forms with at least one line, by list.
    forms: [BTreeSet<String>; 5],
}

impl<'a> Database<'a> {
    fn new(
        folder: &'a Path,
        protocol: Protocol,
        lists: &'a [Vec<String>; LISTS],
        places: &'a BTreeMap<&'a str, (usize, usize)>,
    ) -> Self {
        Self {
            folder,
            protocol,
            lists,
            places,
            texts: BTreeMap::new(),
            text_bytes: 0,
            writers: BTreeMap::new(),
            lines: BTreeMap::new(),
            counts: PUBLISHED.map(|count| Count { name: count.name, ..Count::default() }),
            forms: Default::default(),
        }
    }

    fn add_text(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.text_bytes += bytes.len();
        self.check_size()?;
        let form = form_name(tree::name(path)).expect("as wanted");
        self.texts.insert(form.into(), transcription(bytes));
        Ok(())
    }

    fn add_writer(&mut self, head: &[u8]) {
        let known = |(form, _): &(String, String)| self.places.contains_key(form.as_str());
        self.writers.extend(form_and_writer(head).filter(known));
    }

    fn add_line(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let (form, number) = line_name(tree::name(path)).expect("as wanted");
        let place = self.places.get(form);
        let list = place.map_or(LISTS, |place| place.0);
        self.forms[list].insert(form.into());
        self.counts[list].lines += 1;
        self.check_size()?;
        let Some(&(list, place)) = place else { return Ok(()) };
        let mut rows = rows(bytes).map_err(|what| Error::invalid(path, what))?;
        self.counts[list].steps += rows.len();
        if self.protocol.split(list).is_none() {
            rows = vec![];
        }
        match self.lines.insert((list, place, number), rows) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(
                path,
                "is a second copy of a line, wanted every line once; remove one of the two",
            )),
        }
    }

    /// Refuses more than [`MOST`].
    fn check_size(&self) -> Result<()> {
        let sum = |of: fn(&Count) -> usize| self.counts.iter().map(of).sum::<usize>();
        let kept = [sum(|count| count.lines), sum(|count| count.steps), self.text_bytes];
        if kept.iter().zip(MOST).all(|(&kept, most)| kept <= most) {
            return Ok(());
        }
        let [lines, steps, bytes] = MOST;
        let what = format!(
            "has more than {lines} lines, {steps} steps or {bytes} bytes of text, about ten times the \
             whole database; give the folder of one copy of it"
        );
        Err(Error::invalid(self.folder, what))
    }

    /// Counts and absent forms; refuses the database if all lines of a list that is needed are missing.
    fn report(&self) -> Result<Report> {
        let mut counts = self.counts;
        for (count, forms) in counts.iter_mut().zip(&self.forms) {
            count.forms = forms.len();
        }
        for (list, count) in counts[..LISTS].iter().enumerate() {
            let forms = self.lists[list].len();
            if count.lines == 0 && forms > 0 && self.protocol.split(list).is_some() {
                let what = format!(
                    "has no lines of the {forms} forms in {}.txt; unpack lineStrokes-all.tar.gz completely, or \
                     leave it packed",
                    count.name
                );
                return Err(Error::invalid(self.folder, what));
            }
        }
        let mut absent = vec![];
        for (forms, found) in self.lists.iter().zip(&self.forms) {
            absent.extend(forms.iter().filter(|form| !found.contains(*form)).cloned());
        }
        Ok(Report { counts, absent })
    }

    fn write(self, writer: &mut Writer) -> Result<()> {
        for ((list, place, number), rows) in self.lines {
            let Some(split) = self.protocol.split(list) else { continue };
            let form = &self.lists[list][place];
            let rows: Vec<f32> = rows.into_iter().flatten().map(f32::from).collect();
            let name = format!("{form}-{number:02}");
            let hand = self.writers.get(form).map_or("", String::as_str);
            let texts = self.texts.get(form);
            let text = texts.and_then(|lines| lines.get((number as usize).checked_sub(1)?));
            writer.push(&rows, split, &[&name, form, hand, text.map_or("", String::as_str)])?;
        }
        Ok(())
    }
}

type Wanted<'a> = &'a dyn Fn(&str) -> bool;
type Visit<'a> = &'a mut dyn FnMut(&Path, &[u8]) -> Result<()>;

/// The most bytes of a line's file; the database's longest takes 100 kB.
const LONGEST: usize = xml::LONGEST;

/// The most bytes of a form's transcription, which takes a kB or two.
const LONGEST_TEXT: usize = 1 << 14;

/// The most lines, steps and bytes of text kept in memory: about ten times the whole database.
const MOST: [usize; 3] = [1 << 17, 1 << 26, 1 << 24];

/// The most bytes of a list; the database's longest takes 8 kB.
const LONGEST_LIST: u64 = 1 << 16;

/// Bytes read of a form's file: only what comes before its strokes is needed.
const HEAD: usize = 1 << 16;

/// Prefixes of the folders and archives of transcriptions, writers and lines.
const KINDS: [&str; 3] = ["ascii", "original", "lineStrokes"];

/// How many folders down to look.
const DEPTH: usize = 2;

/// The files of the database.
#[derive(Default)]
struct Sources {
    folders: [Vec<PathBuf>; 3],
    archives: [Vec<PathBuf>; 3],
    lists: [Vec<PathBuf>; LISTS],
}

impl Sources {
    fn find(&mut self, folder: &Path, depth: usize) -> Result<()> {
        for path in tree::entries(folder)? {
            let name = tree::name(&path);
            let kind = KINDS.iter().position(|kind| name.starts_with(kind));
            let list = PUBLISHED[..LISTS]
                .iter()
                .position(|list| name.strip_suffix(".txt").is_some_and(|name| name == list.name));
            match (path.is_dir(), kind, list) {
                (true, Some(kind), _) => self.folders[kind].push(path),
                // Links in the top folder are followed, those below are not.
                (true, None, _) if depth == DEPTH || depth > 0 && tree::is_own_folder(&path) => {
                    self.find(&path, depth - 1)?;
                }
                (false, Some(kind), _) if tree::is_archive(name) => self.archives[kind].push(path),
                (false, _, Some(list)) => self.lists[list].push(path),
                _ => {}
            }
        }
        Ok(())
    }

    /// The files to read for each of [`KINDS`]: those of folders if there are any, else the archives.
    fn files(self) -> Result<[Vec<PathBuf>; 3]> {
        let mut sources = self.archives;
        for (folders, sources) in self.folders.iter().zip(&mut sources) {
            let mut files = vec![];
            folders.iter().try_for_each(|folder| tree::files(folder, 4, &mut files))?;
            if !files.is_empty() {
                *sources = files;
            }
        }
        Ok(sources)
    }

    /// The forms of each list, in order; empty for a list that is missing and not needed.
    fn read_lists(&self, folder: &Path, protocol: Protocol) -> Result<[Vec<String>; LISTS]> {
        let mut lists: [Vec<String>; LISTS] = Default::default();
        let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
        for (i, paths) in self.lists.iter().enumerate() {
            let Some(path) = paths.first() else {
                if protocol.split(i).is_none() {
                    continue;
                }
                let what = format!(
                    "has no {}.txt, in it or up to two folders down, a list of forms that --protocol \
                     {protocol} needs; download what the database's page calls the benchmark task",
                    PUBLISHED[i].name
                );
                return Err(Error::invalid(folder, what));
            };
            lists[i] = read_list(path)?;
            for other in &paths[1..] {
                if read_list(other)? != lists[i] {
                    let what = format!(
                        "differs from {}, wanted one list of this name; remove one",
                        path.display()
                    );
                    return Err(Error::invalid(other, what));
                }
            }
            for form in &lists[i] {
                if let Some(other) = seen.insert(form.clone(), path) {
                    let what = format!(
                        "names form {form}, which is already in {}, wanted every form once; download \
                         the list again",
                        other.display()
                    );
                    return Err(Error::invalid(path, what));
                }
            }
        }
        Ok(lists)
    }
}

fn read_list(path: &Path) -> Result<Vec<String>> {
    let bytes = read_whole(path, LONGEST_LIST, "a list of forms, one per line")?;
    let text = latin1(&bytes);
    let forms: Vec<String> =
        text.lines().map(str::trim).filter(|form| !form.is_empty()).map(String::from).collect();
    match forms.is_empty() {
        false => Ok(forms),
        true => {
            Err(Error::invalid(path, "names no form, wanted one per line; download the list again"))
        }
    }
}

/// `a01-000u.txt`: form a01-000u.
fn form_name(name: &str) -> Option<&str> {
    name.strip_suffix(".txt")
}

/// `a01-000u-01.xml`: form a01-000u, line 1.
fn line_name(name: &str) -> Option<(&str, u32)> {
    let (form, number) = name.strip_suffix(".xml")?.rsplit_once('-')?;
    // macOS adds `._a01-000u-01.xml` for each file of an archive.
    if form.starts_with('.') {
        return None;
    }
    Some((form, number.parse().ok()?))
}

/// Decodes ISO-8859-1, where byte n is character n.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The lines after `CSR:`, the first at index 0.
fn transcription(bytes: &[u8]) -> Vec<String> {
    let text = latin1(bytes);
    let below = text.lines().map(str::trim).skip_while(|line| *line != "CSR:").skip(1);
    below.skip_while(|line| line.is_empty()).map(String::from).collect()
}

/// Form and writer from the element `<General>` at the beginning of a form's file.
fn form_and_writer(head: &[u8]) -> Option<(String, String)> {
    let text = latin1(head);
    let (start, end) = (text.find("<General")?, text.find("</General>")?);
    let xml = xml::parse(text.get(start..end + "</General>".len())?).ok()?;
    let form = xml.descendants().find(|node| node.has_tag_name("Form"))?;
    let hand = form.attribute("writerID")?.chars().take(100).collect(); // usually five digits
    Some((form.attribute("id")?.into(), hand))
}

/// The rows (dx, dy, pen) of a line's XML; an error is a sentence whose subject is the file.
///
/// Takes about a hundred times the memory of `bytes`, which may be at most 1 MiB.
pub fn rows(bytes: &[u8]) -> Result<Vec<[i16; 3]>, String> {
    const CURE: &str = "unpack the file from the archive again";
    if bytes.len() > LONGEST {
        return Err(format!("is longer than 1 MiB, wanted a line of about 30 kB; {CURE}"));
    }
    let text = latin1(bytes);
    let xml = xml::parse(&text)
        .map_err(|e| format!("cannot be read as XML ({e}), wanted a line of strokes; {CURE}"))?;
    let mut sets = xml.root_element().children().filter(|node| node.has_tag_name("StrokeSet"));
    let Some(set) = sets.next() else {
        return Err(format!("has no StrokeSet, wanted a line of strokes; {CURE}"));
    };
    let mut points: Vec<[i32; 3]> = vec![];
    for stroke in set.children().filter(|node| node.has_tag_name("Stroke")) {
        for point in stroke.children().filter(|node| node.has_tag_name("Point")) {
            let number = points.len() + 1;
            let coordinate = |name| {
                coordinate(point, name).map_err(|found| {
                    format!(
                        "point {number} has {found} for {name}, wanted an integer of at most \
                         {FURTHEST}; {CURE}"
                    )
                })
            };
            points.push([coordinate("x")?, -coordinate("y")?, 0]);
        }
        // A stroke without points ends where the previous one did.
        if let Some(last) = points.last_mut() {
            last[2] = 1;
        }
    }
    let written = text.matches("<Point").count();
    if written != points.len() {
        return Err(format!(
            "has {written} points, of which only {} are in strokes of its first StrokeSet, wanted all; {CURE}",
            points.len()
        ));
    }
    if points.len() < 2 {
        return Err(format!(
            "has {} points, wanted at least 2, since a row is the move between two points; {CURE}",
            points.len()
        ));
    }
    let difference = |from: i32, to: i32| i16::try_from(to - from).map_err(|_| to - from);
    let steps = points.windows(2).enumerate().map(|(i, pair)| {
        let row = (difference(pair[0][0], pair[1][0]), difference(pair[0][1], pair[1][1]));
        match row {
            (Ok(dx), Ok(dy)) => Ok([dx, dy, pair[1][2] as i16]),
            (Err(far), _) | (_, Err(far)) => Err(format!(
                "point {} is {} units from the previous one, wanted at most 32767; {CURE}",
                i + 2,
                far.unsigned_abs()
            )),
        }
    });
    steps.collect()
}

/// The largest coordinate, so that differences do not overflow; the board has about ten thousand units.
const FURTHEST: i32 = 1 << 24;

/// An integer attribute, or the text of what was found instead.
fn coordinate(point: Node, name: &str) -> Result<i32, String> {
    let text = point.attribute(name).ok_or("nothing")?;
    let near = |x: &i32| x.unsigned_abs() <= FURTHEST.unsigned_abs();
    let shown: String = text.chars().take(40).collect();
    text.trim().parse().ok().filter(near).ok_or_else(|| format!("{shown:?}"))
}
