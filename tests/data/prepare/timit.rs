//! TIMIT's tree in every guise, its splits, and the order of its streams.

use crate::common::recordings::{Folder, imported, ramp, ramp_rows, sequences, sphere, wav};
use crate::common::says;
use crate::data::refusal;
use stcn::data::{DataSet, Split};
use stcn::internals::prepare::folder::recordings;
use stcn::internals::prepare::timit::{
    COLUMNS, Counts, FRAME, Lists, Options, Rule, Speakers, import, seeded, speaker,
};

/// The first speakers for validation, of those that a test makes up.
const FIRST_SPEAKERS: [&str; 3] = ["train/dr1/s072", "train/dr1/s168", "train/dr1/s312"];

/// By utterance, split by the seed.
const WHOLE: Options = Options { segment: 0, streams: None, split: Rule::Utterances };

/// What comes of the folder below `input`.
fn prepared(
    folder: &Folder,
    input: &str,
    options: &Options,
) -> stcn::Result<(DataSet, Vec<String>, Counts)> {
    let input = folder.path(input);
    imported(FRAME, &COLUMNS, |writer, progress| import(&input, options, writer, progress))
}

/// Four utterances to train on, of 1 to 4 frames and a rest, and one of two frames to test on; one signal.
fn tree() -> Folder {
    let folder = Folder::new(&[]);
    let mut start = 0;
    for (name, frames) in [
        ("TRAIN/DR1/FCJF0/SA1", 1),
        ("TRAIN/DR1/FCJF0/SA2", 2),
        ("TRAIN/DR2/MABC0/SI10", 3),
        ("TRAIN/DR2/MABC0/SX9", 4),
        ("TEST/DR3/MXYZ0/SA1", 2),
    ] {
        let end = start + frames * FRAME + 77;
        folder.write(&format!("{name}.WAV"), sphere(&ramp(start, end)));
        start = end;
    }
    folder
}

fn lists(folder: &Folder, valid: &str) -> Options {
    folder.write("valid.txt", valid);
    let lists = Lists { valid: folder.path("valid.txt"), train: None, test: None };
    Options { split: Rule::Lists(lists), ..WHOLE }
}

fn lists_of(options: &mut Options) -> &mut Lists {
    match &mut options.split {
        Rule::Lists(lists) => lists,
        _ => panic!("no lists"),
    }
}

#[test]
fn utterances_become_whole_frames_and_their_tails_are_dropped() {
    let folder = tree();
    let (set, about, counts) = prepared(&folder, "", &WHOLE).unwrap();
    assert_eq!((counts.utterances, counts.elsewhere), ((4, 1), 0));
    assert_eq!((set.channels(), set.rate()), (FRAME, Some(16_000)));
    let (train, valid) = (sequences(&set, Split::Train), sequences(&set, Split::Valid));
    assert_eq!((train.len(), valid.len()), (3, 1), "a twentieth, rounded up");
    let mut lengths: Vec<_> = train.iter().chain(&valid).map(|x| x.len() / FRAME).collect();
    lengths.sort();
    assert_eq!(lengths, [1, 2, 3, 4]);
    let start = 10 * FRAME + 4 * 77;
    assert_eq!(sequences(&set, Split::Test), [ramp_rows(start, start + 2 * FRAME)]);
    assert_eq!(about[4], "5,test,2,\"TEST/DR3/MXYZ0/SA1.WAV\",\"mxyz0\"");
}

#[test]
fn letters_of_any_case_folders_above_and_converted_copies_make_no_difference() {
    let (wanted, ..) = prepared(&tree(), "", &WHOLE).unwrap();
    let (below, small, converted) = (Folder::new(&[]), Folder::new(&[]), Folder::new(&[]));
    let original = tree();
    for file in recordings(&original.path(""), &["wav"]).unwrap() {
        let bytes = std::fs::read(&file.path).unwrap();
        let samples: Vec<_> =
            bytes[1024..].as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect();
        below.write(&format!("LDC93S1/TIMIT/{}", file.name), &bytes);
        small.write(&file.name.to_lowercase(), wav(16_000, &samples));
        converted.write(&file.name, &bytes);
        converted.write(&format!("{}.wav", file.name), wav(16_000, &samples));
    }
    below.write("LDC93S1/TIMIT/TRAIN/DR1/notes.wav", "no utterance, and not read");
    for (folder, elsewhere) in [(&below, 1), (&small, 0), (&converted, 0)] {
        let (set, _, counts) = prepared(folder, "", &WHOLE).unwrap();
        assert_eq!((counts.utterances, counts.elsewhere), ((4, 1), elsewhere));
        for split in Split::ALL {
            assert_eq!(sequences(&set, split), sequences(&wanted, split), "{split}");
        }
    }
    // Everything but the folder's own name is given.
    let (set, ..) = prepared(&original, "TRAIN", &WHOLE).unwrap();
    assert_eq!(sequences(&set, Split::Train), sequences(&wanted, Split::Train));
    assert_eq!(set.split(Split::Test), [0; 0]);
}

#[test]
fn of_4620_keys_231_validate_and_always_the_same() {
    let keys: Vec<String> = (0..4620)
        .map(|i| format!("train/dr{}/s{:03}/x{}", i % 8 + 1, i / 10, i % 10))
        .chain((0..1680).map(|i| format!("test/dr1/s{i}/x")))
        .collect();
    let splits = seeded(&keys, |key| key, "timit");
    let count = |wanted| splits.values().filter(|split| **split == wanted).count();
    assert_eq!([Split::Train, Split::Valid, Split::Test].map(count), [4389, 231, 1680]);
    let valid = splits.iter().filter(|(_, split)| **split == Split::Valid);
    let first: Vec<_> = valid.map(|(key, _)| &key[..]).take(3).collect();
    assert_eq!(first, ["train/dr1/s002/x4", "train/dr1/s005/x6", "train/dr1/s035/x2"], "for ever");
    let reversed: Vec<_> = keys.iter().rev().cloned().collect();
    assert_eq!(
        seeded(&reversed, |key| key, "timit"),
        splits,
        "the order in which files are found decides nothing"
    );
}

#[test]
fn of_462_speakers_24_validate_with_all_that_they_say_and_always_the_same() {
    let keys: Vec<String> = (0..4620)
        .map(|i| format!("train/dr{}/s{:03}/x{}", i / 10 % 8 + 1, i / 10, i % 10))
        .collect();
    let splits = seeded(&keys, speaker, "timit speakers");
    let of = |wanted| {
        let some = splits.iter().filter(move |(_, split)| **split == wanted);
        some.map(|(key, _)| speaker(key)).collect::<std::collections::BTreeSet<_>>()
    };
    let (train, valid) = (of(Split::Train), of(Split::Valid));
    assert_eq!((train.len(), valid.len(), train.intersection(&valid).count()), (438, 24, 0));
    let first: Vec<_> = valid.iter().copied().take(3).collect();
    assert_eq!(first, FIRST_SPEAKERS, "for ever");
}

#[test]
fn speakers_of_training_are_counted_in_what_is_held_out() {
    let folder = tree();
    let speakers = |split| {
        let (_, _, counts) = prepared(&folder, "", &Options { split, ..WHOLE }).unwrap();
        (counts.valid, counts.test)
    };
    let test = Speakers { all: 1, in_train: 0 };
    assert_eq!(speakers(Rule::Speakers), (Speakers { all: 1, in_train: 0 }, test));
    assert_eq!(speakers(Rule::Utterances), (Speakers { all: 1, in_train: 1 }, test));
    let Rule::Lists(lists) = lists(&folder, "train/dr1/fcjf0/sa1\ntrain/dr2/mabc0/sx9").split
    else {
        panic!()
    };
    assert_eq!(speakers(Rule::Lists(lists)), (Speakers { all: 2, in_train: 2 }, test));
    // The only speaker is either to train or to validate on.
    let one = Folder::new(&[("train/dr1/a/sa1.wav", wav(16_000, &ramp(0, FRAME)))]);
    let said = refusal(prepared(&one, "", &Options { split: Rule::Speakers, ..WHOLE }));
    says(&said, &["leave none to train on", "or --split utterances if all are by one speaker"]);
}

#[test]
fn lists_decide_in_any_case_by_the_last_four_parts() {
    let folder = tree();
    let options =
        lists(&folder, "\n/home/me/timit/train/dr1/fcjf0/sa2.wav\r\nTRAIN\\DR2\\MABC0\\SX9.WAV\n");
    let (set, _, counts) = prepared(&folder, "", &options).unwrap();
    assert_eq!(counts.unlisted, 0);
    let steps = |split| sequences(&set, split).iter().map(|x| x.len() / FRAME).collect::<Vec<_>>();
    assert_eq!(Split::ALL.map(steps), [vec![1, 3], vec![2, 4], vec![2]]);

    folder.write("train.txt", "train/dr1/fcjf0/sa1");
    folder.write("test.txt", "TEST/DR3/MXYZ0/SA1.WAV\ntrain/dr2/mabc0/si10\n");
    let (train, test) = (Some(folder.path("train.txt")), Some(folder.path("test.txt")));
    let valid = folder.path("valid.txt");
    let some = |train, test| {
        let lists = Lists { valid: valid.clone(), train, test };
        prepared(&folder, "", &Options { split: Rule::Lists(lists), ..WHOLE }).unwrap()
    };
    let (set, _, counts) = some(train.clone(), test);
    let steps = |split| sequences(&set, split).iter().map(|x| x.len() / FRAME).collect::<Vec<_>>();
    assert_eq!(
        Split::ALL.map(steps),
        [vec![1], vec![2, 4], vec![2, 3]].map(|mut x| {
            x.sort();
            x
        })
    );
    assert_eq!(counts.unlisted, 0);
    let (_, _, counts) = some(train, None);
    assert_eq!(counts.unlisted, 1, "si10 is neither to train nor to validate on");
}

#[test]
fn lists_that_name_what_is_not_there_or_name_it_twice_are_refused() {
    let folder = tree();
    let said = |options: &Options| refusal(prepared(&folder, "", options));
    let options = lists(&folder, "train/dr1/fcjf0/sa1\n\ntrain/dr1/fcjf0/sa3.wav\n");
    let parts = ["valid.txt: line 3 names train/dr1/fcjf0/sa3, which is not there", "--input"];
    says(&said(&options), &parts);
    let options = lists(&folder, "sa1.wav\n");
    says(
        &said(&options),
        &["line 1 is \"sa1.wav\"", "TRAIN/DR1/FCJF0/SA1.WAV", "last four components"],
    );
    let mut options = lists(&folder, "train/dr1/fcjf0/sa1\n");
    lists_of(&mut options).test = Some(folder.path("valid.txt"));
    let parts = ["line 1 names train/dr1/fcjf0/sa1, which is in the list of test too", "delete"];
    says(&said(&options), &parts);
    lists_of(&mut options).valid = folder.path("none.txt");
    says(&said(&options), &["cannot read", "none.txt"]);
}

#[test]
fn train_and_valid_are_joined_and_cut_and_test_is_not() {
    let folder = tree();
    let options = Options { segment: 3, ..lists(&folder, "train/dr2/mabc0/sx9") };
    let (set, about, _) = prepared(&folder, "", &options).unwrap();
    // 6 frames and three rests of 77 samples make 7 whole frames: two pieces.
    let piece = 3 * FRAME;
    let train: Vec<_> = (0..2).map(|p| ramp_rows(p * piece, (p + 1) * piece)).collect();
    assert_eq!(sequences(&set, Split::Train), train);
    let start = 6 * FRAME + 3 * 77;
    assert_eq!(sequences(&set, Split::Valid), [ramp_rows(start, start + piece)]);
    assert_eq!(set.length(3), 2, "test by utterance");
    assert_eq!(about[1], "2,train,3,\"TRAIN/DR1/FCJF0/SA2.WAV\",\"fcjf0\"", "where it begins");
    let said = refusal(prepared(&folder, "", &Options { segment: 5, ..options }));
    says(
        &said,
        &["has 4 frames of 200 samples in valid, wanted at least one piece of 5", "--segment"],
    );
}

/// One utterance to train on, as many frames long as asked for, and one to validate.
fn long(frames: usize) -> (Folder, Options) {
    let folder = Folder::new(&[
        ("train/dr1/a/sa1.wav", wav(16_000, &ramp(0, frames * FRAME))),
        ("train/dr1/b/sa1.wav", wav(16_000, &ramp(0, 2570 * FRAME))),
    ]);
    let options = lists(&folder, "train/dr1/b/sa1");
    (folder, options)
}

#[test]
fn streams_go_on_from_batch_to_batch_and_no_frame_comes_twice() {
    let (folder, options) = long(5 * 2560 + 41);
    let options = Options { segment: 40, streams: Some(64), ..options };
    let (set, ..) = prepared(&folder, "", &options).unwrap();
    let train = sequences(&set, Split::Train);
    assert_eq!(train.len(), 5 * 64);
    for i in 0..5 {
        for j in 0..64 {
            let from = (j * 5 + i) * 40 * FRAME;
            assert!(train[i * 64 + j] == ramp_rows(from, from + 40 * FRAME), "batch {i}, slot {j}");
        }
    }
    assert_eq!(sequences(&set, Split::Valid).len(), 64);
}

#[test]
fn frames_that_fill_all_streams_lose_one_and_so_a_batch_as_published() {
    for (frames, batches) in [(2 * 2560 - 1, 1), (2 * 2560, 1), (2 * 2560 + 1, 2)] {
        let (folder, options) = long(frames);
        let options = Options { segment: 40, streams: Some(64), ..options };
        let (set, ..) = prepared(&folder, "", &options).unwrap();
        assert_eq!(sequences(&set, Split::Train).len(), batches * 64, "{frames} frames");
    }
    // Without streams nothing has to be dropped.
    let (folder, options) = long(80);
    let (set, ..) = prepared(&folder, "", &Options { segment: 40, ..options }).unwrap();
    assert_eq!(sequences(&set, Split::Train).len(), 2);
}

#[test]
fn utterances_without_a_whole_frame_are_counted() {
    let folder = tree();
    folder.write("test/dr1/mabc0/sa2.wav", sphere(&ramp(0, 199)));
    folder.write("test/dr1/mabc0/sa3.wav", sphere(&[]));
    let (set, _, counts) = prepared(&folder, "", &WHOLE).unwrap();
    assert_eq!((counts.short, counts.utterances), (2, (4, 3)));
    assert_eq!(set.split(Split::Test).len(), 1);
}

#[test]
fn other_trees_and_other_recordings_are_refused() {
    let folder = Folder::new(&[("dr1-fvmh0/sa1.wav", wav(16_000, &[1])), ("a.wav", vec![])]);
    let said = |folder: &Folder| refusal(prepared(folder, "", &WHOLE));
    says(
        &said(&folder),
        &["has 2 recordings, but none like TRAIN/DR1/", "`stcn data prepare wav`"],
    );
    let folder = tree();
    folder.write("copy/train/dr1/fcjf0/sa1.wav", wav(16_000, &[1]));
    says(
        &said(&folder),
        &["holds train/dr1/fcjf0/sa1 twice", "copy/train", "give the folder of one copy"],
    );
    let folder = tree();
    folder.write("TEST/DR1/FAAA0/SA1.WAV", wav(8000, &[1]));
    says(&said(&folder), &["SA1.WAV: has 1 channel(s) of 16 bits at 8000 Hz, wanted"]);
    let folder = tree();
    let mut bytes = sphere(&ramp(0, 400));
    bytes[1100] = 0x7f;
    bytes[1101] = 0x7f;
    folder.write("TEST/DR1/FAAA0/SA1.WAV", bytes);
    says(&said(&folder), &["SA1.WAV: has samples from 0 to 32639, but its header says 0 to 399"]);
}
