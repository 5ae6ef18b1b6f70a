//! Writers and their hand movements.
//!
//! A [`Writer`] distorts the alphabet by habits of size, slant, spacing and joins, and varies from letter to letter.
//! The path is a centripetal Catmull–Rom curve through the distorted points (Catmull and Rom 1974; Yuksel, Schaefer
//! and Keyser 2011). The hand moves along it in overlapping ballistic strokes from one sharp turn to the next, each
//! of minimum jerk (Flash and Hogan 1985), and slows down where the path curves (Lacquaniti, Terzuolo and Viviani
//! 1983). The position is sampled at fixed intervals, as by a tablet. Only `+ − × ÷ √` are used: same bits everywhere.

use super::Rng;
use super::alphabet::{self, Glyph, Knot};

/// x and y; y upwards.
pub type Point = [f64; 2];

/// Grid units per unit of the alphabet, for a writer of size 1.
const GRID: f64 = 2.4;

/// Turning by one radian takes as long as moving this far: the pen's speed is `∝ 1/(1 + BEND κ)` at curvature κ, much
/// like the `κ^(−1/3)` of Lacquaniti, Terzuolo and Viviani 1983.
const BEND: f64 = 3.5;

/// A writer's habits, the same in all of their lines.
///
/// Lengths are in units of the alphabet (x-height 10), times in sampling intervals.
pub struct Writer {
    size: f64,
    /// Scale of letter widths.
    width: f64,
    /// Distance between letters.
    gap: f64,
    /// Additional distance between words.
    space: f64,
    /// Shift to the right per unit of height.
    slant: f64,
    /// Scales of what is above the x-height, and below the baseline.
    ascender: f64,
    descender: f64,
    /// Probability that the pen stays down between two letters of a word.
    join: f64,
    loops: bool,
    /// Mean slope of the baseline over lines.
    climb: f64,
    /// Deviation of letters from the baseline.
    wander: f64,
    /// Deviation of a letter's points between its occurrences.
    care: f64,
    /// Amplitude of the pen's tremor.
    tremor: f64,
    speed: f64,
    /// Overlap in time of consecutive ballistic strokes, as a fraction.
    flow: f64,
    /// Which form of each letter this writer uses.
    forms: [usize; 26],
    /// This writer's displacement of each point of each letter.
    style: Vec<Vec<Point>>,
}

/// A line being written.
struct Sheet {
    strokes: Vec<Vec<Knot>>,
    /// The current stroke; empty when the pen is up.
    current: Vec<Knot>,
    /// Dots and bars to be added later.
    later: Vec<Vec<Knot>>,
}

impl Sheet {
    fn lift(&mut self) {
        if !self.current.is_empty() {
            self.strokes.push(std::mem::take(&mut self.current));
        }
    }

    fn go_back(&mut self) {
        self.strokes.append(&mut self.later);
    }
}

impl Writer {
    /// Where the displacements of body, entry, exit and lifts begin in a letter's style, so that a letter has the same
    /// style however it is joined; and how many points there are in all.
    const BODY: usize = 0;
    const ENTRY: usize = 16;
    const EXIT: usize = 20;
    const LIFT: usize = 26;
    const POINTS: usize = 32;

    /// A random writer.
    pub(super) fn new(rng: &mut Rng) -> Self {
        // Two in three writers join nearly all letters; the others lift the pen sometimes or often.
        let join = match rng.index(6) {
            0..4 => rng.uniform(0.94, 1.),
            4 => rng.uniform(0.7, 0.9),
            _ => rng.uniform(0.1, 0.5),
        };
        let bend = rng.uniform(0.2, 0.55);
        let mut bent = || [rng.approx_normal() * bend, rng.approx_normal() * bend];
        let style = (0..26).map(|_| (0..Self::POINTS).map(|_| bent()).collect()).collect();
        Self {
            size: rng.uniform(0.85, 1.25),
            width: rng.uniform(0.85, 1.2),
            gap: if join < 0.6 { rng.uniform(2.2, 4.) } else { rng.uniform(2.2, 5.5) },
            space: rng.uniform(6., 12.),
            slant: 0.16 + 0.19 * rng.approx_normal(),
            ascender: rng.uniform(0.85, 1.2),
            descender: rng.uniform(0.75, 1.2),
            join,
            loops: rng.unit() < 0.6,
            climb: 0.02 * rng.approx_normal(),
            wander: rng.uniform(0.1, 0.6),
            care: rng.uniform(0.12, 0.4),
            tremor: rng.uniform(0., 0.12),
            speed: rng.uniform(0.9, 1.15),
            flow: rng.uniform(0.38, 0.5),
            forms: std::array::from_fn(|_| rng.index(2)),
            style,
        }
    }

    /// Writes `text` (a–z and spaces): strokes of tablet points, in grid units, not yet rounded.
    pub(super) fn write(&self, text: &str, rng: &mut Rng) -> Vec<Vec<Point>> {
        let strokes = self.strokes(text, rng);
        let climb = self.climb + 0.012 * rng.approx_normal();
        let hurry = self.speed * (1. + 0.05 * rng.approx_normal());
        let scale = GRID * self.size;
        let mut tremor = Tremor { at: [0.; 2], by: [0.; 2] };
        let mut put = |[x, y]: Point| {
            let [tx, ty] = tremor.step(rng, self.tremor);
            [scale * (x + self.slant * y + tx), scale * (y + climb * x + ty)]
        };
        let sampled = strokes.iter().map(|stroke| Path::new(stroke).sample(hurry, self.flow));
        sampled.map(|stroke| stroke.into_iter().map(&mut put).collect()).collect()
    }

    /// The strokes of a line, in the order of writing, as knots in units of the alphabet.
    fn strokes(&self, text: &str, rng: &mut Rng) -> Vec<Vec<Knot>> {
        let mut sheet = Sheet { strokes: Vec::new(), current: Vec::new(), later: Vec::new() };
        let (mut x, mut height) = (0., 0.);
        for word in text.split(' ') {
            let mut letters = word.chars().peekable();
            while let Some(letter) = letters.next() {
                let glyph = self.form(letter, !sheet.current.is_empty());
                height = 0.75 * height + self.wander * rng.approx_normal();
                let size = 1. + 0.05 * rng.approx_normal();
                let style = &self.style[letter as usize - 'a' as usize];
                let place = |knots: &[Knot], first: usize, rng: &mut Rng| -> Vec<Knot> {
                    let bent = knots.iter().zip(&style[first..]).map(|(knot, [dx, dy])| {
                        let px = knot.x + dx + self.care * rng.approx_normal();
                        let py = self.stretch(knot.y) + dy + self.care * rng.approx_normal();
                        Knot { x: x + px * size * self.width, y: height + py * size, ..*knot }
                    });
                    bent.collect()
                };
                let from = sheet.current.last().map(|knot| knot.y - height);
                if let Some(from) = from.filter(|_| !glyph.entry.looped || self.loops) {
                    // After a high exit, skip the low points of the entry.
                    let mut entry = glyph.entry.knots.clone();
                    entry.retain(|knot| from < 6. || knot.y > 9.5);
                    sheet.current.extend(place(&entry, Self::ENTRY, rng));
                }
                sheet.current.extend(place(&glyph.body, Self::BODY, rng));
                let can_exit = !glyph.exit.looped || self.loops;
                let stays = letters.peek().is_some() && can_exit && rng.unit() < self.join;
                let exit = place(&glyph.exit.knots, Self::EXIT, rng);
                sheet.later.extend(glyph.lifts.iter().map(|lift| place(lift, Self::LIFT, rng)));
                if stays {
                    sheet.current.extend(exit);
                } else {
                    sheet.lift();
                    // Writers who print dot an i at once; those who join come back after the word.
                    if self.join < 0.6 {
                        sheet.go_back();
                    }
                }
                x += (glyph.width * size + self.gap * (1. + 0.15 * rng.approx_normal()))
                    * self.width;
            }
            sheet.lift();
            sheet.go_back();
            x += self.space * (1. + 0.15 * rng.approx_normal()) * self.width;
        }
        sheet.strokes
    }

    /// The form of `letter` that this writer uses; `arriving`: with the pen down.
    fn form(&self, letter: char, arriving: bool) -> &'static Glyph {
        let forms = alphabet::forms(letter);
        let fits = |joined: bool| forms.iter().filter(move |glyph| glyph.joined == joined);
        let choice = self.forms[letter as usize - 'a' as usize];
        let (plain, joined) = (fits(false).count(), fits(true).count());
        // Half of the writers never use the joined form of r.
        if arriving && joined > 0 && (letter != 'r' || choice == 0) {
            return fits(true).nth(choice % joined).expect("counted");
        }
        fits(false).nth(choice % plain.max(1)).expect("every letter has a plain form")
    }

    /// A height in this writer's proportions.
    fn stretch(&self, y: f64) -> f64 {
        if y > 10. {
            10. + (y - 10.) * self.ascender
        } else if y < 0. {
            y * self.descender
        } else {
            y
        }
    }
}

/// Smooth noise: white noise through two low-pass filters.
struct Tremor {
    at: Point,
    by: Point,
}

impl Tremor {
    fn step(&mut self, rng: &mut Rng, size: f64) -> Point {
        for axis in 0..2 {
            self.by[axis] = 0.5 * self.by[axis] + size * rng.approx_normal();
            self.at[axis] = 0.6 * self.at[axis] + 0.4 * self.by[axis];
        }
        self.at
    }
}

/// The curve of one stroke, finely sampled, and the ends of its ballistic strokes.
struct Path {
    points: Vec<Point>,
    /// Length of the path up to each point, plus [`BEND`] per radian turned.
    length: Vec<f64>,
    /// For each ballistic stroke: the path length at its end, and how much the turn there may be rounded, from 0 (a
    /// corner) to 1 (a gentle bend).
    ends: Vec<(f64, f64)>,
}

impl Path {
    /// Points per pair of knots.
    const FINE: usize = 12;

    fn new(knots: &[Knot]) -> Self {
        let at = |i: usize| [knots[i].x, knots[i].y];
        let last = knots.len() - 1;
        let mut path = Self { points: vec![at(0)], length: vec![0.], ends: Vec::new() };
        for i in 0..last {
            // At an end or a corner, the missing neighbour is the point mirrored in it.
            let mirrored = |a: Point, b: Point| [2. * a[0] - b[0], 2. * a[1] - b[1]];
            let smooth = |i: usize| 0 < i && i < last && !knots[i].corner;
            let (b, c) = (at(i), at(i + 1));
            let a = if smooth(i) { at(i - 1) } else { mirrored(b, c) };
            let d = if smooth(i + 1) { at(i + 2) } else { mirrored(c, b) };
            for step in 1..=Self::FINE {
                let point = catmull_rom([a, b, c, d], step as f64 / Self::FINE as f64);
                path.push(point, step == 1 && !smooth(i));
            }
            let turn = |i: usize| {
                if smooth(i) { cosine(at(i - 1), at(i), at(i + 1)) } else { -1. }
            };
            let here = turn(i + 1);
            if !smooth(i + 1) {
                path.ends.push((path.total(), 0.));
            } else if here < 0.75 && here <= turn(i) && here < turn(i + 2) {
                // A local maximum of sharpness.
                path.ends.push((path.total(), 0.5 + 0.5 * here.max(0.)));
            }
        }
        path
    }

    fn push(&mut self, point: Point, after_corner: bool) {
        let n = self.points.len();
        let last = self.points[n - 1];
        let turned = if after_corner || n < 2 {
            0.
        } else {
            // The chord 2 sin(α/2): for points this close, nearly the angle α itself.
            let [a, b] = [unit(self.points[n - 2], last), unit(last, point)];
            distance(a, b)
        };
        self.length.push(self.total() + distance(last, point) + BEND * turned);
        self.points.push(point);
    }

    fn total(&self) -> f64 {
        self.length[self.length.len() - 1]
    }

    /// The pen's position at times 0, 1, 2, … until the end of the stroke.
    ///
    /// `s(t) = Σ Lᵢ m((t − tᵢ)/Tᵢ)` with the minimum-jerk `m(τ) = 10τ³ − 15τ⁴ + 6τ⁵`: ballistic stroke
    /// i covers Lᵢ of the path in time Tᵢ, which grows only as √Lᵢ (isochrony: Binet and Courtier 1893).
    fn sample(&self, speed: f64, flow: f64) -> Vec<Point> {
        let mut moves: Vec<(f64, f64, f64)> = Vec::new(); // start, duration, length
        let (mut from, mut overlap) = (0., 0.);
        for &(to, bend) in &self.ends {
            let length = to - from;
            let duration = (1.4 + 1.2 * length.sqrt()) / speed;
            let start = match moves.last() {
                Some(&(start, before, _)) => start + before - overlap * before.min(duration),
                None => 0.,
            };
            moves.push((start, duration, length));
            (from, overlap) = (to, flow * (0.6 + 0.4 * bend));
        }
        let end =
            moves.iter().fold(
                0.,
                |end, &(start, duration, _)| {
                    if start + duration > end { start + duration } else { end }
                },
            );
        let progress = |t: f64| {
            moves.iter().fold(0., |sum, &(start, duration, length)| {
                sum + length * minimum_jerk(((t - start) / duration).clamp(0., 1.))
            })
        };
        (0..=end.ceil() as usize).map(|t| self.at(progress(t as f64))).collect()
    }

    /// The point at path length `s`.
    fn at(&self, s: f64) -> Point {
        let i = self.length.partition_point(|&length| length < s).clamp(1, self.length.len() - 1);
        let span = self.length[i] - self.length[i - 1];
        let u = if span > 0. { ((s - self.length[i - 1]) / span).clamp(0., 1.) } else { 1. };
        lerp(self.points[i - 1], self.points[i], u)
    }
}

/// `10τ³ − 15τ⁴ + 6τ⁵`: from 0 to 1 with the least jerk. Source: Flash and Hogan 1985.
fn minimum_jerk(tau: f64) -> f64 {
    tau * tau * tau * (10. + tau * (6. * tau - 15.))
}

/// The centripetal Catmull–Rom curve from `b` (u = 0) to `c` (u = 1): knots spaced by √‖·‖, evaluated by the
/// pyramid of Barry and Goldman 1988.
fn catmull_rom([a, b, c, d]: [Point; 4], u: f64) -> Point {
    // A small constant avoids division by zero where points coincide.
    let apart = |p: Point, q: Point| distance(p, q).sqrt() + 1e-6;
    let t0 = 0.;
    let t1 = t0 + apart(a, b);
    let t2 = t1 + apart(b, c);
    let t3 = t2 + apart(c, d);
    let t = t1 + (t2 - t1) * u;
    let mix = |p: Point, q: Point, from: f64, to: f64| lerp(p, q, (t - from) / (to - from));
    let (ab, bc, cd) = (mix(a, b, t0, t1), mix(b, c, t1, t2), mix(c, d, t2, t3));
    mix(mix(ab, bc, t0, t2), mix(bc, cd, t1, t3), t1, t2)
}

/// The unit vector from p to q.
fn unit(p: Point, q: Point) -> Point {
    let length = distance(p, q) + 1e-9;
    [(q[0] - p[0]) / length, (q[1] - p[1]) / length]
}

fn lerp(p: Point, q: Point, u: f64) -> Point {
    [p[0] + (q[0] - p[0]) * u, p[1] + (q[1] - p[1]) * u]
}

fn distance(p: Point, q: Point) -> f64 {
    let (x, y) = (q[0] - p[0], q[1] - p[1]);
    (x * x + y * y).sqrt()
}

/// Cosine of the turn at `b`: 1 straight on, −1 straight back.
fn cosine(a: Point, b: Point, c: Point) -> f64 {
    let ([x, y], [u, v]) = ([b[0] - a[0], b[1] - a[1]], [c[0] - b[0], c[1] - b[1]]);
    (x * u + y * v) / (distance(a, b) * distance(b, c) + 1e-9)
}
