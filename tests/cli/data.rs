//! `stcn data show`.

use crate::common::{Lab, says};

#[test]
fn figures_come_without_a_picture() {
    let said = Lab::new().ok("data show ink.npz");
    let first = said.lines().next().unwrap();
    assert_eq!(first, "ink.npz: 10 sequences, D = 3");
    says(&said, &["train 6 sequences", "valid 2 sequences", "test  2 sequences", "median"]);
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
