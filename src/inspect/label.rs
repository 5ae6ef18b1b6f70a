//! Short labels of axes as lines, so that pictures need no font: digits, signs, and the letters that
//! axes have.

use std::fmt::Write as _;

/// The colour of labels and of the ticks beside them.
const COLOUR: &str = "#767676";
/// Pixels of a unit of the shapes: a character is 4 wide and 6 high.
const SCALE: f64 = 1.4;
/// Units from one character to the next.
const ADVANCE: f64 = 5.7;

/// The lines of a text, as the `d` of a path: its middle is at height `y`, and `anchor` of its width is left of `x` (0:
/// it begins there, 1: it ends there).
///
/// # Panics
/// If a character has no shape.
#[track_caller]
pub fn label(text: &str, [x, y]: [f64; 2], anchor: f64) -> String {
    let width = text.chars().count() as f64 * ADVANCE - (ADVANCE - 4.);
    let mut d = String::new();
    for (i, character) in text.chars().enumerate() {
        let left = x + SCALE * (i as f64 * ADVANCE - anchor * width);
        for line in shape(character).split_whitespace() {
            for (n, point) in line.as_bytes().chunks_exact(2).enumerate() {
                let [dx, dy] = [point[0], point[1]].map(|digit| f64::from(digit - b'0'));
                let command = if n == 0 { 'M' } else { 'L' };
                let (px, py) = (left + SCALE * dx, y + SCALE * (dy - 3.));
                let _ = write!(d, "{command}{px:.1} {py:.1}");
            }
        }
    }
    d
}

/// The path of labels and of the ticks beside them, given its `d`.
pub fn drawn(d: &str) -> String {
    format!("<path fill=\"none\" stroke=\"{COLOUR}\" stroke-width=\"1.2\" d=\"{d}\"/>\n")
}

/// The lines of a character, each as its points, and each point as two digits: 0 to 4 to the right, 0 to 6 downwards,
/// and to 8 below the line.
#[track_caller]
fn shape(character: char) -> &'static str {
    match character {
        '0' => "0040460600",
        '1' => "1120 2026",
        '2' => "004043030646",
        '3' => "00404606 0343",
        '4' => "000343 4046",
        '5' => "400003434606",
        '6' => "400006464303",
        '7' => "004046",
        '8' => "0040460600 0343",
        '9' => "430300404606",
        '.' => "2526",
        '-' => "0343",
        'a' => "024246060444",
        'c' => "42020646",
        'e' => "460602424404",
        'h' => "0006 024246",
        'l' => "101636",
        'n' => "06024246",
        'p' => "0802424606",
        't' => "101646 0242",
        's' => "420204444606",
        'k' => "0006 420446",
        'H' => "0006 4046 0343",
        'z' => "02420646",
        ' ' => "",
        other => panic!("label: {other:?} has no shape"),
    }
}

/// A whole number of thousandths in decimals: `2.5` of 2500.
pub fn thousandths(n: u64) -> String {
    let text = format!("{}.{:03}", n / 1000, n % 1000);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// The least of 1, 2, 5, 10, 20, … that is not below `least`.
pub fn round_step(least: f64) -> u64 {
    let mut steps = (0..18).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)));
    steps.find(|&step| step as f64 >= least).unwrap_or(u64::MAX)
}
