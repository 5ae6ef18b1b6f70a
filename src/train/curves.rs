//! Curves of metrics as SVG: several runs over each other, with axes in round numbers.
//!
//! Colours: those of Okabe and Ito (2008) without black and yellow, which the colour-blind can tell apart; after six groups they
//! begin again, dashed. Every curve also has its name in the legend. Not here: where the numbers come from (`metrics`).

use crate::inspect::label::{drawn, label};
use crate::kernel::reduce::ends;
use std::fmt::Write;

/// A line of a chart.
pub struct Curve {
    /// In the legend, and as a tooltip.
    pub name: String,
    /// Which colour: curves that belong together share one.
    pub group: usize,
    /// x and y, by x.
    pub points: Vec<(f64, f64)>,
}

const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

/// The colour of a group.
pub fn colour(group: usize) -> &'static str {
    COLOURS[group % COLOURS.len()]
}

/// How long the dashes of a group are, and the gaps between them, which grow with every six groups; none for the first six.
pub fn dashes(group: usize) -> Option<[usize; 2]> {
    let round = group / COLOURS.len();
    (round > 0).then_some([if round % 2 == 1 { 6 } else { 2 }, 3 + round])
}

/// The attribute of a line with these dashes.
fn dashed(group: usize) -> String {
    dashes(group).map_or(String::new(), |[dash, gap]| format!(" stroke-dasharray=\"{dash} {gap}\""))
}

/// Text between tags and in quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            c => escaped.push(c),
        }
    }
    escaped
}

/// How text is drawn.
#[derive(Clone, Copy, PartialEq)]
pub enum Letters {
    /// By whoever shows the SVG, in a font of theirs.
    Font,
    /// As lines, for pictures in pixels, on white.
    Lines,
}

impl Letters {
    /// Text whose baseline is at `y`, and `anchor` of whose width is left of `x`.
    fn write(self, svg: &mut String, text: &str, [x, y]: [f64; 2], anchor: f64) {
        let drawn = match self {
            Self::Font => {
                let anchor = ["start", "middle", "end"][(2. * anchor) as usize];
                let text = escape(text);
                format!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#767676\">{text}</text>"
                )
            }
            Self::Lines => drawn(&label(text, [x, y - 4.], anchor)),
        };
        line(svg, drawn.trim_end());
    }
}

/// The size of a chart, and of the box inside its axes.
const SIZE: [f64; 2] = [900., 320.];
const LEFT: f64 = 76.;
const RIGHT: f64 = SIZE[0] - 16.;
const TOP: f64 = 26.;
const BOTTOM: f64 = SIZE[1] - 30.;

/// One chart for each title, under each other, each with its curves; the legend at the end has every group once.
pub fn svg(charts: &[(String, Vec<Curve>)], x_label: &str, letters: Letters) -> String {
    let mut names: Vec<(usize, &str)> = vec![];
    for curve in charts.iter().flat_map(|(_, curves)| curves) {
        if names.iter().all(|(group, _)| *group != curve.group) {
            names.push((curve.group, &curve.name));
        }
    }
    let height = SIZE[1] * charts.len() as f64 + 20. * names.len() as f64 + 8.;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" role=\"img\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\">\n<title>{}</title>\n",
        SIZE[0],
        escape(&charts.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>().join(", "))
    );
    if letters == Letters::Lines {
        line(&mut text, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
    }
    for (i, (title, curves)) in charts.iter().enumerate() {
        let chart = chart(title, curves, x_label, letters);
        text += &format!("<g transform=\"translate(0 {})\">\n{chart}</g>\n", SIZE[1] * i as f64);
    }
    for (i, (group, name)) in names.iter().enumerate() {
        let y = SIZE[1] * charts.len() as f64 + 20. * i as f64;
        let colour = colour(*group);
        let dashes = dashed(*group);
        let mark = match dashes.is_empty() {
            true => format!(
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/>"
            ),
            false => format!(
                "<path d=\"M{},{}h20\" stroke=\"{colour}\" stroke-width=\"4\"{dashes}/>",
                LEFT - 4.,
                y + 6.
            ),
        };
        line(&mut text, &mark);
        letters.write(&mut text, name, [LEFT + 20., y + 11.], 0.);
    }
    text + "</svg>\n"
}

fn line(text: &mut String, what: &str) {
    writeln!(text, "{what}").expect("to a String");
}

fn chart(title: &str, curves: &[Curve], x_label: &str, letters: Letters) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let x = Axis::new(points().map(|(x, _)| *x).chain([0.]), LEFT, RIGHT);
    // Without the first value of a long curve: an untrained model is far off, and would hide the rest.
    let first = |curve: &Curve| usize::from(curve.points.len() >= 8);
    let shown = curves.iter().flat_map(|curve| curve.points.iter().skip(first(curve)));
    let y = Axis::new(shown.map(|(_, y)| *y), BOTTOM, TOP);
    let mut text = String::new();
    for tick in x.ticks() {
        let at = x.at(tick);
        line(
            &mut text,
            &format!(
                "<path d=\"M{at:.1},{TOP}V{BOTTOM}\" stroke=\"#767676\" stroke-opacity=\".2\"/>"
            ),
        );
        letters.write(&mut text, &number(tick), [at, BOTTOM + 16.], 0.5);
    }
    for tick in y.ticks() {
        let at = y.at(tick);
        line(
            &mut text,
            &format!(
                "<path d=\"M{LEFT},{at:.1}H{RIGHT}\" stroke=\"#767676\" stroke-opacity=\".2\"/>"
            ),
        );
        letters.write(&mut text, &number(tick), [LEFT - 6., at + 4.], 1.);
    }
    letters.write(&mut text, title, [LEFT, 16.], 0.);
    letters.write(&mut text, &format!("by {x_label}"), [RIGHT, 16.], 1.);
    for curve in curves {
        // Clipped to the box, not cut off: the line still comes from where it was.
        let at = |(px, py): &(f64, f64)| {
            format!("{:.1},{:.1}", x.at(*px), y.at(*py).clamp(TOP - 8., BOTTOM))
        };
        let points: Vec<String> = curve.points.iter().map(at).collect();
        let (colour, dashed) = (colour(curve.group), dashed(curve.group));
        let name = escape(&curve.name);
        line(
            &mut text,
            &format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\"{dashed}>\
                 <title>{name}</title></polyline>",
                points.join(" ")
            ),
        );
    }
    text
}

/// Numbers along a line of the picture.
struct Axis {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(x: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let [least, most] = ends(x);
        match least < most {
            true => Self { least, most, from, to },
            false if least.is_finite() => Self { least: least - 1., most: least + 1., from, to },
            false => Self { least: 0., most: 1., from, to },
        }
    }

    fn at(&self, x: f64) -> f64 {
        self.from + (self.to - self.from) * (x - self.least) / (self.most - self.least)
    }

    /// About five round numbers: steps of 1, 2 or 5 times a power of ten.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.most - self.least) / 5.;
        let mut power = 1.;
        while power > rough {
            power /= 10.;
        }
        while power * 10. <= rough {
            power *= 10.;
        }
        let step = [1., 2., 5., 10.]
            .map(|n| n * power)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.least / step).ceil() as i64;
        let last = (self.most / step).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// A round number, without the noise of its last digits.
fn number(x: f64) -> String {
    match x.abs() {
        0. => "0".into(),
        1e-3..1e7 => format!("{x:.6}").trim_end_matches('0').trim_end_matches('.').into(),
        _ => format!("{x:.0e}"),
    }
}
