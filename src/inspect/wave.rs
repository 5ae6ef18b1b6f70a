//! Sound drawn as SVG: the waveform, and below it the spectrogram.
//!
//! A step is a frame of consecutive samples. Not here: the page itself (`page`), pixels (`png`), sound to
//! listen to (`wav`).

use super::label::{drawn, label, round_step, thousandths};
use super::page::{Drawing, FAINT, GAP, INK, MARGIN, PRIMED, WIDTH, finite, page};
use crate::kernel::math::{cos_turns_f64, ln_f64};
use std::fmt::Write as _;

/// Height of the waveform, in pixels.
const WAVE: f64 = 128.;
/// Height of a band of frequencies, in pixels.
const BAND: usize = 2;
/// Width of a column of the spectrogram, in pixels.
const COLUMN: usize = 2;
/// Samples in the spectrum of a column, under a Hann window.
const WINDOW: usize = 256;
/// Frequencies per band, of which the loudest is drawn.
const SHARE: usize = 2;
const BANDS: usize = WINDOW / 2 / SHARE;
/// How far below the loudest a sound is still drawn: 60 dB, as ln of powers.
const RANGE: f64 = 13.815_510_557_964_274;
/// From quiet to loud, each darker than the one before; what is quieter is left white.
const LEVELS: [&str; 12] = [
    "#f1ecdf", "#f6dfb5", "#f8cd8a", "#f7b565", "#f09a4e", "#e37d47", "#d06049", "#b6464f",
    "#953354", "#712754", "#4c204c", "#29193c",
];
/// Frames closer together than this many pixels get no grid lines.
const CLOSEST: f64 = 4.;

/// A page with the sounds below each other, as the text of an SVG file.
///
/// All have one scale of time, at which the longest fills the page's width; each is scaled to its own peak.
/// Grid lines mark every frame of `channels` samples, unless they are too close, and ticks below the waveform
/// every tenth of a second at `rate` samples per second. The spectrogram goes from 0 up to half the rate and
/// shows 60 dB; its axes are in kHz and seconds.
pub fn svg(sounds: &[Drawing], channels: usize, rate: u32) -> String {
    let longest = sounds.iter().map(|sound| sound.rows.len()).max().unwrap_or(0).max(1);
    // Pixels per sample, bounded, so that a sound of a few samples does not become a staircase.
    let scale = ((WIDTH - 2. * MARGIN) / longest as f64).min(COLUMN as f64);
    let (mut body, mut top) = (String::new(), MARGIN);
    let cosines: Vec<f64> = (0..WINDOW).map(|i| cos_turns_f64(i as f64 / WINDOW as f64)).collect();
    for sound in sounds {
        let samples: Vec<f64> = sound.rows.iter().map(|&x| finite(x)).collect();
        let tenth = (f64::from(rate) / 10.).max(1.);
        grid(&mut body, &samples, channels, tenth, top, scale);
        wave(&mut body, &samples, sound.primed * channels, top, scale);
        top += WAVE + TICK;
        spectrogram(&mut body, &samples, &cosines, top, scale);
        axes(&mut body, samples.len(), rate, top, scale);
        top += (BANDS * BAND) as f64 + GAP;
    }
    page(&body, top)
}

/// Pixels between waveform and spectrogram, for the ticks.
const TICK: f64 = 8.;

/// Lines at the frames, ticks at the tenths of a second.
fn grid(body: &mut String, samples: &[f64], frame: usize, tenth: f64, top: f64, scale: f64) {
    let until = MARGIN + samples.len() as f64 * scale;
    let lines = |every: f64, y: f64, tall: f64| {
        let mut d = String::new();
        let steps = (0..).map(|i| MARGIN + f64::from(i) * every * scale);
        for x in steps.take_while(|x| *x <= until + 0.1).filter(|_| every * scale >= CLOSEST) {
            let _ = write!(d, "M{x:.1} {y}v{tall}");
        }
        d
    };
    let _ = writeln!(
        body,
        "<path fill=\"none\" stroke=\"{FAINT}\" d=\"{}\"/>\n<path fill=\"none\" stroke=\"{INK}\" d=\"{}\"/>",
        lines(frame as f64, top, WAVE),
        lines(tenth, top + WAVE, TICK / 2.)
    );
}

/// The least and the greatest sample of every column of pixels, as one shape in each colour.
fn wave(body: &mut String, samples: &[f64], primed: usize, top: f64, scale: f64) {
    let peak = samples.iter().fold(0., |peak: f64, x| if x.abs() > peak { x.abs() } else { peak });
    let height = |x: f64| top + WAVE / 2. * (1. - if peak > 0. { x / peak } else { 0. });
    let primed = primed.min(samples.len());
    for (from, until, colour) in [(0, primed, PRIMED), (primed, samples.len(), INK)] {
        let (mut upper, mut lower) = (String::new(), vec![]);
        let mut at = from;
        while at < until {
            // The samples of the pixel that `at` falls in, and one more, so that columns meet.
            let pixel = (at as f64 * scale).floor();
            let next = (((pixel + 1.) / scale).ceil() as usize).clamp(at + 1, until);
            let of_pixel = &samples[at..(next + 1).min(until)];
            let [mut low, mut high] = [of_pixel[0]; 2];
            for &x in of_pixel {
                low = if x < low { x } else { low };
                high = if x > high { x } else { high };
            }
            let x = MARGIN + if scale < 1. { pixel } else { at as f64 * scale };
            let command = if at == from { 'M' } else { 'L' };
            let _ = write!(upper, "{command}{x:.1} {:.1}", height(high));
            lower.push((x, height(low)));
            at = next;
        }
        for (x, y) in lower.iter().rev() {
            let _ = write!(upper, "L{x:.1} {y:.1}");
        }
        if !upper.is_empty() {
            let _ = writeln!(
                body,
                "<path fill=\"{colour}\" stroke=\"{colour}\" stroke-linejoin=\"round\" d=\"{upper}z\"/>"
            );
        }
    }
}

/// Runs of bands of one level, for every column a stroke upwards, all strokes of a level in one path.
fn spectrogram(body: &mut String, samples: &[f64], cosines: &[f64], top: f64, scale: f64) {
    let columns = (samples.len() as f64 * scale / COLUMN as f64).ceil() as usize;
    let middle = |column: usize| ((column as f64 + 0.5) * COLUMN as f64 / scale) as usize;
    let powers: Vec<[f64; BANDS]> =
        (0..columns).map(|column| spectrum(samples, middle(column), cosines)).collect();
    let loudest =
        powers.iter().flatten().fold(0., |loudest: f64, &p| if p > loudest { p } else { loudest });
    let level = |power: f64| {
        let below = ln_f64(power / loudest) + RANGE;
        // Casting takes −∞ and none to 0, the white of the page.
        ((below / RANGE * LEVELS.len() as f64).ceil() as usize).min(LEVELS.len())
    };
    let mut strokes = vec![String::new(); LEVELS.len()];
    // Relative to the end of the last stroke of the same level: half the bytes of absolute places.
    let mut ends = [[0; 2]; LEVELS.len()];
    for (column, powers) in powers.iter().enumerate() {
        let levels = powers.map(level);
        let x = MARGIN as usize + column * COLUMN + COLUMN / 2;
        let mut band = 0;
        while band < BANDS {
            let run = levels[band..].iter().take_while(|&&other| other == levels[band]).count();
            let y = top as usize + (BANDS - band) * BAND;
            band += run;
            if let Some(level) = levels[band - 1].checked_sub(1) {
                let [last_x, last_y] = ends[level];
                let (dx, dy) = (x - last_x, y as isize - last_y as isize);
                let _ = write!(strokes[level], "m{dx} {dy}v-{}", run * BAND);
                ends[level] = [x, y - run * BAND];
            }
        }
    }
    for (colour, d) in LEVELS.iter().zip(strokes).filter(|(_, d)| !d.is_empty()) {
        let _ = writeln!(
            body,
            "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"{COLUMN}\" \
             shape-rendering=\"crispEdges\" d=\"{d}\"/>"
        );
    }
}

/// Pixels between two labels of the axis of time, and of frequency, at least.
const APART: [f64; 2] = [100., 20.];

/// Ticks and labels beside the spectrogram and below it.
fn axes(body: &mut String, samples: usize, rate: u32, top: f64, scale: f64) {
    let (tall, rate) = ((BANDS * BAND) as f64, f64::from(rate));
    let mut d = label("kHz", [MARGIN - 8., top - 16.], 1.);
    let step = round_step(APART[1] * rate / 2. / tall);
    for hertz in (0..).map(|i| i * step).take_while(|&hertz| hertz as f64 <= rate / 2.) {
        let y = top + tall * (1. - hertz as f64 / (rate / 2.));
        let _ =
            write!(d, "M{MARGIN} {y:.1}h-4{}", label(&thousandths(hertz), [MARGIN - 8., y], 1.));
    }
    let step = round_step(1000. * APART[0] / (rate * scale)); // in milliseconds
    let x = |ms: u64| MARGIN + ms as f64 / 1000. * rate * scale;
    let until = MARGIN + samples as f64 * scale;
    for ms in (0..).map(|i| i * step).take_while(|&ms| x(ms) <= until + 0.1) {
        let text = format!("{} s", thousandths(ms));
        let _ = write!(
            d,
            "M{:.1} {}v4{}",
            x(ms),
            top + tall,
            label(&text, [x(ms), top + tall + 12.], 0.5)
        );
    }
    *body += &drawn(&d);
}

/// The power of every band around a sample; beyond the ends there is silence.
///
/// `X_k = Σ_n w_n x_n e^(−2πikn/N)` with the Hann window `w_n = ½ − ½ cos(2πn/N)`, without an FFT: a page has
/// few columns.
fn spectrum(samples: &[f64], middle: usize, cosines: &[f64]) -> [f64; BANDS] {
    let mut windowed = [0.; WINDOW];
    for (n, out) in windowed.iter_mut().enumerate() {
        let sample = (middle + n).checked_sub(WINDOW / 2).and_then(|i| samples.get(i));
        *out = sample.unwrap_or(&0.) * (0.5 - 0.5 * cosines[n]);
    }
    let mut bands = [0.; BANDS];
    for k in 0..WINDOW / 2 {
        let [mut real, mut imaginary] = [0.; 2];
        for (n, x) in windowed.iter().enumerate() {
            let turn = k * n % WINDOW;
            real += x * cosines[turn];
            // sin φ is cos of a quarter turn less.
            imaginary += x * cosines[(turn + WINDOW * 3 / 4) % WINDOW];
        }
        let power = real * real + imaginary * imaginary;
        let band = &mut bands[k / SHARE];
        *band = if power > *band { power } else { *band };
    }
    bands
}
