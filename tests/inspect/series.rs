use stcn::inspect::Drawing;
use stcn::inspect::series::{MOST_CHANNELS, svg};
use stcn::internals::page::WIDTH;

const INK: &str = "#1c2a4a";
const PRIMED: &str = "#c2582b";

/// The lines of a colour: their points.
fn lines(page: &str, colour: &str) -> Vec<Vec<[f64; 2]>> {
    let start = format!("<path fill=\"none\" stroke=\"{colour}\" ");
    let point = |text: &str| -> [f64; 2] {
        let (x, y) = text.split_once(' ').unwrap();
        [x, y.split('h').next().unwrap()].map(|number| number.parse().unwrap())
    };
    let path = |path: &str| {
        let d = path.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        d.split(['M', 'L']).filter(|text| !text.is_empty()).map(point).collect()
    };
    page.split(&start).skip(1).map(path).collect()
}

#[test]
fn every_channel_has_a_panel_whose_line_runs_from_its_least_to_its_greatest_value() {
    let rows: Vec<f32> = (0..11).flat_map(|t| [t as f32, 50. - 5. * t as f32]).collect();
    let page = svg(&[Drawing { rows: &rows, primed: 0 }], 2);
    let lines = lines(&page, INK);
    let [up, down] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((up.len(), down.len()), (11, 11));
    // The longest fills the page, and a panel is 80 pixels high.
    assert_eq!((up[0][0], up[10][0]), (68., WIDTH - 48.));
    assert_eq!((up[0][1] - up[10][1], down[10][1] - down[0][1]), (80., 80.));
    assert!(down[0][1] > up[0][1]);
}

#[test]
fn all_series_share_the_scales_of_time_and_of_each_channel() {
    let (long, short) = ([0., 1., 2., 3., 4.], [2., 2., 4.]);
    let page = svg(&[&long[..], &short].map(|rows| Drawing { rows, primed: 0 }), 1);
    let lines = lines(&page, INK);
    let [long, short] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(short[2][0], long[2][0]);
    let below = short[2][1] - long[4][1]; // both are 4
    assert_eq!(short[0][1] - long[2][1], below);
    assert!(below > 80.);
}

#[test]
fn what_was_given_has_another_colour_and_the_drawn_line_begins_where_it_ends() {
    let rows = [0., 1., 2., 3., 4., 5.];
    let page = svg(&[Drawing { rows: &rows, primed: 4 }], 1);
    let [given, drawn] = [PRIMED, INK].map(|colour| lines(&page, colour)[0].clone());
    assert_eq!((given.len(), drawn.len(), given[3]), (4, 3, drawn[0]));
    assert!(lines(&svg(&[Drawing { rows: &rows, primed: 9 }], 1), INK).is_empty());
}

#[test]
fn channels_beyond_the_most_are_left_out() {
    let rows = vec![0.5; 12 * 3];
    let page = svg(&[Drawing { rows: &rows, primed: 0 }], 12);
    assert_eq!(lines(&page, INK).len(), MOST_CHANNELS);
}

#[test]
fn of_a_long_series_no_peak_is_lost() {
    let mut rows = vec![0.; 100_000];
    rows[77_777] = 9.;
    let line = &lines(&svg(&[Drawing { rows: &rows, primed: 0 }], 1), INK)[0];
    assert!(line.len() <= 1500, "{}", line.len());
    let [top, bottom] = [f64::min, f64::max].map(|f| line.iter().map(|p| p[1]).reduce(f).unwrap());
    assert_eq!(bottom - top, 80.);
}

#[test]
fn constants_single_steps_nothing_and_numbers_that_are_not_finite_can_be_drawn() {
    for rows in [&[3., 3., 3.][..], &[1e30], &[], &[f32::NAN, f32::INFINITY, 1e-30, -12_345.67]] {
        let page = svg(&[Drawing { rows, primed: 0 }], 1);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{rows:?}: {page}");
        assert_eq!(lines(&page, INK).len(), usize::from(!rows.is_empty()), "{rows:?}");
    }
    assert!(svg(&[], 1).starts_with("<svg"));
}

#[test]
#[should_panic(expected = "series: 4 numbers are not rows of 3")]
fn half_a_row_panics_with_a_sentence() {
    svg(&[Drawing { rows: &[1., 0., 1., 0.], primed: 0 }], 3);
}
