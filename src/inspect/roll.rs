//! Piano rolls drawn as SVG: time to the right, keys upwards.
//!
//! A step has a 0 or a 1 for every key; a note that sounds on is one bar. Not here: the page itself
//! (`page`), pixels (`png`).

use super::page::{Drawing, FAINT, GAP, INK, MARGIN, PRIMED, WIDTH, page};
use std::fmt::Write as _;

/// Height of a key, in pixels.
const KEY: f64 = 8.;
/// The greatest width of a step, in pixels, so that short pieces still look like a roll.
const WIDEST: f64 = 16.;
/// Steps between two vertical grid lines: four bars of 4/4, if a step is a quarter note.
const BAR: usize = 16;
/// Keys of a piano, and what they are: key 0 is A, and every twelfth from key 3 a C.
const PIANO: usize = 88;
const FIRST_C: usize = 3;
/// The black keys of the octave that begins with C.
const BLACK: [usize; 5] = [1, 3, 6, 8, 10];
const BLACK_ROW: &str = "#f5f6f9";

/// A page with the rolls below each other, as the text of an SVG file.
///
/// All have one scale, at which the longest fills the page's width, and one range of keys: whole octaves
/// from the lowest to the highest note of all. On 88 keys, black keys are shaded and every C has a line
/// below it. Panics if rows are not `channels` wide.
#[track_caller]
pub fn svg(rolls: &[Drawing], channels: usize) -> String {
    let steps = |roll: &Drawing| roll.rows.len() / channels;
    for roll in rolls {
        let found = roll.rows.len();
        assert_eq!(found % channels, 0, "roll: {found} numbers are not rows of {channels} keys");
    }
    let (low, high) = range(rolls, channels);
    let longest = rolls.iter().map(steps).max().unwrap_or(0).max(1);
    let step = ((WIDTH - 2. * MARGIN) / longest as f64).min(WIDEST);
    let tall = (high - low) as f64 * KEY;
    let (mut body, mut top) = (String::new(), MARGIN);
    for roll in rolls {
        let steps = steps(roll);
        background(&mut body, channels == PIANO, [low, high], top, steps, step);
        let given = roll.primed.min(steps);
        for (part, colour) in [(0..given, PRIMED), (given..steps, INK)] {
            let mut d = String::new();
            for key in low..high {
                let y = top + (high - 1 - key) as f64 * KEY + 1.;
                let on = part.clone().map(|t| roll.rows[t * channels + key] > 0.5);
                for [from, until] in runs(on) {
                    let x = MARGIN + (part.start + from) as f64 * step;
                    // A gap of a pixel before the next note, where there is room.
                    let long = (until - from) as f64 * step - if step > 3. { 1. } else { 0. };
                    let _ = write!(d, "M{x:.1} {y}h{long:.1}v{}h-{long:.1}z", KEY - 2.);
                }
            }
            if !d.is_empty() {
                let _ = writeln!(body, "<path fill=\"{colour}\" d=\"{d}\"/>");
            }
        }
        top += tall + GAP;
    }
    page(&body, top)
}

/// The first key that is drawn, and the one after the last: whole octaves, at least one.
fn range(rolls: &[Drawing], channels: usize) -> (usize, usize) {
    let sounding = |key: &usize| {
        rolls.iter().any(|roll| roll.rows.chunks_exact(channels).any(|row| row[*key] > 0.5))
    };
    let lowest = (0..channels).find(sounding).unwrap_or(0);
    let highest = (0..channels).rfind(sounding).unwrap_or(0);
    if channels < 12 {
        return (0, channels); // no octaves
    }
    // C is key 3 of the piano, so an octave begins where key + 9 is a multiple of 12.
    let start = |key: usize| (key + 12 - FIRST_C) / 12 * 12;
    let low = start(lowest).saturating_sub(12 - FIRST_C);
    (low, (start(highest) + FIRST_C).min(channels))
}

/// Black keys, octaves, bars and a frame.
fn background(
    body: &mut String,
    piano: bool,
    [low, high]: [usize; 2],
    top: f64,
    steps: usize,
    step: f64,
) {
    let (wide, tall) = (steps as f64 * step, (high - low) as f64 * KEY);
    let y = |key: usize| top + (high - key) as f64 * KEY;
    let in_octave = |key: usize| (key + 12 - FIRST_C) % 12;
    let mut lines = String::new();
    for key in (low..high).filter(|_| piano) {
        if BLACK.contains(&in_octave(key)) {
            let _ = writeln!(
                body,
                "<rect x=\"{MARGIN}\" y=\"{}\" width=\"{wide:.1}\" height=\"{KEY}\" \
                 fill=\"{BLACK_ROW}\"/>",
                y(key + 1)
            );
        }
        if in_octave(key) == 0 && key > low {
            let _ = write!(lines, "M{MARGIN} {}h{wide:.1}", y(key));
        }
    }
    for t in (BAR..steps).step_by(BAR).filter(|_| step * BAR as f64 > 8.) {
        let _ = write!(lines, "M{:.1} {top}v{tall}", MARGIN + t as f64 * step);
    }
    let _ = write!(lines, "M{MARGIN} {top}h{wide:.1}v{tall}h-{wide:.1}z");
    let _ = writeln!(body, "<path fill=\"none\" stroke=\"{FAINT}\" d=\"{lines}\"/>");
}

/// Where runs of `true` begin and end.
fn runs(on: impl Iterator<Item = bool>) -> Vec<[usize; 2]> {
    let mut runs: Vec<[usize; 2]> = vec![];
    for (t, _) in on.enumerate().filter(|(_, on)| *on) {
        match runs.last_mut() {
            Some(run) if run[1] == t => run[1] = t + 1,
            _ => runs.push([t, t + 1]),
        }
    }
    runs
}
