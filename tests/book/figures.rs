//! The pictures of the book, drawn from what a tape recorded or a chapter says, and compared with the files.
//!
//! `STCN_FIGURES=write cargo test --test all book::figures` writes them anew. rustdoc puts them into its pages as
//! they are, so colours follow its themes, and no line is blank: that would end the picture.

use stcn::ops::{affine, causal_conv1d, slice_time, square, sum, tanh};
use stcn::tape::Grads;
use stcn::{Keep, Tape, Tensor, Var};
use std::fmt::Write as _;
use std::path::Path;

/// A picture of so many pixels, described for a screen reader.
fn svg([width, height]: [f64; 2], about: &str, body: &str) -> String {
    let text = format!(
        "<svg class=\"figure\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{about}\">\n\
         <style>\n\
         .figure {{ max-width: 100%; height: auto; font: 13px sans-serif }}\n\
         .figure text {{ fill: currentColor; text-anchor: middle }}\n\
         .figure text.start {{ text-anchor: start }}\n\
         .figure .line {{ fill: none; stroke: currentColor }}\n\
         .figure .faint {{ fill: none; stroke: currentColor; opacity: 0.3 }}\n\
         .figure .one {{ fill: #b34700 }}\n\
         .figure .two {{ fill: #0072b2 }}\n\
         [data-theme=dark] .figure .one, [data-theme=ayu] .figure .one {{ fill: #ffa65c }}\n\
         [data-theme=dark] .figure .two, [data-theme=ayu] .figure .two {{ fill: #56b4e9 }}\n\
         </style>\n\
         {body}</svg>\n"
    );
    assert!(!text.contains("\n\n"), "a blank line ends the picture");
    text
}

fn text(body: &mut String, class: &str, [x, y]: [f64; 2], text: &str) {
    let _ = writeln!(body, "<text class=\"{class}\" x=\"{x:.0}\" y=\"{y:.0}\">{text}</text>");
}

fn line(body: &mut String, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    let _ = writeln!(body, "<path class=\"{class}\" d=\"M{x1:.0} {y1:.0}L{x2:.0} {y2:.0}\"/>");
}

/// Compares a picture with its file, or writes it.
#[track_caller]
fn is_drawn(name: &str, picture: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/book/figures").join(name);
    if std::env::var_os("STCN_FIGURES").is_some_and(|word| word == "write") {
        std::fs::write(&file, picture).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        known == picture,
        "src/book/figures/{name} is not what the program draws now: look at what changed, then write it by \
         STCN_FIGURES=write cargo test --test all book::figures"
    );
}

/// A tape of numbers as a graph: node i at `places[i]`, in columns and rows.
fn graph(tape: &Tape, grads: &Grads, places: &[[usize; 2]]) -> String {
    const WIDE: f64 = 84.;
    const HIGH: f64 = 58.;
    const ACROSS: f64 = 156.; // from one column to the next
    const DOWN: f64 = 96.;
    let mut body = String::new();
    let corner = |i: usize| [8. + ACROSS * places[i][0] as f64, 8. + DOWN * places[i][1] as f64];
    tape.each_term(grads, |consumer, input, term| {
        let ([x1, y1], [x2, y2]) = (corner(input.index()), corner(consumer.index()));
        let (from, to) = ([x1 + WIDE, y1 + HIGH / 2.], [x2, y2 + HIGH / 2.]);
        line(&mut body, "line", from, to);
        // Above the middle of the edge, or to the right of one that climbs.
        let aside = if to[1] < from[1] { [30., 12.] } else { [0., -6.] };
        let middle = [0, 1].map(|axis| (from[axis] + to[axis]) / 2. + aside[axis]);
        text(&mut body, "one", middle, &format!("{:.4}", term.item()));
    });
    tape.each(|node| {
        let [x, y] = corner(node.id.index());
        // Constants have no term, and still an edge.
        for input in node.inputs.iter().filter(|input| grads.at(**input).is_none()) {
            let [x1, y1] = corner(input.index());
            line(&mut body, "line", [x1 + WIDE, y1 + HIGH / 2.], [x, y + HIGH / 2.]);
        }
        let _ = writeln!(
            body,
            "<rect class=\"line\" x=\"{x}\" y=\"{y}\" width=\"{WIDE}\" height=\"{HIGH}\" rx=\"6\"/>"
        );
        let op = if node.inputs.is_empty() { "" } else { node.rule.name };
        let name = match (node.label.as_str(), op) {
            ("", op) => op.into(),
            (label, "") => label.into(),
            (label, op) => format!("{label}: {op}"),
        };
        let x = x + WIDE / 2.;
        text(&mut body, "", [x, y + 17.], &name);
        text(&mut body, "", [x, y + 34.], &format!("{:.4}", node.value.item()));
        if let Some(grad) = grads.at(node.id) {
            text(&mut body, "one", [x, y + 51.], &format!("{:.4}", grad.item()));
        }
    });
    let last = |axis: usize| places.iter().map(|place| place[axis]).max().unwrap() as f64;
    let size = [16. + ACROSS * last(0) + WIDE, 16. + DOWN * last(1) + HIGH];
    svg(size, "The graph of the loss: values, and gradients flowing back", &body)
}

#[test]
fn the_pass_of_chapter_1_is_drawn_from_its_tape() {
    let tape = Tape::new();
    let w = tape.input(Tensor::scalar(0.5), "w");
    let [x, y] = [("x", 2.), ("y", 1.)].map(|(n, v)| tape.constant(Tensor::scalar(v)).named(n));
    let p = tanh(w * x).named("p");
    let fit = square(p - y).named("fit");
    let decay = affine(square(w), 0.1, 0.).named("decay");
    let loss = (fit + decay).named("L");
    let grads = tape.backward(loss, Keep::All);
    // w, x, y; w x, p; p − y, fit; w², decay; L
    let places = [[0, 2], [0, 0], [2, 0], [1, 1], [2, 1], [3, 1], [4, 1], [3, 2], [4, 2], [5, 1]];
    is_drawn("scalar.svg", &graph(&tape, &grads, &places));
}

#[test]
fn the_receptive_field_of_chapter_5_is_where_the_gradient_is_not_0() {
    const STEPS: usize = 16;
    const DILATIONS: [usize; 3] = [1, 2, 4];
    let tape = Tape::new();
    let x = tape.input(Tensor::zeros(&[1, STEPS, 1]), "x");
    let w = tape.constant(Tensor::new(&[2, 1, 1], vec![1.; 2]));
    let bias = tape.constant(Tensor::zeros(&[1]));
    let mut rows: Vec<Var> = vec![x];
    for dilation in DILATIONS {
        rows.push(causal_conv1d(rows[rows.len() - 1], w, bias, dilation));
    }
    let last = sum(slice_time(rows[DILATIONS.len()], STEPS - 1, 1));
    let grads = tape.backward(last, Keep::All);
    let reached = |row: usize, t: usize| grads.wrt(rows[row]).unwrap().data()[t] != 0.;

    let at =
        |row: usize, t: usize| [110. + 38. * t as f64, 24. + 60. * (DILATIONS.len() - row) as f64];
    let mut body = String::new();
    for (row, dilation) in DILATIONS.iter().enumerate() {
        for t in 0..STEPS {
            let class = if reached(row + 1, t) { "line" } else { "faint" };
            for from in [Some(t), t.checked_sub(*dilation)].into_iter().flatten() {
                line(&mut body, class, at(row, from), at(row + 1, t));
            }
        }
        let [x, y] = at(row + 1, 0);
        text(&mut body, "", [x - 60., y + 4.], &format!("dilation {dilation}"));
    }
    let [left, y] = at(0, 0);
    text(&mut body, "", [left - 60., y + 4.], "x");
    for row in 0..rows.len() {
        for t in 0..STEPS {
            let ([x, y], class) = (at(row, t), if reached(row, t) { "one" } else { "faint" });
            let _ = writeln!(body, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"6\"/>");
        }
    }
    let about = "Three causal convolutions: the last result depends on the last eight steps of x";
    let [right, bottom] = at(0, STEPS - 1);
    is_drawn("receptive-field.svg", &svg([right + 24., bottom + 24.], about, &body));
}

/// The cells of the rows of a chapter's table whose first cell is one of `names`.
fn rows(chapter: &str, names: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect();
    let rows = chapter
        .lines()
        .map(cells)
        .filter(|row: &Vec<String>| row.len() > 2 && names.contains(&row[1].as_str()));
    rows.map(|row| row[1..row.len() - 1].to_vec()).collect()
}

#[test]
fn the_kl_of_chapter_8_is_drawn_from_its_table() {
    let chapter = super::read(&super::root().join("src/book/reading-gradients.md"));
    let rows = rows(&chapter, &["stcn", "stcn-dense"]);
    let number = |cell: &String| cell.parse::<f64>().expect("a number of nats");
    let [left, base, tall] = [40., 190., 150.];
    let kl: Vec<Vec<f64>> = rows.iter().map(|row| row[2..5].iter().map(number).collect()).collect();
    let most = kl.iter().flatten().fold(0., |most: f64, &kl| most.max(kl));
    let mut body = String::new();
    for (i, (row, kl)) in rows.iter().zip(&kl).enumerate() {
        let class = ["one", "two"][i];
        for (l, kl) in kl.iter().enumerate() {
            let (x, high) = (left + 150. * l as f64 + 54. * i as f64, tall * kl / most);
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{:.1}\" width=\"48\" height=\"{high:.1}\"/>",
                base - high
            );
            text(&mut body, "", [x + 24., base - high - 6.], &format!("{kl:.2}"));
        }
        let y = 30. + 22. * i as f64;
        let _ = writeln!(
            body,
            "<rect class=\"{class}\" x=\"490\" y=\"{y}\" width=\"14\" height=\"14\"/>"
        );
        text(&mut body, "start", [512., y + 12.], &row[0]);
    }
    for l in 0..3 {
        text(&mut body, "", [left + 51. + 150. * l as f64, base + 20.], &format!("z.{}", l + 1));
    }
    line(&mut body, "line", [left - 10., base], [left + 420., base]);
    let about = "KL per latent in nats per sequence, STCN beside STCN-dense";
    is_drawn("kl.svg", &svg([610., 220.], about, &body));
}
