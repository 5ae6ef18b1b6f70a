//! What is written sequence by sequence: read by others, by us from memory and from the disk, or not there at all.

use super::refusal;
use crate::common::recordings::meta;
use crate::common::says;
use ndarray::{Array0, Array1, Array2, array};
use stcn::data::{DataSet, Dtype, Normalisation, Normalise, Split, Writer};
use stcn::internals::npz::Flat;
use std::fs;
use std::path::Path;

/// Three sequences of two channels, the second one's whole numbers at the ends of 16 bits.
const SEQUENCES: [(&[f32], Split); 3] = [
    (&[1., 2., 3., -4.], Split::Train),
    (&[-32768., 32767.], Split::Test),
    (&[5., 6., 7., 8., 9., 10.], Split::Train),
];

fn fill(writer: &mut Writer) {
    for (i, (rows, split)) in SEQUENCES.iter().enumerate() {
        assert_eq!((writer.len(), writer.is_empty()), (i, i == 0));
        writer.push(rows, *split, &[]).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn other_readers_read_what_was_pushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create(&path, 2, &[]).unwrap();
    fill(&mut writer);
    writer.finish().unwrap();
    let mut reader = ndarray_npy::NpzReader::new(fs::File::open(&path).unwrap()).unwrap();
    let samples: Array2<f32> = reader.by_name("samples").unwrap();
    assert_eq!(samples.as_slice().unwrap(), SEQUENCES.map(|(rows, _)| rows).concat());
    assert_eq!(samples.shape(), [6, 2]);
    let lengths: Array1<i64> = reader.by_name("lengths").unwrap();
    assert_eq!(lengths, array![2, 1, 3]);
    let split: Array1<i8> = reader.by_name("split").unwrap();
    assert_eq!(split, array![0, 2, 0]);

    let mut writer = Writer::create_as(Dtype::I2, &path, 2, &[]).unwrap();
    fill(&mut writer);
    writer.set_rate(8000);
    writer.finish().unwrap();
    let mut reader = ndarray_npy::NpzReader::new(fs::File::open(&path).unwrap()).unwrap();
    let rate: Array0<i64> = reader.by_name("rate").unwrap();
    assert_eq!(rate.into_scalar(), 8000);
    let whole: Array2<i16> = reader.by_name("samples").unwrap();
    assert_eq!(whole.mapv(f32::from), samples);
}

#[test]
fn we_read_the_same_numbers_from_memory_and_from_the_disk_in_every_width() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for dtype in [Dtype::F4, Dtype::I2] {
        let mut writer = Writer::create_as(dtype, &path, 2, &[]).unwrap();
        fill(&mut writer);
        writer.finish().unwrap();
        let memory = DataSet::open(&path, None).unwrap();
        let disk = DataSet::open_within(&path, None, 0).unwrap();
        assert!(disk.bytes_in_memory() < memory.bytes_in_memory());
        assert_eq!(disk.fingerprint(), memory.fingerprint());
        for (i, (rows, split)) in SEQUENCES.iter().enumerate() {
            for set in [&memory, &disk] {
                assert_eq!(&*set.sequence(i).unwrap(), *rows);
                assert_eq!(set.split_of(i), *split);
            }
        }
        assert_eq!(*disk.rows(2, 1, 1).unwrap(), [7., 8.]);
    }
}

#[test]
fn whole_numbers_take_a_half_or_a_quarter_of_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let size = |dtype| {
        let path = folder.path().join("x.npz");
        let mut writer = Writer::create_as(dtype, &path, 1, &[]).unwrap();
        writer.push(&[7.; 10_000], Split::Train, &[]).unwrap();
        writer.finish().unwrap();
        fs::metadata(path).unwrap().len()
    };
    assert_eq!([Dtype::I2, Dtype::U1].map(|dtype| size(Dtype::F4) - size(dtype)), [20_000, 30_000]);
}

#[test]
fn the_same_pushes_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.npz", "b.npz"].map(|name| {
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path, 2, &[]).unwrap();
        fill(&mut writer);
        writer.finish().unwrap();
        fs::read(path).unwrap()
    });
    assert!(a == b);
}

#[test]
fn figures_are_those_of_the_train_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create(&path, 2, &[]).unwrap();
    fill(&mut writer);
    let written = writer.finish().unwrap();
    assert_eq!(written.file, path);
    let set = DataSet::open(&path, None).unwrap();
    let splits = [Split::Train, Split::Test].map(|split| set.summary(split).unwrap());
    assert_eq!(written.splits, splits);
    let each = Normalisation::fit(&set, Normalise::PerChannel, 2).unwrap();
    let of_channels: Vec<_> = each.mean.into_iter().zip(each.std).collect();
    assert_eq!(written.channels, of_channels);
    let all = Normalisation::fit(&set, Normalise::Scalar, 2).unwrap();
    // Another order of the same few sums in f64.
    assert!((written.scalar.0 - all.mean[0]).abs() < 1e-12);
    assert!((written.scalar.1 - all.std[0]).abs() < 1e-12);
}

#[test]
fn a_constant_channel_keeps_its_place_in_the_figure_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(folder.path().join("x.npz"), 2, &[]).unwrap();
    writer.push(&[0., 5., 2., 5.], Split::Train, &[]).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!(written.channels, [(1., 1.), (5., 0.)]);
    assert_eq!(written.scalar, (3., 4.5_f64.sqrt())); // of 0, 5, 2, 5
}

#[test]
fn what_is_known_of_each_sequence_is_in_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create(&path, 1, &["writer", "text"]).unwrap();
    writer.push(&[1., 2.], Split::Train, &["07", "say \"a, b\""]).unwrap();
    writer.push(&[3.], Split::Valid, &["08", ""]).unwrap();
    writer.finish().unwrap();
    assert_eq!(
        meta(&path),
        "index,split,steps,writer,text\n1,train,2,\"07\",\"say \"\"a, b\"\"\"\n2,valid,1,\"08\",\"\"\n"
    );
    assert_eq!(names(folder.path()), ["x.npz"]);
    let set = DataSet::open(&path, None).unwrap();
    assert_eq!([0, 1].map(|i| set.sequence(i).unwrap().into_owned()), [vec![1., 2.], vec![3.]]);
}

#[test]
fn nothing_is_left_of_what_is_not_finished_or_refused_and_an_older_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    fs::write(&path, "older").unwrap();
    let begin = || Writer::create(&path, 1, &["text"]).unwrap();
    let mut writer = begin();
    writer.push(&[1.], Split::Train, &["a"]).unwrap();
    assert_eq!(names(folder.path()).len(), 2, "under way beside the older one");
    drop(writer);
    assert_eq!(names(folder.path()), ["x.npz"]);
    let refused = |rows: &[f32], split| {
        let mut writer = begin();
        writer.push(rows, split, &["a"]).unwrap();
        refusal(writer.finish())
    };
    let file = path.display().to_string();
    let said = refused(&[1., f32::NAN], Split::Train);
    says(&said, &[&file, ": sequence 1, step 2, channel 1 of `samples` is NaN, wanted finite"]);
    says(&refused(&[1.], Split::Test), &[&file, "`split` has no 0 (train)"]);
    says(&refused(&[], Split::Train), &[&file, "`lengths` has 1 entries, more than the 0 steps"]);
    says(&refusal(begin().finish()), &[&file, "`lengths` is empty, wanted at least one sequence"]);
    assert_eq!(names(folder.path()), ["x.npz"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "older");
}

#[test]
fn a_set_that_finds_no_place_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create(&path, 1, &["text"]).unwrap();
    writer.push(&[1.], Split::Train, &["a"]).unwrap();
    fs::create_dir(&path).unwrap(); // so that the set cannot take its name
    says(&refusal(writer.finish()), &["cannot write ", "x.npz: "]);
    assert_eq!(names(folder.path()), ["x.npz"]);
}

#[test]
fn what_a_killed_program_left_is_swept_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let left = folder.path().join(".x.npz.tmp");
    fs::write(&left, "half").unwrap();
    let writer = Writer::create(&path, 1, &["text"]).unwrap();
    assert_eq!(writer.leftover(), Some(left.as_path()));
    drop(writer);
    assert_eq!(names(folder.path()), [""; 0]);
    assert_eq!(Writer::create(&path, 1, &[]).unwrap().leftover(), None);
}

#[test]
fn what_16_bits_do_not_hold_is_refused_and_not_rounded() {
    let folder = tempfile::tempdir().unwrap();
    for x in [0.5, 32768., -32769., f32::NAN, f32::INFINITY] {
        let mut writer = Writer::create_as(Dtype::I2, folder.path().join("x.npz"), 1, &[]).unwrap();
        writer.push(&[1.], Split::Train, &[]).unwrap();
        let said = refusal(writer.push(&[2., x], Split::Train, &[]));
        says(
            &said,
            &[
                "x.npz: holds integers from −32768 to 32767, but sequence 2 has ",
                &x.to_string(),
                "; scale and round the samples first",
            ],
        );
    }
}

#[test]
fn what_8_bits_do_not_hold_is_refused_and_the_rest_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for x in [0.5, 256., -1., f32::NAN] {
        let mut writer = Writer::create_as(Dtype::U1, &path, 1, &[]).unwrap();
        let said = refusal(writer.push(&[x], Split::Train, &[]));
        says(&said, &["integers from 0 to 255, but sequence 1 has ", &x.to_string()]);
    }
    let mut writer = Writer::create_as(Dtype::U1, &path, 2, &[]).unwrap();
    writer.push(&[0., 1., 255., 7.], Split::Train, &[]).unwrap();
    writer.finish().unwrap();
    for most_bytes in [0, 1 << 30] {
        let set = DataSet::open_within(&path, None, most_bytes).unwrap();
        assert_eq!(set.sequence(0).unwrap()[..], [0., 1., 255., 7.]);
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let said = refusal(Writer::create("/nowhere/x.npz", 1, &[]).map(drop));
    says(&said, &["cannot write /nowhere/x.npz: "]);
}

#[test]
fn whole_numbers_of_16_bits_read_as_those_of_numpy_do() {
    // Written by another hand, deflated: `<i2` is a dtype of the format, not of our writer.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let file = fs::File::create(&path).unwrap();
    let mut writer = ndarray_npy::NpzWriter::new_compressed(file);
    writer.add_array("samples", &array![[1_i16, -2], [i16::MIN, i16::MAX]]).unwrap();
    writer.add_array("lengths", &array![2_i64]).unwrap();
    writer.finish().unwrap();
    let flat = crate::data::npz::read(&path).unwrap().0;
    let samples = vec![1., -2., -32768., 32767.];
    assert_eq!(flat, Flat { channels: 2, samples, lengths: vec![2], split: None, rate: None });
}

#[test]
fn a_rate_that_no_sound_has_is_refused_at_the_end_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(folder.path().join("x.npz"), 2, &[]).unwrap();
    fill(&mut writer);
    writer.set_rate(999);
    let said = refusal(writer.finish());
    says(&said, &["x.npz: `rate` is 999, wanted samples of sound per second"]);
    assert_eq!(names(folder.path()), [""; 0]);
}
