use stcn::internals::curves::{Curve, Letters, svg};

fn curve(name: &str, group: usize, points: &[(f64, f64)]) -> Curve {
    Curve { name: name.into(), group, points: points.to_vec() }
}

fn labels(text: &str) -> Vec<&str> {
    let parts = text.split("fill=\"#767676\">").skip(1);
    parts.map(|part| part.split('<').next().unwrap()).collect()
}

#[test]
fn axes_have_round_numbers_and_the_legend_every_group_once() {
    let curves = vec![
        curve("a & b", 0, &[(0., -1.), (1000., 3.)]),
        curve("a & b", 0, &[(0., 0.), (1000., 2.)]),
        curve("c", 1, &[(500., 1.)]),
    ];
    let text = svg(&[("loss".into(), curves)], "update", Letters::Font);
    assert_eq!(
        labels(&text),
        [
            "0",
            "200",
            "400",
            "600",
            "800",
            "1000",
            "-1",
            "0",
            "1",
            "2",
            "3",
            "loss",
            "by update",
            "a &amp; b",
            "c"
        ]
    );
    assert_eq!(text.matches("<polyline").count(), 3);
}

#[test]
fn where_colours_begin_again_lines_and_legend_are_dashed() {
    let curves =
        [0, 5, 6, 12, 30].map(|group| curve(&group.to_string(), group, &[(0., 0.), (1., 1.)]));
    let text = svg(&[("loss".into(), curves.into())], "update", Letters::Font);
    let dashes = |name: &str| text.matches(&format!("stroke-dasharray=\"{name}\"")).count();
    let found = ["6 4", "2 5", "6 8"].map(dashes);
    assert_eq!(found, [2; 3], "a line and its mark each");
    assert_eq!(text.matches("rx=\"2\"").count(), 2, "the marks of whole lines");
}

#[test]
fn small_and_large_numbers_stay_readable() {
    for (most, wanted) in [(5e-3, "0.001"), (5e-9, "1e-9"), (5e9, "1e9"), (0.5, "0.1")] {
        let text = svg(
            &[("y".into(), vec![curve("a", 0, &[(0., 0.), (1., most)])])],
            "update",
            Letters::Font,
        );
        assert!(labels(&text).contains(&wanted), "{wanted} in {:?}", labels(&text));
    }
}

#[test]
fn the_value_before_training_does_not_hide_the_rest() {
    let mut points = vec![(0., -1e6)];
    points.extend((1..10).map(|i| (100. * f64::from(i), f64::from(i))));
    let text = svg(&[("y".into(), vec![curve("a", 0, &points)])], "update", Letters::Font);
    assert!(labels(&text).contains(&"8"), "{:?}", labels(&text));
}

#[test]
fn nothing_and_one_number_can_be_drawn() {
    for points in [&[][..], &[(3., 7.)]] {
        let text = svg(&[("y".into(), vec![curve("a", 0, points)])], "update", Letters::Font);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}

#[test]
fn without_a_font_every_text_is_a_path() {
    let draw = |letters| {
        svg(
            &[("kl.z.1".into(), vec![curve("runs/a", 0, &[(0., 1.), (9., 3.)])])],
            "update",
            letters,
        )
    };
    let (font, lines) = (draw(Letters::Font), draw(Letters::Lines));
    let texts = font.matches("<text").count();
    assert!(texts > 10 && !lines.contains("<text"));
    assert_eq!(lines.matches("<path").count(), font.matches("<path").count() + texts);
}
