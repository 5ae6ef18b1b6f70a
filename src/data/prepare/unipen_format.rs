//! The UNIPEN format: a file of statements, and the files that it includes, read into strokes and segments.
//!
//! A statement is a keyword with a dot in the first column and all text up to the next one. The pen's way is a list of
//! components, each a `.PEN_DOWN` or `.PEN_UP` with at least one point, numbered from 0; `.COORD` names the numbers of a
//! point. `.SEGMENT` gives a range of components its level (such as TEXT), quality and label. Not here: which files and
//! segments are taken ([`super::unipen`]).
//! Source: Guyon et al. 1994, "UNIPEN project of on-line data exchange and recognizer benchmarks".

use super::strokes::{self, FURTHEST};
use crate::error::{Error, Result};
use crate::file::read_whole;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::{Component, Path, PathBuf};

/// The most bytes of a file with all that it includes; the release's longest takes a few MB.
pub const LONGEST: u64 = 1 << 26;

/// How deep files may include files; the release goes two deep.
const DEEPEST: usize = 16;

/// The most numbers of a point.
const MOST_COLUMNS: usize = 64;

/// The most characters kept of a label or of a writer's name.
const LONGEST_WORDS: usize = 1000;

/// A file and all that it includes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The points of all strokes.
    points: Vec<[f32; 2]>,
    strokes: Vec<Stroke>,
    /// Number of components, with those of a lifted pen.
    components: usize,
    /// The segments of the level that was asked for.
    pub segments: Vec<Segment>,
    /// The writers, in the order of `.WRITER_ID`; the first has no name.
    pub writers: Vec<String>,
    /// Bytes read.
    pub bytes: u64,
}

/// A component with the pen down.
#[derive(Clone, Debug, PartialEq)]
struct Stroke {
    component: usize,
    points: Range<usize>,
}

/// A part of the pen's way that belongs together.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its components; `None` if they are not whole, or unreadable.
    components: Option<Vec<RangeInclusive<usize>>>,
    /// Whether its quality is BAD.
    pub bad: bool,
    /// What is written there.
    pub label: String,
    /// Who wrote it: the last of [`Document::writers`] before it.
    pub writer: usize,
}

impl Document {
    /// Reads `file`; files that it includes are looked for below `includes`, and each is read once.
    pub fn read(file: &Path, includes: &Path, level: &str) -> Result<Self> {
        let mut reader = Reader {
            includes,
            level,
            seen: BTreeSet::new(),
            columns: None,
            document: Self { writers: vec![String::new()], ..Self::default() },
        };
        reader.read(file, 0)?;
        Ok(reader.document)
    }

    /// The strokes of a segment, by number; `None` if it does not name whole components of the file.
    pub fn strokes(&self, segment: &Segment) -> Option<Vec<Range<usize>>> {
        let strokes = |range: &RangeInclusive<usize>| {
            let first = self.strokes.partition_point(|stroke| stroke.component < *range.start());
            let end = self.strokes.partition_point(|stroke| stroke.component <= *range.end());
            (*range.end() < self.components).then_some(first..end)
        };
        segment.components.as_ref()?.iter().map(strokes).collect()
    }

    /// The number of points of these strokes.
    pub fn points(&self, strokes: &[Range<usize>]) -> usize {
        let points = |range: &Range<usize>| match &self.strokes[range.clone()] {
            [] => 0,
            [first, ..] => self.strokes[range.end - 1].points.end - first.points.start,
        };
        strokes.iter().fold(0, |sum: usize, range| sum.saturating_add(points(range)))
    }

    /// The rows (dx, dy, pen) of these strokes.   (points − 1, 3)
    pub fn rows(&self, strokes: &[Range<usize>]) -> Vec<f32> {
        let all = strokes.iter().flat_map(|range| &self.strokes[range.clone()]);
        strokes::rows(all.map(|stroke| &self.points[stroke.points.clone()]))
    }
}

/// What is in force while a file is read.
struct Reader<'a> {
    includes: &'a Path,
    level: &'a str,
    seen: BTreeSet<PathBuf>,
    /// How many numbers a point has, and which of them are x and y.
    columns: Option<(usize, [usize; 2])>,
    document: Document,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path, depth: usize) -> Result<()> {
        if !self.seen.insert(path.into()) {
            return Ok(());
        }
        let bytes = read_whole(path, LONGEST, "a file of UNIPEN's release")?;
        self.document.bytes += bytes.len() as u64;
        if depth > DEEPEST || self.document.bytes > LONGEST {
            let what = format!(
                "is included {depth} deep, in a file of {} bytes with all that it includes, wanted at most {DEEPEST} deep \
                 and {LONGEST} bytes; copy the release again",
                self.document.bytes
            );
            return Err(Error::invalid(path, what));
        }
        for (at, keyword, value) in statements(&bytes) {
            let said = match keyword {
                b"INCLUDE" => {
                    let file =
                        self.included(value).map_err(|what| wrong(path, &bytes, at, &what))?;
                    self.read(&file, depth + 1)?;
                    Ok(())
                }
                b"COORD" => self.set_columns(value),
                b"WRITER_ID" => {
                    let line = value.split(|&byte| byte == b'\n').next().unwrap_or_default();
                    self.document.writers.push(words(line));
                    Ok(())
                }
                b"PEN_DOWN" => self.add_stroke(value),
                b"PEN_UP" => {
                    let counts = !value.trim_ascii().is_empty();
                    self.document.components += usize::from(counts);
                    Ok(())
                }
                b"SEGMENT" => {
                    self.add_segment(value);
                    Ok(())
                }
                _ => Ok(()),
            };
            said.map_err(|what| wrong(path, &bytes, at, &what))?;
        }
        Ok(())
    }

    /// The file that an `.INCLUDE` names.
    fn included(&self, value: &[u8]) -> Result<PathBuf, String> {
        let name = latin1(value.trim_ascii());
        let shown: String = name.chars().take(100).collect();
        let inside = |part: Component| matches!(part, Component::Normal(_));
        if name.is_empty() || !Path::new(&name).components().all(inside) {
            return Err(format!("includes \"{shown}\", wanted the name of a file below `include`"));
        }
        let path = self.includes.join(name);
        match path.exists() {
            true => Ok(path),
            false => Err(format!(
                "includes {shown}, which is not there, wanted it in {}",
                self.includes.display()
            )),
        }
    }

    fn set_columns(&mut self, value: &[u8]) -> Result<(), String> {
        let names: Vec<&[u8]> = tokens(value).take(MOST_COLUMNS + 1).collect();
        let place = |wanted: &[u8]| names.iter().position(|name| *name == wanted);
        match (place(b"X"), place(b"Y")) {
            (Some(x), Some(y)) if names.len() <= MOST_COLUMNS => {
                self.columns = Some((names.len(), [x, y]));
                Ok(())
            }
            _ => Err(format!(
                "is .COORD \"{}\", wanted X and Y among at most {MOST_COLUMNS} names",
                words(value)
            )),
        }
    }

    fn add_stroke(&mut self, value: &[u8]) -> Result<(), String> {
        let start = self.document.points.len();
        let (mut numbers, mut point) = (0_usize, [0.; 2]);
        for token in tokens(value) {
            let Some((columns, places)) = self.columns else {
                return Err("has points before .COORD says what their numbers are".into());
            };
            for (x, place) in point.iter_mut().zip(places) {
                if numbers % columns == place {
                    *x = coordinate(token)?;
                }
            }
            numbers += 1;
            if numbers.is_multiple_of(columns) {
                self.document.points.push(point);
            }
        }
        if let Some((columns, _)) = self.columns
            && !numbers.is_multiple_of(columns)
        {
            return Err(format!(
                "has {numbers} numbers, wanted a multiple of the {columns} of a point"
            ));
        }
        if numbers > 0 {
            let (component, points) = (self.document.components, start..self.document.points.len());
            self.document.strokes.push(Stroke { component, points });
            self.document.components += 1;
        }
        Ok(())
    }

    fn add_segment(&mut self, value: &[u8]) {
        let quote = |byte: &u8| *byte == b'"';
        let label = value.iter().position(quote).map_or(&[][..], |first| {
            let last = value.iter().rposition(quote).unwrap_or(first);
            value.get(first + 1..last).unwrap_or_default()
        });
        let head = &value[..value.iter().position(quote).unwrap_or(value.len())];
        let mut head = tokens(head);
        if head.next() != Some(self.level.as_bytes()) {
            return;
        }
        self.document.segments.push(Segment {
            components: head.next().and_then(components),
            bad: head.next().is_some_and(|quality| quality == b"BAD"),
            label: words(&unescaped(label)),
            writer: self.document.writers.len() - 1,
        });
    }
}

/// An error at the statement that begins at byte `at`.
fn wrong(path: &Path, bytes: &[u8], at: usize, what: &str) -> Error {
    let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
    let cure = "copy the release again, or add --skip-damaged to leave such files out";
    Error::invalid(path, format!("line {line} {what}; {cure}"))
}

/// The statements: where each begins, its keyword without the dot, and the text after it.
fn statements(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8], &[u8])> {
    let begins = |at: usize| {
        let first = at == 0 || matches!(bytes[at - 1], b'\n' | b'\r');
        first && bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_uppercase)
    };
    let next = move |from: usize| (from..bytes.len()).find(|&at| begins(at));
    let mut start = next(0);
    std::iter::from_fn(move || {
        let at = start?;
        start = next(at + 1);
        let statement = &bytes[at + 1..start.unwrap_or(bytes.len())];
        let in_keyword =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        let end = statement.iter().position(|byte| !in_keyword(byte)).unwrap_or(statement.len());
        Some((at, &statement[..end], &statement[end..]))
    })
}

fn tokens(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty())
}

/// Decodes ISO-8859-1, where byte n is character n.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The words of a text, with one space between them.
fn words(bytes: &[u8]) -> String {
    let all: Vec<_> = tokens(bytes).map(latin1).collect();
    all.join(" ").chars().take(LONGEST_WORDS).collect()
}

/// A label without its backslashes: `\"` is a quote, `\n` and `\t` are spaces.
fn unescaped(label: &[u8]) -> Vec<u8> {
    let mut escaped = false;
    let character = |&byte: &u8| {
        let (after, plain) = (escaped, byte != b'\\');
        escaped = !after && !plain;
        match byte {
            b'n' | b't' if after => Some(b' '),
            _ => (after || plain).then_some(byte),
        }
    };
    label.iter().filter_map(character).collect()
}

/// `0-52`, `4` or `0-2,5`; `None` if it names points inside a component (`0:3-2:7`), or is something else.
fn components(delineation: &[u8]) -> Option<Vec<RangeInclusive<usize>>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(first..=last)
    };
    std::str::from_utf8(delineation).ok()?.split(',').map(range).collect()
}

fn coordinate(token: &[u8]) -> Result<f32, String> {
    let number = std::str::from_utf8(token).ok().and_then(|text| text.parse().ok());
    number.filter(|x: &f32| x.abs() <= FURTHEST).ok_or_else(|| {
        format!("has the coordinate \"{}\", wanted a number of at most {FURTHEST}", words(token))
    })
}
