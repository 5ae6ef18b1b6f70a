//! IAM-OnDB, handwriting on a whiteboard: XML files of lines, lists of forms, transcriptions, writers.
//!
//! Rows are dx, dy (up), pen (1 on the last point of a stroke), in whole units of the board, as Chung et al.
//! 2015 have them: the first point is dropped, nothing is resampled, clipped or scaled. Lines come in the
//! order of the lists, then by number, whatever the order of the files: until the last is read they
//! wait in memory, 6 bytes a step. Not here: how files are found and unpacked (`tree`).
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
    /// Which list is for what.
    Protocol, "protocol":
    /// Chung et al. 2015 and all who stand beside them: trainset, testset_t and testset_f to train,
    /// testset_v to validate and to report, no test.
    Vrnn = "vrnn",
    /// The lists as they are meant: trainset to train, testset_v to validate, testset_f to test;
    /// testset_t is left out.
    Official = "official",
}

impl Protocol {
    /// What list number `list` of [`PUBLISHED`] is for.
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

/// What there is of the forms of one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The list, or "in no list".
    pub name: &'static str,
    /// Forms with at least one line.
    pub forms: usize,
    /// Lines: sequences.
    pub lines: usize,
    /// Rows of all lines; not counted of lines in no list.
    pub steps: usize,
}

/// The whole database, as counted in the files that its owners hand out.
pub const PUBLISHED: [Count; 5] = [
    Count { name: "trainset", forms: 775, lines: 5_364, steps: 3_293_060 },
    Count { name: "testset_v", forms: 192, lines: 1_438, steps: 884_526 },
    Count { name: "testset_t", forms: 216, lines: 1_518, steps: 1_035_285 },
    Count { name: "testset_f", forms: 544, lines: 3_859, steps: 2_421_683 },
    Count { name: "in no list", forms: 3, lines: 16, steps: 0 },
];

/// The lists among [`PUBLISHED`].
const LISTS: usize = 4;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the order of [`PUBLISHED`].
    pub counts: [Count; 5],
    /// Forms that a list names and that have no line.
    pub absent: Vec<String>,
}

/// The columns that [`import`] tells of each line.
pub const COLUMNS: [&str; 4] = ["name", "form", "writer", "text"];

/// Reads the database in `folder` into `writer`, which takes 3 channels and [`COLUMNS`].
///
/// Lines, transcriptions and writers come from the folders `lineStrokes…`, `ascii…` and `original…` or, where
/// there is none, from archives with such names; both, and the lists, may lie two folders down.
pub fn import(
    folder: &Path,
    protocol: Protocol,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Report> {
    if !folder.is_dir() {
        let what = "is no folder, wanted the one that holds lineStrokes-all.tar.gz, unpacked or \
                    not, and the lists of forms; give its path";
        return Err(Error::invalid(folder, what));
    }
    let mut found = Found::default();
    found.look(folder, DEPTH)?;
    let lists = found.read_lists(folder, protocol)?;
    let [texts, heads, strokes] = found.sources()?;
    if strokes.is_empty() {
        let what = "has neither a folder lineStrokes nor an archive lineStrokes-all.tar.gz, in it \
                    or two folders below; put there what the database's page calls \"data set in \
                    XML format, lines\"";
        return Err(Error::invalid(folder, what));
    }
    // Form → which list, which place in it.
    let mut places = BTreeMap::new();
    for (list, forms) in lists.iter().enumerate() {
        places.extend(forms.iter().enumerate().map(|(i, form)| (form.as_str(), (list, i))));
    }
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut writers: BTreeMap<String, String> = BTreeMap::new();
    let mut lines: BTreeMap<_, Vec<[i16; 3]>> = BTreeMap::new();
    let mut counts = PUBLISHED.map(|count| Count { name: count.name, ..Count::default() });
    let mut forms: [BTreeSet<String>; 5] = Default::default();

    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |about| about.len());
    let total = [&texts, &heads, &strokes].into_iter().flatten().map(size).sum::<u64>().max(1);
    let mut done = 0;
    let mut each = |paths: &[PathBuf], most, wanted: Wanted, found: Take| -> Result<()> {
        for path in paths {
            let read = &mut |bytes| progress((done + bytes) as f64 / total as f64);
            tree::each(path, most, wanted, read, found)?;
            done += size(path);
            progress(done as f64 / total as f64);
        }
        Ok(())
    };
    let form = |name: &str| name.strip_suffix(".txt").map(String::from);
    let wanted = |name: &str| form(name).is_some_and(|form| places.contains_key(form.as_str()));
    let within = |kept: [usize; 3]| {
        let most = format!("{} lines, {} steps or {} bytes of text", MOST[0], MOST[1], MOST[2]);
        let what = format!(
            "has more than {most}, some ten times the whole database; name the folder of one copy of it"
        );
        match kept.iter().zip(MOST).all(|(&kept, most)| kept <= most) {
            true => Ok(()),
            false => Err(Error::invalid(folder, what)),
        }
    };
    let mut text_bytes = 0;
    each(&texts, LONGEST_TEXT, &wanted, &mut |path, bytes| {
        text_bytes += bytes.len();
        within([0, 0, text_bytes])?;
        written.extend(form(tree::name(path)).map(|form| (form, transcription(bytes))));
        Ok(())
    })?;
    let wanted = |name: &str| name.starts_with("strokes") && name.ends_with(".xml");
    each(&heads, HEAD, &wanted, &mut |_, bytes| {
        let known = |(form, _): &(String, String)| places.contains_key(form.as_str());
        writers.extend(form_and_writer(bytes).filter(known));
        Ok(())
    })?;
    each(&strokes, LONGEST, &|name| line_name(name).is_some(), &mut |path, bytes| {
        let (form, number) = line_name(tree::name(path)).expect("as wanted");
        let place = places.get(form);
        let list = place.map_or(LISTS, |place| place.0);
        forms[list].insert(form.into());
        counts[list].lines += 1;
        let sum = |of: fn(&Count) -> usize| counts.iter().map(of).sum::<usize>();
        within([sum(|count| count.lines), sum(|count| count.steps), 0])?;
        let Some(&(list, place)) = place else { return Ok(()) };
        let mut rows = rows(bytes).map_err(|what| Error::invalid(path, what))?;
        counts[list].steps += rows.len();
        if protocol.split(list).is_none() {
            rows = vec![];
        }
        match lines.insert((list, place, number), rows) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(
                path,
                "is there a second time, wanted every line once; remove one of the two",
            )),
        }
    })?;
    for (count, forms) in counts.iter_mut().zip(&forms) {
        count.forms = forms.len();
    }
    for (list, count) in counts[..LISTS].iter().enumerate() {
        if count.lines == 0 && !lists[list].is_empty() && protocol.split(list).is_some() {
            let what = format!(
                "has lines of no form that {}.txt names, wanted those of all its {}; unpack \
                 lineStrokes-all.tar.gz whole, or leave it packed",
                count.name,
                lists[list].len()
            );
            return Err(Error::invalid(folder, what));
        }
    }
    for ((list, place, number), rows) in lines {
        let Some(split) = protocol.split(list) else { continue };
        let form = &lists[list][place];
        let rows: Vec<f32> = rows.into_iter().flatten().map(f32::from).collect();
        let name = format!("{form}-{number:02}");
        let hand = writers.get(form).map_or("", String::as_str);
        let text = written.get(form).and_then(|lines| lines.get((number as usize).checked_sub(1)?));
        writer.push(&rows, split, &[&name, form, hand, text.map_or("", String::as_str)])?;
    }
    let has_lines = |(list, form): &(usize, &String)| forms[*list].contains(*form);
    let named = lists.iter().enumerate().flat_map(|(list, f)| f.iter().map(move |f| (list, f)));
    let absent = named.filter(|form| !has_lines(form)).map(|(_, form)| form.clone()).collect();
    Ok(Report { counts, absent })
}

type Wanted<'a> = &'a dyn Fn(&str) -> bool;
type Take<'a> = &'a mut dyn FnMut(&Path, &[u8]) -> Result<()>;

/// A file longer than this is none of the database's, whose longest lines take 100 kB.
const LONGEST: usize = xml::LONGEST;

/// Likewise of what a form says, in a kB or two.
const LONGEST_TEXT: usize = 1 << 14;

/// All that is kept until the last line is read, some ten times what the whole database has: lines, their steps,
/// and bytes of text.
const MOST: [usize; 3] = [1 << 17, 1 << 26, 1 << 24];

/// A list longer than this is none of the database's, whose longest takes 8 kB.
const LONGEST_LIST: u64 = 1 << 16;

/// Of a form's strokes only what stands before them is read.
const HEAD: usize = 1 << 16;

/// Names of folders and archives begin so: transcriptions, writers, lines.
const KINDS: [&str; 3] = ["ascii", "original", "lineStrokes"];

/// The parts lie in the folder, or so many below.
const DEPTH: usize = 2;

/// Where the parts of the database are.
#[derive(Default)]
struct Found {
    folders: [Vec<PathBuf>; 3],
    archives: [Vec<PathBuf>; 3],
    lists: [Vec<PathBuf>; LISTS],
}

impl Found {
    fn look(&mut self, folder: &Path, depth: usize) -> Result<()> {
        for path in tree::entries(folder)? {
            let name = tree::name(&path);
            let kind = KINDS.iter().position(|kind| name.starts_with(kind));
            let list = PUBLISHED[..LISTS]
                .iter()
                .position(|list| name.strip_suffix(".txt").is_some_and(|name| name == list.name));
            match (path.is_dir(), kind, list) {
                (true, Some(kind), _) => self.folders[kind].push(path),
                // Links of the folder itself are followed, those below are not.
                (true, None, _) if depth == DEPTH || depth > 0 && tree::is_own_folder(&path) => {
                    self.look(&path, depth - 1)?;
                }
                (false, Some(kind), _) if tree::is_archive(name) => self.archives[kind].push(path),
                (false, _, Some(list)) => self.lists[list].push(path),
                _ => {}
            }
        }
        Ok(())
    }

    /// The files to read, for each of [`KINDS`]: what is unpacked goes before what is packed.
    fn sources(self) -> Result<[Vec<PathBuf>; 3]> {
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

    /// The forms of every list, in order; none of a list that is not needed and not there.
    fn read_lists(&self, folder: &Path, protocol: Protocol) -> Result<[Vec<String>; LISTS]> {
        let mut lists: [Vec<String>; LISTS] = Default::default();
        let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
        for (i, paths) in self.lists.iter().enumerate() {
            let Some(path) = paths.first() else {
                if protocol.split(i).is_none() {
                    continue;
                }
                let what = format!(
                    "has no {}.txt, in it or two folders below, wanted the lists of forms that \
                     --protocol {protocol} needs; put there what the database's page calls the \
                     benchmark task",
                    PUBLISHED[i].name
                );
                return Err(Error::invalid(folder, what));
            };
            lists[i] = read_list(path)?;
            for other in &paths[1..] {
                if read_list(other)? != lists[i] {
                    let what = format!(
                        "names other forms than {}, wanted one list of this name; remove one",
                        path.display()
                    );
                    return Err(Error::invalid(other, what));
                }
            }
            for form in &lists[i] {
                if let Some(other) = seen.insert(form.clone(), path) {
                    let what = format!(
                        "names form {form}, which {} names already, wanted every form once; take \
                         the list from the database's page again",
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
    let bytes = read_whole(path, LONGEST_LIST, "a list of forms, one a line")?;
    let text = latin1(&bytes);
    let forms: Vec<String> =
        text.lines().map(str::trim).filter(|form| !form.is_empty()).map(String::from).collect();
    match forms.is_empty() {
        false => Ok(forms),
        true => Err(Error::invalid(
            path,
            "names no form, wanted one a line; take the list from the database's page again",
        )),
    }
}

/// `a01-000u-01.xml`: form a01-000u, line 1.
fn line_name(name: &str) -> Option<(&str, u32)> {
    let (form, number) = name.strip_suffix(".xml")?.rsplit_once('-')?;
    // macOS puts `._a01-000u-01.xml` beside each file of an archive.
    if form.starts_with('.') {
        return None;
    }
    Some((form, number.parse().ok()?))
}

/// ISO-8859-1: byte n is character n.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The lines under `CSR:`, the first at index 0.
fn transcription(bytes: &[u8]) -> Vec<String> {
    let text = latin1(bytes);
    let below = text.lines().map(str::trim).skip_while(|line| *line != "CSR:").skip(1);
    below.skip_while(|line| line.is_empty()).map(String::from).collect()
}

/// What `<General>` at the beginning of a form's strokes says.
fn form_and_writer(head: &[u8]) -> Option<(String, String)> {
    let text = latin1(head);
    let (start, end) = (text.find("<General")?, text.find("</General>")?);
    let xml = xml::parse(text.get(start..end + "</General>".len())?).ok()?;
    let form = xml.descendants().find(|node| node.has_tag_name("Form"))?;
    let hand = form.attribute("writerID")?.chars().take(100).collect(); // of five digits
    Some((form.attribute("id")?.into(), hand))
}

/// The rows (dx, dy, pen) of a line's XML; the error is the rest of a sentence about the file.
///
/// Memory: some hundred bytes for each of `bytes`, which may be 1 MiB at most.
pub fn rows(bytes: &[u8]) -> Result<Vec<[i16; 3]>, String> {
    const CURE: &str = "take the file from the archive again";
    if bytes.len() > LONGEST {
        return Err(format!("is longer than 1 MiB, wanted a line of some 30 kB; {CURE}"));
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
                        "point {number} has {found} for {name}, wanted a whole number of at most \
                         {FURTHEST}; {CURE}"
                    )
                })
            };
            points.push([coordinate("x")?, -coordinate("y")?, 0]);
        }
        // A stroke without a point ends where the one before it did.
        if let Some(last) = points.last_mut() {
            last[2] = 1;
        }
    }
    let written = text.matches("<Point").count();
    if written != points.len() {
        return Err(format!(
            "has {written} points, of which only {} are in the strokes of its first StrokeSet, \
             wanted all there; {CURE}",
            points.len()
        ));
    }
    if points.len() < 2 {
        return Err(format!(
            "has {} points, wanted 2 or more, for a row is the way from one to the next; {CURE}",
            points.len()
        ));
    }
    let way = |from: i32, to: i32| i16::try_from(to - from).map_err(|_| to - from);
    let steps = points.windows(2).enumerate().map(|(i, pair)| {
        let row = (way(pair[0][0], pair[1][0]), way(pair[0][1], pair[1][1]));
        match row {
            (Ok(dx), Ok(dy)) => Ok([dx, dy, pair[1][2] as i16]),
            (Err(far), _) | (_, Err(far)) => Err(format!(
                "point {} lies {} units from the one before, wanted 32767 at most; {CURE}",
                i + 2,
                far.unsigned_abs()
            )),
        }
    });
    steps.collect()
}

/// Coordinates up to here have differences that fit; the board has some ten thousand units.
const FURTHEST: i32 = 1 << 24;

/// The whole number of an attribute, or what is there instead.
fn coordinate(point: Node, name: &str) -> Result<i32, String> {
    let text = point.attribute(name).ok_or("nothing")?;
    let near = |x: &i32| x.unsigned_abs() <= FURTHEST.unsigned_abs();
    let shown: String = text.chars().take(40).collect();
    text.trim().parse().ok().filter(near).ok_or_else(|| format!("{shown:?}"))
}
