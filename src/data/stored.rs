//! [`StoredZip`]: writes a zip file of uncompressed members whose lengths need not be known in advance.
//!
//! The first bytes of a member may be filled in last (an .npy header states how much follows), so that data can be
//! written as it arrives. All sizes are zip64, so that small files test the same code as large ones.
//! Not here: what is written ([`super::Writer`]), reading ([`super::unzip`]). Layout: PKWARE's APPNOTE 6.3.10, §4.3.

use flate2::Crc;
use std::io::{self, Seek, SeekFrom, Write};

/// A zip file being written.
pub struct StoredZip<W> {
    out: W,
    /// Offset of the next byte.
    at: u64,
    members: Vec<Member>,
}

/// A member; the last of the list is being written.
struct Member {
    name: &'static str,
    /// Offset of its local header.
    start: u64,
    /// Length of the first bytes, which are written last.
    head: usize,
    /// Total length so far.
    size: u64,
    crc: Crc,
}

/// The first version of the format with zip64.
const VERSION: u16 = 45;
/// 1 January 1980: files must not depend on the clock.
const DATE: u16 = 1 << 5 | 1;
/// Marks a number that is in the zip64 field.
const ELSEWHERE: u32 = u32::MAX;

impl<W: Write + Seek> StoredZip<W> {
    /// Writes to `out`, which must be empty.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, members: vec![] }
    }

    /// Begins a member; its first `head` bytes are passed to [`end`](Self::end).
    pub fn begin(&mut self, name: &'static str, head: usize) -> io::Result<()> {
        let member = Member { name, start: self.at, head, size: head as u64, crc: Crc::new() };
        let header = [member.header(0), vec![0; head]].concat();
        self.members.push(member);
        self.at += header.len() as u64;
        self.out.write_all(&header)
    }

    /// Appends to the current member.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let member = self.members.last_mut().expect("a member was begun");
        member.crc.update(bytes);
        member.size += bytes.len() as u64;
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Ends the current member; `head` has the length given to [`begin`](Self::begin).
    pub fn end(&mut self, head: &[u8]) -> io::Result<()> {
        let member = self.members.last_mut().expect("a member was begun");
        assert_eq!(head.len(), member.head, "StoredZip::end: the first bytes of {}", member.name);
        let mut crc = Crc::new();
        crc.update(head);
        crc.combine(&member.crc);
        member.crc = crc;
        self.out.seek(SeekFrom::Start(member.start))?;
        self.out.write_all(&member.header(member.crc.sum()))?;
        self.out.write_all(head)?;
        self.out.seek(SeekFrom::Start(self.at)).map(drop)
    }

    /// Writes the directory and returns `out`.
    pub fn finish(mut self) -> io::Result<W> {
        let entries: Vec<u8> = self.members.iter().flat_map(Member::entry).collect();
        let (start, size) = (self.at, entries.len() as u64);
        let count = self.members.len() as u64;
        let mut end = entries;
        // The zip64 end record, its locator, and the end record that all readers look for.
        end.extend(b"PK\x06\x06");
        end.extend(44_u64.to_le_bytes());
        end.extend([VERSION, VERSION].map(u16::to_le_bytes).concat());
        end.extend([0_u32, 0].map(u32::to_le_bytes).concat());
        end.extend([count, count, size, start].map(u64::to_le_bytes).concat());
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend((start + size).to_le_bytes());
        end.extend(1_u32.to_le_bytes());
        end.extend(b"PK\x05\x06\0\0\0\0");
        end.extend([count as u16, count as u16].map(u16::to_le_bytes).concat());
        end.extend([size as u32, ELSEWHERE].map(u32::to_le_bytes).concat());
        end.extend([0, 0]);
        self.out.write_all(&end)?;
        Ok(self.out)
    }
}

impl Member {
    /// The local header.
    fn header(&self, crc: u32) -> Vec<u8> {
        let mut header = b"PK\x03\x04".to_vec();
        self.common(crc, 20, &mut header);
        header.extend(self.name.bytes());
        header.extend([1, 16].map(u16::to_le_bytes).concat());
        header.extend([self.size, self.size].map(u64::to_le_bytes).concat());
        header
    }

    /// The directory entry.
    fn entry(&self) -> Vec<u8> {
        let mut entry = b"PK\x01\x02".to_vec();
        entry.extend(VERSION.to_le_bytes());
        self.common(self.crc.sum(), 28, &mut entry);
        entry.extend([0; 10]); // no comment, the first disk, no attributes
        entry.extend(ELSEWHERE.to_le_bytes());
        entry.extend(self.name.bytes());
        entry.extend([1, 24].map(u16::to_le_bytes).concat());
        entry.extend([self.size, self.size, self.start].map(u64::to_le_bytes).concat());
        entry
    }

    fn common(&self, crc: u32, extra: u16, out: &mut Vec<u8>) {
        out.extend([VERSION, 0, 0, 0, DATE].map(u16::to_le_bytes).concat());
        out.extend([crc, ELSEWHERE, ELSEWHERE].map(u32::to_le_bytes).concat());
        out.extend([self.name.len() as u16, extra].map(u16::to_le_bytes).concat());
    }
}
