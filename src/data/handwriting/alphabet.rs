//! Letter shapes and a word list, read from `data/handwriting/`.
//!
//! The format is documented at the top of `alphabet.txt`. Both files are compiled into the program, so errors in them
//! panic. Not here: how letters are joined and drawn (`hand`).

use std::sync::OnceLock;

/// A point on the pen's path, in units of the alphabet: x-height 10, baseline 0, y upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knot {
    /// Horizontal, to the right.
    pub x: f64,
    /// Vertical, upwards.
    pub y: f64,
    /// Whether this is a sharp corner, not to be rounded.
    pub corner: bool,
}

/// A connecting stroke before or after the body of a letter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// In the order of writing.
    pub knots: Vec<Knot>,
    /// Used only by writers who make loops.
    pub looped: bool,
}

/// One form of one letter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glyph {
    /// Advance width.
    pub width: f64,
    /// Whether this form is used when the pen is joined to the previous letter.
    pub joined: bool,
    /// Stroke before the body, if joined to the previous letter.
    pub entry: Link,
    /// The letter itself.
    pub body: Vec<Knot>,
    /// Stroke after the body, if joined to the next letter.
    pub exit: Link,
    /// Strokes drawn afterwards: dots, bars.
    pub lifts: Vec<Vec<Knot>>,
}

/// The forms of a letter `a`–`z`; at least one is not joined.
///
/// Panics on any other character.
#[track_caller]
pub fn forms(letter: char) -> &'static [Glyph] {
    static ALPHABET: OnceLock<Vec<Vec<Glyph>>> = OnceLock::new();
    assert!(letter.is_ascii_lowercase(), "the alphabet has a to z, not {letter:?}");
    let read = || parse(include_str!("../../../data/handwriting/alphabet.txt"));
    &ALPHABET.get_or_init(read)[letter as usize - 'a' as usize]
}

/// The words that lines are composed of, in the order of the file.
pub fn words() -> &'static [&'static str] {
    static WORDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let lines = include_str!("../../../data/handwriting/words.txt").lines();
        lines.filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
    })
}

/// The forms of all 26 letters.
fn parse(text: &str) -> Vec<Vec<Glyph>> {
    let mut alphabet = vec![Vec::new(); 26];
    let mut current = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let glyph: &mut Glyph = match (words.as_slice(), current) {
            ([], _) => continue,
            (["letter", letter, width, rest @ ..], _) => {
                let index = usize::from(letter.as_bytes()[0] - b'a');
                current = Some(index);
                let joined = rest == ["joined"];
                alphabet[index].push(Glyph { width: number(width), joined, ..Glyph::default() });
                continue;
            }
            (_, current) => current.and_then(|index: usize| alphabet[index].last_mut()),
        }
        .expect("alphabet.txt starts with a letter");
        match words.as_slice() {
            ["in", "loop", points @ ..] => glyph.entry = link(points, true),
            ["out", "loop", points @ ..] => glyph.exit = link(points, true),
            ["in", points @ ..] => glyph.entry = link(points, false),
            ["out", points @ ..] => glyph.exit = link(points, false),
            ["body", points @ ..] => glyph.body = knots(points),
            ["lift", points @ ..] => glyph.lifts.push(knots(points)),
            _ => panic!("alphabet.txt: {line:?} does not begin with letter, in, body, out or lift"),
        }
    }
    alphabet
}

fn link(points: &[&str], looped: bool) -> Link {
    Link { knots: knots(points), looped }
}

fn knots(points: &[&str]) -> Vec<Knot> {
    let knot = |point: &&str| {
        let (x, y) = point.split_once(',').expect("alphabet.txt: a point is x,y");
        Knot { x: number(x), y: number(y.trim_end_matches('/')), corner: y.ends_with('/') }
    };
    points.iter().map(knot).collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("alphabet.txt: {text:?} is not a number"))
}
