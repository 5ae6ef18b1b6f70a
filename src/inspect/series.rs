//! Series of real numbers drawn as SVG: a line over time for every channel.
//!
//! Not here: the page itself (`page`), its labels (`label`), pixels (`png`).

use super::label::{drawn, label, round_step};
use super::page::{Drawing, FAINT, GAP, INK, MARGIN, PRIMED, WIDTH, finite, page};
use crate::kernel::reduce::ends;
use std::fmt::Write as _;
use std::ops::Range;

/// The most channels that are drawn: the first ones.
pub const MOST_CHANNELS: usize = 8;

/// Where panels begin: to the left of them is room for a number.
const LEFT: f64 = 68.;
/// Height of the panel of a channel, in pixels.
const PANEL: f64 = 80.;
/// Between a panel and the label beside it.
const ROOM: f64 = 6.;
/// Height of a line of labels.
const LINE: f64 = 18.;
/// Pixels between two vertical grid lines, at least.
const APART: f64 = 120.;
/// The most points of a line: of longer series, so many steps are drawn as their least and their greatest value that there
/// are no more.
const POINTS: usize = 1500;

/// A page with the series below each other, as the text of an SVG file: a panel for each of the first
/// [`MOST_CHANNELS`] channels, with its number above it and the steps, both counted from 1, below the last.
///
/// All have one scale of time, at which the longest fills the page's width, and each channel has one scale of values,
/// whose ends stand beside it. Panics if rows are not `channels` wide.
#[track_caller]
pub fn svg(series: &[Drawing], channels: usize) -> String {
    for one in series {
        let found = one.rows.len();
        assert_eq!(found % channels, 0, "series: {found} numbers are not rows of {channels}");
    }
    let longest = series.iter().map(|one| one.rows.len() / channels).max().unwrap_or(0).max(2);
    let scale = (WIDTH - LEFT - MARGIN) / (longest - 1) as f64;
    let x = |t: usize| LEFT + t as f64 * scale;
    let share = if longest > POINTS { (2 * longest).div_ceil(POINTS) } else { 1 };
    let every = round_step(APART / scale) as usize;
    let ticks: Vec<usize> = (every..=longest).step_by(every).collect();
    let shown = channels.min(MOST_CHANNELS);
    let scales: Vec<[f64; 2]> = (0..shown).map(|c| scale_of(series, channels, c)).collect();
    let (mut body, mut labels, mut top) = (String::new(), String::new(), MARGIN);
    for one in series {
        for (c, &[low, high]) in scales.iter().enumerate() {
            labels += &label(&format!("channel {}", c + 1), [LEFT, top], 0.);
            top += LINE / 2.;
            labels += &label(&number(high), [LEFT - ROOM, top + ROOM], 1.);
            labels += &label(&number(low), [LEFT - ROOM, top + PANEL - ROOM], 1.);
            let mut grid = format!("M{LEFT} {top}H{:.1}v{PANEL}H{LEFT}z", x(longest - 1));
            for &t in &ticks {
                let _ = write!(grid, "M{:.1} {top}v{PANEL}", x(t - 1));
            }
            let _ = writeln!(body, "<path fill=\"none\" stroke=\"{FAINT}\" d=\"{grid}\"/>");
            let values = one.rows.iter().skip(c).step_by(channels);
            let values: Vec<f64> = values.map(|&x| finite(x)).collect();
            let y = |value: f64| top + PANEL * (high - value) / (high - low);
            let given = one.primed.min(values.len());
            line(&mut body, &values, 0..given, share, PRIMED, x, y);
            if given < values.len() {
                // From where the given part ends.
                line(&mut body, &values, given.saturating_sub(1)..values.len(), share, INK, x, y);
            }
            top += PANEL + LINE;
        }
        labels += &label("step", [LEFT - ROOM, top - LINE / 3.], 1.);
        for &t in &ticks {
            labels += &label(&t.to_string(), [x(t - 1), top - LINE / 3.], 0.5);
        }
        top += LINE + GAP;
    }
    body += &drawn(&labels);
    page(&body, top)
}

/// The line through the values of a part of the steps, of which every `share` are drawn as two points.
fn line(
    body: &mut String,
    values: &[f64],
    part: Range<usize>,
    share: usize,
    colour: &str,
    x: impl Fn(usize) -> f64,
    y: impl Fn(f64) -> f64,
) {
    let mut d = String::new();
    let mut to = |x: f64, y: f64| {
        let command = if d.is_empty() { 'M' } else { 'L' };
        let _ = write!(d, "{command}{x:.1} {y:.1}");
    };
    for (i, some) in values[part.clone()].chunks(share).enumerate() {
        let x = x(part.start + i * share);
        let [low, high] = ends(some.iter().copied());
        to(x, y(low));
        if some.len() > 1 {
            to(x, y(high));
        }
    }
    if part.len() == 1 {
        d.push_str("h0.1"); // a line of no length has no round cap
    }
    if !d.is_empty() {
        let _ = writeln!(
            body,
            "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\" d=\"{d}\"/>"
        );
    }
}

/// The least and the greatest value of a channel, a little apart if they are the same.
fn scale_of(series: &[Drawing], channels: usize, channel: usize) -> [f64; 2] {
    let values = series.iter().flat_map(|one| one.rows.iter().skip(channel).step_by(channels));
    let [low, high] = ends(values.map(|&x| finite(x)));
    // By as much as f64 can tell from it.
    let apart = 1. + low.abs() / 1000.;
    match low < high {
        true => [low, high],
        false if low.is_finite() => [low - apart, low + apart],
        false => [-1., 1.], // nothing at all
    }
}

/// A number in seven characters at most.
fn number(x: f64) -> String {
    let text = match x.abs() {
        0. => return "0".into(),
        1e-3..1. => format!("{x:.4}"),
        1.0..100. => format!("{x:.2}"),
        100.0..10_000. => format!("{x:.1}"),
        10_000.0..999_999. => return format!("{x:.0}"),
        _ => match format!("{x:.1e}") {
            text if text.len() <= 7 => return text,
            _ => return format!("{x:.0e}"),
        },
    };
    text.trim_end_matches('0').trim_end_matches('.').into()
}
