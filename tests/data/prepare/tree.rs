//! Folders and archives: the same set from each, and archives cut short or with names that lead elsewhere.

use super::iam::{File, database, imported, line, unpacked, xml};
use crate::common::says;
use crate::data::refusal;
use flate2::Compression;
use flate2::write::GzEncoder;
use stcn::internals::prepare::iam::Protocol;
use std::fs;
use std::io::Write;
use std::path::Path;

/// A tar archive, by hand, so that its names may be what the tar crate refuses to write.
fn tar(files: &[File]) -> Vec<u8> {
    let mut bytes = vec![];
    for (name, content) in files {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let mut put =
            |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(100, "0000644\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, "00000000000\0");
        put(148, "        0");
        put(257, "ustar\x0000");
        let sum = header.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(header);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The database with the files below `kind` packed, in the other order.
fn packed(kind: &str, archive: &str) -> Vec<File> {
    let (mut inside, mut files): (Vec<_>, Vec<_>) =
        database().into_iter().partition(|file| file.0.starts_with(kind));
    inside.reverse();
    let bytes = tar(&inside);
    files.push((archive.into(), if archive.ends_with(".tar") { bytes } else { gz(&bytes) }));
    files
}

/// The bytes of the file that an import makes.
fn made(folder: &Path) -> Vec<u8> {
    let (_, _out, path) = imported(folder, Protocol::Vrnn).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn folders_and_archives_give_the_same_file() {
    let expected = made(unpacked(&database()).path());
    for (kind, archive) in [
        ("lineStrokes", "lineStrokes-all.tar.gz"),
        ("lineStrokes", "data/lineStrokes-all.tgz"),
        ("lineStrokes", "lineStrokes-all.tar"),
        ("ascii", "data/IAM/ascii-all.tar.gz"),
        ("original", "original-xml-all.tar.gz"),
    ] {
        assert!(made(unpacked(&packed(kind, archive)).path()) == expected, "{archive}");
    }
}

#[test]
fn of_a_folder_and_an_archive_the_folder_is_read() {
    let expected = made(unpacked(&database()).path());
    let mut files = database();
    files.push(("lineStrokes-all.tar.gz".into(), b"not even an archive".to_vec()));
    assert!(made(unpacked(&files).path()) == expected);
}

#[test]
fn names_that_lead_elsewhere_are_only_names() {
    let expected = made(unpacked(&database()).path());
    let mut files = packed("lineStrokes", "lineStrokes-all.tar");
    let (_, content) = line("a01-000u", 9, 1);
    let mut inside: Vec<File> =
        database().into_iter().filter(|file| file.0.starts_with("lineStrokes")).collect();
    inside.retain(|file| !file.0.ends_with("a01-000u-09.xml"));
    inside.push(("../../a01-000u-09.xml".into(), content));
    inside.push(("/tmp/stcn-evil/q01-000-01.xml".into(), xml(&[])));
    // What macOS adds.
    inside.push(("lineStrokes/a01/._a01-000u-09.xml".into(), b"\0\x05\x16\x07".to_vec()));
    files.last_mut().unwrap().1 = tar(&inside);
    assert!(made(unpacked(&files).path()) == expected);
    assert!(!Path::new("/tmp/stcn-evil").exists());
}

#[test]
fn an_archive_cut_short_or_damaged_is_refused_by_its_name() {
    let refused = |change: &dyn Fn(&mut Vec<u8>), name: &str| {
        let mut files = packed("lineStrokes", name);
        change(&mut files.last_mut().unwrap().1);
        let said = refusal(imported(unpacked(&files).path(), Protocol::Vrnn));
        says(
            &said,
            &[name, "cannot be read to its end", "truncated or damaged; download it again"],
        );
    };
    for share in [2, 3, 5] {
        refused(&|bytes| bytes.truncate(bytes.len() / share), "lineStrokes-all.tar.gz");
    }
    refused(&|bytes| bytes[0] = 0, "lineStrokes-all.tar.gz");
    refused(&|bytes| bytes.truncate(512 + 100), "lineStrokes-all.tar");
    refused(&|bytes| bytes[3] ^= 1, "lineStrokes-all.tar");
    let said = {
        let mut files = packed("lineStrokes", "lineStrokes-all.tar.gz");
        files.last_mut().unwrap().1 =
            gz(&tar(&[("lineStrokes/c03-000-03.xml".into(), b"<".to_vec())]));
        refusal(imported(unpacked(&files).path(), Protocol::Vrnn))
    };
    says(&said, &["lineStrokes-all.tar.gz/lineStrokes/c03-000-03.xml: cannot be read as XML"]);
}

/// Forty links from a folder to itself would be two and a half million ways four folders down.
#[cfg(unix)]
#[test]
fn links_that_lead_back_are_not_followed_below_the_folder() {
    let dir = unpacked(&database());
    let expected = made(dir.path());
    for (i, folder) in ["lineStrokes", "ascii/b02", "task1"].iter().enumerate() {
        for j in 0..40 {
            let link = dir.path().join(folder).join(format!("link-{i}-{j}"));
            std::os::unix::fs::symlink(".", link).unwrap();
        }
    }
    // One to what is needed is.
    fs::rename(dir.path().join("task1"), dir.path().join("lineStrokes/task1")).unwrap();
    std::os::unix::fs::symlink("lineStrokes/task1", dir.path().join("lists")).unwrap();
    assert!(made(dir.path()) == expected);
}

#[test]
fn an_archive_of_a_few_kilobytes_cannot_ask_for_gigabytes() {
    // Lines without end, and the words of a form again and again.
    let line = tar(&[("lineStrokes/q01-000-01.xml".into(), vec![])]);
    let long = [b"CSR:\n".to_vec(), vec![b'a'; 1 << 14]].concat();
    let text = tar(&[("ascii/c03-000.txt".into(), long)]);
    for (kind, entry, count) in [("lineStrokes", &line, (1 << 17) + 1), ("ascii", &text, 1 << 10)] {
        let entry = &entry[..entry.len() - 1024]; // without its end
        let mut files = database();
        files.retain(|file| !file.0.starts_with(kind));
        let mut packed = GzEncoder::new(vec![], Compression::fast());
        (0..count).for_each(|_| packed.write_all(entry).unwrap());
        packed.write_all(&[0; 1024]).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() < 1 << 20, "{}", packed.len());
        files.push((format!("{kind}-all.tar.gz"), packed));
        let said = refusal(imported(unpacked(&files).path(), Protocol::Vrnn));
        says(&said, &["has more than 131072 lines, 67108864 steps or", "one copy of it"]);
    }
}
