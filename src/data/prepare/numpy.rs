//! Reads foreign .npz files: arrays of numbers of any dtype, of text, and of Python objects ([`Pickle`]).
//!
//! For importers only: training data is read by [`crate::data::npz`], which accepts only a few dtypes. Not here: what
//! the arrays mean.

use super::pickle::{Item, Pickle, Value};
use crate::data::npz::read_header;
use crate::data::unzip::{Archive, Content};
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// A numeric array in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The shape.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f64>,
}

/// An open .npz file.
pub(super) struct Npz {
    path: PathBuf,
    zip: Archive<BufReader<File>>,
}

/// An array of an .npz whose header was read, but not its content.
struct Array<'a> {
    path: &'a Path,
    name: &'a str,
    member: Content<'a, BufReader<File>>,
    dtype: String,
    shape: Vec<u64>,
    fortran: bool,
    /// Bytes after the header.
    bytes: u64,
}

/// The most bytes of a numeric array; only strokes, which are pickled, are larger.
const LONGEST_NUMBERS: u64 = 1 << 16;

/// The most bytes of an unpacked pickle: a constant, and a factor times its compressed bytes.
const UNPACKED: (u64, u64) = (1 << 22, 64);

/// The same for its number of instructions; numpy writes about 30 per sequence.
const INSTRUCTIONS: (u64, u64) = (1 << 20, 8);

/// The same for the total length of an array's text, in bytes.
const TEXT_BYTES: (u64, u64) = (1 << 20, 64);

/// The longest text kept, in characters: more than any line of handwriting has.
const LONGEST_TEXT: usize = 1000;

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

    /// An array of Python objects, as numpy pickles it: an array with a list in it.
    pub fn objects(&mut self, name: &str) -> Result<Pickle> {
        let array = self.array(name)?;
        if array.dtype != "|O" {
            let found =
                format!("of dtype '{:.40}', wanted '|O' with one array per sequence", array.dtype);
            return Err(self.wrong(name, &found));
        }
        array.pickle()
    }

    /// The entries of an array of text, numbers or Python objects, as text; `count` empty strings if there is no such
    /// array, or if it has another number of entries.
    pub fn texts(&mut self, name: &str, count: usize) -> Result<Vec<String>> {
        let array = if self.has(name) { Some(self.array(name)?) } else { None };
        let texts = array.filter(|array| array.entries() == Some(count as u64));
        let texts = texts.map_or(Ok(vec![]), |array| array.texts(count))?;
        Ok(if texts.len() == count { texts } else { vec![String::new(); count] })
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
    Error::invalid(path, format!("`{name}` is {found}; use the original file"))
}

fn damaged(path: &Path, name: &str, said: &str) -> Error {
    Error::invalid(path, format!("`{name}` cannot be unpacked ({said}); download the file again"))
}

impl Array<'_> {
    /// The number of entries, unless it overflows.
    fn entries(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis))
    }

    /// A limit that grows with the compressed size.
    fn most(&self, (constant, times): (u64, u64)) -> u64 {
        self.member.packed().saturating_mul(times).saturating_add(constant)
    }

    /// The content; refused if it unpacks to more than `most` bytes.
    fn content(mut self, most: u64) -> Result<Vec<u8>> {
        if self.bytes > most {
            let found = format!("an array of {} bytes, wanted at most {most}", self.bytes);
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
            let found = format!("a pickle with {met}, wanted plain values (no code is run)");
            wrong(path, name, &found)
        })
    }

    /// Its `count` entries as text; none if the dtype is not text, numbers or objects.
    fn texts(mut self, count: usize) -> Result<Vec<String>> {
        let (path, name, most) = (self.path, self.name, self.most(TEXT_BYTES));
        let mut total = 0;
        let mut count_bytes = |text: &str| {
            total += text.len() as u64;
            match total <= most {
                true => Ok(()),
                false => Err(wrong(path, name, &format!("text of more than {most} bytes in all"))),
            }
        };
        let mut texts = vec![];
        if self.dtype == "|O" {
            let pickle = self.pickle()?;
            for item in objects(pickle.root()) {
                let text = text(item);
                count_bytes(&text)?;
                texts.push(text);
            }
            return Ok(texts);
        }
        let Some((width, read)) = text_of(&self.dtype) else { return Ok(texts) };
        if (count as u64).checked_mul(width) != Some(self.bytes) {
            let (shape, bytes) = (&self.shape, self.bytes);
            return Err(wrong(
                path,
                name,
                &format!("an array of shape {shape:?} with {bytes} bytes"),
            ));
        }
        // Long text is cut to what is kept.
        let mut entry = vec![0; width.min(4 * LONGEST_TEXT as u64) as usize];
        for _ in 0..count {
            self.member.read_exact(&mut entry).map_err(|e| self.damaged(e))?;
            let mut rest = self.member.by_ref().take(width - entry.len() as u64);
            io::copy(&mut rest, &mut io::sink()).map_err(|e| self.damaged(e))?;
            let text = read(&self.dtype, &entry);
            count_bytes(&text)?;
            texts.push(text);
        }
        self.end().map(|()| texts)
    }

    /// Checks that nothing follows and that the checksum is right.
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

/// Converts an entry of some dtype to text.
type AsText = fn(&str, &[u8]) -> String;

/// Bytes per entry of this dtype, and how to convert an entry to text.
fn text_of(dtype: &str) -> Option<(u64, AsText)> {
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

/// The entries of an array of Python objects, or of a list.
pub(super) fn objects(item: Item<'_>) -> Vec<Item<'_>> {
    let inside = match item.value() {
        Value::Array { dtype: "O" | "O8", .. } => item.items().next(),
        _ => Some(item),
    };
    let inside = inside.filter(|inside| matches!(inside.value(), Value::Items(_)));
    inside.map_or(vec![], |inside| inside.items().collect())
}

/// A pickled numeric array; the error says what was found instead.
pub fn pickled_numbers(item: Item) -> Result<Numbers, String> {
    let Value::Array { dtype, shape, fortran } = item.value() else {
        return Err("not an array".into());
    };
    match item.items().next().map(Item::value) {
        Some(Value::Bytes(bytes)) => numbers(dtype, shape, fortran, &bytes),
        _ => Err("an array without numbers".into()),
    }
}

/// The size in bytes of a pickled numeric array, without reading it.
pub(super) fn pickled_size(item: Item) -> u64 {
    let Value::Array { dtype, shape, .. } = item.value() else { return 0 };
    let width = dtype.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(1);
    shape.iter().fold(width, |n: u64, &axis| n.saturating_mul(axis))
}

/// A value as text: text, a number, or the first number of an array.
fn text(item: Item) -> String {
    let first = |item: Item| match pickled_numbers(item) {
        Ok(numbers) => numbers.values.first().map(f64::to_string).unwrap_or_default(),
        Err(_) => String::new(),
    };
    // A file could refer to a long one many times.
    if item.size() > 4 * LONGEST_TEXT {
        return String::new();
    }
    match item.value() {
        Value::Text(text) => shown(text),
        Value::Bytes(bytes) => shown(&String::from_utf8_lossy(&bytes)),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Array { .. } => first(item),
        Value::None | Value::Items(_) | Value::Opaque => String::new(),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// Decodes numbers of `dtype`, such as `<f4` or `f4`; the error says what is wrong.
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
    let shape = shape.ok_or("an array too large for memory")?;
    let values = match (fortran, shape.as_slice()) {
        (true, &[rows, columns]) => {
            (0..rows * columns).map(|i| values[i % columns * rows + i / columns]).collect()
        }
        (true, [_, _, _, ..]) => return Err("an array of three axes in Fortran order".into()),
        _ => values,
    };
    Ok(Numbers { shape, values })
}

fn each<const W: usize>(bytes: &[u8], from_le: impl Fn([u8; W]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&chunk| from_le(chunk)).collect()
}
