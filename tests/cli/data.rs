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
