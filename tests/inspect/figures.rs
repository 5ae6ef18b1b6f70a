use stcn::internals::figures::{bar, counted, digits, percent};

#[test]
fn numbers_have_four_digits_and_powers_of_ten_where_they_are_very_large_or_small() {
    let cases = [
        (0., "0"),
        (-1., "-1"),
        (0.5, "0.5"),
        (1.0 / 3.0, "0.3333"),
        (12345.6, "12346"),
        (100000., "1.000e5"),
        (-0.000123456, "-1.235e-4"),
        (9.9999, "10"),
        (f64::NAN, "NaN"),
    ];
    for (x, wanted) in cases {
        assert_eq!(digits(x), wanted);
    }
}

#[test]
fn shares_have_two_digits_and_a_bar() {
    let told = [0.5, -0.031, 0.0001, 1.].map(percent);
    assert_eq!(told, ["50 %", "-3.1 %", "< 0.1 %", "100 %"]);
    assert_eq!([0.1, -0.1, 0., 3.].map(bar), ["██", "░░", "▏", &"█".repeat(24)]);
    assert_eq!([counted(1, "other"), counted(2, "other")], ["1 other", "2 others"]);
}
