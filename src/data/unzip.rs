//! Members of a zip file: the little of the format that an .npz needs, with nothing taken on its word.
//!
//! Here: the directory at the file's end, zip64 too, stored and deflated members, their checksums. The crate
//! that writes ours also reads, but it looks for a directory wherever one might begin and reads each to its
//! first mistake, which takes time in the square of a hostile file's size. Here there is one directory, members may
//! not overlap, none says that it unpacks to more than it can, and what is allocated is what the file holds.
//! Not here: what the members mean ([`super::npz`]). Layout: PKWARE's APPNOTE 6.3.10, §4.3.

use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::{self, Error, Read, Seek, SeekFrom};

/// The directory of a zip file, and the file.
pub struct Archive<R> {
    reader: R,
    members: Vec<Member>,
}

/// What the directory says of a member.
struct Member {
    name: Vec<u8>,
    encrypted: bool,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Where its own header begins.
    start: u64,
}

/// The lengths of the records without what is variable in them.
const END: usize = 22;
const END64: usize = 56;
const LOCATOR64: usize = 20;
const ENTRY: usize = 46;
const HEADER: usize = 30;

/// Bytes that deflate makes of one at most: 258 of two bits.
const MOST_OF_ONE: u64 = 1032;

/// Zip has no more room for the comment at its end.
const LONGEST_COMMENT: u64 = 0xffff;

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory; the error says in a few words what is wrong with the file, or with the disk.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        let (end, entries, directory) = find_directory(&mut reader, length)?;
        if directory.start.checked_add(directory.size) != Some(end) {
            return Err(Error::other("its directory is not where its end says"));
        }
        // No more than the file holds, for it ends before the file does.
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
        apart(&members, directory.start)?;
        Ok(Self { reader, members })
    }

    /// The names of all members, in the order of the directory.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.members.iter().map(|member| member.name.as_slice())
    }

    /// Whether a member is called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|found| found == name.as_bytes())
    }

    /// The member called `name`, to be read to its end.
    pub fn member(&mut self, name: &str) -> io::Result<Content<'_, R>> {
        let mut found = self.members.iter().filter(|member| member.name == name.as_bytes());
        let member = found.next().ok_or_else(|| Error::other("it is not there"))?;
        // Readers differ in which of two they take, so a file could show each its own numbers.
        if found.next().is_some() {
            return Err(Error::other("it is there twice"));
        }
        if member.encrypted {
            return Err(Error::other("it is encrypted"));
        }
        // What says more is damaged or a lie, and room is made for what it says.
        let most = member.packed.saturating_mul(if member.method == 8 { MOST_OF_ONE } else { 1 });
        if member.size > most {
            let (size, packed) = (member.size, member.packed);
            return Err(Error::other(format!("{packed} bytes cannot unpack to {size}")));
        }
        let header = read_at(&mut self.reader, member.start, HEADER)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(Error::other("it is not where the directory says"));
        }
        // Its name stands here again, and other extra fields than in the directory.
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

/// A member under way. At its end its checksum has to hold, or that last read fails.
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
    /// How many bytes the directory says it unpacks to.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes it takes in the file.
    pub fn packed(&self) -> u64 {
        self.packed
    }

    /// What the checksum of all its bytes has to be.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// Where its bytes begin in the file, if they lie there as they are.
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

/// Where the directory is.
struct Directory {
    start: u64,
    size: u64,
}

/// Where the records behind the directory begin, how many entries it has, and where they say it is.
fn find_directory<R: Read + Seek>(
    reader: &mut R,
    length: u64,
) -> io::Result<(u64, u64, Directory)> {
    let tail = length.min(END as u64 + LONGEST_COMMENT);
    let bytes = read_at(reader, length - tail, tail as usize)?;
    // The comment is the last of the file, so it shows which of several beginnings is meant.
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
    // A field too small for its number is full of ones, and the number stands in a record before.
    let full = entries == 0xffff || small.size == 0xffff_ffff || small.start == 0xffff_ffff;
    let Some(locator) = start.checked_sub(LOCATOR64 as u64).filter(|_| full) else {
        return Ok((start, entries, small));
    };
    let bytes = read_at(reader, locator, LOCATOR64)?;
    if !bytes.starts_with(b"PK\x06\x07") {
        return Ok((start, entries, small)); // just so many
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
    /// The next entry of the directory.
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
        // The zip64 field holds those numbers that were too large for theirs, in this order.
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

/// The extra field of number 1, or nothing.
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

/// Whether members lie side by side before the directory. If many could unpack the same bytes, a small
/// file would be a large one many times over.
fn apart(members: &[Member], directory: u64) -> io::Result<()> {
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

/// So many bytes from `start` on, which the caller knows to be there.
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
