//! Writers, and how their hands move.
//!
//! A [`Writer`] bends the alphabet to habits of size, slant, spacing and joins, and wavers from letter
//! to letter. The path is a centripetal Catmull–Rom curve through the bent points (Catmull and Rom
//! 1974; Yuksel, Schaefer and Keyser 2011). Along it the hand moves in overlapping ballistic strokes
//! from one sharp turn to the next, each of minimum jerk (Flash and Hogan 1985), and the pen is
//! slow where the path bends, as people's pens are (Lacquaniti, Terzuolo and Viviani 1983). A tablet
//! looks at it at fixed intervals. Only `+ − × ÷ √`: the same bits everywhere.

use super::Dice;
use super::alphabet::{self, Glyph, Knot};

/// x and y; y upwards.
pub type Point = [f64; 2];

/// Grid units per unit of the alphabet, for a writer of size 1.
const GRID: f64 = 2.4;

/// Turning by one radian takes the pen as long as going so far: its speed is `∝ 1/(1 + BEND κ)` where
/// the path has curvature κ, much like the `κ^(−1/3)` of Lacquaniti, Terzuolo and Viviani 1983.
const BEND: f64 = 3.5;

/// Habits that one person keeps from line to line.
///
/// Lengths are in units of the alphabet (x-height 10), times in intervals of the tablet.
pub struct Writer {
    size: f64,
    /// Widths of letters are multiplied by this …
    width: f64,
    /// … their distance is this …
    gap: f64,
    /// … and between words this more.
    space: f64,
    /// How far a point moves to the right per unit of height.
    slant: f64,
    /// Parts above the x-height, parts below the baseline.
    ascender: f64,
    descender: f64,
    /// The probability that the pen stays down from one letter to the next.
    join: f64,
    loops: bool,
    /// How far the baseline climbs per unit, on average over lines.
    climb: f64,
    /// How far letters leave the baseline.
    wander: f64,
    /// How far the points of a letter scatter from one time to the next.
    care: f64,
    /// How far the pen trembles.
    tremor: f64,
    speed: f64,
    /// How much of a ballistic stroke runs while the one before still does.
    flow: f64,
    /// The form of each letter, where there are several.
    forms: [usize; 26],
    /// How this writer bends the points of each letter.
    style: Vec<Vec<Point>>,
}

/// A line on its way: where the pen is, and the strokes so far.
struct Sheet {
    strokes: Vec<Vec<Knot>>,
    /// The stroke under way; empty when the pen is up.
    current: Vec<Knot>,
    /// Dots and bars to go back for.
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
    /// Where in a letter's style the parts of its forms begin, so that a letter is bent alike however it
    /// is joined; and how many points there are in all.
    const BODY: usize = 0;
    const ENTRY: usize = 16;
    const EXIT: usize = 20;
    const LIFT: usize = 26;
    const POINTS: usize = 32;

    /// Somebody, as the dice fall.
    pub(super) fn new(dice: &mut Dice) -> Self {
        // Two in three join nearly everything, the others lift now and then or often.
        let join = match dice.below(6) {
            0..4 => dice.between(0.94, 1.),
            4 => dice.between(0.7, 0.9),
            _ => dice.between(0.1, 0.5),
        };
        let bend = dice.between(0.2, 0.55);
        let mut bent = || [dice.bell() * bend, dice.bell() * bend];
        let style = (0..26).map(|_| (0..Self::POINTS).map(|_| bent()).collect()).collect();
        Self {
            size: dice.between(0.85, 1.25),
            width: dice.between(0.85, 1.2),
            gap: if join < 0.6 { dice.between(2.2, 4.) } else { dice.between(2.2, 5.5) },
            space: dice.between(6., 12.),
            slant: 0.16 + 0.19 * dice.bell(),
            ascender: dice.between(0.85, 1.2),
            descender: dice.between(0.75, 1.2),
            join,
            loops: dice.unit() < 0.6,
            climb: 0.02 * dice.bell(),
            wander: dice.between(0.1, 0.6),
            care: dice.between(0.12, 0.4),
            tremor: dice.between(0., 0.12),
            speed: dice.between(0.9, 1.15),
            flow: dice.between(0.38, 0.5),
            forms: std::array::from_fn(|_| dice.below(2)),
            style,
        }
    }

    /// Writes `text` (a–z and spaces): strokes of tablet points, in grid units, not yet rounded.
    pub(super) fn write(&self, text: &str, dice: &mut Dice) -> Vec<Vec<Point>> {
        let strokes = self.strokes(text, dice);
        let climb = self.climb + 0.012 * dice.bell();
        let hurry = self.speed * (1. + 0.05 * dice.bell());
        let scale = GRID * self.size;
        let mut tremor = Tremor { at: [0.; 2], by: [0.; 2] };
        let mut put = |[x, y]: Point| {
            let [tx, ty] = tremor.step(dice, self.tremor);
            [scale * (x + self.slant * y + tx), scale * (y + climb * x + ty)]
        };
        let sampled = strokes.iter().map(|stroke| Path::new(stroke).sample(hurry, self.flow));
        sampled.map(|stroke| stroke.into_iter().map(&mut put).collect()).collect()
    }

    /// The strokes of a line, in the order of writing, as knots in units of the alphabet.
    fn strokes(&self, text: &str, dice: &mut Dice) -> Vec<Vec<Knot>> {
        let mut sheet = Sheet { strokes: Vec::new(), current: Vec::new(), later: Vec::new() };
        let (mut x, mut height) = (0., 0.);
        for word in text.split(' ') {
            let mut letters = word.chars().peekable();
            while let Some(letter) = letters.next() {
                let glyph = self.form(letter, !sheet.current.is_empty());
                height = 0.75 * height + self.wander * dice.bell();
                let size = 1. + 0.05 * dice.bell();
                let style = &self.style[letter as usize - 'a' as usize];
                let place = |knots: &[Knot], part: usize, dice: &mut Dice| -> Vec<Knot> {
                    let bent = knots.iter().zip(&style[part..]).map(|(knot, [dx, dy])| {
                        let px = knot.x + dx + self.care * dice.bell();
                        let py = self.stretch(knot.y) + dy + self.care * dice.bell();
                        Knot { x: x + px * size * self.width, y: height + py * size, ..*knot }
                    });
                    bent.collect()
                };
                let from = sheet.current.last().map(|knot| knot.y - height);
                if let Some(from) = from.filter(|_| !glyph.entry.looped || self.loops) {
                    // From a high exit the low part of an entry would be a detour.
                    let mut entry = glyph.entry.knots.clone();
                    entry.retain(|knot| from < 6. || knot.y > 9.5);
                    sheet.current.extend(place(&entry, Self::ENTRY, dice));
                }
                sheet.current.extend(place(&glyph.body, Self::BODY, dice));
                let can_exit = !glyph.exit.looped || self.loops;
                let stays = letters.peek().is_some() && can_exit && dice.unit() < self.join;
                let exit = place(&glyph.exit.knots, Self::EXIT, dice);
                sheet.later.extend(glyph.lifts.iter().map(|lift| place(lift, Self::LIFT, dice)));
                if stays {
                    sheet.current.extend(exit);
                } else {
                    sheet.lift();
                    // Who prints dots an i at once, who joins comes back after the word.
                    if self.join < 0.6 {
                        sheet.go_back();
                    }
                }
                x += (glyph.width * size + self.gap * (1. + 0.15 * dice.bell())) * self.width;
            }
            sheet.lift();
            sheet.go_back();
            x += self.space * (1. + 0.15 * dice.bell()) * self.width;
        }
        sheet.strokes
    }

    /// The form of `letter` that this writer uses, arriving with the pen down or not.
    fn form(&self, letter: char, arriving: bool) -> &'static Glyph {
        let forms = alphabet::forms(letter);
        let fits = |joined: bool| forms.iter().filter(move |glyph| glyph.joined == joined);
        let choice = self.forms[letter as usize - 'a' as usize];
        let (plain, joined) = (fits(false).count(), fits(true).count());
        // A letter with a joined and a plain form: half of the writers know only the plain one of r.
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

/// Smooth noise: a step of noise, filtered twice.
struct Tremor {
    at: Point,
    by: Point,
}

impl Tremor {
    fn step(&mut self, dice: &mut Dice, size: f64) -> Point {
        for axis in 0..2 {
            self.by[axis] = 0.5 * self.by[axis] + size * dice.bell();
            self.at[axis] = 0.6 * self.at[axis] + 0.4 * self.by[axis];
        }
        self.at
    }
}

/// The curve of one stroke: points close together, and where ballistic strokes meet.
struct Path {
    points: Vec<Point>,
    /// Length of the path up to each point, plus [`BEND`] per radian turned: what time is spent on.
    length: Vec<f64>,
    /// Per ballistic stroke: how far along the path it ends, and how much the pen may round the
    /// turn there: 1 a gentle bend, 0 a corner.
    ends: Vec<(f64, f64)>,
}

impl Path {
    /// Points of the curve between two knots.
    const FINE: usize = 12;

    fn new(knots: &[Knot]) -> Self {
        let at = |i: usize| [knots[i].x, knots[i].y];
        let last = knots.len() - 1;
        let mut path = Self { points: vec![at(0)], length: vec![0.], ends: Vec::new() };
        for i in 0..last {
            // Beyond an end or a corner the curve goes on as if mirrored in it.
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
                // The sharpest of the turns around it.
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
            // The chord of the angle, 2 sin(α/2): between points so close, the angle.
            let [a, b] = [unit(self.points[n - 2], last), unit(last, point)];
            distance(a, b)
        };
        self.length.push(self.total() + distance(last, point) + BEND * turned);
        self.points.push(point);
    }

    fn total(&self) -> f64 {
        self.length[self.length.len() - 1]
    }

    /// Where the pen is at 0, 1, 2, … until it arrives.
    ///
    /// `s(t) = Σ Lᵢ m((t − tᵢ)/Tᵢ)` with the minimum-jerk `m(τ) = 10τ³ − 15τ⁴ + 6τ⁵`: ballistic stroke
    /// i covers Lᵢ of the path in Tᵢ, which grows as √Lᵢ only (isochrony: Binet and Courtier 1893).
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

    /// The point `s` along the path.
    fn at(&self, s: f64) -> Point {
        let i = self.length.partition_point(|&length| length < s).clamp(1, self.length.len() - 1);
        let span = self.length[i] - self.length[i - 1];
        let part = if span > 0. { ((s - self.length[i - 1]) / span).clamp(0., 1.) } else { 1. };
        between(self.points[i - 1], self.points[i], part)
    }
}

/// `10τ³ − 15τ⁴ + 6τ⁵`: from 0 to 1 with the least jerk. Source: Flash and Hogan 1985.
fn minimum_jerk(tau: f64) -> f64 {
    tau * tau * tau * (10. + tau * (6. * tau - 15.))
}

/// The centripetal Catmull–Rom curve from `b` (part 0) to `c` (part 1): knots √‖·‖ apart, by the
/// pyramid of Barry and Goldman 1988.
fn catmull_rom([a, b, c, d]: [Point; 4], part: f64) -> Point {
    // Points that fall together still take a little time, or a division by zero follows.
    let apart = |p: Point, q: Point| distance(p, q).sqrt() + 1e-6;
    let t0 = 0.;
    let t1 = t0 + apart(a, b);
    let t2 = t1 + apart(b, c);
    let t3 = t2 + apart(c, d);
    let t = t1 + (t2 - t1) * part;
    let mix = |p: Point, q: Point, from: f64, to: f64| between(p, q, (t - from) / (to - from));
    let (ab, bc, cd) = (mix(a, b, t0, t1), mix(b, c, t1, t2), mix(c, d, t2, t3));
    mix(mix(ab, bc, t0, t2), mix(bc, cd, t1, t3), t1, t2)
}

/// The direction from p to q.
fn unit(p: Point, q: Point) -> Point {
    let length = distance(p, q) + 1e-9;
    [(q[0] - p[0]) / length, (q[1] - p[1]) / length]
}

fn between(p: Point, q: Point, part: f64) -> Point {
    [p[0] + (q[0] - p[0]) * part, p[1] + (q[1] - p[1]) * part]
}

fn distance(p: Point, q: Point) -> f64 {
    let (x, y) = (q[0] - p[0], q[1] - p[1]);
    (x * x + y * y).sqrt()
}

/// Of the turn at `b`: 1 straight on, −1 straight back.
fn cosine(a: Point, b: Point, c: Point) -> f64 {
    let ([x, y], [u, v]) = ([b[0] - a[0], b[1] - a[1]], [c[0] - b[0], c[1] - b[1]]);
    (x * u + y * v) / (distance(a, b) * distance(b, c) + 1e-9)
}
