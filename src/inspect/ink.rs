//! Ink: pen rows drawn as SVG.
//!
//! A step is `dx, dy, pen`: y upwards, pen = 1 on the last point of a stroke. Not here: the page itself
//! (`page`), pixels (`png`).

use super::page::{Drawing, GAP, INK, MARGIN, PRIMED, WIDTH, finite, page};
use std::fmt::Write as _;

/// The greatest height of a drawing, in pixels.
const HIGHEST: f64 = 420.;
/// The greatest length of a typical pen move, in pixels.
const LONGEST_MOVE: f64 = 18.;
/// Width of a stroke in pixels, where a typical move has that greatest length.
const PEN: f64 = 4.;
/// Its least width: small writing has a thin pen.
const FINEST_PEN: f64 = 1.5;
/// A move longer than this many typical moves is shortened to it, so that one wild sample does not shrink the
/// rest to a dot. The move back to dot an i (some 40) stays as it is.
const WILD: f64 = 80.;

/// A point of a drawing, in the units of its rows; `drawn` unless the pen was lifted on the way to it.
#[derive(Clone, Copy)]
struct Dot {
    x: f64,
    y: f64,
    drawn: bool,
    primed: bool,
}

/// A page with the drawings below each other, as the text of an SVG file.
///
/// All drawings have one scale, at which the typical one fills the page's width; one that is too large is made
/// smaller. Panics if a drawing's rows are not triples.
#[track_caller]
pub fn svg(lines: &[Drawing]) -> String {
    let dots: Vec<Vec<Dot>> = lines.iter().map(dots).collect();
    let boxes: Vec<[f64; 4]> = dots.iter().map(|dots| bounds(dots)).collect();
    let fits = |&[left, bottom, right, top]: &[f64; 4]| {
        let wide = (WIDTH - 2. * MARGIN) / (right - left).max(1e-9);
        let high = HIGHEST / (top - bottom).max(1e-9);
        if wide < high { wide } else { high }
    };
    let largest = |dots: &Vec<Dot>| LONGEST_MOVE / typical_move(dots);
    let usual = median(boxes.iter().map(fits).collect()).unwrap_or(1.);
    let usual = usual.min(median(dots.iter().map(largest).collect()).unwrap_or(1.));
    let mut paths = String::new();
    let mut y = MARGIN;
    for (dots, bounds) in dots.iter().zip(&boxes) {
        let scale = usual.min(fits(bounds));
        let to_page =
            |dot: &Dot| [MARGIN + (dot.x - bounds[0]) * scale, y + (bounds[3] - dot.y) * scale];
        let pen = (PEN * scale * typical_move(dots) / LONGEST_MOVE).clamp(FINEST_PEN, PEN);
        for (primed, colour) in [(true, PRIMED), (false, INK)] {
            let d = path(dots, primed, to_page);
            if !d.is_empty() {
                let _ = writeln!(
                    paths,
                    "<path stroke=\"{colour}\" stroke-width=\"{pen:.1}\" d=\"{d}\"/>"
                );
            }
        }
        y += (bounds[3] - bounds[1]) * scale + GAP;
    }
    let strokes = format!(
        "<g fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n{paths}</g>\n"
    );
    page(&strokes, y)
}

/// The points of a drawing, including its start, with wild moves shortened.
#[track_caller]
fn dots(drawing: &Drawing) -> Vec<Dot> {
    let rows = drawing.rows;
    assert_eq!(
        rows.len() % 3,
        0,
        "ink: rows are (dx, dy, pen), and {} numbers are not a multiple of 3",
        rows.len()
    );
    let moves: Vec<[f64; 2]> = rows.chunks_exact(3).map(|r| [finite(r[0]), finite(r[1])]).collect();
    let lengths = moves.iter().map(|&[dx, dy]| (dx * dx + dy * dy).sqrt());
    let limit = WILD * median(lengths.filter(|&length| length > 0.).collect()).unwrap_or(1.);
    let mut at = Dot { x: 0., y: 0., drawn: false, primed: drawing.primed > 0 };
    let mut dots = vec![at];
    let mut lifted = false;
    for (t, [dx, dy]) in moves.into_iter().enumerate() {
        at.x += dx.clamp(-limit, limit);
        at.y += dy.clamp(-limit, limit);
        at.drawn = !lifted;
        at.primed = t < drawing.primed;
        lifted = rows[3 * t + 2] > 0.5;
        dots.push(at);
    }
    dots
}

/// left, bottom, right, top
fn bounds(dots: &[Dot]) -> [f64; 4] {
    let mut b = [dots[0].x, dots[0].y, dots[0].x, dots[0].y];
    for dot in dots {
        b = [b[0].min(dot.x), b[1].min(dot.y), b[2].max(dot.x), b[3].max(dot.y)];
    }
    b
}

/// The median length of the drawn moves, 1 if there are none.
fn typical_move(dots: &[Dot]) -> f64 {
    let pairs = dots.windows(2).filter(|pair| pair[1].drawn);
    let lengths = pairs.map(|pair| {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        (dx * dx + dy * dy).sqrt()
    });
    median(lengths.filter(|&length| length > 0.).collect()).unwrap_or(1.)
}

fn median(mut x: Vec<f64>) -> Option<f64> {
    x.sort_by(f64::total_cmp);
    x.get(x.len() / 2).copied()
}

/// The path data of the dots that are `primed`, or of those that are not; empty if there are none.
fn path(dots: &[Dot], primed: bool, to_page: impl Fn(&Dot) -> [f64; 2]) -> String {
    let mut d = String::new();
    for (i, dot) in dots.iter().enumerate() {
        if dot.primed != primed {
            continue;
        }
        let continues = i > 0 && dot.drawn;
        if !continues {
            command(&mut d, 'M', to_page(dot));
        } else if dots[i - 1].primed != primed {
            // The other colour ends where this one begins.
            command(&mut d, 'M', to_page(&dots[i - 1]));
        }
        let alone =
            !continues && !dots.get(i + 1).is_some_and(|next| next.drawn && next.primed == primed);
        if continues {
            command(&mut d, 'L', to_page(dot));
        } else if alone {
            // A line of no length has no round cap.
            d.push_str("h0.1");
        }
    }
    d
}

/// Appends a path command, rounded to tenths of a pixel.
fn command(d: &mut String, letter: char, [x, y]: [f64; 2]) {
    // `+ 0.` turns −0 into 0.
    let tenth = |v: f64| (v * 10.).round() / 10. + 0.;
    let _ = write!(d, "{letter}{:.1} {:.1}", tenth(x), tenth(y));
}
