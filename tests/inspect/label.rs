use stcn::internals::label::{label, round_step, thousandths};

/// The points of the lines of a label.
fn points(d: &str) -> Vec<(f64, f64)> {
    let point = |text: &str| {
        let (x, y) = text.split_once(' ').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    d.split(['M', 'L']).filter(|text| !text.is_empty()).map(point).collect()
}

#[test]
fn a_label_begins_ends_or_has_its_middle_where_it_is_asked_to() {
    let width = |d: &str| {
        let xs = points(d).into_iter().map(|(x, _)| x);
        (xs.clone().fold(f64::MAX, f64::min), xs.fold(f64::MIN, f64::max))
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 0.06, "{a} is not {b}"); // of one decimal
    let (left, right) = width(&label("08", [100., 50.], 0.));
    near(left, 100.);
    let wide = right - left;
    let (left, right) = width(&label("08", [100., 50.], 1.));
    near(right, 100.);
    near(right - left, wide);
    let (left, right) = width(&label("08", [100., 50.], 0.5));
    near((left + right) / 2., 100.);
    let ys = points(&label("0", [0., 50.], 0.)).into_iter().map(|(_, y)| y).sum::<f64>();
    near(ys / 5., 50. - 4.2 / 5.); // five points, three of them at the top
}

#[test]
fn all_characters_of_ascii_have_shapes_of_their_own() {
    let shape = |c: char| label(&c.to_string(), [0., 0.], 0.);
    let shapes: std::collections::BTreeSet<String> = ('!'..='~').map(shape).collect();
    assert_eq!(shapes.len(), 94);
    assert!(!shapes.contains(""));
    assert_eq!(shape(' '), "");
    assert!(!shapes.contains(&shape('é')), "another character is a crossed box");
    assert_eq!(shape('é'), shape('≥'));
}

#[test]
fn numbers_of_axes_are_round_and_short() {
    let texts = [0, 20, 500, 1000, 2500, 384_000].map(thousandths);
    assert_eq!(texts, ["0", "0.02", "0.5", "1", "2.5", "384"]);
    let steps = [0., 1., 1.1, 2., 4.9, 5.1, 78., 1250.].map(round_step);
    assert_eq!(steps, [1, 1, 2, 2, 5, 10, 100, 2000]);
}
