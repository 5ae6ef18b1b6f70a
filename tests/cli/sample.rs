//! Sequences drawn: files, lengths, and the same bytes from the same seed.

use super::{TINY, trained};
use crate::common::Lab;
use stcn::data::DataSet;

fn open(lab: &Lab, name: &str) -> DataSet {
    DataSet::open(lab.path(name), None).unwrap()
}

#[test]
fn ink_comes_as_numbers_and_as_pictures() {
    let lab = trained();
    let lines = lab.json("sample run --count 3 --steps 20 --out drawn");
    assert_eq!(lines.len(), 1);
    let files = ["drawn/sample.npz", "drawn/sample.svg", "drawn/sample.png"];
    let wanted = serde_json::json!({ "count": 3, "steps": 20, "primed": 0, "files": files });
    assert_eq!(lines[0], wanted);
    let set = open(&lab, "drawn/sample.npz");
    assert_eq!((set.len(), set.channels()), (3, 3));
    assert!((0..3).all(|i| set.length(i) == 20));
    set.check_ink().unwrap();
    assert!(lab.read("drawn/sample.svg").starts_with(b"<svg"));
    assert!(lab.read("drawn/sample.png").starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(lab.ok("sample run --count 3 --steps 20 --out drawn"), files.join("\n") + "\n");
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_1_and_3_threads() {
    let lab = trained();
    for words in ["1 --out a", "1 --out b", "3 --out c"] {
        lab.ok(&format!("sample run --count 2 --steps 30 --seed 3 --threads {words}"));
    }
    lab.ok("sample run --count 2 --steps 30 --seed 4 --out d");
    for name in ["sample.npz", "sample.svg", "sample.png"] {
        let a = lab.read(&format!("a/{name}"));
        assert!(
            lab.read(&format!("b/{name}")) == a && lab.read(&format!("c/{name}")) == a,
            "{name}"
        );
        assert!(lab.read(&format!("d/{name}")) != a, "{name}");
    }
    // The zip holds no clock: its members are of 1 January 1980.
    assert_eq!(lab.read("a/sample.npz")[10..14], [0, 0, 0x21, 0]);
}

#[test]
fn fewer_sequences_are_the_first_of_more() {
    let lab = trained();
    lab.ok("sample run --count 1 --steps 10 --out one");
    lab.ok("sample run --count 3 --steps 10 --out three");
    let (one, three) = (open(&lab, "one/sample.npz"), open(&lab, "three/sample.npz"));
    assert_eq!(one.sequence(0).unwrap(), three.sequence(0).unwrap());
    assert_ne!(three.sequence(0).unwrap(), three.sequence(1).unwrap());
}

#[test]
fn a_primed_sequence_begins_with_the_real_one() {
    let lab = trained();
    let words = "sample run --count 2 --steps 9 --prime ink.npz:2 --prime-steps 6 --out drawn";
    assert_eq!(lab.json(words)[0]["primed"], 6);
    let (drawn, ink) = (open(&lab, "drawn/sample.npz"), open(&lab, "ink.npz"));
    for i in 0..2 {
        assert_eq!(drawn.length(i), 15);
        let (drawn, real) = (drawn.sequence(i).unwrap(), ink.sequence(1).unwrap());
        let pairs = drawn[..18].iter().zip(real.iter());
        assert!(
            pairs.clone().all(|(a, b)| (a - b).abs() < 1e-4),
            "{:?}",
            pairs.collect::<Vec<_>>()
        );
    }
    // What `sample` wrote can prime again, and so can the embedded handwriting.
    lab.ok("sample run --steps 3 --prime drawn/sample.npz:1 --out again");
    lab.ok("sample run --steps 3 --prime embedded:1 --prime-steps 4 --out embedded");
}

#[test]
fn without_a_length_samples_are_as_long_as_the_data_at_its_median() {
    let lab = trained();
    lab.ok("sample run --count 1 --out drawn");
    let summary = open(&lab, "ink.npz").summary(stcn::data::Split::Train).unwrap();
    assert_eq!(open(&lab, "drawn/sample.npz").length(0), summary.median as usize);
}

#[test]
fn at_temperature_0_all_sequences_are_the_likeliest() {
    let lab = Lab::new();
    let choice = "--model wavenet --head normal";
    lab.ok(&format!("train {choice} --data ink.npz --out run --steps 3 {TINY}"));
    lab.ok("sample run --count 2 --steps 12 --temperature 0 --out drawn");
    let set = open(&lab, "drawn/sample.npz");
    let (a, b) = (set.sequence(0).unwrap(), set.sequence(1).unwrap());
    let pairs = a.iter().zip(b.iter());
    assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", pairs.collect::<Vec<_>>());
}
