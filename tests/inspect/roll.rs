use stcn::inspect::Drawing;
use stcn::inspect::roll::svg;
use stcn::internals::page::WIDTH;

/// A roll of 88 keys of these notes, counted from 0: key, first step, the step after the last.
fn roll(steps: usize, notes: &[(usize, usize, usize)]) -> Vec<f32> {
    let mut rows = vec![0.; steps * 88];
    for &(key, from, until) in notes {
        (from..until).for_each(|t| rows[t * 88 + key] = 1.);
    }
    rows
}

fn drawn(rows: &[f32], primed: usize) -> String {
    svg(&[Drawing { rows, primed }], 88)
}

/// The bars of a colour: x, y, width.
fn bars(page: &str, colour: &str) -> Vec<[f64; 3]> {
    let path = page.split(&format!("<path fill=\"{colour}\" d=\"")).nth(1);
    let path = path.map_or("", |rest| rest.split('"').next().unwrap());
    let bar = |bar: &str| {
        let (x, rest) = bar.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        [x, y, rest.split('v').next().unwrap()].map(|number| number.parse().unwrap())
    };
    path.split('M').filter(|bar| !bar.is_empty()).map(bar).collect()
}

const INK: &str = "#1c2a4a";
const PRIMED: &str = "#c2582b";

#[test]
fn notes_that_sound_on_are_one_bar_and_higher_keys_stand_higher() {
    let page = drawn(&roll(10, &[(39, 0, 4), (39, 5, 6), (43, 2, 10)]), 0);
    let bars = bars(&page, INK);
    let [long, short, high] = bars[..] else { panic!("{bars:?}") };
    // A step is 16 pixels of a short roll, and a pixel of white follows every note.
    assert_eq!([long[0], long[2]], [48., 63.]);
    assert_eq!([short[0], short[2]], [48. + 80., 15.]);
    assert_eq!([high[0], high[2]], [48. + 32., 127.]);
    assert_eq!((long[1], long[1] - high[1]), (short[1], 4. * 8.));
}

#[test]
fn what_was_given_has_another_colour_and_its_notes_end_where_the_model_begins() {
    let page = drawn(&roll(10, &[(39, 0, 10)]), 4);
    assert_eq!(bars(&page, PRIMED), [[48., bars(&page, INK)[0][1], 63.]]);
    assert_eq!(bars(&page, INK)[0][0], 48. + 64.);
    assert!(bars(&drawn(&roll(3, &[(1, 0, 3)]), 9), INK).is_empty());
}

#[test]
fn the_longest_fills_the_width_and_all_share_one_scale() {
    let (long, short) = (roll(500, &[(50, 0, 500)]), roll(250, &[(50, 0, 250)]));
    let drawings = [&long, &short].map(|rows| Drawing { rows, primed: 0 });
    let page = svg(&drawings, 88);
    let paths: Vec<&str> = page.matches(&format!("<path fill=\"{INK}\"")).collect();
    assert_eq!(paths.len(), 2);
    let first = bars(&page, INK)[0];
    assert_eq!(first[0] + first[2] + 1., WIDTH - 48.);
    let second = bars(&page[page.rfind(&format!("<path fill=\"{INK}\"")).unwrap()..], INK)[0];
    assert_eq!(second[2], 752. - 1.);
    assert!(second[1] > first[1] + 8. * 12.);
}

#[test]
fn whole_octaves_are_drawn_from_the_lowest_to_the_highest_note() {
    let height = |page: &str| -> f64 {
        page.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let octaves = |notes: &[(usize, usize, usize)]| height(&drawn(&roll(4, notes), 0)) - 96.;
    assert_eq!(octaves(&[(39, 0, 1)]), 12. * 8.); // from one C …
    assert_eq!(octaves(&[(39, 0, 1), (50, 0, 1)]), 12. * 8.); // … to B
    assert_eq!(octaves(&[(39, 0, 1), (51, 0, 1)]), 24. * 8.); // and to the next
    assert_eq!(octaves(&[(0, 0, 1), (87, 0, 1)]), 88. * 8.);
    // Black keys of one octave are shaded: C, D, F, G and A sharp.
    assert_eq!(drawn(&roll(4, &[(39, 0, 1)]), 0).matches("<rect x=").count(), 5);
}

#[test]
fn silence_nothing_and_few_keys_can_be_drawn() {
    assert!(bars(&drawn(&roll(5, &[]), 0), INK).is_empty());
    assert!(bars(&drawn(&[], 0), INK).is_empty());
    let page = svg(&[Drawing { rows: &[0., 1., 1., 1.], primed: 0 }], 2);
    assert_eq!(bars(&page, INK).len(), 2);
    assert!(!page.contains("<rect x="));
}

#[test]
#[should_panic(expected = "roll: 4 numbers are not rows of 3 keys")]
fn half_a_row_panics_with_a_sentence() {
    svg(&[Drawing { rows: &[1., 0., 1., 0.], primed: 0 }], 3);
}
