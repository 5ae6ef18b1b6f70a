//! [`StoredZip`]: a zip file whose members are stored as they are, each written without knowing its end.
//!
//! A member's first bytes may be told last (an .npy header says how much follows), so that numbers go to the
//! disk as they come. Every size is a zip64 one, small or large: one way to write, and small files test it.
//! Not here: what is written ([`super::Writer`]), reading ([`super::unzip`]). Layout: PKWARE's APPNOTE 6.3.10, §4.3.

use flate2::Crc;
use std::io::{self, Seek, SeekFrom, Write};

/// A zip file under way.
pub struct StoredZip<W> {
    out: W,
    /// Where the next byte goes.
    at: u64,
    members: Vec<Member>,
}

/// A member; the last one is being written.
struct Member {
    name: &'static str,
    /// Where its own header begins.
    start: u64,
    /// Bytes that are told last, and all of them.
    head: usize,
    size: u64,
    crc: Crc,
}

/// A name in ASCII, no flag, not packed; 1 January 1980, for no clock may go into a file.
const VERSION: u16 = 45; // the first with zip64
const DATE: u16 = 1 << 5 | 1;
/// The number stands in the zip64 field.
const ELSEWHERE: u32 = u32::MAX;

impl<W: Write + Seek> StoredZip<W> {
    /// Into `out`, which is empty.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, members: vec![] }
    }

    /// Begins a member; its first `head` bytes are told by [`end`](Self::end).
    pub fn begin(&mut self, name: &'static str, head: usize) -> io::Result<()> {
        let member = Member { name, start: self.at, head, size: head as u64, crc: Crc::new() };
        let header = [member.header(0), vec![0; head]].concat();
        self.members.push(member);
        self.at += header.len() as u64;
        self.out.write_all(&header)
    }

    /// Goes on with it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let member = self.members.last_mut().expect("a member was begun");
        member.crc.update(bytes);
        member.size += bytes.len() as u64;
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Ends it with its first bytes, as many as were said.
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

    /// Writes the directory, and gives `out` back.
    pub fn finish(mut self) -> io::Result<W> {
        let entries: Vec<u8> = self.members.iter().flat_map(Member::entry).collect();
        let (start, size) = (self.at, entries.len() as u64);
        let count = self.members.len() as u64;
        let mut end = entries;
        // The zip64 record, where to find it, and the record that all readers look for.
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
    /// What stands in front of its bytes.
    fn header(&self, crc: u32) -> Vec<u8> {
        let mut header = b"PK\x03\x04".to_vec();
        self.common(crc, 20, &mut header);
        header.extend(self.name.bytes());
        header.extend([1, 16].map(u16::to_le_bytes).concat());
        header.extend([self.size, self.size].map(u64::to_le_bytes).concat());
        header
    }

    /// What stands in the directory.
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
