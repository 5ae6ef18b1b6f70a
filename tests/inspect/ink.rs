use stcn::inspect::Drawing;
use stcn::inspect::ink::svg;
use stcn::internals::page::WIDTH;

/// Every coordinate of every path, as x and y.
fn points(page: &str) -> Vec<[f64; 2]> {
    let mut points = Vec::new();
    for path in page.split(" d=\"").skip(1) {
        let path = path.split('"').next().unwrap().replace("h0.1", "");
        for point in path.split(['M', 'L']).filter(|point| !point.is_empty()) {
            let (x, y) = point.split_once(' ').unwrap();
            points.push([x.parse().unwrap(), y.parse().unwrap()]);
        }
    }
    points
}

fn height(page: &str) -> f64 {
    page.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
}

fn drawing(rows: &[f32]) -> Drawing<'_> {
    Drawing { rows, primed: 0 }
}

#[rustfmt::skip]
const STROKE_DOT_STROKE: [f32; 15] = [
    3., 4., 0.,
    3., -4., 1.,
    -3., 8., 1., // a dot
    6., -8., 0.,
    0., 5., 1.,
];

#[test]
fn two_strokes_and_a_dot_are_drawn_exactly_so() {
    let page = svg(&[Drawing { rows: &STROKE_DOT_STROKE, primed: 1 }]);
    let expected = "\
<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1600\" height=\"125\" viewBox=\"0 0 1600 125\">
<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>
<g fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\">
<path stroke=\"#c2582b\" stroke-width=\"4.0\" d=\"M48.0 76.8L58.8 62.4\"/>
<path stroke=\"#1c2a4a\" stroke-width=\"4.0\" d=\"M58.8 62.4L69.6 76.8M58.8 48.0h0.1M80.4 76.8L80.4 58.8\"/>
</g>
</svg>
";
    assert_eq!(page, expected);
}

#[test]
fn a_stroke_that_was_primed_goes_on_in_ink_where_it_stopped() {
    let page = svg(&[Drawing { rows: &STROKE_DOT_STROKE, primed: 1 }]);
    let starts: Vec<&str> = page.split(" d=\"").skip(1).collect();
    let end_of_primed = starts[0].split('"').next().unwrap().rsplit('L').next().unwrap();
    assert!(starts[1].starts_with(&format!("M{end_of_primed}L")), "{page}");
}

#[test]
fn lines_are_stacked_without_touching() {
    let page = svg(&[drawing(&STROKE_DOT_STROKE); 3]);
    let one = svg(&[drawing(&STROKE_DOT_STROKE)]);
    assert_eq!(page.matches("<path").count(), 3);
    assert!(height(&page) > 2.5 * height(&one) - 200. && height(&page) < 3. * height(&one));
    let ys: Vec<f64> = points(&page).iter().map(|point| point[1]).collect();
    let per_line = ys.len() / 3;
    let lowest = ys[..per_line].iter().fold(0f64, |low, &y| low.max(y));
    assert!(ys[per_line..].iter().all(|&y| y > lowest));
}

#[test]
fn a_wild_move_stays_on_the_page_and_leaves_the_rest_readable() {
    let mut rows: Vec<f32> =
        (0..60).flat_map(|t| [5., if t % 2 == 0 { 4. } else { -4. }, 0.]).collect();
    rows[90] = 1e30;
    rows[91] = -1e30;
    rows[120] = f32::NAN;
    rows[123] = f32::INFINITY;
    let page = svg(&[drawing(&rows)]);
    let points = points(&page);
    assert!(height(&page) < 2000.);
    assert!(
        points.iter().all(|&[x, y]| (0. ..=WIDTH).contains(&x) && y >= 0. && y <= height(&page))
    );
    let written = points[29][0] - points[0][0];
    assert!(written > 100., "30 sane moves take {written} px of {WIDTH}");
}

#[test]
fn one_wild_line_does_not_shrink_the_others() {
    let calm: Vec<f32> =
        (0..60).flat_map(|t| [5., if t % 2 == 0 { 4. } else { -4. }, 0.]).collect();
    let wild: Vec<f32> = (0..60).flat_map(|t| [900. * t as f32, 3000., 0.]).collect();
    let alone = points(&svg(&[drawing(&calm), drawing(&calm)]));
    let beside = points(&svg(&[drawing(&calm), drawing(&calm), drawing(&wild)]));
    assert_eq!(alone[..61], beside[..61]);
}

#[test]
fn nothing_and_a_single_dot_and_a_pen_at_rest_can_be_drawn() {
    assert!(!svg(&[]).contains("<path"));
    assert!(svg(&[drawing(&[])]).contains("h0.1"));
    let rest = svg(&[drawing(&[0., 0., 1.]), drawing(&[0., 0., 0., 0., 0., 1.])]);
    assert!(points(&rest).iter().all(|&[x, y]| x == 48. && y >= 48.), "{rest}");
}

#[test]
#[should_panic(expected = "ink: rows are (dx, dy, pen), and 4 numbers are not a multiple of 3")]
fn half_a_row_panics_with_a_sentence() {
    svg(&[drawing(&[1., 2., 0., 3.])]);
}
