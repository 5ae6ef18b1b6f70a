//! Patterns of names: stars, question marks, classes.

use crate::common::says;
use crate::data::refusal;
use stcn::data::prepare::pattern::Pattern;

#[test]
fn stars_question_marks_and_classes_fit_what_they_stand_for() {
    for (pattern, fits, fits_not) in [
        ("*_[0-4].wav", vec!["0_george_3.wav", "a/b_4.wav"], vec!["0_george_5.wav", "3.wav"]),
        ("*_[0-4].wav", vec!["_0.wav"], vec!["1_x_10.wav", "x_0.wav.bak", ""]),
        ("*_jackson_*", vec!["7_jackson_1.wav"], vec!["7_Jackson_1.wav", "jackson_1"]),
        ("?.wav", vec!["1.wav", "é.wav"], vec![".wav", "12.wav"]),
        ("[ab-dz]", vec!["a", "c", "z"], vec!["e", "-", "ab", ""]),
        ("[a-]", vec!["a", "-"], vec!["b"]),
        ("", vec![""], vec!["a"]),
        ("**", vec!["", "anything/at/all"], vec![]),
        ("a*b*c", vec!["abc", "a-b-b-c"], vec!["acb", "abcd"]),
    ] {
        let it = Pattern::new(pattern).unwrap();
        assert_eq!(it.text(), pattern);
        for name in fits {
            assert!(it.matches(name), "{pattern} fits {name}");
        }
        for name in fits_not {
            assert!(!it.matches(name), "{pattern} does not fit {name}");
        }
    }
}

#[test]
fn many_stars_take_no_longer_than_their_number() {
    let pattern = Pattern::new(&"*a".repeat(200)).unwrap();
    assert!(!pattern.matches(&("a".repeat(2000) + "b")));
}

#[test]
fn a_class_that_is_empty_or_open_is_refused() {
    for pattern in ["[", "*_[0-4.wav", "a[]b"] {
        let said = refusal(Pattern::new(pattern));
        says(&said, &[&format!("the pattern `{pattern}` has a `[`"), "`*_[0-4].wav`"]);
    }
}
