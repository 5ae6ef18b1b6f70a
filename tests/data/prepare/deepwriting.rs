//! DeepWriting in both layouts, pickled by numpy itself; `../fixtures/deepwriting.py` made the files.

use crate::common::recordings::meta;
use crate::common::{mutations, says};
use crate::data::refusal;
use proptest::prelude::*;
use stcn::data::{DataSet, Split, Writer};
use stcn::internals::prepare::deepwriting::{COLUMNS, Report, import};
use stcn::internals::unzip::Archive;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub const V1: &[u8] = include_bytes!("../fixtures/v1_4_training.npz");
pub const V1_VALID: &[u8] = include_bytes!("../fixtures/v1_4_validation.npz");
const V1_2: &[u8] = include_bytes!("../fixtures/v1_2_training.npz");
const V1_3: &[u8] = include_bytes!("../fixtures/v1_3_training.npz");
const V1_5: &[u8] = include_bytes!("../fixtures/v1_5_training.npz");
const V2: &[u8] = include_bytes!("../fixtures/v2_training.npz");
const V2_VALID: &[u8] = include_bytes!("../fixtures/v2_validation.npz");

const NAMES: [&str; 2] = ["deepwriting_training.npz", "deepwriting_validation.npz"];

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
    dir
}

fn imported_from(input: &Path) -> stcn::Result<(Report, TempDir, PathBuf)> {
    imported_only(input, None)
}

fn imported_only(input: &Path, only: Option<Split>) -> stcn::Result<(Report, TempDir, PathBuf)> {
    let out = TempDir::new().unwrap();
    let path = out.path().join("out.npz");
    let mut writer = Writer::create(&path, 3, &COLUMNS)?;
    let mut shares = vec![0.];
    let report = import(input, only, &mut writer, &mut |share| shares.push(share))?;
    assert!(shares.is_sorted() && *shares.last().unwrap() == 1., "{shares:?}");
    writer.finish()?;
    Ok((report, out, path))
}

/// What is made of these files in a folder.
pub fn imported(files: &[(&str, &[u8])]) -> stcn::Result<(Report, TempDir, PathBuf)> {
    imported_from(folder(files).path())
}

/// What stands behind index, split and steps of each sequence.
pub fn words_of(path: &Path) -> Vec<String> {
    meta(path).lines().skip(1).map(|line| line.splitn(4, ',').last().unwrap().to_string()).collect()
}

fn refused(train: &[u8], valid: &[u8]) -> String {
    refusal(imported(&[(NAMES[0], train), (NAMES[1], valid)]))
}

/// Rows dx = (first + t)/1000, dy = t/500, a pen lifted at the end; in the files, dy points down.
fn near(rows: &[f32], first: usize, steps: usize) {
    assert_eq!(rows.len(), 3 * steps);
    for (t, row) in rows.chunks_exact(3).enumerate() {
        let (dx, dy) = ((first + t) as f32 / 1000., t as f32 / 500.);
        let pen = f32::from(u8::from(t + 1 == steps));
        assert!((row[0] - dx).abs() < 1e-7 && (row[1] - dy).abs() < 1e-7, "{t}: {row:?} {dx} {dy}");
        assert_eq!(row[2], pen);
    }
}

/// An .npz with one member changed or, if it is empty, left out.
fn with(npz: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = Archive::new(Cursor::new(npz)).unwrap();
    let names: Vec<_> =
        archive.names().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect();
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for member in names {
        let mut bytes = vec![];
        archive.member(&member).unwrap().read_to_end(&mut bytes).unwrap();
        if member == format!("{name}.npy") {
            bytes = content.to_vec();
        }
        if !bytes.is_empty() {
            zip.start_file(&member, SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

fn npy(descr: &str, shape: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), content].concat()
}

#[test]
fn version_1_of_every_protocol_is_undone_and_loses_its_rows_of_nothing() {
    for train in [V1_2, V1_3, V1, V1_5] {
        let (report, _out, path) = imported(&[(NAMES[0], train), (NAMES[1], V1_VALID)]).unwrap();
        assert_eq!(report, Report { version: 1, dropped: true });
        let set = DataSet::open(&path, None).unwrap();
        set.check_ink().unwrap();
        for (i, (first, steps)) in
            [(0, 4), (10, 5), (20, 6), (0, 3), (10, 4)].into_iter().enumerate()
        {
            near(&set.sequence(i).unwrap(), first, steps);
        }
        assert_eq!(set.split(Split::Valid), [3, 4]);
        assert!(set.split(Split::Test).is_empty());
    }
}

#[test]
fn version_2_is_taken_as_it_is() {
    let (report, _out, path) = imported(&[
        ("deepwriting_v2_training.npz", V2),
        ("deepwriting_v2_validation.npz", V2_VALID),
    ])
    .unwrap();
    assert_eq!(report, Report { version: 2, dropped: true });
    let set = DataSet::open(&path, None).unwrap();
    for (i, (first, steps)) in [(0, 2), (1, 3), (2, 4), (0, 5)].into_iter().enumerate() {
        near(&set.sequence(i).unwrap(), first, steps);
    }
    assert_eq!(set.sequence(0).unwrap()[1].to_bits(), 0, "a dy of 0 is +0");
    assert_eq!(words_of(&path), ["\"\",\"t\""; 4]);
}

#[test]
fn first_rows_are_kept_if_one_of_them_says_something() {
    // Another mean: no row equals −mean/std any more.
    let mean = [0.5_f32, 0., 0.].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let valid = with(V1_VALID, "mean", &npy("<f4", "(3,)", &mean));
    let (report, _out, path) = imported(&[(NAMES[0], V1), (NAMES[1], &valid)]).unwrap();
    assert!(!report.dropped);
    assert_eq!(DataSet::open(&path, None).unwrap().length(0), 5);
}

#[test]
fn one_file_of_the_two_names_the_other() {
    let both = folder(&[(NAMES[0], V1), (NAMES[1], V1_VALID)]);
    let read = |input: &Path| {
        let (_, _out, path) = imported_from(input).unwrap();
        fs::read(path).unwrap()
    };
    let expected = read(both.path());
    assert!(NAMES.iter().all(|name| read(&both.path().join(name)) == expected));

    let said = refusal(imported(&[(NAMES[0], V1)]));
    says(
        &said,
        &["deepwriting_validation.npz: does not exist", "download it too", "with --only train"],
    );
    let alone = folder(&[(NAMES[1], V1_VALID)]);
    let said = refusal(imported_from(&alone.path().join(NAMES[1])));
    says(&said, &["deepwriting_training.npz: does not exist", "wanted the training file"]);
    says(
        &refusal(imported_from(alone.path())),
        &["holds no training file", "deepwriting_v2_training"],
    );
    let two = folder(&[(NAMES[0], V1), ("deepwriting_v2_training.npz", V2)]);
    says(&refusal(imported_from(two.path())), &["more than one training file", "v2_training.npz"]);
    let said = refusal(imported_from(Path::new("nowhere/strokes.npz")));
    says(&said, &["nowhere/strokes.npz: does not exist"]);
    let named = folder(&[("strokes.npz", V1)]);
    let said = refusal(imported_from(&named.path().join("strokes.npz")));
    says(&said, &["strokes.npz: has neither training nor validation in its name"]);
}

#[test]
fn one_file_alone_is_imported_if_it_is_asked_for() {
    let both = folder(&[(NAMES[0], V1), (NAMES[1], V1_VALID)]);
    for (only, name, lengths) in
        [(Split::Train, NAMES[0], vec![4, 5, 6]), (Split::Valid, NAMES[1], vec![3, 4])]
    {
        let bytes = if only == Split::Train { V1 } else { V1_VALID };
        let alone = folder(&[(name, bytes)]);
        let inputs = [
            both.path().into(),
            both.path().join(NAMES[0]),
            alone.path().into(),
            alone.path().join(name),
        ];
        for input in inputs {
            let (report, _out, path) = imported_only(&input, Some(only)).unwrap();
            assert_eq!(report, Report { version: 1, dropped: true });
            let set = DataSet::open(&path, None).unwrap();
            assert_eq!((0..set.len()).map(|i| set.length(i)).collect::<Vec<_>>(), lengths);
            assert_eq!(set.split(Split::Train).len(), set.len());
        }
    }
    let said = refusal(imported_only(both.path(), Some(Split::Test)));
    says(&said, &["--only test: DeepWriting has no test part, want train or valid"]);
    let alone = folder(&[(NAMES[1], V1_VALID)]);
    let said = refusal(imported_only(&alone.path().join(NAMES[1]), Some(Split::Train)));
    says(&said, &["deepwriting_training.npz: does not exist", "alone with --only valid"]);
}

#[test]
fn a_file_and_its_copy_are_not_trained_and_validated_on() {
    let said = refused(V1, V1);
    says(&said, &["deepwriting_validation.npz: has the same bytes as", "deepwriting_training.npz"]);
    says(&said, &["download both files again, or import this one alone with --only train"]);
    let mut other = V1.to_vec();
    other.extend(b"."); // another length
    assert!(!refused(V1, &other).contains("same bytes"));
}

#[test]
fn what_is_no_deepwriting_is_refused() {
    says(&refused(V1, V2_VALID), &["is not of version 1 like", "both files of one release"]);
    says(&refused(&with(V1, "strokes", b""), V1_VALID), &["has neither `strokes` nor `samples`"]);
    says(&refused(&with(V1, "mean", b""), V1_VALID), &["has neither `mean` and `std`", "units"]);
    says(&refused(b"PK", V1_VALID), &[NAMES[0], "cannot be read as an .npz"]);
    says(&refused(V1, &V1_VALID[..2000]), &[NAMES[1], "cannot be read as an .npz"]);
    let zeros = npy("<f4", "(3,)", &[0; 12]);
    says(
        &refused(&with(V1, "std", &zeros), V1_VALID),
        &["`std` is not three positive standard deviations"],
    );
    let text = npy("<U1", "(3,)", &[0; 12]);
    says(&refused(&with(V1, "std", &text), V1_VALID), &["`std` is an array of dtype <U1"]);
    let flat = npy("<f4", "(2, 3)", &[0; 24]);
    says(
        &refused(&with(V1, "strokes", &flat), V1_VALID),
        &["`strokes` is of dtype '<f4', wanted '|O'"],
    );
    let object = |pickle: &[u8]| with(V1, "strokes", &npy("|O", "(1,)", pickle));
    let said = refused(&object(b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R."), V1_VALID);
    says(&said, &["`strokes` is a pickle with the function posix.system", "no code is run"]);
    says(&refused(&object(b"\x80\x02]."), V1_VALID), &["`strokes` is not an array of sequences"]);
    says(
        &refused(&object(b"\x80\x02]Na."), V1_VALID),
        &["sequence 1 of `strokes` is not an array"],
    );
    // A standardised pen, and a number that is none.
    let strange = |row: [f32; 3]| {
        let numbers: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
        let array = b"\x80\x02]cnumpy.core.numeric\n_frombuffer\n(C\x0c";
        let rest = b"cnumpy\ndtype\nU\x02f4\x85RK\x01K\x03\x86U\x01CtRa.";
        refused(&object(&[&array[..], &numbers, rest].concat()), V1_VALID)
    };
    says(&strange([0., 0., 0.5]), &["sequence 1", "0.5] in row 1", "a pen that is 0 or 1"]);
    says(&strange([f32::NAN, 0., 0.]), &["sequence 1", "NaN", "in row 1"]);
}

#[test]
fn one_array_named_many_times_is_refused() {
    let array = b"\x80\x02](cnumpy.core.numeric\n_frombuffer\n(C\x0c\0\0\0\0\0\0\0\0\0\0\0\0";
    let rest = b"cnumpy\ndtype\nU\x02f4\x85RK\x01K\x03\x86U\x01CtRq\0";
    let pickle = [&array[..], rest, &b"h\0".repeat(1000), b"e."].concat();
    let said = refused(&with(V1, "strokes", &npy("|O", "(1001,)", &pickle)), V1_VALID);
    says(&said, &["the same array as many others"]);
}

#[test]
fn what_does_not_suit_the_strokes_is_not_unpacked() {
    // Two million numbers in the place of three texts, whose packed bytes are damaged: nobody looks at them.
    let mut numbers = vec![0; 8_000_000];
    numbers
        .iter_mut()
        .step_by(50)
        .zip(1_u32..)
        .for_each(|(byte, i)| *byte = (i.wrapping_mul(i) >> 3) as u8);
    let mut train = with(V1, "texts", &npy("<f4", "(2000000,)", &numbers));
    let (header, middle) = (train.windows(9).position(|w| w == b"texts.npy").unwrap(), 50_000);
    train[header + middle..header + middle + 1000].fill(0xff);
    let (_, _out, path) = imported(&[(NAMES[0], &train), (NAMES[1], V1_VALID)]).unwrap();
    let words = words_of(&path);
    assert!(words[..3].iter().all(|words| words.ends_with(",\"\"")), "{words:?}");
    // As many as there are strokes have to be whole.
    let train = with(V1, "texts", &npy("<f4", "(3,)", &[0; 16]));
    says(&refused(&train, V1_VALID), &["`texts` is an array of shape [3] with 16 bytes"]);
}

#[test]
fn a_few_kilobytes_cannot_ask_for_gigabytes() {
    let said = |name: &str, array: Vec<u8>| refused(&with(V1, name, &array), V1_VALID);
    let object = |pickle: Vec<u8>| npy("|O", "(3,)", &[b"\x80\x02".to_vec(), pickle].concat());
    // A pickle that is too long for its packed bytes, one that makes too much of them, and numbers without end.
    let parts = ["`strokes` is an array of 6000003 bytes, wanted at most 4", " at most"];
    says(&said("strokes", object([vec![b']'; 6_000_000], vec![b'.']].concat())), &parts);
    let parts = ["`strokes` is a pickle with more than 1", " instructions"];
    says(&said("strokes", object([vec![b']'; 2_000_000], vec![b'.']].concat())), &parts);
    let zeros = npy("<f4", "(100000,)", &[0; 400_000]);
    says(&said("mean", zeros), &["`mean` is an array of 400000 bytes, wanted at most 65536"]);
    // One word, handed to four thousand sequences that are one and empty.
    let array = b"\x80\x02](cnumpy.core.numeric\n_frombuffer\n(C\0cnumpy\ndtype\nU\x02f4\x85RK\0K\x03\x86U\x01CtRq\0";
    let many = [&array[..], &b"h\0".repeat(3999), b"e."].concat();
    let strokes = with(V1, "strokes", &npy("|O", "(4000,)", &many));
    let word = [b"\x80\x02](X\xe8\x03\0\0".to_vec(), vec![b'a'; 1000], b"q\0".to_vec()].concat();
    let words = [word, b"h\0".repeat(3999), b"e.".to_vec()].concat();
    let both = with(&strokes, "texts", &npy("|O", "(4000,)", &words));
    let said = refused(&both, V1_VALID);
    says(&said, &["`texts` is text of more than 10", " bytes in all"]);
    // A text of a megabyte each, of which no more is read than is shown.
    let texts = [b"b\0\0\0".repeat(3), vec![0; 3 << 22]].concat();
    let width = texts.len() / 12;
    let train = with(V1, "texts", &npy(&format!("<U{width}"), "(3,)", &texts));
    let (_, _out, path) = imported(&[(NAMES[0], &train), (NAMES[1], V1_VALID)]).unwrap();
    assert!(words_of(&path)[0].ends_with(",\"bbb\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn files_a_little_beside_a_good_one_are_read_or_refused(bytes in mutations(V1.to_vec())) {
        let _ = imported(&[(NAMES[0], &bytes), (NAMES[1], V1_VALID)]);
    }
}
