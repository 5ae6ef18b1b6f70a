//! A report as one self-contained page: the table, the intervals, KL, curves of training, samples.
//!
//! A row has the same colour everywhere, and its name beside it.

use super::report::{Found, Line, Report};
use super::text::{self, CONTROLS, LEGEND, Table, number};
use crate::kernel::reduce::ends;
use crate::train::curves::{self, Curve, Letters, colour, dashes, escape};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::fmt::Write;

/// Width of a picture, in its own units.
const WIDTH: f64 = 900.;

/// The page.
pub fn page(report: &Report) -> String {
    let title = escape(&report.about);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n<h1>{title}</h1>\n",
        include_str!("page.css")
    );
    page += &table(&text::table(report));
    page += &format!("<p>The {} part. {LEGEND}</p>\n", escape(&report.split));
    let parts: [(&str, &str, String); 5] = [
        (
            "Bounds that hold",
            "Nats per sequence: the mean, and ± one standard error over seeds where there are several.",
            bounds(report),
        ),
        (
            "KL of each latent",
            "Nats per sequence, z.1 (nearest to the data) first, mean over seeds.",
            kl(report),
        ),
        ("Controls", CONTROLS, text::controls(report).map_or(String::new(), |of| table(&of))),
        (
            "Training",
            "What a check on the validation part reports, a bound or not, by update; a line for each seed.",
            curves(report),
        ),
        ("Samples", "Drawn by the best checkpoint of each row's first seed.", samples(report)),
    ];
    for (title, about, picture) in parts {
        if !picture.is_empty() {
            page += &format!("<h2>{title}</h2>\n<p>{about}</p>\n{picture}");
        }
    }
    page + "</html>\n"
}

fn table(table: &Table) -> String {
    let titles = table.titles.iter().map(|title| format!("<th scope=\"col\">{title}</th>"));
    let mut text = format!(
        "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        titles.collect::<String>()
    );
    for (n, cells) in &table.rows {
        text += "<tr>";
        for (i, cell) in cells.iter().enumerate() {
            let says = escape(&cell.text);
            text += &match (i, cell.is_struck) {
                (0, _) => format!("<th scope=\"row\">{}{says}</th>", key(*n)),
                (_, true) => format!("<td class=\"number\"><s title=\"no bound\">{says}</s></td>"),
                (_, false) => format!("<td class=\"number\">{says}</td>"),
            };
        }
        text += "</tr>\n";
    }
    text + "</tbody></table></div>\n"
}

/// The square in a row's colour, striped if its curve is dashed.
fn key(row: usize) -> String {
    let colour = colour(row);
    let background = dashes(row).map_or(colour.to_string(), |[dash, gap]| {
        let (to, next) = (dash, dash + gap);
        format!("repeating-linear-gradient(90deg,{colour} 0 {to}px,transparent {to}px {next}px)")
    });
    format!("<span class=\"key\" style=\"background:{background}\"></span>")
}

/// A line from the least to the largest of some numbers, with room for the names of the rows.
struct Scale {
    least: f64,
    range: f64,
    left: f64,
}

impl Scale {
    fn new(x: impl Iterator<Item = f64>, left: f64) -> Self {
        let [least, most] = ends(x);
        let range = if most > least { most - least } else { 1. };
        Self { least, range, left }
    }

    fn at(&self, x: f64) -> f64 {
        self.left + (WIDTH - 20. - self.left) * (x - self.least) / self.range
    }
}

/// Where a picture begins beside the names of some rows.
fn beside<'a>(lines: impl Iterator<Item = &'a Line>) -> f64 {
    let longest = lines.map(|line| line.name.chars().count()).max().unwrap_or(0);
    (6.6 * longest as f64 + 30.).clamp(120., 0.6 * WIDTH) // about the width of a letter
}

/// A row's name, right-aligned before a picture.
fn name(line: &Line, left: f64, y: f64) -> String {
    let (x, name) = (left - 20., escape(&line.name));
    format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"end\">{name}</text>\n")
}

fn svg(height: f64, label: &str, inside: &str) -> String {
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n{inside}</svg>\n"
    )
}

/// A dot and a bar for the bound of every row.
fn bounds(report: &Report) -> String {
    let held = |line: &Line| line.held.as_ref().map(|(_, seq, _)| *seq);
    let ends = report.lines.iter().filter_map(held).flat_map(|seq| {
        let se = seq.se.unwrap_or(0.);
        [seq.mean - se, seq.mean + se]
    });
    let shown = |(i, line)| Some((i, line, held(line)?));
    let rows: Vec<_> = report.lines.iter().enumerate().filter_map(shown).collect();
    let scale = Scale::new(ends, beside(rows.iter().map(|(_, line, _)| *line)));
    let mut inside = String::new();
    for (place, &(i, line, seq)) in rows.iter().enumerate() {
        let (y, se) = (16. + 24. * place as f64, seq.se.unwrap_or(0.));
        let (low, x, high) = (scale.at(seq.mean - se), scale.at(seq.mean), scale.at(seq.mean + se));
        inside += &name(line, scale.left, y + 4.);
        let colour = colour(i);
        // On the side where there is room.
        let value = number(seq);
        let (at, anchor) = if x > 0.7 * WIDTH { (low - 12., "end") } else { (high + 12., "start") };
        writeln!(
            inside,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{value}</text><line x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <circle cx=\"{x:.1}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\"/>",
            y + 4.
        )
        .expect("to a String");
    }
    if inside.is_empty() {
        inside
    } else {
        svg(24. * rows.len() as f64 + 10., "bounds of the rows", &inside)
    }
}

/// A bar for every row, in parts for its latents.
fn kl(report: &Report) -> String {
    let total = |line: &Line| line.kl.iter().fold(0., |sum, kl| sum + kl);
    let rows = report.lines.iter().enumerate().filter(|(_, line)| !line.kl.is_empty());
    let left = beside(rows.clone().map(|(_, line)| line));
    let scale = Scale::new(report.lines.iter().map(total).chain([0.]), left);
    let mut inside = String::new();
    for (place, (i, line)) in rows.clone().enumerate() {
        let y = 6. + 24. * place as f64;
        inside += &name(line, left, y + 13.);
        let mut from = 0.;
        for (l, kl) in line.kl.iter().enumerate() {
            let (x, width) = (scale.at(from), scale.at(from + kl) - scale.at(from));
            let shade = 1. - 0.8 * l as f64 / line.kl.len() as f64;
            writeln!(
                inside,
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"16\" fill=\"{}\" opacity=\"{shade:.2}\">\
                 <title>z.{}: {kl:.1}</title></rect>",
                colour(i),
                l + 1
            )
            .expect("to a String");
            from += kl;
        }
    }
    if inside.is_empty() {
        inside
    } else {
        svg(24. * rows.count() as f64 + 10., "KL of each latent", &inside)
    }
}

fn curves(report: &Report) -> String {
    let of = |(i, line): (usize, &Line)| {
        let curve = |found: &Found| Curve {
            name: line.name.clone(),
            group: i,
            points: found.curve.clone(),
        };
        line.found.iter().filter(|found| !found.curve.is_empty()).map(curve).collect::<Vec<_>>()
    };
    let curves: Vec<Curve> = report.lines.iter().enumerate().flat_map(of).collect();
    match curves.is_empty() {
        true => String::new(),
        false => format!(
            "<div class=\"plot\">{}</div>\n",
            curves::svg(&[("nats per sequence".into(), curves)], "update", Letters::Font)
        ),
    }
}

fn samples(report: &Report) -> String {
    let mut text = String::new();
    for (i, line) in report.lines.iter().enumerate() {
        let first = line.found.first();
        let Some(picture) = first.and_then(|found| found.samples.as_deref()) else { continue };
        // As an image, so that nothing in it can reach the page.
        let (data, name) = (BASE64_STANDARD.encode(picture), escape(&line.name));
        let bound = line
            .held
            .as_ref()
            .map_or(String::new(), |(name, seq, _)| format!(": {} nats ({name})", number(*seq)));
        text += &format!(
            "<figure><img alt=\"samples of {name}\" src=\"data:image/svg+xml;base64,{data}\"><figcaption>{}{name}{bound}\
             </figcaption></figure>\n",
            key(i)
        );
    }
    if text.is_empty() { text } else { format!("<div class=\"samples\">\n{text}</div>\n") }
}
