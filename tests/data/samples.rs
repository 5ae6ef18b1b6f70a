//! Numbers on the disk: the same as in memory, and a sentence once the file is another.

use super::refusal;
use crate::common::says;
use stcn::data::{DataSet, Dtype, Normalisation, Normalise, Split, Writer};
use stcn::internals::npz::{self, Flat};
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A stored file with sequences of 1 to 40 steps of three channels, and one beyond any piece.
fn stored(folder: &TempDir, value: impl Fn(usize) -> f32) -> PathBuf {
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create(&path, 3, &[]).unwrap();
    let mut next = 0..;
    for steps in (1..=40).chain([30_000]) {
        let rows: Vec<f32> = next.by_ref().take(3 * steps).map(&value).collect();
        let split = Split::ALL[steps % 3];
        writer.push(&rows, split, &[]).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn disk(path: &Path) -> stcn::Result<DataSet> {
    DataSet::open_within(path, None, 0)
}

#[test]
fn everything_is_the_same_from_memory_and_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = stored(&folder, |i| (i as f32 * 0.37) % 11. - 3.);
    let (memory, disk) = (DataSet::open(&path, None).unwrap(), disk(&path).unwrap());
    assert_eq!(disk.fingerprint(), memory.fingerprint());
    for i in 0..memory.len() {
        let whole = memory.sequence(i).unwrap();
        assert_eq!(disk.sequence(i).unwrap(), whole);
        for set in [&memory, &disk] {
            let pieces: Vec<_> = set.pieces(i).map(|piece| piece.unwrap()).collect();
            assert_eq!(pieces.concat(), *whole);
            assert!(pieces.iter().all(|piece| piece.len() % 3 == 0 && piece.len() <= 1 << 16));
        }
        let n = memory.length(i);
        let inner = (n / 3, n / 2);
        assert_eq!(
            disk.rows(i, inner.0, inner.1).unwrap(),
            memory.rows(i, inner.0, inner.1).unwrap()
        );
    }
    for kind in [Normalise::PerChannel, Normalise::Scalar] {
        let fit = |set| Normalisation::fit(set, kind, 3).unwrap();
        assert_eq!(fit(&disk), fit(&memory));
    }
}

#[test]
fn only_stored_samples_beyond_the_limit_stay_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let flat =
        Flat { channels: 1, samples: vec![1.; 1000], lengths: vec![1000], split: None, rate: None };
    let rule = Some("all-train".parse().unwrap());
    let in_memory = |path: &Path, most| {
        DataSet::open_within(path, rule, most).unwrap().bytes_in_memory() >= 4000
    };
    npz::write(&path, &flat).unwrap();
    assert!(in_memory(&path, 4000));
    let said = refusal(DataSet::open_within(&path, rule, 3999));
    says(&said, &["where 0 are allowed, and cannot be left on disk because they are compressed"]);
    let mut writer = Writer::create(&path, 1, &[]).unwrap();
    writer.push(&flat.samples, Split::Train, &[]).unwrap();
    writer.finish().unwrap();
    assert!(in_memory(&path, 4000));
    assert!(!in_memory(&path, 3999));
}

#[test]
fn bad_numbers_on_the_disk_are_named_by_the_same_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = stored(&folder, |i| i as f32);
    let whole = disk(&path).unwrap();
    says(&refusal(whole.check_ink()), &["sequence 1, step 1 has pen 2, ink wants 0 or 1"]);
    says(&refusal(whole.check_binary()), &["sequence 1, step 1, channel 3 is 2, --head bernoulli"]);
    // The last number of all, past many pieces; a checksum that holds, as another writer's would.
    let said = refusal({
        let mut flat = crate::data::npz::read(&path).unwrap().0;
        *flat.samples.last_mut().unwrap() = f32::NEG_INFINITY;
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let mut npy = |name: &str, descr: &str, shape: &str, bytes: Vec<u8>| {
            let head =
                format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
            zip.start_file(name, options).unwrap();
            zip.write_all(b"\x93NUMPY\x01\0").unwrap();
            zip.write_all(&(head.len() as u16).to_le_bytes()).unwrap();
            zip.write_all(head.as_bytes()).unwrap();
            zip.write_all(&bytes).unwrap();
        };
        let samples = flat.samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        npy("samples.npy", "<f4", &format!("({}, 3)", flat.samples.len() / 3), samples);
        let lengths = flat.lengths.iter().flat_map(|n| n.to_le_bytes()).collect();
        npy("lengths.npy", "<i8", &format!("({},)", flat.lengths.len()), lengths);
        zip.finish().unwrap();
        DataSet::open_within(&path, Some("all-train".parse().unwrap()), 0)
    });
    says(&said, &["sequence 41, step 30000, channel 3 of `samples` is -inf, wanted finite"]);
}

#[test]
fn a_flipped_bit_on_the_disk_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = stored(&folder, |i| i as f32);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let said = refusal(disk(&path));
    says(&said, &["x.npz: `samples` cannot be unpacked (Invalid checksum), wanted a stored or"]);
    assert_eq!(said, refusal(DataSet::open(&path, None)));
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create_as(Dtype::I2, &path, 1, &[]).unwrap();
    writer.push(&[1., 2., 3.], Split::Train, &[]).unwrap();
    writer.finish().unwrap();
    let whole = fs::read(&path).unwrap();
    for n in 2..whole.len() {
        fs::write(&path, &whole[..n]).unwrap();
        says(&refusal(disk(&path)), &["begins like an .npz but", "truncated or damaged"]);
    }
}

#[test]
fn a_file_that_changes_while_it_is_in_use_is_met_with_one_sentence() {
    type Change = fn(&mut fs::File);
    let changes: [(&str, Change); 3] = [
        ("cut short", |file| file.set_len(1000).unwrap()),
        ("emptied", |file| file.set_len(0).unwrap()),
        ("longer", |file| {
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(b"more").unwrap();
        }),
    ];
    for (name, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = stored(&folder, |i| i as f32);
        let set = disk(&path).unwrap();
        set.sequence(40).unwrap();
        change(&mut OpenOptions::new().write(true).open(&path).unwrap());
        let said = refusal(set.sequence(40));
        says(
            &said,
            &[
                "x.npz: was changed while it was in use; restore it",
                "continue from the last checkpoint with --resume",
            ],
        );
        assert_eq!(said, refusal(Normalisation::fit(&set, Normalise::Scalar, 3)), "{name}");
        assert_eq!(said, refusal(set.check_ink()), "{name}");
    }
}

/// The numbers stay with whoever has the file open.
#[cfg(unix)]
#[test]
fn a_file_that_is_removed_or_replaced_while_it_is_in_use_is_still_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = stored(&folder, |i| i as f32);
    let set = disk(&path).unwrap();
    let before = set.sequence(9).unwrap().into_owned();
    let other = tempfile::tempdir().unwrap();
    fs::rename(stored(&other, |i| -(i as f32)), &path).unwrap();
    assert_eq!(*set.sequence(9).unwrap(), before);
    fs::remove_file(&path).unwrap();
    assert_eq!(*set.sequence(9).unwrap(), before);
}
