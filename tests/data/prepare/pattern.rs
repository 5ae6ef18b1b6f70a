use crate::common::says;
use crate::data::refusal;
use stcn::internals::prepare::pattern::parse;

#[test]
fn stars_question_marks_and_classes_match_what_they_stand_for() {
    for (pattern, matches, matches_not) in [
        ("*_[0-4].wav", vec!["0_george_3.wav", "a/b_4.wav"], vec!["0_george_5.wav", "3.wav"]),
        ("*_[0-4].wav", vec!["_0.wav"], vec!["1_x_10.wav", "x_0.wav.bak", ""]),
        ("*_jackson_*", vec!["7_jackson_1.wav"], vec!["7_Jackson_1.wav", "jackson_1"]),
        ("?.wav", vec!["1.wav", "é.wav"], vec![".wav", "12.wav"]),
        ("[ab-dz]", vec!["a", "c", "z"], vec!["e", "-", "ab", ""]),
        ("[a-]", vec!["a", "-"], vec!["b"]),
        ("[!0-4]", vec!["5", "a"], vec!["0", "4", "55"]),
        ("", vec![""], vec!["a"]),
        ("**", vec!["", "anything/at/all"], vec![]),
        ("a*b*c", vec!["abc", "a-b-b-c"], vec!["acb", "abcd"]),
    ] {
        let it = parse(pattern).unwrap();
        for name in matches {
            assert!(it.matches(name), "{pattern} matches {name}");
        }
        for name in matches_not {
            assert!(!it.matches(name), "{pattern} does not match {name}");
        }
    }
}

#[test]
fn many_stars_take_no_longer_than_their_number() {
    let pattern = parse(&"*a".repeat(200)).unwrap();
    assert!(!pattern.matches(&("a".repeat(2000) + "b")));
}

#[test]
fn a_class_that_is_empty_or_open_is_refused() {
    for (pattern, place) in [("[", 1), ("*_[0-4.wav", 3), ("a[]b", 2)] {
        let said = refusal(parse(pattern));
        let place =
            format!("the pattern `{pattern}` is invalid at character {place} (invalid range");
        says(&said, &[&place, "write one such as `*_[0-4].wav`"]);
    }
}
