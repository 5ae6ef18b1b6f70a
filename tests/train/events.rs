use stcn::internals::events::{Events, crc32c, record};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

#[test]
fn crc32c_gives_its_check_value() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(crc32c(b""), 0);
}

/// The path of the one file in a directory.
fn only_file(dir: &TempDir) -> PathBuf {
    let mut entries = fs::read_dir(dir.path()).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    path
}

/// The messages of a file, their checksums checked.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = vec![];
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let message = bytes[12..12 + length].to_vec();
        assert_eq!(record(&message), bytes[..16 + length]);
        bytes = &bytes[16 + length..];
        messages.push(message);
    }
    messages
}

#[test]
fn a_record_is_what_tensorboard_writes() {
    // The same event written by `tensorboard.summary.writer.record_writer` of TensorBoard 2.21.0.
    let wanted =
        "1b000000000000001a0d9e1309000000000000144010ac022a0d0a0b0a046c6f7373150000c03f7f87c05a";
    let dir = TempDir::new().unwrap();
    let mut events = Events::create(dir.path(), 5.).unwrap();
    let path = only_file(&dir);
    let header = fs::read(&path).unwrap().len();
    events.scalars(5., 300, &[("loss", 1.5)]).unwrap();
    assert_eq!(hex::encode(&fs::read(&path).unwrap()[header..]), wanted);
}

#[test]
fn an_event_file_holds_its_version_and_then_scalars() {
    let dir = TempDir::new().unwrap();
    let mut events = Events::create(dir.path(), 1_700_000_000.5).unwrap();
    let path = only_file(&dir);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, "events.out.tfevents.1700000000.stcn");
    events.scalars(1_700_000_001., 300, &[("loss", 1.5), ("kl", -2.)]).unwrap();
    events.restart(1_700_000_002., 301).unwrap();
    let messages = messages(&fs::read(&path).unwrap());
    let time = |t: f64| [&[9][..], &t.to_le_bytes()].concat();
    let version = [&time(1_700_000_000.5), &b"\x10\x00\x1a\x0dbrain.Event:2"[..]].concat();
    let values = [
        &time(1_700_000_001.),
        &b"\x10\xac\x02\x2a\x18"[..],
        b"\x0a\x0b\x0a\x04loss\x15\x00\x00\xc0\x3f",
        b"\x0a\x09\x0a\x02kl\x15\x00\x00\x00\xc0",
    ];
    let start = [&time(1_700_000_002.), &b"\x10\xad\x02\x3a\x02\x08\x01"[..]].concat();
    assert_eq!(messages, [version, values.concat(), start]);
}

#[test]
fn two_files_of_one_second_do_not_collide() {
    let dir = TempDir::new().unwrap();
    let _both = [(); 2].map(|()| Events::create(dir.path(), 5.).unwrap());
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.starts_with("events.out.tfevents.0000000005.stcn")));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let error = Events::create("/nowhere".as_ref(), 5.).unwrap_err().to_string();
    assert!(error.starts_with("cannot write /nowhere/events.out.tfevents."), "{error}");
}
