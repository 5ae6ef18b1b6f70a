//! The flat npz file: `samples` `<f4` or `<i2 [total, D]`, `lengths` `<i8 [N]`, and maybe `split` `|i1 [N]` and the number
//! `rate` `<i8 []`.
//!
//! `<i2` is for sound and takes half the bytes; both become f32 when read. Here: .npy headers, dtypes and sizes. We
//! parse headers ourselves so that messages can name the cure, and so that no allocation trusts a header: header and
//! zip directory must agree, and a member's unpacked size is bounded by its bytes in the file. Not here: the zip
//! format ([`super::unzip`]), checks of the values ([`super::set`]), writing sequence by sequence
//! ([`super::Writer`]).

pub use super::agreement::Flat;
use super::agreement::{check_channels, check_count, offsets};
use super::samples::{Disk, Dtype, Samples};
use super::unzip::{Archive, Content, read_once};
use crate::error::{Error, ErrorKind, Result};
use crate::file::{open_regular, write_whole};
use ndarray::{ArrayView1, ArrayView2, arr0};
use ndarray_npy::{NpzWriter, WriteNpyError, WriteNpzError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom};
use std::path::Path;
use zip::CompressionMethod;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

/// Opens a file; returns its arrays and the SHA-256 of its bytes in hex.
///
/// Only headers are unpacked before all sizes agree, and no samples before the lengths add up. Samples that would
/// take more than `most_bytes` of memory are left in the file, which is then read once for their checksum and the
/// SHA-256; they must be uncompressed and in C order.
pub fn open(path: impl AsRef<Path>, most_bytes: u64) -> Result<(Flat<Samples>, String)> {
    let path = path.as_ref();
    let mut file = &open_file(path)?;
    let opened = file.metadata().map_err(Error::read(path))?; // later changes are detected by it
    let mut npz = NpzFile::new(BufReader::new(file), path)?;
    let (about, flat) = npz.all_but_samples(most_bytes)?;
    let numbers = about.shape[0] * about.shape[1];
    let bytes = (numbers as u64).saturating_mul(4);
    if bytes <= most_bytes {
        let fingerprint = file.rewind().and_then(|()| fingerprint(&mut file));
        let fingerprint = fingerprint.map_err(Error::read(path))?;
        return Ok((flat.with(npz.samples()?.into()), fingerprint));
    }
    let start = match (about.stored_at, about.fortran) {
        (Some(start), false) => start,
        (None, _) => return Err(too_much(path, &SAMPLES, bytes, most_bytes, PACKED)),
        (_, true) => {
            let turn = ("in Fortran order", "convert them with np.ascontiguousarray(samples)");
            return Err(too_much(path, &SAMPLES, bytes, most_bytes, turn));
        }
    };
    let member = start..start + about.header_bytes + about.bytes;
    let (fingerprint, found) = read_once(file, member).map_err(Error::read(path))?;
    if found != about.crc {
        return Err(damaged(path, SAMPLES.name, "Invalid checksum"));
    }
    let dtype = Dtype::of(about.descr);
    let file = file.try_clone().map_err(Error::read(path))?;
    let disk = Disk::new(file, opened, path, start + about.header_bytes, numbers, dtype);
    Ok((flat.with(Samples::Disk(disk)), fingerprint))
}

/// All but the samples, which are not read.
pub fn outline(path: impl AsRef<Path>) -> Result<Flat<()>> {
    let path = path.as_ref();
    let file = open_file(path)?;
    let mut npz = NpzFile::new(BufReader::new(&file), path)?;
    Ok(npz.all_but_samples(u64::MAX)?.1)
}

/// Why an array cannot be left on disk, and the cure.
const PACKED: (&str, &str) = ("compressed", "write them with np.savez, not np.savez_compressed");

fn too_much(path: &Path, entry: &Entry, bytes: u64, most: u64, (why, cure): (&str, &str)) -> Error {
    let what = format!(
        "`{}` would take {} MiB of memory, where {} are allowed, and cannot be left on disk because they are \
         {why}; {cure}, or train with a larger --set data.in_memory",
        entry.name,
        bytes.div_ceil(1 << 20),
        most >> 20
    );
    Error::invalid(path, what)
}

/// Opens the file, with a helpful error if there is none.
fn open_file(path: &Path) -> Result<File> {
    open_regular(path, "an .npz: give the path of one").map_err(|e| match e.kind() {
        ErrorKind::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Error::invalid(
            path,
            "there is no such file; give the path of an .npz, or make one with `stcn data prepare`",
        ),
        _ => e,
    })
}

/// Reads the arrays from any reader, as tests have them; `path` is for error messages.
#[cfg(feature = "internals")]
pub fn parse<R: Read + Seek>(reader: R, path: &Path) -> Result<Flat> {
    let mut file = NpzFile::new(reader, path)?;
    let (_, flat) = file.all_but_samples(u64::MAX)?;
    Ok(flat.with(file.samples()?))
}

/// Writes the arrays, compressed; the file appears under its name only when it is complete.
///
/// # Panics
/// If `samples` are not whole rows of `channels`.
pub fn write(path: impl AsRef<Path>, flat: &Flat) -> Result<()> {
    write_whole(path, |file| write_to(file, flat))
}

/// SHA-256 in hex of the rest of a reader.
fn fingerprint(reader: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hash.finalize())),
            Ok(n) => hash.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn write_to(file: &mut BufWriter<File>, flat: &Flat) -> io::Result<()> {
    let rows = (flat.samples.len() / flat.channels.max(1), flat.channels);
    let samples = ArrayView2::from_shape(rows, &flat.samples).expect("whole rows of channels");
    // Members beyond 4 GiB need zip64, which must be chosen before writing.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .large_file(size_of_val(flat.samples.as_slice()) > 1 << 31);
    let mut npz = NpzWriter::new_with_options(file, options);
    npz.add_array("samples", &samples).map_err(io_error)?;
    npz.add_array("lengths", &ArrayView1::from(&flat.lengths)).map_err(io_error)?;
    if let Some(split) = &flat.split {
        npz.add_array("split", &ArrayView1::from(split)).map_err(io_error)?;
    }
    if let Some(rate) = flat.rate {
        npz.add_array("rate", &arr0(rate)).map_err(io_error)?;
    }
    npz.finish().map(drop).map_err(io_error)
}

/// The underlying I/O error, if there is one.
fn io_error(e: WriteNpzError) -> io::Error {
    match e {
        WriteNpzError::Zip(ZipError::Io(e)) | WriteNpzError::Npy(WriteNpyError::Io(e)) => e,
        e => io::Error::other(e),
    }
}

/// The required form of an array, and how to bring it into that form.
struct Entry {
    name: &'static str,
    /// Accepted dtypes, the usual one first.
    descrs: &'static [&'static str],
    rank: usize,
    axes: &'static str,
    reshape: &'static str,
}

const SAMPLES: Entry = Entry {
    name: "samples",
    descrs: &["<f4", "<i2", "|u1", "|b1"],
    rank: 2,
    axes: "two axes [steps of all sequences, channels]",
    reshape: "np.concatenate(seqs).reshape(-1, D)",
};
const LENGTHS: Entry = Entry {
    name: "lengths",
    descrs: &["<i8"],
    rank: 1,
    axes: "one axis [sequences]",
    reshape: "lengths.reshape(-1)",
};
const SPLIT: Entry = Entry {
    name: "split",
    descrs: &["|i1"],
    rank: 1,
    axes: "one axis [sequences]",
    reshape: "split.reshape(-1)",
};
const RATE: Entry = Entry {
    name: "rate",
    descrs: &["<i8", "<i4"], // NumPy's own integer, today and on Windows before NumPy 2
    rank: 0,
    axes: "() (a single number)",
    reshape: "rate.reshape(())",
};

/// Bytes of memory per sequence besides its samples: length, offset, split and order.
const SEQUENCE: u64 = 40;

/// The most bytes for all sequences' lengths that are allowed even if the memory limit is lower.
const FEW_SEQUENCES: u64 = 1 << 24;

const HOW_TO_WRITE: &str = "np.savez(path, samples=np.concatenate(seqs).astype('<f4'), \
                            lengths=np.array([len(s) for s in seqs], '<i8'))";

/// The longest .npy header accepted; numpy's take 128 bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// Checks that the file begins like a zip. The outer result is for I/O errors.
fn check_start<R: Read + Seek>(reader: &mut R, path: &Path) -> io::Result<Result<()>> {
    let mut start = Vec::new();
    reader.by_ref().take(6).read_to_end(&mut start)?;
    reader.seek(SeekFrom::Start(0))?;
    let what = match start.as_slice() {
        [] => format!("is empty, wanted an .npz; write it with {HOW_TO_WRITE}"),
        b"\x93NUMPY" => {
            format!("is a single .npy array, wanted an .npz; write it with {HOW_TO_WRITE}")
        }
        [b'P', b'K', ..] => return Ok(Ok(())),
        other => format!(
            "begins with \"{}\", wanted \"PK\", as an .npz is a zip file; write it with \
             {HOW_TO_WRITE}",
            other.escape_ascii()
        ),
    };
    Ok(Err(Error::invalid(path, what)))
}

struct NpzFile<'a, R> {
    zip: Archive<R>,
    path: &'a Path,
}

/// An array whose header was read and checked, but not its values.
struct Found<'a, R> {
    member: Content<'a, R>,
    about: About,
}

/// The header of an array, and its location.
struct About {
    name: &'static str,
    shape: Vec<usize>,
    descr: &'static str,
    /// Whether it is in Fortran order: the first axis varies fastest.
    fortran: bool,
    /// Bytes of the .npy header.
    header_bytes: u64,
    /// Bytes of the values.
    bytes: u64,
    /// Offset of the .npy header in the file, if it is not compressed.
    stored_at: Option<u64>,
    crc: u32,
}

impl<'p, R: Read + Seek> NpzFile<'p, R> {
    fn new(mut reader: R, path: &'p Path) -> Result<Self> {
        check_start(&mut reader, path).map_err(Error::read(path))??;
        let zip = Archive::new(reader).map_err(|e| {
            let what = format!(
                "begins like an .npz but cannot be read as one ({e}), so it is truncated or damaged; \
                 copy or write it again"
            );
            Error::invalid(path, what)
        })?;
        Ok(Self { zip, path })
    }

    /// The header of `samples` and everything else, checked against each other. If `lengths` are compressed, the
    /// sequences may take up to `most_bytes` of memory.
    fn all_but_samples(&mut self, most_bytes: u64) -> Result<(About, Flat<()>)> {
        let path = self.path;
        let wrong = |what: String| Error::invalid(path, what);
        let about = self.find(&SAMPLES)?.about;
        let (steps, channels) = (about.shape[0], about.shape[1]);
        check_channels(channels).map_err(wrong)?;
        let found = self.find(&LENGTHS)?;
        let sequences = found.about.shape[0];
        if sequences > steps {
            return Err(wrong(format!(
                "`lengths` has {sequences} entries, more than the {steps} steps of `samples`; write \
                 lengths=np.array([len(s) for s in seqs], '<i8')"
            )));
        }
        let (bytes, most) = (sequences as u64 * SEQUENCE, most_bytes.max(FEW_SEQUENCES));
        if found.about.stored_at.is_none() && bytes > most {
            return Err(too_much(path, &LENGTHS, bytes, most, PACKED));
        }
        let lengths = found.numbers(path, i64::from_le_bytes)?;
        offsets(&lengths, channels, steps * channels).map_err(wrong)?;
        let mut flat = Flat { channels, samples: (), lengths, split: None, rate: None };
        if self.has(&SPLIT) {
            let found = self.find(&SPLIT)?;
            check_count(found.about.shape[0], sequences).map_err(wrong)?;
            flat.split = Some(found.numbers(path, i8::from_le_bytes)?);
        }
        if self.has(&RATE) {
            let found = self.find(&RATE)?;
            let rate = match found.about.descr {
                "<i4" => found.numbers(path, |bytes| i32::from_le_bytes(bytes).into())?,
                _ => found.numbers(path, i64::from_le_bytes)?,
            };
            flat.rate = Some(rate[0]);
        }
        Ok((about, flat))
    }

    fn samples(&mut self) -> Result<Vec<f32>> {
        let (path, found) = (self.path, self.find(&SAMPLES)?);
        match Dtype::of(found.about.descr) {
            Dtype::F4 => found.numbers(path, f32::from_le_bytes),
            Dtype::I2 => found.numbers(path, |bytes| f32::from(i16::from_le_bytes(bytes))),
            Dtype::U1 => found.numbers(path, |[byte]| f32::from(byte)),
        }
    }

    fn has(&self, entry: &Entry) -> bool {
        self.zip.has(&entry.member())
    }

    /// Finds an array and checks its header.
    fn find(&mut self, entry: &Entry) -> Result<Found<'_, R>> {
        let (path, name) = (self.path, entry.name);
        let wrong = |what: String| Error::invalid(path, what);
        if !self.has(entry) {
            return Err(wrong(self.missing(entry)));
        }
        let damaged = |e: io::Error| damaged(path, name, &e.to_string());
        let mut member = self.zip.member(&entry.member()).map_err(damaged)?;
        let declared = member.size();
        let (header, header_bytes) =
            read_header(&mut member).map_err(damaged)?.map_err(|found| {
                wrong(format!(
                    "`{name}` does not begin with an .npy header of version 1, 2 or 3 (found \
                     {found}); write it with {HOW_TO_WRITE}"
                ))
            })?;
        let (shape, descr) = entry.check(&header).map_err(wrong)?;
        // All sizes must agree before anything is allocated.
        let width = u64::from(descr.as_bytes()[2] - b'0');
        let numbers = shape.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis));
        let bytes = numbers.and_then(|n| n.checked_mul(width));
        let held = declared.saturating_sub(header_bytes);
        if bytes.and_then(|n| n.checked_add(header_bytes)) != Some(declared) {
            let says =
                shape.iter().map(|&n| u128::from(n)).fold(width.into(), u128::saturating_mul);
            return Err(wrong(format!(
                "`{name}` has {held} bytes of numbers, but its shape {} needs {says}; the file is \
                 damaged, write it again",
                header.shape_text()
            )));
        }
        let shape = shape.into_iter().map(|n| n as usize).collect();
        let (stored_at, crc, fortran) = (member.stored_at(), member.crc(), header.fortran_order);
        let about =
            About { name, shape, descr, fortran, header_bytes, bytes: held, stored_at, crc };
        Ok(Found { member, about })
    }

    fn missing(&self, entry: &Entry) -> String {
        let mut names: Vec<String> = self.zip.names().take(6).map(quoted).collect();
        if self.zip.names().len() > names.len() {
            names.push("…".into());
        }
        let holds = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        format!(
            "has no `{}` (it holds {holds}), wanted `samples.npy`, `lengths.npy` and perhaps \
             `split.npy`; write it with {HOW_TO_WRITE}",
            entry.member()
        )
    }
}

impl<R: Read> Found<'_, R> {
    /// All values, in C order; `path` is for error messages. Takes no memory besides the result and a small buffer.
    fn numbers<const W: usize, T: Clone + Default>(
        mut self,
        path: &Path,
        from_le: fn([u8; W]) -> T,
    ) -> Result<Vec<T>> {
        let About { name, shape, fortran, bytes, .. } = &self.about;
        let fortran = match shape.as_slice() {
            &[rows, columns] if *fortran => Some((rows, columns)),
            _ => None,
        };
        read_numbers(&mut self.member, *bytes, fortran, from_le)
            .map_err(|e| damaged(path, name, &e.to_string()))
    }
}

fn damaged(path: &Path, name: &str, said: &str) -> Error {
    let what = format!(
        "`{name}` cannot be unpacked ({said}), wanted a stored or deflated member; the file is \
         damaged, or compressed by another method: write it again with np.savez or np.savez_compressed"
    );
    Error::invalid(path, what)
}

/// A member's name for a message: escaped, and of limited length.
fn quoted(name: &[u8]) -> String {
    format!("`{}`", String::from_utf8_lossy(&name[..name.len().min(100)]).escape_debug())
}

impl Entry {
    fn member(&self) -> String {
        format!("{}.npy", self.name)
    }

    /// The shape and dtype of a header, if rank and dtype are as required.
    fn check(&self, header: &Header) -> Result<(Vec<u64>, &'static str), String> {
        let Self { name, descrs, axes, reshape, .. } = self;
        let (found, usual) = (&header.descr, descrs[0]);
        let wanted = descrs.join("' or '");
        if found.contains('O') {
            return Err(format!(
                "`{name}` has dtype '{found}' (Python objects, which are not read because that could run \
                 code), wanted '{wanted}'; write it with {HOW_TO_WRITE}"
            ));
        }
        let Some(descr) = descrs.iter().find(|descr| *descr == found) else {
            return Err(format!(
                "`{name}` has dtype '{found}', wanted '{wanted}'; convert it with \
                 {name}.astype('{usual}') before np.savez"
            ));
        };
        if header.shape.len() != self.rank {
            return Err(format!(
                "`{name}` has shape {}, wanted {axes}; reshape it with {reshape} before np.savez",
                header.shape_text()
            ));
        }
        Ok((header.shape.clone(), descr))
    }
}

/// Reads exactly `bytes` bytes of little-endian values; the caller has checked that the member can hold them. `fortran`
/// are the rows and columns of a matrix in Fortran order, which is transposed to C order.
fn read_numbers<const W: usize, T: Clone + Default>(
    member: &mut impl Read,
    bytes: u64,
    fortran: Option<(usize, usize)>,
    from_le: fn([u8; W]) -> T,
) -> io::Result<Vec<T>> {
    let mut numbers = vec![T::default(); bytes as usize / W];
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    while done < numbers.len() {
        let n = (numbers.len() - done).min(buffer.len() / W);
        let piece = &mut buffer[..n * W];
        if let Err(e) = member.read_exact(piece) {
            return Err(match e.kind() {
                io::ErrorKind::UnexpectedEof => io::Error::other("it ends too early"),
                _ => e,
            });
        }
        let piece = piece.as_chunks().0.iter().map(|&chunk| from_le(chunk));
        match fortran {
            None => numbers[done..].iter_mut().zip(piece).for_each(|(number, x)| *number = x),
            Some((rows, columns)) => piece.zip(done..).for_each(|(x, i)| {
                numbers[i % rows * columns + i / rows] = x;
            }),
        }
        done += n;
    }
    // The checksum is verified only at the end.
    match member.read(&mut [0])? {
        0 => Ok(numbers),
        _ => Err(io::Error::other("it is longer than the directory says")),
    }
}

/// A parsed .npy header.
pub(super) struct Header {
    /// The dtype; for a structured one, the text of its whole list.
    pub(super) descr: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// The shape as Python prints it.
    fn shape_text(&self) -> String {
        match self.shape.as_slice() {
            [n] => format!("({n},)"),
            axes => format!("({})", axes.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Reads a header; returns it with its length in bytes. The inner error says what was found instead.
pub(super) fn read_header(member: &mut impl Read) -> io::Result<Result<(Header, u64), String>> {
    let mut start = Vec::new();
    member.by_ref().take(8).read_to_end(&mut start)?;
    let width = match start.as_slice() {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0] => 2,
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, 0] => 4,
        other => return Ok(Err(format!("\"{}\"", other.escape_ascii()))),
    };
    let mut length = [0; 4];
    if member.read_exact(&mut length[..width]).is_err() {
        return Ok(Err("nothing after the version".into()));
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Ok(Err(format!("a header of {length} bytes")));
    }
    let mut text = Vec::new();
    member.by_ref().take(length as u64).read_to_end(&mut text)?;
    let header =
        str::from_utf8(&text).ok().filter(|text| text.len() == length).and_then(parse_header);
    let shown = &text[..text.len().min(100)];
    Ok(header
        .map(|header| (header, (start.len() + width + length) as u64))
        .ok_or_else(|| format!("\"{}\"", shown.trim_ascii_end().escape_ascii())))
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (7, 3), }`.
fn parse_header(text: &str) -> Option<Header> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    for field in split_fields(inner) {
        let (key, value) = field.split_once(':')?;
        let value = value.trim();
        match unquote(key.trim())? {
            "descr" => descr = Some(unquote(value).unwrap_or(value).to_string()),
            "fortran_order" => {
                fortran_order = match value {
                    "False" => Some(false),
                    "True" => Some(true),
                    _ => return None,
                };
            }
            "shape" => {
                let axes = value.strip_prefix('(')?.strip_suffix(')')?.trim();
                let axes = axes.strip_suffix(',').unwrap_or(axes);
                // Python 2 wrote long integers as 3L.
                let axis = |s: &str| s.trim().trim_end_matches('L').parse::<u64>().ok();
                shape = match axes {
                    "" => Some(Vec::new()),
                    axes => Some(axes.split(',').map(axis).collect::<Option<_>>()?),
                };
            }
            _ => {}
        }
    }
    Some(Header { descr: descr?, fortran_order: fortran_order?, shape: shape? })
}

/// Splits at the commas outside brackets and strings; drops empty fields.
fn split_fields(text: &str) -> Vec<&str> {
    let (mut fields, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                fields.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields.retain(|field| !field.trim().is_empty());
    fields
}

/// The content of a quoted string, if `text` is one.
fn unquote(text: &str) -> Option<&str> {
    let open = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].strip_suffix(open).filter(|inner| !inner.contains(open))
}
