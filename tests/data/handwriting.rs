use sha2::{Digest, Sha256};
use stcn::data::handwriting::{LINES_PER_WRITER, Line, SPLITS, collection, line};
use stcn::internals::alphabet;
use stcn::with_threads;
use std::collections::BTreeSet;

fn rows(line: &Line) -> impl Iterator<Item = [f32; 3]> {
    line.samples.chunks_exact(3).map(|row| [row[0], row[1], row[2]])
}

fn sha256(lines: &[(Line, u8)]) -> String {
    let mut hash = Sha256::new();
    for (line, split) in lines {
        hash.update(format!("{} {} {split}\n", line.writer, line.text));
        line.samples.iter().for_each(|x| hash.update(x.to_le_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_collection_has_the_same_bits_on_every_machine() {
    let golden = "11ce3d8f59ad790d19c3173664b98bd7d7f4b9899a7ec7b0ce39617e7b425b23";
    assert_eq!(sha256(&collection(0)), golden, "change it together with ARITHMETIC and changelog");
}

#[test]
fn threads_change_no_bit() {
    let one = with_threads(1, || collection(7)).unwrap();
    let three = with_threads(3, || collection(7)).unwrap();
    assert!(one == three);
}

#[test]
fn a_line_needs_no_other_line() {
    let all = collection(3);
    for index in [0, 19, 20, 1234, 2399] {
        assert_eq!(all[index].0, line(3, index as u64));
    }
}

#[test]
fn another_seed_is_another_collection_and_another_line_another_line() {
    assert_ne!(line(0, 0), line(1, 0));
    assert_ne!(line(0, 0).samples, line(0, 1).samples);
    let words: BTreeSet<String> = (0..200).map(|index| line(0, index).text).collect();
    assert!(words.len() > 195, "only {} texts in 200 lines", words.len());
}

#[test]
fn rows_are_grid_moves_and_pen_lifts_and_the_last_lifts() {
    for (line, _) in collection(0) {
        let text = &line.text;
        assert_eq!(line.samples.len() % 3, 0);
        assert!(
            line.samples.iter().all(|x| x.fract() == 0. && x.to_bits() != (-0f32).to_bits()),
            "{text}"
        );
        assert!(
            rows(&line).all(|[dx, dy, pen]| {
                dx.abs() < 700. && dy.abs() < 200. && (pen == 0. || pen == 1.)
            }),
            "{text}"
        );
        assert_eq!(rows(&line).last().map(|row| row[2]), Some(1.), "{text}");
        let words = text.split(' ').count();
        let strokes = rows(&line).filter(|row| row[2] == 1.).count();
        assert!(strokes >= words, "{text}: {strokes} strokes");
    }
}

#[test]
fn the_pen_rests_nowhere_but_after_a_jump() {
    for (line, _) in collection(0).iter().take(200) {
        let mut lifted = false;
        for [dx, dy, pen] in rows(line) {
            assert!(lifted || dx != 0. || dy != 0.);
            lifted = pen == 1.;
        }
    }
}

#[test]
fn lines_have_the_length_the_pace_and_the_lifts_of_handwriting() {
    let all = collection(0);
    let steps = |line: &Line| line.samples.len() / 3;
    assert!(all.iter().all(|(line, _)| (60..400).contains(&steps(line))));
    let total: usize = all.iter().map(|(line, _)| steps(line)).sum();
    let mean = total as f64 / all.len() as f64;
    assert!((150. ..210.).contains(&mean), "mean length {mean}");
    let lifts = all.iter().flat_map(|(line, _)| rows(line)).filter(|row| row[2] == 1.).count();
    let rate = lifts as f64 / total as f64;
    assert!((0.03..0.06).contains(&rate), "pen rate {rate}");
    let (mut moves, mut way) = (0, 0.);
    for (line, _) in &all {
        let mut lifted = false;
        for [dx, dy, pen] in rows(line) {
            if !lifted {
                moves += 1;
                way += f64::from(dx * dx + dy * dy).sqrt();
            }
            lifted = pen == 1.;
        }
    }
    let step = way / f64::from(moves);
    assert!((5. ..9.).contains(&step), "mean move {step} grid units");
}

#[test]
fn nobody_writes_in_two_splits() {
    let all = collection(0);
    let writers = |wanted: u8| -> BTreeSet<usize> {
        all.iter().filter(|(_, split)| *split == wanted).map(|(line, _)| line.writer).collect()
    };
    for split in 0..3u8 {
        let lines = all.iter().filter(|(_, s)| *s == split).count() as u64;
        assert_eq!(lines, SPLITS[usize::from(split)]);
        assert_eq!(writers(split).len() as u64, lines / LINES_PER_WRITER);
    }
    assert!(writers(0).is_disjoint(&writers(1)) && writers(0).is_disjoint(&writers(2)));
    assert!(writers(1).is_disjoint(&writers(2)));
}

#[test]
fn every_letter_has_a_plain_form_a_body_and_a_way_on() {
    for letter in 'a'..='z' {
        let forms = alphabet::forms(letter);
        assert!(forms.iter().any(|glyph| !glyph.joined), "{letter}");
        for glyph in forms {
            assert!(
                glyph.width > 2.
                    && (3..=16).contains(&glyph.body.len())
                    && !glyph.exit.knots.is_empty()
            );
            // What the hand keeps room for in a writer's style.
            assert!(glyph.entry.knots.len() <= 4 && glyph.exit.knots.len() <= 6);
            assert!(glyph.lifts.iter().all(|lift| lift.len() <= 6));
            let lifts = glyph.lifts.iter().flatten();
            let strokes = glyph.body.iter().chain(&glyph.entry.knots).chain(&glyph.exit.knots);
            for knot in strokes.chain(lifts) {
                assert!((-4. ..18.).contains(&knot.x) && (-9. ..20.).contains(&knot.y), "{letter}");
            }
        }
    }
}

#[test]
fn words_are_many_and_lower_case_and_use_every_letter() {
    let words = alphabet::words();
    assert!(words.len() > 500);
    assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    let distinct: BTreeSet<_> = words.iter().collect();
    assert_eq!(distinct.len(), words.len());
    let letters: BTreeSet<char> = words.iter().flat_map(|word| word.chars()).collect();
    assert_eq!(letters.len(), 26);
}

#[test]
#[should_panic(expected = "the alphabet has a to z, not 'A'")]
fn a_letter_outside_the_alphabet_panics_with_a_sentence() {
    alphabet::forms('A');
}

#[test]
fn the_sample_in_the_folder_is_what_the_hand_writes() {
    use stcn::inspect::Drawing;
    use stcn::inspect::ink::svg;
    let lines: Vec<Line> = (0..12).map(|i| line(0, 7 + 160 * i)).collect();
    let drawings: Vec<_> =
        lines.iter().map(|line| Drawing { rows: &line.samples, primed: 0 }).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/handwriting/sample.svg");
    let (committed, now) = (std::fs::read_to_string(path).unwrap_or_default(), svg(&drawings));
    if committed != now {
        let new = std::env::temp_dir().join("stcn-sample.svg");
        std::fs::write(&new, now).unwrap();
        panic!("{path} is another picture than {}: look at it, and copy it there", new.display());
    }
}
