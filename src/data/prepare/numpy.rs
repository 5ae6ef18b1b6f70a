//! Arrays of an .npz that are not ours: numbers of any width, texts, and Python's values by [`Pickle`].
//!
//! Here is what importers need; what we train on is read by [`crate::data::npz`], which refuses all but its
//! own three dtypes. Not here: what the arrays mean.

use super::pickle::{Item, Pickle, Value};
use crate::data::npz::read_header;
use crate::data::unzip::{Archive, Content};
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Numbers in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Axes.
    pub shape: Vec<usize>,
    /// Their product of values.
    pub values: Vec<f64>,
}

/// An .npz whose arrays are read one by one.
pub(super) struct Npz {
    path: PathBuf,
    zip: Archive<BufReader<File>>,
}

/// One array of it, its header read.
struct Array<'a> {
    path: &'a Path,
    name: &'a str,
    member: Content<'a, BufReader<File>>,
    dtype: String,
    shape: Vec<u64>,
    fortran: bool,
    /// Bytes behind the header.
    bytes: u64,
}

/// Numbers beside the strokes take fewer bytes than this.
const LONGEST_NUMBERS: u64 = 1 << 16;

/// A pickle unpacks to so many bytes, and to as many more for each packed one: numbers of strokes hardly pack.
const UNPACKED: (u64, u64) = (1 << 22, 64);

/// Likewise its instructions; numpy writes some 30 for each sequence.
const INSTRUCTIONS: (u64, u64) = (1 << 20, 8);

/// Likewise the characters of all its words.
const CHARACTERS: (u64, u64) = (1 << 20, 64);

/// Characters of a word at most: no line of handwriting has more.
const LONGEST_WORD: usize = 1000;

impl Npz {
    pub fn open(path: &Path) -> Result<Self> {
        let file = open_regular(path, "an .npz: give its path")?;
        let zip = Archive::new(BufReader::new(file)).map_err(|e| {
            let what = format!("cannot be read as an .npz ({e}); download it again");
            Error::invalid(path, what)
        })?;
        Ok(Self { path: path.into(), zip })
    }

    pub fn has(&self, name: &str) -> bool {
        self.zip.has(&format!("{name}.npy"))
    }

    /// An array of numbers.
    pub fn numbers(&mut self, name: &str) -> Result<Numbers> {
        let array = self.array(name)?;
        let (dtype, shape, fortran) = (array.dtype.clone(), array.shape.clone(), array.fortran);
        let content = array.content(LONGEST_NUMBERS)?;
        numbers(&dtype, &shape, fortran, &content).map_err(|found| self.wrong(name, &found))
    }

    /// An array of Python's values, as numpy pickles it: the array, with a list in it.
    pub fn objects(&mut self, name: &str) -> Result<Pickle> {
        let array = self.array(name)?;
        if array.dtype != "|O" {
            let found = format!("dtype '{:.40}', wanted '|O', one array a sequence", array.dtype);
            return Err(self.wrong(name, &found));
        }
        array.pickle()
    }

    /// One word for each of `count` entries of an array of texts, numbers or Python's values; empty words
    /// if there is no such array, or not so many.
    pub fn words(&mut self, name: &str, count: usize) -> Result<Vec<String>> {
        let array = if self.has(name) { Some(self.array(name)?) } else { None };
        let words = array.filter(|array| array.entries() == Some(count as u64));
        let words = words.map_or(Ok(vec![]), |array| array.words(count))?;
        Ok(if words.len() == count { words } else { vec![String::new(); count] })
    }

    fn array<'a>(&'a mut self, name: &'a str) -> Result<Array<'a>> {
        let path = &self.path;
        let damaged = |said: String| damaged(path, name, &said);
        let mut member =
            self.zip.member(&format!("{name}.npy")).map_err(|e| damaged(e.to_string()))?;
        let header = read_header(&mut member).map_err(|e| damaged(e.to_string()))?;
        let (header, length) = header.map_err(|found| damaged(format!("its header is {found}")))?;
        let bytes = member.size().saturating_sub(length);
        let (dtype, shape, fortran) = (header.descr, header.shape, header.fortran_order);
        Ok(Array { path, name, member, dtype, shape, fortran, bytes })
    }

    pub fn wrong(&self, name: &str, found: &str) -> Error {
        wrong(&self.path, name, found)
    }
}

fn wrong(path: &Path, name: &str, found: &str) -> Error {
    Error::invalid(path, format!("`{name}` is {found}; take the file as its owners hand it out"))
}

fn damaged(path: &Path, name: &str, said: &str) -> Error {
    Error::invalid(path, format!("`{name}` cannot be unpacked ({said}); download the file again"))
}

impl Array<'_> {
    /// How many, if a number can say it.
    fn entries(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis))
    }

    /// A bound that grows with the bytes that it takes in the file.
    fn most(&self, (constant, times): (u64, u64)) -> u64 {
        self.member.packed().saturating_mul(times).saturating_add(constant)
    }

    /// All of it, if it unpacks to no more than `most` bytes.
    fn content(mut self, most: u64) -> Result<Vec<u8>> {
        if self.bytes > most {
            let found = format!("an array of {} bytes, wanted {most} at most", self.bytes);
            return Err(wrong(self.path, self.name, &found));
        }
        let mut content = vec![0; self.bytes as usize];
        self.member.read_exact(&mut content).map_err(|e| self.damaged(e))?;
        self.end().map(|()| content)
    }

    fn pickle(self) -> Result<Pickle> {
        let (path, name) = (self.path, self.name);
        let (bytes, instructions) = (self.most(UNPACKED), self.most(INSTRUCTIONS));
        Pickle::read(self.content(bytes)?, instructions as usize).map_err(|met| {
            let found = format!("a pickle with {met}, wanted plain values, for nothing is run");
            wrong(path, name, &found)
        })
    }

    /// A word for each of its `count` entries; none if they are neither texts nor numbers nor values.
    fn words(mut self, count: usize) -> Result<Vec<String>> {
        let (path, name, most) = (self.path, self.name, self.most(CHARACTERS));
        let mut characters = 0;
        let mut room = |word: &str| {
            characters += word.len() as u64;
            let found = format!("words of more than {most} bytes in all");
            if characters <= most { Ok(()) } else { Err(wrong(path, name, &found)) }
        };
        let mut words = vec![];
        if self.dtype == "|O" {
            let pickle = self.pickle()?;
            for item in objects(pickle.root()) {
                let word = word(item);
                room(&word)?;
                words.push(word);
            }
            return Ok(words);
        }
        let Some((width, read)) = kind(&self.dtype) else { return Ok(words) };
        if (count as u64).checked_mul(width) != Some(self.bytes) {
            let (shape, bytes) = (&self.shape, self.bytes);
            return Err(wrong(
                path,
                name,
                &format!("an array of shape {shape:?} with {bytes} bytes"),
            ));
        }
        // Of a text no more than is shown.
        let mut entry = vec![0; width.min(4 * LONGEST_WORD as u64) as usize];
        for _ in 0..count {
            self.member.read_exact(&mut entry).map_err(|e| self.damaged(e))?;
            let mut rest = self.member.by_ref().take(width - entry.len() as u64);
            io::copy(&mut rest, &mut io::sink()).map_err(|e| self.damaged(e))?;
            let word = read(&self.dtype, &entry);
            room(&word)?;
            words.push(word);
        }
        self.end().map(|()| words)
    }

    /// Whether nothing follows, and the checksum held.
    fn end(&mut self) -> Result<()> {
        match self.member.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(damaged(self.path, self.name, "it is longer than the directory says")),
            Err(e) => Err(self.damaged(e)),
        }
    }

    fn damaged(&self, e: io::Error) -> Error {
        damaged(self.path, self.name, &e.to_string())
    }
}

/// How a value of some dtype becomes text.
type AsText = fn(&str, &[u8]) -> String;

/// The bytes of an entry of this dtype, and what makes a word of them.
fn kind(dtype: &str) -> Option<(u64, AsText)> {
    let letters = |code: &str| dtype.strip_prefix(code)?.parse::<u64>().ok().filter(|&n| n > 0);
    if let Some(letters) = letters("<U") {
        return Some((letters.checked_mul(4)?, |_, entry| {
            let letter = |bytes: &[u8; 4]| char::from_u32(u32::from_le_bytes(*bytes));
            let text: String = entry.as_chunks().0.iter().map_while(letter).collect();
            shown(text.trim_end_matches('\0'))
        }));
    }
    if let Some(letters) = letters("|S") {
        return Some((letters, |_, entry| {
            let text: String = entry.iter().map(|&byte| char::from(byte)).collect();
            shown(text.trim_end_matches('\0'))
        }));
    }
    let number = |dtype: &str, entry: &[u8]| match numbers(dtype, &[], false, entry) {
        Ok(numbers) => numbers.values[0].to_string(),
        Err(_) => String::new(),
    };
    let width = dtype.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
    (numbers(dtype, &[0], false, &[]).is_ok()).then_some((width, number))
}

/// The entries of an array of Python's values, or of a list.
pub(super) fn objects(item: Item<'_>) -> Vec<Item<'_>> {
    let inside = match item.value() {
        Value::Array { dtype: "O" | "O8", .. } => item.items().next(),
        _ => Some(item),
    };
    let inside = inside.filter(|inside| matches!(inside.value(), Value::Items(_)));
    inside.map_or(vec![], |inside| inside.items().collect())
}

/// The numbers of a pickled array; the error says what it is instead.
pub fn pickled_numbers(item: Item) -> Result<Numbers, String> {
    let Value::Array { dtype, shape, fortran } = item.value() else {
        return Err("no array".into());
    };
    match item.items().next().map(Item::value) {
        Some(Value::Bytes(bytes)) => numbers(dtype, shape, fortran, &bytes),
        _ => Err("an array without numbers".into()),
    }
}

/// The bytes of a pickled array's numbers, without reading them.
pub(super) fn pickled_size(item: Item) -> u64 {
    let Value::Array { dtype, shape, .. } = item.value() else { return 0 };
    let width = dtype.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(1);
    shape.iter().fold(width, |n: u64, &axis| n.saturating_mul(axis))
}

/// What a value says in a word: a text, a number, or the first of several.
fn word(item: Item) -> String {
    let first = |item: Item| match pickled_numbers(item) {
        Ok(numbers) => numbers.values.first().map(f64::to_string).unwrap_or_default(),
        Err(_) => String::new(),
    };
    // A file could name a long one again and again.
    if item.size() > 4 * LONGEST_WORD {
        return String::new();
    }
    match item.value() {
        Value::Text(text) => shown(text),
        Value::Bytes(bytes) => shown(&String::from_utf8_lossy(&bytes)),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Array { .. } => first(item),
        Value::None | Value::Items(_) | Value::Part => String::new(),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(LONGEST_WORD).collect()
}

/// Bytes as numbers of `dtype`, such as `<f4` or `f4`; the error says what is wrong.
fn numbers(dtype: &str, shape: &[u64], fortran: bool, bytes: &[u8]) -> Result<Numbers, String> {
    let code = dtype.trim_start_matches(['<', '|']);
    let values: Vec<f64> = match code {
        "f4" => each(bytes, |b| f32::from_le_bytes(b).into()),
        "f8" => each(bytes, f64::from_le_bytes),
        "i1" => each(bytes, |b| i8::from_le_bytes(b).into()),
        "i2" => each(bytes, |b| i16::from_le_bytes(b).into()),
        "i4" => each(bytes, |b| i32::from_le_bytes(b).into()),
        "i8" => each(bytes, |b| i64::from_le_bytes(b) as f64),
        "u1" | "b1" => each(bytes, |b| u8::from_le_bytes(b).into()),
        "u2" => each(bytes, |b| u16::from_le_bytes(b).into()),
        "u4" => each(bytes, |b| u32::from_le_bytes(b).into()),
        _ => return Err(format!("an array of dtype {dtype:.40}, wanted numbers")),
    };
    let width: usize = code[1..].parse().expect("a digit");
    let count = shape.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis));
    if count.and_then(|n| n.checked_mul(width as u64)) != Some(bytes.len() as u64) {
        return Err(format!("an array of shape {shape:?} with {} bytes", bytes.len()));
    }
    let fits = |&axis: &u64| usize::try_from(axis).ok();
    let shape: Option<Vec<usize>> = shape.iter().map(fits).collect();
    let shape = shape.ok_or("an array with an axis beyond memory")?;
    let values = match (fortran, shape.as_slice()) {
        (true, &[rows, columns]) => {
            (0..rows * columns).map(|i| values[i % columns * rows + i / columns]).collect()
        }
        (true, [_, _, _, ..]) => return Err("an array in Fortran order of three axes".into()),
        _ => values,
    };
    Ok(Numbers { shape, values })
}

fn each<const W: usize>(bytes: &[u8], from_le: impl Fn([u8; W]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&chunk| from_le(chunk)).collect()
}
