//! Omniglot: characters of many alphabets, each drawn by twenty people, as text files of strokes.
//!
//! Files are `<alphabet>/character<number>/<drawing>.txt`, in folders or in zip files, with lines `x,y,t` between
//! `START` and `BREAK`, the end of a stroke. Rows are dx, dy (upwards), pen; t is dropped, nothing is scaled. A drawing
//! that is in two places is taken once. Splits go by alphabet. Not here: how zip files are read ([`crate::data::unzip`]).
//! Source: Lake, Salakhutdinov and Tenenbaum 2015, "Human-level concept learning through probabilistic program
//! induction".

use super::pattern::Rule;
use super::strokes::{self, FURTHEST};
use super::tree;
use crate::data::unzip::Archive;
use crate::data::{Split, Writer};
use crate::error::{Error, Result};
use crate::file::{open_regular, read_whole};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The alphabets of the two small background sets, in the splits of the book's tables.
pub const SMALL: [(&str, Split); 8] = [
    ("Balinese", Split::Train),
    ("Early_Aramaic", Split::Test),
    ("Greek", Split::Train),
    ("Japanese_(katakana)", Split::Train),
    ("Korean", Split::Train),
    ("Latin", Split::Train),
    ("Sanskrit", Split::Train),
    ("Tagalog", Split::Valid),
];

/// Numbers of drawings for train, valid and test that [`SMALL`] has as published.
pub const PUBLISHED: [usize; 3] = [4_060, 340, 440];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The alphabets of each split.
    pub alphabets: [Vec<String>; 3],
    /// Alphabets that are in no split, left out.
    pub unlisted: usize,
    /// Drawings that were in more than one place, taken once.
    pub repeated: usize,
    /// Drawings of fewer than two points, left out.
    pub short: usize,
}

/// The metadata columns of each drawing.
pub const COLUMNS: [&str; 3] = ["alphabet", "character", "drawing"];

/// The most bytes of a drawing; the longest take some 20 kB.
const LONGEST: u64 = 1 << 18;

/// The most drawings and steps: about four times those of the whole set.
const MOST: [usize; 2] = [1 << 17, 1 << 25];

/// How many folders down files are looked for.
const DEPTH: usize = 5;

/// Where a drawing is.
enum Place {
    File(PathBuf),
    /// Number of the zip file, and of the member in it.
    Member(usize, usize),
}

/// Reads the drawings in `input` (a folder, with zip files or without, or one zip file) into `writer`, which has 3
/// channels and [`COLUMNS`]. They are in the order of `alphabet/character/drawing`.
///
/// `rule` splits the alphabets; `None`: those of [`SMALL`], and others are left out.
pub fn import(
    input: &Path,
    rule: Option<&Rule>,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Report> {
    let (mut archives, drawings) = find(input)?;
    let all: BTreeSet<&str> = drawings.keys().map(|key| alphabet(key)).collect();
    let all: Vec<String> = all.into_iter().map(String::from).collect();
    let splits = match rule {
        None => SMALL.iter().map(|(name, split)| (name.to_string(), *split)).collect(),
        Some(rule) => {
            let splits = rule.assign(input, "alphabet", &all)?;
            all.iter().cloned().zip(splits).collect::<BTreeMap<_, _>>()
        }
    };
    let mut report = Report::default();
    for name in &all {
        match splits.get(name) {
            Some(split) => report.alphabets[*split as usize].push(name.clone()),
            None => report.unlisted += 1,
        }
    }
    if report.alphabets[Split::Train as usize].is_empty() {
        let what = format!(
            "has the alphabets {}, of which none is for training; give the folder with strokes_background_small1.zip \
             and strokes_background_small2.zip, or choose splits with --split, --valid or --test",
            all.join(", ")
        );
        return Err(Error::invalid(input, what));
    }
    let (total, mut steps) = (drawings.len() as f64, 0);
    for (done, (key, places)) in drawings.iter().enumerate() {
        if let Some(split) = splits.get(alphabet(key)) {
            let mut first: Option<Vec<f32>> = None;
            for place in places {
                let (path, bytes) = read(&mut archives, place)?;
                let rows = rows(&bytes).map_err(|what| Error::invalid(&path, what))?;
                match &first {
                    None => first = Some(rows),
                    Some(first) if *first == rows => report.repeated += 1,
                    Some(_) => {
                        let what = format!(
                            "differs from another file of {key}, wanted one drawing of this name; give the folder of \
                             one copy"
                        );
                        return Err(Error::invalid(path, what));
                    }
                }
            }
            let rows = first.unwrap_or_default();
            steps += rows.len() / 3;
            if steps > MOST[1] {
                return Err(too_much(input));
            }
            let mut about = key.split('/');
            let about: [&str; 3] = std::array::from_fn(|_| about.next().unwrap_or_default());
            match rows.is_empty() {
                true => report.short += 1,
                false => writer.push(&rows, *split, &about)?,
            }
        }
        progress((done + 1) as f64 / total);
    }
    Ok(report)
}

/// The alphabet of `alphabet/character/drawing`.
fn alphabet(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

fn too_much(input: &Path) -> Error {
    let [drawings, steps] = MOST;
    let what = format!(
        "has more than {drawings} drawings or {steps} steps, about four times the whole set; give the folder of one copy"
    );
    Error::invalid(input, what)
}

/// A zip file with its path.
type Zip = (PathBuf, Archive<File>);

/// Where each drawing is, by `alphabet/character/drawing`.
type Drawings = BTreeMap<String, Vec<Place>>;

/// The zip files in `input`, and the drawings in them or beside them.
fn find(input: &Path) -> Result<(Vec<Zip>, Drawings)> {
    let mut files = vec![];
    match input.is_dir() {
        true => tree::files(input, DEPTH, &mut files)?,
        false => files.push(input.into()),
    }
    let (mut archives, mut drawings, mut count) = (vec![], Drawings::new(), 0);
    let mut add = |key, place| {
        count += 1;
        drawings.entry(key).or_default().push(place);
        if count > MOST[0] { Err(too_much(input)) } else { Ok(()) }
    };
    for path in files {
        let name = tree::name(&path);
        if let Some(key) = key(&path.to_string_lossy()) {
            add(key, Place::File(path))?;
        } else if path == input || name.starts_with("strokes_") && name.ends_with(".zip") {
            let archive = open(&path)?;
            for (member, name) in archive.names().enumerate() {
                if let Some(key) = std::str::from_utf8(name).ok().and_then(key) {
                    add(key, Place::Member(archives.len(), member))?;
                }
            }
            archives.push((path, archive));
        }
    }
    if drawings.is_empty() {
        let what = "holds no drawing like Latin/character01/0709_01.txt, in folders or in zip files named strokes_…; give \
                    the folder with strokes_background_small1.zip and strokes_background_small2.zip";
        return Err(Error::invalid(input, what));
    }
    Ok((archives, drawings))
}

fn open(path: &Path) -> Result<Archive<File>> {
    let file = open_regular(path, "a zip file of strokes, or a folder with some")?;
    Archive::new(file).map_err(|e| {
        let what = format!("cannot be read as a zip file of strokes ({e}); download it again");
        Error::invalid(path, what)
    })
}

/// `…/Latin/character01/0709_01.txt`: `Latin/character01/0709_01`.
fn key(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let mut parts = path.strip_suffix(".txt")?.rsplit('/');
    let [drawing, character, alphabet] = [parts.next()?, parts.next()?, parts.next()?];
    // macOS adds `._0709_01.txt` for each file of an archive.
    let hidden = drawing.starts_with('.') || alphabet.is_empty();
    (character.starts_with("character") && !hidden)
        .then(|| format!("{alphabet}/{character}/{drawing}"))
}

/// A drawing's path, for errors, and its bytes.
fn read(archives: &mut [Zip], place: &Place) -> Result<(PathBuf, Vec<u8>)> {
    match place {
        Place::File(path) => Ok((path.clone(), read_whole(path, LONGEST, "a drawing of strokes")?)),
        Place::Member(archive, member) => {
            let (path, archive) = &mut archives[*archive];
            let name =
                archive.names().nth(*member).map(|name| String::from_utf8_lossy(name).into_owned());
            let path = PathBuf::from(format!("{}/{}", path.display(), name.unwrap_or_default()));
            let mut bytes = vec![];
            let content = archive.member_at(*member);
            let read =
                content.and_then(|content| content.take(LONGEST + 1).read_to_end(&mut bytes));
            let what = match read {
                Ok(n) if n as u64 <= LONGEST => return Ok((path, bytes)),
                Ok(_) => {
                    format!("is longer than {LONGEST} bytes, wanted a drawing; download it again")
                }
                Err(e) => format!("cannot be unpacked ({e}), so it is damaged; download it again"),
            };
            Err(Error::invalid(path, what))
        }
    }
}

/// The rows (dx, dy, pen) of a drawing; an error is a sentence whose subject is the file.   (points − 1, 3)
pub fn rows(bytes: &[u8]) -> Result<Vec<f32>, String> {
    const CURE: &str = "unpack the file again";
    let mut strokes: Vec<Vec<[f32; 2]>> = vec![vec![]];
    for (i, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        match line.trim_ascii() {
            b"" | b"START" => {}
            b"BREAK" => strokes.push(vec![]),
            point => {
                let point = coordinates(point).ok_or_else(|| {
                    let shown = String::from_utf8_lossy(&point[..point.len().min(40)]);
                    format!(
                        "has \"{shown}\" in line {}, wanted x,y,t or START or BREAK; {CURE}",
                        i + 1
                    )
                })?;
                strokes.last_mut().expect("never empty").push(point);
            }
        }
    }
    match strokes.last() {
        Some(rest) if !rest.is_empty() => {
            Err(format!("ends within a stroke, wanted BREAK after its last point; {CURE}"))
        }
        _ => Ok(strokes::rows(strokes.iter().map(|stroke| &stroke[..]))),
    }
}

/// x and y of a line `x,y,t`.
fn coordinates(line: &[u8]) -> Option<[f32; 2]> {
    let mut numbers = std::str::from_utf8(line)
        .ok()?
        .split(',')
        .map(|number| number.trim().parse().ok().filter(|x: &f32| x.is_finite()));
    let [x, y, _time] = [numbers.next()??, numbers.next()??, numbers.next()??];
    let near = x.abs() <= FURTHEST && y.abs() <= FURTHEST;
    (near && numbers.next().is_none()).then_some([x, y])
}
