use stcn::inspect::Drawing;
use stcn::inspect::wave::svg;
use stcn::internals::page::WIDTH;
use std::f64::consts::TAU;

/// A tone of so many periods in 256 samples.
fn tone(samples: usize, periods: f64, loud: f64) -> Vec<f32> {
    (0..samples).map(|n| (loud * (TAU * periods * n as f64 / 256.).sin()) as f32).collect()
}

fn drawn(samples: &[f32], frame: usize) -> String {
    svg(&[Drawing { rows: samples, primed: 0 }], frame, 16_000)
}

/// What the spectrogram of a page has: x, bottom and top of every stroke, and how dark it is.
fn strokes(page: &str) -> Vec<([f64; 3], usize)> {
    let mut found = vec![];
    let paths = page.split("<path ").filter(|path| path.contains("crispEdges"));
    for (dark, path) in paths.enumerate() {
        let path = path.split(" d=\"m").nth(1).unwrap().split('"').next().unwrap();
        let [mut x, mut y] = [0.; 2];
        for stroke in path.split('m') {
            let (dx, rest) = stroke.split_once(' ').unwrap();
            let (dy, up) = rest.split_once("v-").unwrap();
            let [dx, dy, up]: [f64; 3] = [dx, dy, up].map(|number| number.parse().unwrap());
            (x, y) = (x + dx, y + dy - up);
            found.push(([x, y + up, y], dark));
        }
    }
    found
}

/// Lines of a colour: their x.
fn lines(page: &str, colour: &str) -> Vec<f64> {
    let start = format!("<path fill=\"none\" stroke=\"{colour}\" d=\"");
    let path = page.split(&start).nth(1).unwrap().split('"').next().unwrap();
    let x = |line: &str| line.split(' ').next().unwrap().parse().unwrap();
    path.split('M').filter(|line| !line.is_empty()).map(x).collect()
}

const FAINT: &str = "#dde2ea";
const INK: &str = "#1c2a4a";

#[test]
fn a_tone_is_darkest_at_its_frequency() {
    for periods in [20., 64., 100.] {
        let page = drawn(&tone(6000, periods, 500.), 200);
        let strokes = strokes(&page);
        let darkest = strokes.iter().map(|(_, dark)| *dark).max().unwrap();
        // Two of the window's frequencies share a band, a band is two pixels high, and 0 is at the bottom.
        let bottom = 48. + 128. + 8. + 128.;
        let dark: Vec<_> = strokes.iter().filter(|(_, dark)| *dark == darkest).collect();
        for ([x, y, top], _) in &dark {
            let (low, high) = (bottom - y, bottom - top);
            assert!(low <= periods && periods <= high, "{periods} at {x}: {low} to {high}");
        }
        // All of the page's width, but for columns at the ends that are half silence.
        assert!(dark.len() > 740, "{} columns of 752", dark.len());
    }
}

#[test]
fn loudness_does_not_matter_and_silence_is_white() {
    let (soft, loud) = (drawn(&tone(4000, 30., 3.), 200), drawn(&tone(4000, 30., 30_000.), 200));
    let shapes = |page: &str| strokes(page).len();
    assert!(shapes(&soft) > 752 && shapes(&soft).abs_diff(shapes(&loud)) < 20);
    let silent = drawn(&[0.; 4000], 200);
    assert!(strokes(&silent).is_empty());
    assert!(silent.contains("L"), "silence is a line in the middle");
    let mut half = tone(8000, 30., 500.);
    half[4000..].fill(0.);
    let rightmost = strokes(&drawn(&half, 200)).iter().fold(0., |x: f64, ([at, ..], _)| x.max(*at));
    assert!((780. ..840.).contains(&rightmost), "{rightmost}");
}

#[test]
fn the_wave_reaches_from_top_to_bottom_at_its_peak() {
    let page = drawn(&tone(4000, 8., 500.), 200);
    let wave = page.split(&format!("<path fill=\"{INK}\" stroke=")).nth(1).unwrap();
    let wave = wave.split(" d=\"M").nth(1).unwrap().split('"').next().unwrap();
    let points = wave.trim_end_matches('z').split('L').map(|point| {
        let (x, y) = point.split_once(' ').unwrap();
        (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap())
    });
    let points: Vec<_> = points.collect();
    let ys = points.iter().map(|(_, y)| *y);
    assert_eq!(ys.clone().fold(f64::MAX, f64::min), 48.);
    assert_eq!(ys.fold(0., f64::max), 48. + 128.);
    assert!(points.iter().all(|(x, _)| (48. ..=WIDTH - 48.).contains(x)));
}

#[test]
fn frames_and_tenths_of_seconds_are_marked_where_they_can_be_told_apart() {
    let page = drawn(&tone(16_000, 8., 500.), 200);
    assert_eq!((lines(&page, FAINT).len(), lines(&page, INK).len()), (81, 11));
    assert!((lines(&page, FAINT)[80] - (WIDTH - 48.)).abs() < 0.1);
    let page = drawn(&tone(160_000, 8., 500.), 200);
    assert!(!page.contains(&format!("stroke=\"{FAINT}\" d=\"M")), "800 frames on 1504 pixels");
    assert_eq!(lines(&page, INK).len(), 101);
}

#[test]
fn the_axes_have_ticks_in_khz_and_in_seconds_of_the_rate() {
    // The ticks: those that go left and those that go down.
    let ticks = |samples: usize, rate: u32| {
        let page = svg(&[Drawing { rows: &vec![1.; samples], primed: 0 }], 200, rate);
        let path = page.split("<path fill=\"none\" stroke=\"#767676\"").nth(1).unwrap();
        let path = path.split(" d=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
        let starts = |end: &str| -> Vec<String> {
            let lines = path.split('M').filter_map(|line| line.split_once(end));
            lines.map(|(start, _)| start.to_string()).collect()
        };
        (starts("h-4"), starts("v4"))
    };
    let bottom = 48. + 128. + 8. + 128.;
    // 0, 2, 4, 6 and 8 kHz; every tenth of a second.
    let (khz, seconds) = ticks(16_000, 16_000);
    let at = |khz: f64| format!("48 {:.1}", bottom - 16. * khz);
    assert_eq!(khz, [0., 2., 4., 6., 8.].map(at));
    let at = |i: usize| format!("{:.1} {bottom}", 48. + 150.4 * i as f64);
    assert_eq!(seconds, (0..=10).map(at).collect::<Vec<_>>());
    // The same numbers, taken to be slower: 0, 1, 2, 3 and 4 kHz, every fifth of a second.
    let (khz, seconds) = ticks(16_000, 8000);
    let at = |khz: f64| format!("48 {:.1}", bottom - 32. * khz);
    assert_eq!(khz, [0., 1., 2., 3., 4.].map(at));
    assert_eq!(seconds.len(), 11);
    // Rates at the ends of what is known have some, and not too many.
    for rate in [1000, 11_025, 768_000] {
        let (khz, _) = ticks(16_000, rate);
        assert!((3..=7).contains(&khz.len()), "{rate}: {khz:?}");
    }
}

#[test]
fn what_was_given_has_another_colour() {
    let samples = tone(4000, 8., 500.);
    let page = svg(&[Drawing { rows: &samples, primed: 5 }], 200, 16_000);
    assert!(page.contains("<path fill=\"#c2582b\"") && page.contains("<path fill=\"#1c2a4a\""));
    assert!(!drawn(&samples, 200).contains("#c2582b"));
}

#[test]
fn six_sounds_of_two_seconds_are_a_page_below_two_megabytes() {
    // Noise, which no run of equal levels makes short.
    let noise = stcn::Noise::new(1, "page");
    let sound = |i: u64| {
        let mut samples = vec![0.; 32_000];
        noise.uniforms("sound", i, 0, &mut samples);
        samples.iter().map(|x| (*x as f32 - 0.5) * 2e4).collect::<Vec<f32>>()
    };
    let sounds: Vec<_> = (0..6).map(sound).collect();
    let drawings: Vec<_> = sounds.iter().map(|rows| Drawing { rows, primed: 0 }).collect();
    let page = svg(&drawings, 200, 16_000);
    println!("{} bytes", page.len());
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn nothing_one_sample_and_numbers_that_are_none_can_be_drawn() {
    for samples in
        [&[][..], &[1.], &[0., 0.], &[f32::NAN, f32::INFINITY, 5.], &[1e30, -1e30], &[1e-30, 0.]]
    {
        let page = drawn(samples, 1);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}
