use super::mat::{PACKED, PLAIN};
use crate::common::says;
use ndarray::{Array1, Array2};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use proptest::prelude::*;
use stcn::data::{DataSet, Split, Writer};
use stcn::internals::prepare::music::{KEYS, Statistics, import};
use std::fs;
use std::io::Cursor;

/// Three pieces of one to four steps.
pub const GOOD: &str = r#"{"train": [[[60, 64], [60, 64], [], [21, 108]]], "valid": [[[60.0]]], "test": [[[60], [-1]]]}"#;

/// What the import of a file of these bytes gives, and the set that it wrote.
fn imported(bytes: &[u8]) -> stcn::Result<(Vec<Statistics>, DataSet)> {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("music"), dir.path().join("music.npz"));
    fs::write(&input, bytes).unwrap();
    let mut writer = Writer::create(&output, KEYS, &[])?;
    let mut shares = vec![];
    let statistics = import(&input, &mut writer, &mut |share| shares.push(share))?;
    assert!(shares.is_sorted() && shares.last() == Some(&1.), "{shares:?}");
    writer.finish()?;
    Ok((statistics, DataSet::open(&output, None)?))
}

fn refused(bytes: impl AsRef<[u8]>, parts: &[&str]) {
    let said = imported(bytes.as_ref()).unwrap_err().to_string();
    says(&said, parts);
    assert!(!said.contains('\n'), "{said}");
}

/// Which keys of every step sound, counted from 0.
fn keys(set: &DataSet, i: usize) -> Vec<Vec<usize>> {
    let sounding = |row: &[f32]| (0..KEYS).filter(|&key| row[key] == 1.).collect();
    set.sequence(i).unwrap().chunks_exact(KEYS).map(sounding).collect()
}

/// A flat .npz with these samples of one piece of two steps.
fn roll<T: ndarray_npy::WritableElement + Clone>(channels: usize, zero: T, one: T) -> Vec<u8> {
    let mut samples = Array2::from_elem((2, channels), zero);
    samples[[1, 39]] = one;
    flat(|npz| npz.add_array("samples", &samples).unwrap(), 2)
}

fn flat(samples: impl FnOnce(&mut NpzWriter<Cursor<Vec<u8>>>), steps: i64) -> Vec<u8> {
    let mut npz = NpzWriter::new(Cursor::new(vec![]));
    samples(&mut npz);
    npz.add_array("lengths", &Array1::from(vec![steps])).unwrap();
    npz.add_array("split", &Array1::from(vec![0_i8])).unwrap();
    npz.finish().unwrap().into_inner()
}

#[test]
fn lists_of_notes_become_rows_of_keys_in_their_parts() {
    let (statistics, set) = imported(GOOD.as_bytes()).unwrap();
    let splits: Vec<Split> = (0..3).map(|i| set.split_of(i)).collect();
    assert_eq!((set.channels(), splits), (88, Split::ALL.to_vec()));
    let none = vec![];
    assert_eq!(keys(&set, 0), [vec![39, 43], vec![39, 43], none.clone(), vec![0, 87]]);
    assert_eq!((keys(&set, 1), keys(&set, 2)), (vec![vec![39]], vec![vec![39], none]));
    let train =
        Statistics { split: Split::Train, pieces: 1, steps: 4, notes: 6, repeated: 1, longest: 4 };
    assert_eq!((statistics.len(), &statistics[0]), (3, &train));
    assert_eq!((train.notes_per_step(), train.fraction_repeated()), (1.5, 1. / 3.));
    assert_eq!(statistics[2].notes, 1);
}

#[test]
fn voices_that_share_a_note_make_one() {
    let (statistics, set) =
        imported(br#"{"train": [[[60, 60]]], "valid": [], "test": []}"#).unwrap();
    assert_eq!((keys(&set, 0), statistics.len()), (vec![vec![39]], 1));
}

#[test]
fn rolls_of_bytes_truth_values_and_floats_become_the_same_rows() {
    for bytes in [roll(88, 0_u8, 1), roll(88, false, true), roll(88, 0_f32, 1.)] {
        let (statistics, set) = imported(&bytes).unwrap();
        assert_eq!(keys(&set, 0), [vec![], vec![39]]);
        assert_eq!((statistics[0].notes, statistics[0].steps), (1, 2));
    }
}

#[test]
fn rolls_that_are_none_are_refused() {
    refused(
        roll(88, 0_u8, 64),
        &["sequence 1 has 64 in row 2, key 40, want 0 or 1", "every value above 0 as 1"],
    );
    refused(roll(88, 0_f32, 0.5), &["sequence 1 has 0.5 in row 2, key 40"]);
    refused(roll(88, 0_f32, f32::NAN), &["sequence 1, step 2, channel 40 of `samples` is NaN"]);
    refused(roll(87, 0_u8, 1), &["has 87 channels, want 88", "108"]);
    refused(roll(88, 0_i64, 1), &["`samples` has dtype '<i8', wanted '<f4'"]);
    let wrong_sum = flat(|npz| npz.add_array("samples", &Array2::<u8>::zeros((3, 88))).unwrap(), 2);
    refused(wrong_sum, &["lengths"]);
    let good = roll(88, 0_u8, 1);
    refused(&good[..good.len() / 2], &["truncated or damaged"]);
    let mut array = vec![];
    Array1::from(vec![1_u8]).write_npy(&mut array).unwrap();
    refused(array, &["is not the expected JSON"]);
}

#[test]
fn notes_that_are_none_are_refused_with_piece_and_step() {
    for (note, found) in
        [("20", "20"), ("109", "109"), ("60.5", "60.5"), ("-2", "-2"), ("1e30", "1e30")]
    {
        let text = GOOD.replace("[[60], [-1]]", &format!("[[60]], [[], [60, {note}]]"));
        let place = format!("piece 2 of test, step 2 has note {found}");
        let place = if note == "1e30" { "piece 2 of test, step 2 has note 1" } else { &place };
        refused(text, &[place, "want integers from 21 to 108 (-1: a rest)", "octaves"]);
    }
}

#[test]
fn json_of_another_shape_is_refused_with_the_shape_that_was_wanted() {
    let wanted = "want {\"train\": [...], \"valid\": [...], \"test\": [...]}";
    for (text, found) in [
        ("", "EOF while parsing"),
        ("[]", "invalid type: sequence, expected an object of splits"),
        ("{}", "missing field `train`"),
        (r#"{"train": [], "valid": []}"#, "missing field `test`"),
        (r#"{"train": [[60]], "valid": [], "test": []}"#, "invalid type: integer `60`"),
        (r#"{"train": [[["C4"]]], "valid": [], "test": []}"#, "invalid type: string \"C4\""),
        (r#"{"train": [[[NaN]]], "valid": [], "test": []}"#, "expected"),
        (r#"{"tarin": [], "valid": [], "test": []}"#, "unknown field `tarin`"),
        (r#"{"train": [], "train": []}"#, "duplicate field `train`"),
        (&GOOD[..40], "EOF while parsing"),
        (&format!("{{\"train\": {}", "[".repeat(1 << 20)), "invalid type: sequence"),
        (&format!("{GOOD} {{}}"), "trailing characters"),
    ] {
        refused(text, &["is not the expected JSON (", found, wanted]);
    }
}

#[test]
fn parts_and_pieces_without_music_are_refused() {
    let text = r#"{"train": [[[60]], []], "valid": [], "test": []}"#;
    refused(text, &["piece 2 of train has no steps", "drop the piece"]);
    refused(r#"{"train": [], "valid": [[[60]]], "test": []}"#, &["has no piece in train"]);
    let long = format!("[{}[]]", "[],".repeat(1 << 16));
    refused(
        format!("{{\"train\": [{long}], \"valid\": [], \"test\": []}}"),
        &["piece 1 of train has more than 65536 steps", "split the piece"],
    );
}

#[test]
fn pickles_are_refused_with_the_way_to_json() {
    refused(b"\x80\x02}q\x00.", &["is a pickle, which could run code", "json.dump"]);
    refused(b"(dp0\n.", &["is a pickle, which could run code", "json.dump"]);
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = |path| {
        let mut writer = Writer::create(dir.path().join("x.npz"), KEYS, &[]).unwrap();
        import(path, &mut writer, &mut |_| ()).unwrap_err().to_string()
    };
    says(&refusal(dir.path()), &["is not a file", "give the path of one"]);
    says(&refusal(&dir.path().join("nowhere")), &["cannot read", "nowhere"]);
}

#[test]
fn packed_rolls_are_unpacked_up_to_a_limit_and_stored_ones_of_any_length_are_read() {
    // 300 MB of numbers in a few hundred kB, and stored in a file that is mostly a hole.
    let pieces = 13;
    let steps = pieces << 16;
    let lengths = Array1::from(vec![1_i64 << 16; pieces]);
    let split = Array1::from(vec![0_i8; pieces]);
    let mut npz = NpzWriter::new_compressed(Cursor::new(vec![]));
    npz.add_array("samples", &Array2::<u8>::zeros((steps, KEYS))).unwrap();
    npz.add_array("lengths", &lengths).unwrap();
    npz.add_array("split", &split).unwrap();
    let bytes = npz.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 20);
    refused(
        &bytes,
        &["`samples` would take 286 MiB of memory, where 256 are allowed", "np.savez,"],
    );
    let mut npz = NpzWriter::new(Cursor::new(vec![]));
    npz.add_array("samples", &Array2::<u8>::zeros((steps, KEYS))).unwrap();
    npz.add_array("lengths", &lengths).unwrap();
    npz.add_array("split", &split).unwrap();
    let (statistics, set) = imported(&npz.finish().unwrap().into_inner()).unwrap();
    assert_eq!((statistics[0].pieces, statistics[0].steps, set.len()), (pieces, steps, pieces));
    let mut npz = NpzWriter::new(Cursor::new(vec![]));
    npz.add_array("samples", &Array2::<u8>::zeros(((1 << 16) + 1, KEYS))).unwrap();
    npz.add_array("lengths", &Array1::from(vec![(1_i64 << 16) + 1])).unwrap();
    npz.add_array("split", &Array1::from(vec![0_i8])).unwrap();
    let long = npz.finish().unwrap().into_inner();
    refused(&long, &["sequence 1 has 65537 steps, want at most 65536: split it"]);
}

#[test]
fn cells_of_matlab_become_the_same_rows_in_their_parts() {
    for bytes in [PLAIN, PACKED] {
        let (statistics, set) = imported(bytes).unwrap();
        let splits: Vec<_> = (0..set.len()).map(|i| set.split_of(i)).collect();
        use Split::{Test, Train, Valid};
        assert_eq!(splits, [Train, Train, Valid, Valid, Test]);
        let none = vec![];
        assert_eq!(keys(&set, 0), [vec![39, 43], vec![39, 43], none, vec![0, 87]]);
        assert_eq!(keys(&set, 1), [vec![5], vec![6]]);
        assert_eq!(keys(&set, 3), [vec![1], vec![2], vec![3]]);
        assert_eq!(keys(&set, 4), [vec![87]]);
        assert_eq!((statistics[0].notes, statistics[0].repeated, statistics[2].longest), (8, 1, 1));
    }
    let with = |from: &[u8], to: &[u8]| {
        let mut bytes = PLAIN.to_vec();
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
        bytes
    };
    let shape = |rows: u32, columns: u32| [rows.to_le_bytes(), columns.to_le_bytes()].concat();
    refused(
        with(&shape(4, 88), &shape(88, 4)),
        &["cell 1 of `traindata` is a matrix of 88 × 4, want one row"],
    );
    let one = 1_f64.to_le_bytes();
    let at = PLAIN.windows(9).position(|w| w == b"traindata").unwrap();
    let place = at + PLAIN[at..].windows(8).position(|w| w == one).unwrap();
    let mut bytes = PLAIN.to_vec();
    bytes[place..place + 8].copy_from_slice(&64_f64.to_le_bytes());
    refused(&bytes, &["cell 1 of `traindata` has 64 in row 4, key 1, want 0 or 1"]);
    refused(with(b"validdata", b"validdatb"), &["has no `validdata` (it holds `testdata`, "]);
}

#[test]
fn parts_come_in_one_order_whatever_the_order_of_the_text() {
    let turned = r#"{"test": [[[60], [-1]]], "valid": [[[60.0]]], "train": [[[60, 64], [60, 64], [], [21, 108]]]}"#;
    let (statistics, set) = imported(turned.as_bytes()).unwrap();
    let (expected, same) = imported(GOOD.as_bytes()).unwrap();
    assert_eq!(statistics, expected);
    assert!((0..3).all(|i| keys(&set, i) == keys(&same, i) && set.split_of(i) == same.split_of(i)));
}

/// The very file, read back: 382 chorales with the statistics that the facts about data sets give.
#[test]
fn real_chorales_have_the_figures_that_are_known_of_them() {
    let Some(path) = super::super::real("jsb/jsb_chorales.npz") else { return };
    let (statistics, set) = imported(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(set.len(), 229 + 76 + 77);
    let test = &statistics[2];
    assert_eq!((test.steps, test.longest), (4725, 160));
    let rounded = [100. * test.notes_per_step(), 1000. * test.fraction_repeated()].map(f64::round);
    assert_eq!(rounded, [389., 107.]); // 3.89 notes a step, 10.7 % repeated
    let again = DataSet::open(path, None).unwrap();
    assert!((0..set.len()).all(|i| set.sequence(i).unwrap() == again.sequence(i).unwrap()));
}

proptest! {
    #[test]
    fn bytes_near_good_ones_never_panic(bytes in crate::common::mutations(GOOD.into())) {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("music.json");
        fs::write(&input, bytes).unwrap();
        let mut writer = Writer::create(dir.path().join("music.npz"), KEYS, &[]).unwrap();
        let _ = import(&input, &mut writer, &mut |_| ());
    }
}
