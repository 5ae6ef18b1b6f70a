//! MATLAB files of version 5 to 7: reads cell arrays of matrices, one matrix at a time.
//!
//! Compressed or not, in either byte order, with any numeric type. Memory holds one matrix, of bounded size.
//! Version 7.3 (HDF5) is refused, as are text, structures, sparse and complex matrices. Not here: what the values mean
//! ([`super::music`]).
//! Layout: MathWorks, "MAT-File Format", chapter 1 (level 5).

use crate::error::{Error, Result};
use flate2::read::ZlibDecoder;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `rows · columns` values, in row-major order.
    pub values: Vec<f32>,
}

/// An open file with its list of variables.
pub struct Mat<R> {
    reader: R,
    path: PathBuf,
    big_endian: bool,
    variables: Vec<Variable>,
}

/// A variable and its location in the file.
struct Variable {
    name: Vec<u8>,
    start: u64,
    size: u64,
    packed: bool,
}

/// Bytes of the file's header: text, version and byte order.
const HEADER: u64 = 128;

/// Types of elements.
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The class of a cell array.
const CELL: u8 = 1;

/// The most variables of a file.
const MOST_VARIABLES: usize = 1000;

/// The longest name of a variable; MATLAB's limit is 63.
const LONGEST_NAME: u64 = 64;

impl<R: Read + Seek> Mat<R> {
    /// Reads the names of all variables; `path` is for error messages.
    pub fn new(mut reader: R, path: &Path) -> Result<Self> {
        let length = reader.seek(SeekFrom::End(0)).map_err(Error::read(path))?;
        reader.rewind().map_err(Error::read(path))?;
        let mut mat = Self { reader, path: path.into(), big_endian: false, variables: vec![] };
        mat.find_variables(length).map_err(|e| mat.damaged(e))?;
        Ok(mat)
    }

    /// Calls `found(index, number of cells, matrix)` for each cell of the variable `name`; fails if a matrix has more
    /// than `most` values.
    pub fn each(
        &mut self,
        name: &str,
        most: usize,
        found: &mut dyn FnMut(u64, u64, Matrix) -> Result<()>,
    ) -> Result<()> {
        let Some(variable) = self.variables.iter().find(|v| v.name == name.as_bytes()) else {
            let names = self.variables.iter().take(6);
            let names: Vec<_> = names.map(|v| format!("`{}`", v.name.escape_ascii())).collect();
            let holds = if names.is_empty() { "nothing".into() } else { names.join(", ") };
            let what = format!("has no `{name}` (it holds {holds}), want a cell array of matrices");
            return Err(Error::invalid(&self.path, what));
        };
        let (start, size, packed) = (variable.start, variable.size, variable.packed);
        let (path, big_endian) = (self.path.clone(), self.big_endian);
        self.reader.seek(SeekFrom::Start(start)).map_err(Error::read(&path))?;
        let mut content = unpacked((&mut self.reader).take(size), packed);
        let wrong = |what: String| Error::invalid(&path, format!("`{name}` {what}"));
        let of_cell = |i: u64, e: io::Error| {
            let what = format!(
                "cannot be read at cell {} ({}); get another copy of the file",
                i + 1,
                said(e)
            );
            wrong(what)
        };
        let mut element = Element::matrix(&mut *content, big_endian).map_err(|e| of_cell(0, e))?;
        let head = element.head().map_err(|e| of_cell(0, e))?;
        if head.class != CELL {
            return Err(wrong(format!(
                "is {}, want a cell array of matrices",
                class_name(head.class)
            )));
        }
        let cells = head.shape.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis));
        let cells = cells.ok_or_else(|| wrong(format!("has {:?} cells", head.shape)))?;
        for i in 0..cells {
            let cell = element.cell(most).map_err(|e| of_cell(i, e))?;
            let cell = cell.map_err(|what| wrong(format!("has {what} in cell {}", i + 1)))?;
            found(i, cells, cell)?;
        }
        // The checksum is verified only at the end.
        element.end().and_then(|()| end(&mut *content)).map_err(|e| of_cell(cells.max(1) - 1, e))
    }

    fn find_variables(&mut self, length: u64) -> io::Result<()> {
        let header: [u8; HEADER as usize] = array(&mut self.reader)?;
        self.big_endian = match &header[126..] {
            b"IM" => false,
            b"MI" => true,
            _ => return Err(io::Error::other("its byte order is missing")),
        };
        match (header[124], header[125]) {
            (0, 1) | (1, 0) => {}
            (0, 2) | (2, 0) => {
                return Err(io::Error::other(
                    "it is of version 7.3, which is HDF5: save it with '-v7'",
                ));
            }
            _ => return Err(io::Error::other("it is of an unknown version")),
        }
        let mut at = HEADER;
        while at < length {
            self.reader.seek(SeekFrom::Start(at))?;
            let tag = Tag::read(&mut self.reader, self.big_endian)?;
            let start = at + 8;
            at = start + tag.size;
            if tag.small.is_some() || at > length {
                return Err(io::Error::other("it ends too early"));
            }
            let packed = tag.kind == COMPRESSED;
            if !packed && tag.kind != MATRIX {
                continue;
            }
            if self.variables.len() == MOST_VARIABLES {
                return Err(io::Error::other(format!(
                    "it has more than {MOST_VARIABLES} variables"
                )));
            }
            // Without compression, the element begins with this tag.
            let (start, size) =
                if packed { (start, tag.size) } else { (at - tag.size - 8, tag.size + 8) };
            self.reader.seek(SeekFrom::Start(start))?;
            let mut content = unpacked((&mut self.reader).take(size), packed);
            let name = Element::matrix(&mut *content, self.big_endian)?.head()?.name;
            if self.variables.iter().any(|other| other.name == name) {
                return Err(io::Error::other("it has two variables of one name"));
            }
            drop(content);
            self.variables.push(Variable { name, start, size, packed });
        }
        Ok(())
    }

    fn damaged(&self, e: io::Error) -> Error {
        let what = format!("cannot be read as a MATLAB file ({}); get another copy", said(e));
        Error::invalid(&self.path, what)
    }
}

/// The tag before an element's bytes.
struct Tag {
    kind: u32,
    size: u64,
    /// The element's bytes, if they are few enough to be in the tag itself.
    small: Option<[u8; 4]>,
}

impl Tag {
    fn read(reader: &mut (impl Read + ?Sized), big_endian: bool) -> io::Result<Self> {
        let [a, b, c, d, small @ ..]: [u8; 8] = array(reader)?;
        let word =
            |bytes| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let (first, second) = (word([a, b, c, d]), word(small));
        match first >> 16 {
            0 => Ok(Self { kind: first, size: second.into(), small: None }),
            size @ 1..=4 => {
                Ok(Self { kind: first & 0xffff, size: size.into(), small: Some(small) })
            }
            _ => Err(io::Error::other("an element is invalid")),
        }
    }
}

/// An element that contains others, read sequentially.
struct Element<'a> {
    inside: io::Take<&'a mut dyn Read>,
    big_endian: bool,
}

/// The header of a matrix.
struct Head {
    class: u8,
    complex: bool,
    shape: Vec<u64>,
    name: Vec<u8>,
}

impl<'a> Element<'a> {
    /// Begins to read a matrix.
    fn matrix(reader: &'a mut dyn Read, big_endian: bool) -> io::Result<Self> {
        let tag = Tag::read(reader, big_endian)?;
        if tag.kind != MATRIX || tag.small.is_some() {
            return Err(io::Error::other("a matrix is invalid"));
        }
        Ok(Self { inside: reader.take(tag.size), big_endian })
    }

    /// Flags, shape and name, which come before the values or cells.
    fn head(&mut self) -> io::Result<Head> {
        let flags = self.bytes(8)?;
        let (class, flags) = match (flags.as_slice(), self.big_endian) {
            (&[class, flags, ..], false) | (&[_, _, flags, class, ..], true) => (class, flags),
            _ => return Err(io::Error::other("a matrix is invalid")),
        };
        let shape = self.bytes(32)?;
        let axis = |&bytes: &[u8; 4]| match self.big_endian {
            true => u32::from_be_bytes(bytes).into(),
            false => u32::from_le_bytes(bytes).into(),
        };
        let shape = shape.as_chunks().0.iter().map(axis).collect();
        Ok(Head { class, complex: flags & 8 != 0, shape, name: self.bytes(LONGEST_NAME)? })
    }

    /// The bytes of the next element; fails if there are more than `most`.
    fn bytes(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let tag = Tag::read(&mut self.inside, self.big_endian)?;
        if tag.size > most {
            return Err(io::Error::other("an element is too long"));
        }
        if let Some(small) = tag.small {
            return Ok(small[..tag.size as usize].to_vec());
        }
        let mut bytes = vec![0; tag.size as usize];
        self.inside.read_exact(&mut bytes)?;
        self.skip_padding(tag.size).map(|()| bytes)
    }

    /// The next matrix of numbers; the inner error says what was found instead.
    fn cell(&mut self, most: usize) -> io::Result<Result<Matrix, String>> {
        let mut cell = Element::matrix(&mut self.inside, self.big_endian)?;
        if cell.inside.limit() == 0 {
            return Ok(Ok(Matrix { rows: 0, columns: 0, values: vec![] })); // as MATLAB writes []
        }
        let head = cell.head()?;
        if !(6..=15).contains(&head.class) {
            return Ok(Err(class_name(head.class).into()));
        }
        let (false, &[rows, columns]) = (head.complex, head.shape.as_slice()) else {
            let kind =
                if head.complex { "complex numbers" } else { "an array of more than two axes" };
            return Ok(Err(kind.into()));
        };
        let count = rows.checked_mul(columns).and_then(|n| usize::try_from(n).ok());
        let Some(count) = count.filter(|&count| count <= most) else {
            return Ok(Err(format!("a matrix of {rows} × {columns}, too large")));
        };
        let (rows, columns) = (rows as usize, columns as usize);
        let values = cell.numbers(count, rows, columns)?;
        cell.end()?;
        Ok(Ok(Matrix { rows, columns, values }))
    }

    /// The next `count` values, transposed from column-major to row-major order.
    fn numbers(&mut self, count: usize, rows: usize, columns: usize) -> io::Result<Vec<f32>> {
        let tag = Tag::read(&mut self.inside, self.big_endian)?;
        let width = match tag.kind {
            1 | 2 => 1,
            3 | 4 => 2,
            5..=7 => 4,
            9 | 12 | 13 => 8,
            kind => return Err(io::Error::other(format!("its values are of unknown type {kind}"))),
        };
        if tag.size != (count * width) as u64 {
            return Err(io::Error::other(format!("{} bytes for {count} numbers", tag.size)));
        }
        let mut values = vec![0.; count];
        let mut place = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c));
        let mut put = |bytes: &[u8]| {
            for (number, place) in bytes.chunks_exact(width).zip(place.by_ref()) {
                values[place] = decode(tag.kind, number, self.big_endian);
            }
        };
        if let Some(small) = tag.small {
            put(&small[..tag.size as usize]);
            return Ok(values);
        }
        let mut buffer = vec![0; tag.size.min(1 << 16) as usize];
        let mut left = tag.size as usize;
        while left > 0 {
            let piece = left.min(buffer.len());
            self.inside.read_exact(&mut buffer[..piece])?;
            put(&buffer[..piece]);
            left -= piece;
        }
        self.skip_padding(tag.size).map(|()| values)
    }

    /// Skips the padding after an element: elements begin at multiples of eight bytes.
    fn skip_padding(&mut self, size: u64) -> io::Result<()> {
        let mut padding = [0; 8];
        self.inside.read_exact(&mut padding[..(size.next_multiple_of(8) - size) as usize])
    }

    fn end(&mut self) -> io::Result<()> {
        end(&mut self.inside)
    }
}

/// A variable's element, uncompressed.
fn unpacked<'a>(content: impl Read + 'a, packed: bool) -> Box<dyn Read + 'a> {
    if packed { Box::new(ZlibDecoder::new(content)) } else { Box::new(content) }
}

/// Checks that nothing follows.
fn end(reader: &mut dyn Read) -> io::Result<()> {
    match reader.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::other("it is longer than it says")),
    }
}

/// The text of an error for a message.
fn said(e: io::Error) -> String {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".into(),
        _ => e.to_string(),
    }
}

fn array<const N: usize>(reader: &mut (impl Read + ?Sized)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map(|()| bytes)
}

fn decode(kind: u32, number: &[u8], big_endian: bool) -> f32 {
    let mut b = [0; 8];
    b[..number.len()].copy_from_slice(number);
    if big_endian {
        b[..number.len()].reverse();
    }
    let [two, four] = [[b[0], b[1], 0, 0], [b[0], b[1], b[2], b[3]]];
    match kind {
        1 => f32::from(b[0] as i8),
        2 => f32::from(b[0]),
        3 => f32::from(i16::from_le_bytes([two[0], two[1]])),
        4 => f32::from(u16::from_le_bytes([two[0], two[1]])),
        5 => i32::from_le_bytes(four) as f32,
        6 => u32::from_le_bytes(four) as f32,
        7 => f32::from_le_bytes(four),
        9 => f64::from_le_bytes(b) as f32,
        12 => i64::from_le_bytes(b) as f32,
        _ => u64::from_le_bytes(b) as f32,
    }
}

fn class_name(class: u8) -> &'static str {
    match class {
        1 => "a cell array",
        2 => "a structure",
        3 | 16 | 17 => "an object",
        4 => "text",
        5 => "a sparse matrix",
        6..=15 => "a matrix",
        _ => "a variable of unknown class",
    }
}
