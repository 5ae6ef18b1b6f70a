//! What ops say about themselves.

use stcn::ops::*;
use stcn::tape::{Product, Rule};
use stcn::{Tape, Tensor};

#[test]
fn every_op_has_a_name_and_both_formulas() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[1, 1, 2], vec![0.5, 0.7]), "x");
    let [w, b] = [&[2, 2][..], &[2]].map(|shape| tape.constant(Tensor::zeros(shape)));
    let taps = tape.constant(Tensor::zeros(&[1, 2, 2]));
    let _ = [x + x, x - x, x * x, affine(x, 1., 0.), clip(x, 0., 1.), tanh(x), sigmoid(x), relu(x)];
    let _ = [softplus(x), clipped_softplus(x, 0., 1.), exp(x), ln(x), recip(x), square(x), sqrt(x)];
    let _ = [linear(x, w, b), linear_relu(x, w, b), causal_conv1d(x, taps, b, 1), gated_tanh(x, x)];
    let _ = [gated_conv(x, (taps, b), (taps, b), 1), concat(&[x]), slice_channels(x, 0, 1)];
    let _ = [prepend_zero(x), slice_time(x, 0, 1), sum(x), sum_channels(x), rsample(x, x, x)];
    let _ = sum_masked(sum_channels(x), &[1], &[1.]);
    let _ = [normal_log_prob(x, x, x), bernoulli_log_prob(x, x, 0.), combined_mean((x, x), (x, x))];
    let _ = [combined_std(x, x, Combine::Product), combined_kl((x, x), (x, x), Combine::Product)];
    let one = slice_channels(x, 0, 1);
    let _ = mixture_log_prob(x, one, x, x, 0.);
    let _ = bivariate_mixture_log_prob(x, one, x, x, one, 0.);
    let mut names = std::collections::BTreeSet::new();
    tape.each(|node| {
        if !node.inputs.is_empty() {
            names.insert(node.rule.name);
            assert!(node.rule.forward.contains('='), "{}", node.rule.name);
            assert!(!node.rule.vjp.is_empty(), "{}", node.rule.name);
        }
    });
    let want = "add affine bernoulli_log_prob bivariate_mixture_log_prob causal_conv1d clip \
                clipped_softplus combined_kl combined_mean combined_std concat exp gated_conv gated_tanh \
                linear linear_relu ln mixture_log_prob mul normal_log_prob prepend_zero recip relu rsample \
                sigmoid slice_channels slice_time softplus sqrt square sub sum sum_channels sum_masked tanh";
    assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), want);
}

/// `y_b = q_b k_bᵀ`: a product of an op that is not ours, one for each sequence.
static SCORES: Rule = Rule {
    name: "scores",
    forward: "y = q kᵀ",
    vjp: "q̄ = ȳ k   k̄ = ȳᵀ q",
    products: &[Product {
        factors: [0, 1],
        multiply_adds: |q, k, _| q.iter().product::<usize>() * k[1],
    }],
};

#[test]
fn a_product_counts_once_forward_and_once_for_each_factor_with_a_gradient() {
    let tape = Tape::new();
    let tensor = |shape: &[usize]| Tensor::zeros(shape);
    let (data, x) = (tape.constant(tensor(&[2, 5, 3])), tape.input(tensor(&[2, 5, 3]), "x"));
    let [w, b] = [&[3, 4][..], &[4]].map(|shape| tape.input(tensor(shape), ""));
    let taps = tape.input(tensor(&[2, 3, 4]), "");
    let (gates, u) = (tape.input(tensor(&[2, 5, 12]), ""), tape.input(tensor(&[3, 12]), ""));
    let u9 = tape.input(tensor(&[3, 9]), "");
    let mut counted = 0;
    let mut more = |_| {
        let before = counted;
        counted = tape.multiply_adds();
        counted - before
    };
    assert_eq!(more(data + x), 0);
    assert_eq!(more(linear(data, w, b)), 2 * 10 * 12);
    assert_eq!(more(linear(x, w, b)), 3 * 10 * 12);
    assert_eq!(more(linear_relu(x, w, b)), 3 * 10 * 12);
    assert_eq!(more(linear_onto(x, w, linear(data, w, b))), (3 + 2) * 10 * 12);
    assert_eq!(more(causal_conv1d(x, taps, b, 2)), 3 * 10 * 24);
    assert_eq!(more(gated_conv(data, (taps, b), (taps, b), 2)), 2 * 2 * 10 * 24);
    assert_eq!(more(lstm(gates, u)), 3 * 10 * 36);
    assert_eq!(more(gru(slice_channels(gates, 0, 9), u9)), 3 * 10 * 27);
    let scores = tape.record(&SCORES, [x, data], tensor(&[2, 5, 5]), |_, _| ());
    assert_eq!(more(scores), 2 * (2 * 5 * 5 * 3));
}
