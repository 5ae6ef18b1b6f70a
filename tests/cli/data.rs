//! `stcn data show`.

use crate::common::{Lab, says, stderr};
use stcn::data::DataSet;

/// With `roll.npz` of five keys, `sound.npz` of frames of four samples and `series.npz` of ten channels.
fn lab() -> Lab {
    let lab = Lab::new();
    let save = |name: &str, channels, value: fn(usize) -> f32| {
        let rows = |n: usize| (0..n * channels).map(value).collect();
        let set = DataSet::from_parts(name, channels, vec![rows(9), rows(4)], None).unwrap();
        set.save(lab.path(name)).unwrap();
    };
    save("roll.npz", 5, |i| (i % 3 / 2) as f32);
    save("sound.npz", 4, |i| (i % 7) as f32 * 100. - 300.);
    save("series.npz", 10, |i| (i % 7) as f32 * 0.3);
    lab
}

#[test]
fn every_kind_of_data_is_drawn_as_what_it_is() {
    let lab = lab();
    let drawn = |words: &str| {
        lab.ok(&format!("data show {words} --out x.svg"));
        String::from_utf8(lab.read("x.svg")).unwrap()
    };
    let (ink, roll, sound) = (drawn("ink.npz"), drawn("roll.npz"), drawn("sound.npz"));
    assert!(ink.contains("stroke-linecap=\"round\"") && !roll.contains("stroke-linecap"));
    assert!(sound.contains("crispEdges") && !roll.contains("crispEdges"));
    assert_eq!(drawn("ink.npz --as ink"), ink);
    assert_eq!(drawn("roll.npz --as music"), roll);
    assert_eq!(drawn("sound.npz --as speech --rate 16000"), sound);
    let series = drawn("series.npz");
    assert_eq!(series.matches("stroke-width=\"1.5\"").count(), 2 * 8);
    assert_eq!(drawn("series.npz --as series"), series);
    assert!(drawn("ink.npz --as series").contains("stroke-width=\"1.5\""));
    let output = lab.stcn("data show series.npz --out x.png").output().unwrap();
    assert_eq!(stderr(&output), "note: the picture shows channels 1 to 8, and leaves 2 out\n");
    assert!(drawn("ink.npz --as speech").contains("crispEdges"));
    assert!(drawn("roll.npz --as speech").contains("crispEdges"));
    for name in ["roll", "sound"] {
        lab.ok(&format!("data show {name}.npz --index 2 --out {name}.png"));
        assert!(lab.read(&format!("{name}.png")).starts_with(b"\x89PNG\r\n\x1a\n"));
    }
}

#[test]
fn data_of_another_kind_than_was_asked_for_is_refused() {
    let lab = lab();
    let said = |words: &str| lab.refused(&format!("data show {words} --out x.svg"));
    says(
        &said("sound.npz --as ink"),
        &["sound.npz: cannot be drawn as ink, which needs three channels", "another --as"],
    );
    says(
        &said("sound.npz --as music"),
        &["sound.npz: cannot be drawn as music, which needs values that are 0 or 1"],
    );
    says(&said("sound.npz --as musik"), &["unknown task `musik`: did you mean `music`"]);
    for rate in ["0", "999", "768001"] {
        let parts = [&format!("--rate {rate}: want samples per second from 1000 to 768000")[..]];
        says(&said(&format!("sound.npz --rate {rate}")), &parts);
    }
}

#[test]
fn sound_is_taken_at_the_rate_that_it_says_or_that_was_asked_for() {
    let lab = lab();
    let set = DataSet::open(lab.path("sound.npz"), Some("all-train".parse().unwrap())).unwrap();
    set.with_rate(8000).unwrap().save(lab.path("known.npz")).unwrap();
    let first =
        |file: &str| lab.ok(&format!("data show {file}")).lines().next().unwrap().to_string();
    assert_eq!(first("known.npz"), "known.npz: 2 sequences, D = 4, 8000 samples per second");
    assert_eq!(first("sound.npz"), "sound.npz: 2 sequences, D = 4");
    // The rate of a .wav, and what is said of it.
    let heard = |words: &str| {
        let output = lab.stcn(&format!("data show {words} --out x.wav")).output().unwrap();
        assert!(output.status.success());
        let mut wav = hound::WavReader::open(lab.path("x.wav")).unwrap();
        let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
        (wav.spec().sample_rate, samples.len(), stderr(&output))
    };
    assert_eq!(heard("known.npz"), (8000, 36, String::new()));
    assert_eq!(heard("known.npz --index 2"), (8000, 16, String::new()));
    assert_eq!(heard("known.npz --rate 11025").0, 11_025);
    assert_eq!(heard("sound.npz --rate 16000"), (16_000, 36, String::new()));
    let note = "note: the sampling rate is unknown and taken to be 16000 Hz: give it with --rate\n";
    assert_eq!(heard("sound.npz"), (16_000, 36, note.into()));
    let drawn = |words: &str| {
        lab.ok(&format!("data show {words} --out x.svg"));
        lab.read("x.svg")
    };
    assert!(drawn("known.npz") == drawn("sound.npz --rate 8000"));
    assert!(drawn("known.npz") != drawn("sound.npz"));
    // A rate says that it is sound, whatever the values.
    let set = DataSet::open(lab.path("series.npz"), Some("all-train".parse().unwrap())).unwrap();
    set.with_rate(8000).unwrap().save(lab.path("known.npz")).unwrap();
    assert!(drawn("known.npz") == drawn("known.npz --as speech"));
}

#[test]
fn music_of_88_keys_becomes_midi_and_nothing_else_does() {
    let lab = lab();
    let mut rows = vec![0.; 3 * 88];
    rows[39] = 1.;
    DataSet::from_parts("piece", 88, vec![rows], None)
        .unwrap()
        .save(lab.path("piece.npz"))
        .unwrap();
    lab.ok("data show piece.npz --out piece.mid");
    assert!(lab.read("piece.mid").starts_with(b"MThd"));
    let said = |words: &str| lab.refused(&format!("data show {words}"));
    let only = "a .wav takes speech, a .mid music with D = 88; write .svg";
    says(&said("roll.npz --out x.mid"), &["roll.npz: is music with D = 5, and ", only]);
    says(&said("sound.npz --out x.mid"), &["sound.npz: is speech with D = 4", only]);
    says(&said("ink.npz --out x.wav"), &["ink.npz: is ink with D = 3", only]);
    let two = "sound.npz --index 1 --index 2 --out x.wav";
    says(&said(two), &["a .wav or .mid holds one sequence: give one --index"]);
    says(&said("ink.npz --out x.gif"), &["ends in .svg, .png, .wav or .mid"]);
}

#[test]
fn figures_come_without_a_picture() {
    let said = Lab::new().ok("data show ink.npz");
    let first = said.lines().next().unwrap();
    assert_eq!(first, "ink.npz: 10 sequences, D = 3");
    says(&said, &["train 6 sequences", "valid 2 sequences", "test  2 sequences", "median"]);
    says(&said, &["train mean ", " over all values", " of channel 3"]);
}

#[test]
fn a_file_and_the_embedded_handwriting_are_drawn_as_svg_and_png() {
    let lab = Lab::new();
    for set in ["ink.npz", "embedded"] {
        let said = lab.ok(&format!("data show {set} --index 1 --index 3 --out two.svg"));
        assert_eq!(said.lines().last(), Some("two.svg"));
        let two = lab.read("two.svg");
        assert!(two.starts_with(b"<svg"), "{set}");
        lab.ok(&format!("data show {set} --out six.svg"));
        assert!(lab.read("six.svg").len() > two.len(), "{set}");
        lab.ok(&format!("data show {set} --index 2 --out one.png"));
        assert!(lab.read("one.png").starts_with(b"\x89PNG\r\n\x1a\n"), "{set}");
    }
}
