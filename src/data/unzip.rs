//! Reads the members of a zip file: the subset of the format that an .npz needs, safe for untrusted files.
//!
//! Supported: the directory (with zip64), stored and deflated members, checksums. The `zip` crate, which writes our
//! files, can read too, but tries every possible start of a directory, which takes quadratic time on a hostile file.
//! Here there is one directory, members may not overlap or claim more bytes than deflate can produce, and
//! allocations are bounded by the file's size. Not here: what the members mean ([`super::npz`]).
//! Layout: PKWARE's APPNOTE 6.3.10, §4.3.

use super::samples::read_exact_at;
use crate::parallel::Work;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Error, Read, Seek, SeekFrom};
use std::mem::swap;
use std::ops::Range;

/// An open zip file and its directory.
pub struct Archive<R> {
    reader: R,
    members: Vec<Member>,
}

/// A member's entry in the directory.
struct Member {
    name: Vec<u8>,
    encrypted: bool,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Offset of its local header.
    start: u64,
}

/// Lengths of the records, without their variable fields.
const END: usize = 22;
const END64: usize = 56;
const LOCATOR64: usize = 20;
const ENTRY: usize = 46;
const HEADER: usize = 30;

/// The most bytes that deflate can make of one: 258 from two bits.
const MOST_OF_ONE: u64 = 1032;

/// The longest comment at the end of a zip file.
const LONGEST_COMMENT: u64 = 0xffff;

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory; an error is a short phrase about the file, or an I/O error.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        let (end, entries, directory) = find_directory(&mut reader, length)?;
        if directory.start.checked_add(directory.size) != Some(end) {
            return Err(Error::other("its directory is not where its end says"));
        }
        // Bounded by the file's size: the directory ends before the file does.
        let bytes = read_at(&mut reader, directory.start, directory.size as usize)?;
        let mut members = vec![];
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            members.push(Member::take(&mut rest).ok_or_else(|| {
                Error::other(format!("entry {} of its directory is damaged", members.len() + 1))
            })?);
        }
        if members.len() as u64 != entries {
            let found = members.len();
            return Err(Error::other(format!("its directory has {found} entries, not {entries}")));
        }
        check_overlap(&members, directory.start)?;
        Ok(Self { reader, members })
    }

    /// The names of all members, in the order of the directory.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.members.iter().map(|member| member.name.as_slice())
    }

    /// Whether there is a member `name`.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|found| found == name.as_bytes())
    }

    /// Opens the member `name` for reading.
    pub fn member(&mut self, name: &str) -> io::Result<Content<'_, R>> {
        let mut found =
            (0..self.members.len()).filter(|&i| self.members[i].name == name.as_bytes());
        let member = found.next().ok_or_else(|| Error::other("it is not there"))?;
        // Readers differ in which of two members they take, so they could see different data.
        if found.next().is_some() {
            return Err(Error::other("it is there twice"));
        }
        self.member_at(member)
    }

    /// Opens a member by its number in [`names`](Self::names), from 0.
    pub fn member_at(&mut self, number: usize) -> io::Result<Content<'_, R>> {
        let member = &self.members[number];
        if member.encrypted {
            return Err(Error::other("it is encrypted"));
        }
        // A larger size is impossible, and callers allocate by it.
        let most = member.packed.saturating_mul(if member.method == 8 { MOST_OF_ONE } else { 1 });
        if member.size > most {
            let (size, packed) = (member.size, member.packed);
            return Err(Error::other(format!("{packed} bytes cannot unpack to {size}")));
        }
        let header = read_at(&mut self.reader, member.start, HEADER)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(Error::other("it is not where the directory says"));
        }
        // The local header repeats the name; its extra fields differ from the directory's.
        let (name, extra) = (u64::from(u16_at(&header, 26)), u64::from(u16_at(&header, 28)));
        let start = member.start + HEADER as u64 + name + extra;
        self.reader.seek(SeekFrom::Start(start))?;
        let packed = (&mut self.reader).take(member.packed);
        let unpacked = match member.method {
            0 => Unpacked::Stored(packed),
            8 => Unpacked::Deflated(Box::new(DeflateDecoder::new(packed))),
            method => {
                return Err(Error::other(format!("its compression method is number {method}")));
            }
        };
        let as_it_is = member.method == 0 && member.packed == member.size;
        let stored_at = as_it_is.then_some(start);
        let Member { packed, size, crc, .. } = *member;
        Ok(Content { unpacked, packed, size, crc, read: Crc::new(), stored_at })
    }
}

/// A member being read. If its checksum is wrong, the read at its end fails.
pub struct Content<'a, R> {
    unpacked: Unpacked<'a, R>,
    packed: u64,
    size: u64,
    crc: u32,
    read: Crc,
    stored_at: Option<u64>,
}

enum Unpacked<'a, R> {
    Stored(io::Take<&'a mut R>),
    Deflated(Box<DeflateDecoder<io::Take<&'a mut R>>>),
}

impl<R> Content<'_, R> {
    /// Its uncompressed size, by the directory.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its compressed size.
    pub fn packed(&self) -> u64 {
        self.packed
    }

    /// Its CRC-32, by the directory.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// Offset of its bytes in the file, if it is not compressed.
    pub fn stored_at(&self) -> Option<u64> {
        self.stored_at
    }
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.unpacked {
            Unpacked::Stored(bytes) => bytes.read(buffer)?,
            Unpacked::Deflated(bytes) => bytes.read(buffer)?,
        };
        self.read.update(&buffer[..n]);
        if n == 0 && !buffer.is_empty() && self.read.sum() != self.crc {
            return Err(Error::other("Invalid checksum"));
        }
        Ok(n)
    }
}

/// The location of the directory.
struct Directory {
    start: u64,
    size: u64,
}

/// The start of the end records, the number of directory entries, and the location of the directory by these records.
fn find_directory<R: Read + Seek>(
    reader: &mut R,
    length: u64,
) -> io::Result<(u64, u64, Directory)> {
    let tail = length.min(END as u64 + LONGEST_COMMENT);
    let bytes = read_at(reader, length - tail, tail as usize)?;
    // The comment must end with the file, which settles which of several signatures is meant.
    let is_end = |at: &usize| {
        let end = &bytes[*at..];
        end.starts_with(b"PK\x05\x06") && u16_at(end, 20) as usize == end.len() - END
    };
    let at = (0..(bytes.len() + 1).saturating_sub(END)).rev().find(is_end);
    let at = at.ok_or_else(|| Error::other("it has no directory at its end"))?;
    let (end, start) = (&bytes[at..], length - tail + at as u64);
    let size = u64::from(u32_at(end, 12));
    let small = Directory { start: u64::from(u32_at(end, 16)), size };
    let entries = u64::from(u16_at(end, 10));
    // A field of all ones means that the number is in the zip64 record.
    let full = entries == 0xffff || small.size == 0xffff_ffff || small.start == 0xffff_ffff;
    let Some(locator) = start.checked_sub(LOCATOR64 as u64).filter(|_| full) else {
        return Ok((start, entries, small));
    };
    let bytes = read_at(reader, locator, LOCATOR64)?;
    if !bytes.starts_with(b"PK\x06\x07") {
        return Ok((start, entries, small)); // no zip64: the number itself is all ones
    }
    let start = u64_at(&bytes, 8);
    if start.checked_add(END64 as u64).is_none_or(|end| end > locator) {
        return Err(Error::other("its zip64 record is not where its end says"));
    }
    let bytes = read_at(reader, start, END64)?;
    if !bytes.starts_with(b"PK\x06\x06") {
        return Err(Error::other("its zip64 record is not where its end says"));
    }
    let large = Directory { start: u64_at(&bytes, 48), size: u64_at(&bytes, 40) };
    Ok((start, u64_at(&bytes, 32), large))
}

impl Member {
    /// Takes the next entry off the directory's bytes.
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let (fixed, after) = rest.split_at_checked(ENTRY)?;
        if !fixed.starts_with(b"PK\x01\x02") {
            return None;
        }
        let (name, after) = after.split_at_checked(usize::from(u16_at(fixed, 28)))?;
        let (extra, after) = after.split_at_checked(usize::from(u16_at(fixed, 30)))?;
        let (_comment, after) = after.split_at_checked(usize::from(u16_at(fixed, 32)))?;
        *rest = after;
        let mut member = Self {
            name: name.to_vec(),
            encrypted: u16_at(fixed, 8) & 1 == 1,
            method: u16_at(fixed, 10),
            crc: u32_at(fixed, 16),
            packed: u64::from(u32_at(fixed, 20)),
            size: u64::from(u32_at(fixed, 24)),
            start: u64::from(u32_at(fixed, 42)),
        };
        // The zip64 field holds the numbers that were too large for their own fields, in this order.
        let mut large = zip64_field(extra);
        for number in [&mut member.size, &mut member.packed, &mut member.start] {
            if *number == 0xffff_ffff
                && let Some((head, tail)) = large.split_at_checked(8)
            {
                (*number, large) = (u64_at(head, 0), tail);
            }
        }
        Some(member)
    }
}

/// The zip64 extra field (number 1), or nothing.
fn zip64_field(mut extra: &[u8]) -> &[u8] {
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let Some((field, rest)) = rest.split_at_checked(usize::from(u16_at(head, 2))) else {
            break;
        };
        if u16_at(head, 0) == 1 {
            return field;
        }
        extra = rest;
    }
    &[]
}

/// Refuses members that overlap each other or the directory: a small file could otherwise unpack the same bytes many
/// times.
fn check_overlap(members: &[Member], directory: u64) -> io::Result<()> {
    let mut places: Vec<_> = members.iter().map(|m| (m.start, m.packed)).collect();
    places.sort_unstable();
    let next = places.iter().skip(1).map(|place| place.0).chain([directory]);
    for ((start, packed), next) in places.iter().zip(next) {
        let end = start.checked_add(HEADER as u64).and_then(|data| data.checked_add(*packed));
        if end.is_none_or(|end| end > next) {
            return Err(Error::other("its members overlap"));
        }
    }
    Ok(())
}

/// Reads `length` bytes at `start`; the caller has checked that the file has them.
fn read_at<R: Read + Seek>(reader: &mut R, start: u64, length: usize) -> io::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// Bytes hashed at a time: enough for fast sequential reads, little memory compared with a model.
const BLOCK: u64 = 1 << 22;

/// The SHA-256 of a file in hex and the CRC-32 of its bytes `member`, in one pass, since the file is large.
pub(super) fn read_once(file: &File, member: Range<u64>) -> io::Result<(String, u32)> {
    let length = file.metadata()?.len();
    // A block never crosses the beginning or end of the member.
    let block = |at: u64| {
        let cuts = [member.start, member.end, length, at + BLOCK];
        at..cuts.into_iter().filter(|&cut| cut > at).fold(length.max(at), u64::min)
    };
    let read = |bytes: &mut Vec<u8>, block: &Range<u64>| {
        bytes.resize((block.end - block.start) as usize, 0);
        read_exact_at(file, bytes, block.start)
    };
    let (mut hash, mut crc) = (Sha256::new(), Crc::new());
    let (mut now, mut ahead) = (vec![], vec![]);
    let mut at = block(0);
    read(&mut now, &at)?;
    while !at.is_empty() {
        let next = block(at.end);
        let mut result = Ok(());
        let mut work = Work::new();
        work.add(|| hash.update(&now));
        work.add(|| {
            if member.contains(&at.start) {
                crc.update(&now);
            }
            result = read(&mut ahead, &next);
        });
        work.run();
        result?;
        swap(&mut now, &mut ahead);
        at = next;
    }
    Ok((hex::encode(hash.finalize()), crc.sum()))
}
