//! Text as lines, so that pictures need no font: the characters of ASCII.

use std::fmt::Write as _;

/// The colour of labels and of the ticks beside them.
const COLOUR: &str = "#767676";
/// Pixels of a unit of the shapes: a character is 4 wide and 6 high.
const SCALE: f64 = 1.4;
/// Units from one character to the next.
const ADVANCE: f64 = 5.7;

/// The lines of a text, as the `d` of a path: its middle is at height `y`, and `anchor` of its width is left of `x` (0:
/// it begins there, 1: it ends there). Characters beyond ASCII are crossed boxes.
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
fn shape(character: char) -> &'static str {
    match character {
        ' ' => "",
        '!' => "2024 2526",
        '"' => "1012 3032",
        '#' => "1016 3036 0242 0444",
        '$' => "410103434505 2026",
        '%' => "4006 0010110100 3545463635",
        '&' => "460110210405162644",
        '\'' => "2022",
        '(' => "30121436",
        ')' => "10323416",
        '*' => "2125 0244 0442",
        '+' => "2125 0343",
        ',' => "252617",
        '-' => "0343",
        '.' => "2526",
        '/' => "0640",
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
        ':' => "2223 2526",
        ';' => "2223 252617",
        '<' => "410345",
        '=' => "0242 0444",
        '>' => "014305",
        '?' => "0040432324 2526",
        '@' => "4606004044242242",
        'A' => "0602204246 0444",
        'B' => "0333444536060030414233",
        'C' => "40000646",
        'D' => "00204244260600",
        'E' => "40000646 0333",
        'F' => "400006 0333",
        'G' => "400006464323",
        'H' => "0006 4046 0343",
        'I' => "1030 2026 1636",
        'J' => "40460604",
        'K' => "0006 400346",
        'L' => "000646",
        'M' => "0600234046",
        'N' => "06004640",
        'O' => "103041453616050110",
        'P' => "0600404303",
        'Q' => "103041453616050110 2446",
        'R' => "0600404303 2346",
        'S' => "413010010213334445361605",
        'T' => "0040 2026",
        'U' => "00064640",
        'V' => "002640",
        'W' => "0016233640",
        'X' => "0046 4006",
        'Y' => "002340 2326",
        'Z' => "00400646",
        '[' => "30101636",
        '\\' => "0046",
        ']' => "10303616",
        '^' => "022042",
        '_' => "0747",
        '`' => "1021",
        'a' => "024246060444",
        'b' => "0006464202",
        'c' => "42020646",
        'd' => "4046060242",
        'e' => "460602424404",
        'f' => "40302126 0242",
        'g' => "460602424808",
        'h' => "0006 024246",
        'i' => "2021 2326",
        'j' => "3031 323818",
        'k' => "0006 420446",
        'l' => "101636",
        'm' => "06024246 2226",
        'n' => "06024246",
        'o' => "0242460602",
        'p' => "0802424606",
        'q' => "4842020646",
        'r' => "0206 031242",
        's' => "420204444606",
        't' => "101646 0242",
        'u' => "02064642",
        'v' => "022642",
        'w' => "0216243642",
        'x' => "0246 4206",
        'y' => "020646 424808",
        'z' => "02420646",
        '{' => "30202213242636",
        '|' => "2027",
        '}' => "10202233242616",
        '~' => "04133443",
        _ => "0040460600 0046 4006",
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
