//! Arrays of an .npz that are not ours: numbers of any width, texts, and Python's values by [`Pickle`].
//!
//! Here is what importers need; what we train on is read by [`crate::data::npz`], which refuses all but its
//! own three dtypes. Not here: what the arrays mean.

use super::pickle::{Item, Pickle, Value};
use crate::data::npz::read_header;
use crate::data::unzip::Archive;
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::fs::File;
use std::io::{BufReader, Read};
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

/// One array of it, as it lies there.
struct Array {
    dtype: String,
    shape: Vec<u64>,
    fortran: bool,
    content: Vec<u8>,
}

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
        let Array { dtype, shape, fortran, content } = self.array(name)?;
        numbers(&dtype, &shape, fortran, &content).map_err(|found| self.wrong(name, &found))
    }

    /// An array of Python's values, as numpy pickles it: the array, with a list in it.
    pub fn objects(&mut self, name: &str) -> Result<Pickle> {
        let array = self.array(name)?;
        if array.dtype != "|O" {
            let found = format!("dtype '{:.40}', wanted '|O', one array a sequence", array.dtype);
            return Err(self.wrong(name, &found));
        }
        Pickle::read(array.content).map_err(|met| {
            self.wrong(
                name,
                &format!("a pickle with {met}, wanted plain values, for nothing is run"),
            )
        })
    }

    /// One word for each of `count` entries of an array of texts, numbers or Python's values; empty words
    /// if there is no such array, or not so many.
    pub fn words(&mut self, name: &str, count: usize) -> Result<Vec<String>> {
        let mut words = match self.has(name) {
            true => self.all_words(name)?,
            false => vec![],
        };
        if words.len() != count {
            words = vec![String::new(); count];
        }
        Ok(words)
    }

    fn all_words(&mut self, name: &str) -> Result<Vec<String>> {
        let Array { dtype, shape, fortran, content } = self.array(name)?;
        if dtype == "|O" {
            let pickle = Pickle::read(content).map_err(|met| {
                self.wrong(
                    name,
                    &format!("a pickle with {met}, wanted plain values, for nothing is run"),
                )
            })?;
            return Ok(objects(pickle.root()).iter().map(|&item| word(item)).collect());
        }
        let width = |code: &str| dtype.strip_prefix(code)?.parse::<usize>().ok().filter(|&n| n > 0);
        if let Some(width) = width("<U") {
            let letter = |bytes: &[u8; 4]| char::from_u32(u32::from_le_bytes(*bytes));
            let text = |chunk: &[u8]| chunk.as_chunks().0.iter().map_while(letter).collect();
            let texts = content.chunks_exact(width.saturating_mul(4)).map(text);
            return Ok(texts.map(|text: String| shown(text.trim_end_matches('\0'))).collect());
        }
        if let Some(width) = width("|S") {
            let text = |chunk: &[u8]| chunk.iter().map(|&byte| char::from(byte)).collect();
            let texts = content.chunks_exact(width).map(text);
            return Ok(texts.map(|text: String| shown(text.trim_end_matches('\0'))).collect());
        }
        let numbers = numbers(&dtype, &shape, fortran, &content);
        Ok(numbers.map_or(vec![], |numbers| numbers.values.iter().map(f64::to_string).collect()))
    }

    fn array(&mut self, name: &str) -> Result<Array> {
        let path = &self.path;
        let damaged = |said: String| {
            let what = format!("`{name}` cannot be unpacked ({said}); download the file again");
            Error::invalid(path, what)
        };
        let mut member =
            self.zip.member(&format!("{name}.npy")).map_err(|e| damaged(e.to_string()))?;
        let header = read_header(&mut member).map_err(|e| damaged(e.to_string()))?;
        let (header, _) = header.map_err(|found| damaged(format!("its header is {found}")))?;
        let size = member.size();
        let mut content = vec![];
        // No more than the directory says, and to the end, where the checksum is compared.
        let read = member.by_ref().take(size).read_to_end(&mut content);
        read.and_then(|_| member.read(&mut [0])).map_err(|e| damaged(e.to_string()))?;
        let (dtype, shape, fortran) = (header.descr, header.shape, header.fortran_order);
        Ok(Array { dtype, shape, fortran, content })
    }

    pub fn wrong(&self, name: &str, found: &str) -> Error {
        let cure = "take the file as its owners hand it out";
        Error::invalid(&self.path, format!("`{name}` is {found}; {cure}"))
    }
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
    match item.value() {
        Value::Text(text) => shown(text),
        Value::Bytes(bytes) => shown(&String::from_utf8_lossy(&bytes)),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Array { .. } => first(item),
        Value::None | Value::Items(_) | Value::Part => String::new(),
    }
}

/// A text cut where no line of handwriting is longer: a file could give the same long one to each sequence.
fn shown(text: &str) -> String {
    text.chars().take(1000).collect()
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
