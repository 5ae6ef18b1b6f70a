use super::{holds, input};
use stcn::ops::*;
use stcn::tape::Tape;

#[test]
fn layers_have_columns_that_give_their_vjp_at_every_element() {
    let tape = Tape::new();
    let x = input(&tape, "x", &[2, 5, 3]);
    let [w, wf, wg] = ["w", "wf", "wg"].map(|name| input(&tape, name, &[2, 3, 4]));
    let [b, bf, bg] = ["b", "bf", "bg"].map(|name| input(&tape, name, &[4]));
    let (matrix, h) = (input(&tape, "matrix", &[3, 4]), input(&tape, "h", &[2, 5, 4]));
    for y in [
        linear(x, matrix, b),
        linear_relu(x, matrix, b),
        linear_residual(x, matrix, b, h),
        causal_conv1d(x, w, b, 2),
        causal_conv1d(x, w, b, 7), // the first tap looks back further than there are steps
        gated_conv(x, (wf, bf), (wg, bg), 3),
    ] {
        assert!(holds(y).iter().all(|known| *known), "{}", y.rule().name);
    }
}

#[test]
fn cells_have_columns_that_give_their_vjp_at_every_element() {
    let tape = Tape::new();
    let [gates, sums] = ["gates", "sums"].map(|name| input(&tape, name, &[3, 1, 6]));
    let [h, c] = ["h", "c"].map(|name| input(&tape, name, &[3, 1, 2]));
    assert_eq!(holds(gru_cell(gates, sums, h)), [true; 3]);
    assert_eq!(holds(lstm_cell(input(&tape, "lstm", &[3, 1, 8]), c)), [true; 2]);
}

#[test]
fn functions_of_one_element_and_densities_have_columns() {
    let tape = Tape::new();
    let [a, b] = ["a", "b"].map(|name| input(&tape, name, &[2, 3, 4]));
    let [p, q] = [a, b].map(|x| affine(square(x), 1., 0.3));
    let ys = [
        [tanh(a), sigmoid(a), exp(a), ln(p), recip(p), square(a), sqrt(p), relu(a), softplus(a)]
            .to_vec(),
        [gated_tanh(a, b), a * b, a + b, a - b, rsample(a, p, b), affine(a, 3., 1.)].to_vec(),
        [clip(a, -0.5, 0.5), leaky_relu(a, 0.3), clipped_softplus(a, 0.4, 1.1)].to_vec(),
        [normal_log_prob(a, b, p), combined_mean((a, p), (b, q))].to_vec(),
    ];
    let both = [Combine::Product, Combine::AsReleased];
    let combined = both.map(|how| [combined_std(p, q, how), combined_kl((a, p), (b, q), how)]);
    for y in ys.into_iter().flatten().chain(combined.into_iter().flatten()) {
        assert!(holds(y).iter().all(|known| *known), "{}", y.rule().name);
    }
}
