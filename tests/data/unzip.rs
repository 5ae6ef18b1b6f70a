//! The zip under an npz: what is read, what is refused, and how long a hostile file can keep the reader.

use crate::common::mutations;
use flate2::Crc;
use proptest::prelude::*;
use stcn::internals::unzip::Archive;
use std::io::{Cursor, Read, Write};
use std::time::{Duration, Instant};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn open(bytes: &[u8]) -> Result<Archive<Cursor<&[u8]>>, String> {
    Archive::new(Cursor::new(bytes)).map_err(|e| e.to_string())
}

fn read(bytes: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let mut archive = open(bytes)?;
    let mut member = archive.member(name).map_err(|e| e.to_string())?;
    let mut content = vec![];
    member.read_to_end(&mut content).map_err(|e| e.to_string())?;
    Ok(content)
}

/// What the crate that writes our files writes.
fn written(method: CompressionMethod, large: bool) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(method).large_file(large);
    for (name, bytes) in [("a", "first ".repeat(40)), ("b", String::new()), ("c", "last".into())] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A zip of stored members, record by record, to be spoilt.
#[derive(Clone, Default)]
struct Parts {
    /// Headers and contents.
    members: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
    comment: Vec<u8>,
}

impl Parts {
    fn with(mut self, name: &str, content: &[u8]) -> Self {
        let start = self.members.len() as u32;
        let mut crc = Crc::new();
        crc.update(content);
        // Versions, flags, method and time, then checksum, sizes, lengths of name and extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes().repeat(2));
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        self.members.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        let place = [&[0; 10][..], &start.to_le_bytes()].concat();
        let entry = [b"PK\x01\x02\x14\0", &common[..], &place, name.as_bytes()].concat();
        self.directory.extend(entry);
        self.entries += 1;
        self
    }

    fn end(&self, entries: u16, size: u32, start: u32) -> Vec<u8> {
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend(entries.to_le_bytes().repeat(2));
        end.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
        end.extend((self.comment.len() as u16).to_le_bytes());
        [&end, self.comment.as_slice()].concat()
    }

    fn zip(&self) -> Vec<u8> {
        let (size, start) = (self.directory.len() as u32, self.members.len() as u32);
        [&self.members[..], &self.directory, &self.end(self.entries, size, start)].concat()
    }

    /// With every number that may stand in a zip64 record there.
    fn zip64(&self) -> Vec<u8> {
        let (size, start) = (self.directory.len() as u64, self.members.len() as u64);
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44_u64.to_le_bytes());
        record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        record.extend(u64::from(self.entries).to_le_bytes().repeat(2));
        record.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
        let mut locator = b"PK\x06\x07\0\0\0\0".to_vec();
        locator.extend((start + size).to_le_bytes());
        locator.extend([1, 0, 0, 0]);
        let end = self.end(0xffff, 0xffff_ffff, 0xffff_ffff);
        [&self.members[..], &self.directory, &record, &locator, &end].concat()
    }
}

fn two() -> Parts {
    Parts::default().with("a", b"first").with("b", b"second")
}

/// `two` with some bytes of its directory, or of its members, changed.
fn spoilt(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = two();
    change(&mut parts);
    parts.zip()
}

#[test]
fn members_read_whether_stored_or_deflated_or_large() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        for large in [false, true] {
            let bytes = written(method, large);
            assert_eq!(read(&bytes, "a").unwrap(), "first ".repeat(40).as_bytes());
            assert_eq!(read(&bytes, "b").unwrap(), b"");
            assert_eq!(read(&bytes, "c").unwrap(), b"last");
            let archive = open(&bytes).unwrap();
            assert_eq!(archive.names().collect::<Vec<_>>(), [b"a", b"b", b"c"]);
            assert!(archive.has("a") && !archive.has("d"));
        }
    }
    assert_eq!(read(&two().zip(), "b").unwrap(), b"second");
    assert_eq!(open(&Parts::default().zip()).unwrap().names().len(), 0);
}

#[test]
fn members_are_read_by_their_number_too() {
    let bytes = written(CompressionMethod::Deflated, false);
    let mut archive = open(&bytes).unwrap();
    let names: Vec<_> = archive.names().map(<[u8]>::to_vec).collect();
    for (number, name) in names.iter().enumerate() {
        let mut content = vec![];
        archive.member_at(number).unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content, read(&bytes, std::str::from_utf8(name).unwrap()).unwrap());
    }
}

#[test]
fn the_directory_may_be_a_zip64_one_and_have_a_comment_behind_it() {
    assert_eq!(read(&two().zip64(), "b").unwrap(), b"second");
    for comment in [&b"hello"[..], b"PK\x05\x06", &[7; 0xffff], &two().zip()] {
        let parts = Parts { comment: comment.into(), ..two() };
        let wanted: &[u8] = if comment.len() == two().zip().len() { b"first" } else { b"second" };
        // A whole zip as the comment is a whole zip at the end, whose directory is elsewhere.
        let found = read(&parts.zip(), "b");
        if wanted == b"second" {
            assert_eq!(found.unwrap(), wanted);
        } else {
            assert_eq!(found.unwrap_err(), "its directory is not where its end says");
        }
    }
}

#[test]
fn a_large_members_numbers_stand_in_its_extra_field() {
    let bytes = spoilt(|parts| {
        // The second entry's sizes and start give way to an extra field, which ends the directory.
        let at = parts.directory.len() - 47;
        let entry = &mut parts.directory[at..];
        let start = u64::from(entry[42]);
        entry[20..28].fill(255);
        entry[42..46].fill(255);
        entry[30] = 8 + 28;
        let other = [9, 0, 4, 0, 1, 2, 3, 4];
        parts.directory.extend(other);
        parts.directory.extend([1, 0, 24, 0]);
        parts.directory.extend([6_u64, 6, start].map(u64::to_le_bytes).concat());
    });
    assert_eq!(read(&bytes, "b").unwrap(), b"second");
}

#[test]
fn damage_is_told_in_a_few_words() {
    let zip = two().zip();
    for n in 0..zip.len() {
        assert_eq!(open(&zip[..n]).err().unwrap(), "it has no directory at its end");
    }
    let complaint = |change: &dyn Fn(&mut Parts)| read(&spoilt(change), "b").unwrap_err();
    assert_eq!(complaint(&|p| p.entries = 3), "its directory has 2 entries, not 3");
    assert_eq!(complaint(&|p| p.directory[1] = 0), "entry 1 of its directory is damaged");
    assert_eq!(complaint(&|p| p.directory[47 + 28] = 9), "entry 2 of its directory is damaged");
    assert_eq!(complaint(&|p| p.directory[47 + 8] = 1), "it is encrypted");
    assert_eq!(complaint(&|p| p.directory[47 + 10] = 12), "its compression method is number 12");
    assert_eq!(complaint(&|p| p.directory[47 + 16] ^= 1), "Invalid checksum");
    assert_eq!(complaint(&|p| p.members[36] = 0), "it is not where the directory says");
    let bytes = spoilt(|p| p.members.push(0)); // not a record, and in nobody's way
    assert_eq!(read(&bytes, "b").unwrap(), b"second");
    assert_eq!(
        read(&[&zip[..], &[0]].concat(), "b").unwrap_err(),
        "it has no directory at its end"
    );
    assert_eq!(read(&two().with("a", b"again").zip(), "a").unwrap_err(), "it is there twice");
    assert_eq!(read(&zip, "x").unwrap_err(), "it is not there");
}

#[test]
fn sizes_and_places_beyond_the_file_are_refused_before_anything_is_allocated() {
    let two = two();
    for (size, start) in [(u32::MAX - 1, 0), (0, u32::MAX - 1), (100, 100), (1, 0)] {
        let bytes = [&two.members[..], &two.directory, &two.end(2, size, start)].concat();
        assert_eq!(read(&bytes, "b").unwrap_err(), "its directory is not where its end says");
    }
    let zip = two.zip64();
    let record = two.members.len() + two.directory.len();
    for (at, said) in [
        (record + 40, "its directory is not where its end says"),
        (record + 48, "its directory is not where its end says"),
        (record + 32, "its directory has 2 entries, not 18446744073709551615"),
        (record + 56 + 8, "its zip64 record is not where its end says"),
    ] {
        let mut bytes = zip.clone();
        bytes[at..at + 8].fill(255);
        assert_eq!(read(&bytes, "b").unwrap_err(), said);
    }
    // A size that cannot be, of a stored member and of a packed one.
    let bytes = spoilt(|p| p.directory[47 + 24..47 + 28].fill(254));
    assert_eq!(read(&bytes, "b").unwrap_err(), "6 bytes cannot unpack to 4278124286");
    let bytes = spoilt(|p| p.directory[47 + 24] = 5);
    assert_eq!(read(&bytes, "b").unwrap(), b"second", "what is less is the reader's to judge");
    let mut bytes = written(CompressionMethod::Deflated, false);
    let entry = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let packed = u32::from_le_bytes(bytes[entry + 20..entry + 24].try_into().unwrap());
    for (size, possible) in [(1032 * packed, true), (1032 * packed + 1, false)] {
        bytes[entry + 24..entry + 28].copy_from_slice(&size.to_le_bytes());
        let said = format!("{packed} bytes cannot unpack to {size}");
        assert_eq!(
            read(&bytes, "a"),
            if possible { Ok("first ".repeat(40).into()) } else { Err(said) }
        );
    }
}

#[test]
fn members_that_share_their_bytes_are_refused() {
    let said = "its members overlap";
    // Fifty names for one bomb would be fifty bombs.
    assert_eq!(read(&spoilt(|p| p.directory[47 + 42] = 0), "b").unwrap_err(), said);
    assert_eq!(read(&spoilt(|p| p.directory[20] = 90), "b").unwrap_err(), said);
    assert_eq!(read(&spoilt(|p| p.directory[47 + 20] = 90), "b").unwrap_err(), said);
    assert_eq!(read(&spoilt(|p| p.directory[47 + 42] = 200), "b").unwrap_err(), said);
}

#[test]
fn a_file_of_nothing_but_directories_is_refused_in_the_time_it_takes_to_read_it() {
    // Ten thousand entries, the last one spoilt, and fifty thousand ends that all name them: a reader that
    // tries each would look at half a milliard entries.
    let mut parts = Parts::default();
    for _ in 0..10_000 {
        parts = parts.with("a", b"");
    }
    let start = parts.members.len() as u32;
    let last = parts.directory.len() - 47;
    parts.directory[last] = 0;
    let end = parts.end(10_000, parts.directory.len() as u32, start);
    let bytes = [&parts.members[..], &parts.directory, &end.repeat(50_000)].concat();
    let begin = Instant::now();
    assert_eq!(open(&bytes).err().unwrap(), "its directory is not where its end says");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        small in mutations(two().zip()),
        large in mutations(two().zip64()),
        deflated in mutations(written(CompressionMethod::Deflated, true)),
    ) {
        for bytes in [noise, small, large, deflated] {
            for name in ["a", "b"] {
                // What is read is what was packed, whatever happened around it.
                if let Ok(content) = read(&bytes, name) {
                    prop_assert!(content.len() <= 1032 * bytes.len());
                }
            }
        }
    }
}
