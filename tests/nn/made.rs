use stcn::nn::{Head, Init, Module};

/// Path and shape of every parameter.
fn shapes(width: usize, channels: (usize, usize), components: usize) -> Vec<(String, Vec<usize>)> {
    let head = Head::autoregressive(&mut Init::new(1), width, channels, components);
    let mut found = vec![];
    head.visit(&mut |p| found.push((p.path().to_string(), p.value.shape().to_vec())));
    found
}

#[test]
fn there_are_three_numbers_for_a_component_of_a_real_channel_and_one_for_a_bit() {
    let outputs = 2 * 5 * 3 + 1;
    let want = [
        ("output.weight", vec![8, outputs]),
        ("output.bias", vec![outputs]),
        ("hidden.weight", vec![8, 8]),
        ("hidden.bias", vec![8]),
        ("masked_hidden.weight", vec![3, 8]),
        ("masked_output.weight", vec![3 + 8, outputs]),
    ];
    assert_eq!(shapes(8, (2, 1), 5), want.map(|(path, shape)| (path.to_string(), shape)));
}

#[test]
fn one_channel_needs_nothing_before_it_and_more_channels_than_units_are_fine() {
    let one = [("output.weight".to_string(), vec![8, 15]), ("output.bias".to_string(), vec![15])];
    assert_eq!(shapes(8, (1, 0), 5), one);
    assert_eq!(shapes(4, (0, 88), 5)[5].1, [88 + 4, 88]);
}
