//! What the arrays have to say together; splits, counts and tasks.

use super::{counting, real, refusal};
use stcn::data::{DataSet, MissingSplit, Split};
use stcn::internals::npz::{self, Flat};
use std::path::Path;

/// The sentence about a file of these arrays, without its folder.
fn refused(flat: &Flat, missing: Option<MissingSplit>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    npz::write(&path, flat).unwrap();
    let said = refusal(DataSet::open(&path, missing));
    let name = path.display().to_string();
    assert!(said.starts_with(&name), "{said}");
    said.replace(&name, "x.npz")
}

/// Two channels; sequences of 1 and 2 steps.
pub fn good() -> Flat {
    Flat {
        channels: 2,
        samples: vec![1., 2., 3., 4., 5., 6.],
        lengths: vec![1, 2],
        split: Some(vec![0, 2]),
        rate: None,
    }
}

#[test]
fn a_set_gives_its_sequences_back() {
    let sequences = vec![vec![1., 2.], vec![3., 4., 5., 6.], vec![7., 8.]];
    let set = DataSet::from_parts("mine", 2, sequences, Some(vec![0, 2, 0])).unwrap();
    assert_eq!((set.name(), set.len(), set.channels()), (Path::new("mine"), 3, 2));
    assert_eq!(*set.sequence(1).unwrap(), [3., 4., 5., 6.]);
    assert_eq!((set.length(1), set.split_of(1)), (2, Split::Test));
    assert_eq!(set.split(Split::Train), [0, 2]);
    assert_eq!(set.split(Split::Valid), [0; 0]);
    assert_eq!((set.steps(Split::Train), set.steps(Split::Test)), (2, 2));
    assert!(!set.is_empty());
}

#[test]
fn saving_and_opening_gives_the_same_set_with_the_files_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let set = counting(&[3, 1, 2], Some(vec![0, 1, 2]));
    set.save(&path).unwrap();
    let back = DataSet::open(&path, None).unwrap();
    for i in 0..3 {
        assert_eq!(back.sequence(i).unwrap(), set.sequence(i).unwrap());
        assert_eq!(back.split_of(i), set.split_of(i));
    }
    assert_eq!(back.fingerprint(), crate::data::npz::read(&path).unwrap().1);
}

#[test]
fn sound_keeps_its_rate_and_one_that_no_sound_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let rate = |set: DataSet| {
        set.save(&path).unwrap();
        DataSet::open(&path, Some("all-train".parse().unwrap())).unwrap().rate()
    };
    assert_eq!(rate(counting(&[3], None)), None);
    for known in [1000, 8000, 768_000] {
        assert_eq!(rate(counting(&[3], None).with_rate(known).unwrap()), Some(known));
    }
    for other in [0, 999, 768_001] {
        assert_eq!(
            refusal(counting(&[3], None).with_rate(other)),
            format!(
                "counting: `rate` is {other}, wanted samples of sound per second, 1000 to 768000; correct it, or leave it \
                 out if the data are not sound"
            )
        );
    }
    let said = refused(&Flat { rate: Some(-8000), ..good() }, None);
    assert!(said.contains("`rate` is -8000, wanted"), "{said}");
}

#[test]
fn the_fingerprint_of_a_set_in_memory_knows_numbers_lengths_and_splits() {
    let prints = [
        counting(&[1, 2], None),
        counting(&[2, 1], None),
        counting(&[1, 2], Some(vec![0, 0])),
        counting(&[1, 2], Some(vec![0, 1])),
        counting(&[1, 3], None),
    ]
    .map(|set| set.fingerprint().to_string());
    for (i, print) in prints.iter().enumerate() {
        assert_eq!(print.len(), 64);
        assert!(!prints[..i].contains(print));
    }
    assert_eq!(counting(&[1, 2], None).fingerprint(), prints[0]);
}

#[test]
fn a_file_without_channels_is_refused() {
    let said = refused(&Flat { channels: 0, samples: vec![], ..good() }, None);
    assert_eq!(said, "x.npz: `samples` has 0 channels, wanted at least 1; write it with two axes");
}

#[test]
fn a_file_without_sequences_is_refused() {
    let said = refused(&Flat { samples: vec![], lengths: vec![], ..good() }, None);
    assert_eq!(
        said,
        "x.npz: `lengths` is empty, wanted at least one sequence; write at least one sequence"
    );
}

#[test]
fn lengths_that_do_not_add_up_are_refused_with_both_numbers() {
    let said = refused(&Flat { lengths: vec![1, 3], ..good() }, None);
    assert_eq!(
        said,
        "x.npz: `lengths` add up to 4, wanted the 3 steps of `samples`; write \
         lengths=np.array([len(s) for s in seqs], '<i8')"
    );
}

#[test]
fn empty_and_negative_sequences_are_named() {
    for (length, word) in [(0, "0"), (-1, "-1"), (i64::MIN, "-9223372036854775808")] {
        let said = refused(&Flat { lengths: vec![3, length], ..good() }, None);
        let want =
            format!("x.npz: `lengths` gives sequence 2 {word} steps, wanted at least 1; drop");
        assert!(said.starts_with(&want), "{said}");
    }
}

#[test]
fn lengths_near_two_to_the_63_do_not_overflow() {
    let lengths = vec![i64::MAX, i64::MAX, 4];
    let said = refused(&Flat { lengths, ..good() }, None);
    assert!(
        said.contains("`lengths` add up to 18446744073709551618, wanted the 3 steps"),
        "{said}"
    );
}

#[test]
fn a_split_number_beyond_2_is_refused() {
    for number in [3, -1] {
        let said = refused(&Flat { split: Some(vec![0, number]), ..good() }, None);
        let want = format!(
            "x.npz: `split` gives sequence 2 the number {number}, wanted 0 (train), 1 (valid) or 2 (test)"
        );
        assert!(said.starts_with(&want), "{said}");
    }
    let said = refusal(DataSet::from_parts("mine", 1, vec![vec![1.]], Some(vec![200])));
    assert!(said.starts_with("mine: `split` gives sequence 1 the number 200, wanted"), "{said}");
}

#[test]
fn a_split_of_another_length_is_refused() {
    let said = refused(&Flat { split: Some(vec![0]), ..good() }, None);
    assert!(
        said.starts_with("x.npz: `split` has 1 entries, wanted one for each of the 2 sequences;"),
        "{said}"
    );
}

#[test]
fn a_split_with_nothing_to_train_on_is_refused() {
    let said = refused(&Flat { split: Some(vec![1, 2]), ..good() }, None);
    assert!(said.starts_with("x.npz: `split` has no 0 (train), wanted"), "{said}");
}

#[test]
fn a_number_that_is_not_finite_is_found_by_sequence_step_and_channel() {
    for (x, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut flat = good();
        flat.samples[5] = x;
        assert_eq!(
            refused(&flat, None),
            format!(
                "x.npz: sequence 2, step 2, channel 2 of `samples` is {word}, wanted finite numbers; \
                 fix or drop the sequence before np.savez"
            )
        );
    }
    let mut flat = good();
    flat.samples[0] = f32::NAN;
    assert!(refused(&flat, None).contains("sequence 1, step 1, channel 1 of"));
    flat.samples = vec![0., 0., f32::NAN, 0., 0., 0.];
    assert!(refused(&flat, None).contains("sequence 2, step 1, channel 1 of"));
}

#[test]
fn rows_cut_in_the_middle_are_refused() {
    let said = refusal(DataSet::from_parts("mine", 2, vec![vec![1., 2.], vec![3.]], None));
    assert!(
        said.starts_with("mine: sequence 2 has 1 numbers, wanted a multiple of 2 channels"),
        "{said}"
    );
}

#[test]
fn a_missing_split_is_never_guessed() {
    let flat = Flat { split: None, ..good() };
    assert_eq!(
        refused(&flat, None),
        "x.npz: has no `split`, and there is no default; add one (0 train, 1 valid, 2 test), or choose a rule \
         with --set data.split=all-train, all-test or fractions:VALID,TEST,SEED"
    );
}

#[test]
fn a_summary_counts_by_hand() {
    let set = counting(&[5, 1, 9, 2, 7], Some(vec![0, 0, 0, 0, 1]));
    let train = set.summary(Split::Train).unwrap();
    assert_eq!((train.sequences, train.steps), (4, 17));
    assert_eq!((train.shortest, train.median, train.longest), (1, 3.5, 9));
    assert_eq!(train.to_string(), "train 4 sequences, 17 steps, lengths 1 to 9, median 3.5");
    assert_eq!(set.summary(Split::Valid).unwrap().median, 7.);
    assert_eq!(set.summary(Split::Test), None);
}

#[test]
fn ink_is_three_channels_with_a_pen_that_is_0_or_1() {
    let ink = |pens: [f32; 3]| {
        let rows = |pens: &[f32]| pens.iter().flat_map(|&pen| [0.5, 0.5, pen]).collect();
        DataSet::from_parts("ink", 3, vec![rows(&pens[..1]), rows(&pens[1..])], None).unwrap()
    };
    ink([0., 1., 1.]).check_ink().unwrap();
    assert_eq!(
        refusal(ink([0., 1., 0.5]).check_ink()),
        "ink: sequence 2, step 2 has pen 0.5, ink wants 0 or 1 (1 on the last point of \
         a stroke): fix the third channel, or, if this is not ink, choose --preset series-tiny (in `stcn data \
         show`, --as series)"
    );
    assert_eq!(
        refusal(counting(&[1], None).check_ink()),
        "counting: has 1 channels, ink wants 3 (dx, dy, pen): choose a --preset for this data, such as \
         series-tiny"
    );
}

#[test]
fn binary_is_0_and_1_only() {
    counting(&[2], None).check_binary().unwrap();
    assert_eq!(
        refusal(counting(&[2, 2], None).check_binary()),
        "counting: sequence 2, step 1, channel 1 is 2, --head bernoulli wants 0 or 1; write \
         (samples > 0).astype('<f4'), or choose a preset of ink, speech or series"
    );
}

#[test]
fn the_real_sets_have_the_counts_of_their_readme() {
    let sets = [
        ("unipen/unipen_text.npz", 3, [3122, 306, 284], [2_496_705, 258_768, 240_240]),
        ("unipen/unipen_text_raw.npz", 3, [3122, 306, 284], [2_496_705, 258_768, 240_240]),
        ("omniglot/omniglot_strokes.npz", 3, [4060, 340, 440], [586_517, 70_949, 59_747]),
        ("jsb/jsb_chorales.npz", 88, [229, 76, 77], [13_807, 4_602, 4_725]),
    ];
    for (file, channels, sequences, steps) in sets {
        let Some(path) = real(file) else { return };
        let start = std::time::Instant::now();
        let set = DataSet::open(path, None).unwrap();
        eprintln!("{file}: {:.3} s", start.elapsed().as_secs_f64());
        assert_eq!(set.channels(), channels, "{file}");
        assert_eq!(Split::ALL.map(|split| set.split(split).len()), sequences, "{file}");
        assert_eq!(Split::ALL.map(|split| set.steps(split)), steps, "{file}");
        assert_eq!(set.check_ink().is_ok(), channels == 3, "{file}");
        assert_eq!(set.check_binary().is_ok(), channels == 88, "{file}");
    }
}

#[test]
fn the_real_lengths_have_the_medians_of_their_readme() {
    let Some(path) = real("unipen/unipen_text.npz") else { return };
    let set = DataSet::open(path, None).unwrap();
    let lengths = Split::ALL.map(|split| {
        let summary = set.summary(split).unwrap();
        (summary.shortest, summary.median, summary.longest)
    });
    assert_eq!(lengths, [(66, 652., 1994), (136, 636., 1984), (151, 585., 1991)]);
}

#[test]
fn the_summary_of_a_file_needs_none_of_its_samples() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npz");
    let set = crate::common::ink(20);
    set.save(&path).unwrap();
    for split in Split::ALL {
        assert_eq!(DataSet::summary_of(&path, None, split).unwrap(), set.summary(split));
    }
    // The first member's bytes, those of the samples, become others: reading them would fail.
    let mut bytes = std::fs::read(&path).unwrap();
    (200..400).for_each(|i| bytes[i] ^= 255);
    std::fs::write(&path, bytes).unwrap();
    assert!(DataSet::open(&path, None).is_err());
    let summary = DataSet::summary_of(&path, None, Split::Train).unwrap();
    assert_eq!(summary, set.summary(Split::Train));
}
