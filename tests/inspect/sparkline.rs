use stcn::internals::sparkline::Sparkline;

fn of(utf8: bool, numbers: impl IntoIterator<Item = f64>) -> String {
    let mut line = Sparkline::new(utf8);
    numbers.into_iter().for_each(|x| line.push(x));
    line.to_string()
}

#[test]
fn the_lowest_is_the_lowest_block_and_the_highest_the_full_one() {
    assert_eq!(of(true, (0..8).map(f64::from)), "▁▂▃▄▅▆▇█");
    assert_eq!(of(true, [3., -1., 1.]), "█▁▅");
    assert_eq!(of(false, (0..8).map(f64::from)), "_.,-~=+#");
    assert_eq!(of(true, []), "");
    assert_eq!(of(true, [2., 2.]), "▁▁");
}

#[test]
fn it_stays_short_and_holds_means_of_all_that_came() {
    for n in [15, 16, 17, 100, 5000] {
        let line = of(true, (0..n).map(f64::from));
        let count = line.chars().count();
        assert!((8..16).contains(&count), "{n}: {line}");
        assert!(line.starts_with('▁') && line.ends_with('█'), "{n}: {line}");
    }
    // Pairs of 16 numbers: of 0 and 1 the mean is the same everywhere.
    assert_eq!(of(true, (0..16).map(|i| f64::from(i % 2))), "▁▁▁▁▁▁▁▁");
}
