//! Members stored piece by piece, read back by three readers.

use stcn::internals::stored::StoredZip;
use stcn::internals::unzip::Archive;
use std::io::{Cursor, Read};

/// Two members: one whose first bytes are told last, in pieces, and one with nothing but those.
fn written() -> Vec<u8> {
    let mut zip = StoredZip::new(Cursor::new(vec![]));
    zip.begin("a", 5).unwrap();
    for piece in ["one ", "", "two ", "three"] {
        zip.write(piece.as_bytes()).unwrap();
    }
    zip.end(b"head:").unwrap();
    zip.begin("b", 4).unwrap();
    zip.end(b"only").unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn our_reader_finds_each_member_where_it_lies() {
    let bytes = written();
    let mut archive = Archive::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(archive.names().collect::<Vec<_>>(), [b"a", b"b"]);
    for (name, content) in [("a", "head:one two three"), ("b", "only")] {
        let mut member = archive.member(name).unwrap();
        let at = member.stored_at().expect("it is stored") as usize;
        assert_eq!(&bytes[at..at + content.len()], content.as_bytes());
        let mut read = String::new();
        member.read_to_string(&mut read).unwrap(); // and its checksum holds
        assert_eq!(read, content);
    }
}

#[test]
fn another_reader_reads_the_same() {
    let mut zip = zip::ZipArchive::new(Cursor::new(written())).unwrap();
    for (name, content) in [("a", "head:one two three"), ("b", "only")] {
        let mut read = String::new();
        zip.by_name(name).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, content);
    }
}

#[test]
fn a_zip_of_nothing_is_one() {
    let bytes = StoredZip::new(Cursor::new(vec![])).finish().unwrap().into_inner();
    assert_eq!(Archive::new(Cursor::new(&bytes)).unwrap().names().len(), 0);
}

#[test]
fn a_flipped_bit_fails_the_checksum() {
    let mut bytes = written();
    let at = bytes.windows(5).position(|w| w == b"three").unwrap();
    bytes[at] ^= 1;
    let mut archive = Archive::new(Cursor::new(&bytes)).unwrap();
    let said = archive.member("a").unwrap().read_to_end(&mut vec![]).unwrap_err().to_string();
    assert_eq!(said, "Invalid checksum");
}
