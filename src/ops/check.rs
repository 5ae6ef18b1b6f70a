//! Every op against finite differences: one line an op, at points away from its kinks.
//!
//! Meaningful in f64 (feature `f64`). Behind `stcn gradcheck`; the tests hold every rule to a line here.

use super::*;
use crate::check::{Check, gradcheck};
use crate::noise::Noise;
use crate::tape::{Rule, Tape, Var};
use crate::tensor::Tensor;
use std::cell::Cell;

/// Each op's rule with exact and numeric derivative along a random direction.
pub fn checks() -> Vec<(&'static Rule, Check)> {
    let mut found = vec![];
    let mut check = |name: &str, inputs: &[Tensor], f: &dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>| {
        let rule = Cell::new(None);
        let check = gradcheck(inputs, |_: &Tape, x: &[Var]| {
            let y = f(x);
            rule.set(Some(y.rule()));
            y
        });
        let rule = rule.into_inner().expect("f ran");
        assert_eq!(rule.name, name, "the line checks another op than it says");
        found.push((rule, check));
    };
    let (a, b, c) = (normal("a", &[2, 3, 4]), normal("b", &[2, 3, 4]), normal("c", &[2, 3, 4]));
    let positive = |name| normal(name, &[2, 3, 4]).map(|x| 0.3 + x * x);
    let (p, q) = (positive("p"), positive("q"));
    let (ab, only_p) = ([a.clone(), b.clone()], [p.clone()]);
    let pairs = [a.clone(), p.clone(), b.clone(), q.clone()];

    check("add", &ab, &|x| x[0] + x[1]);
    check("sub", &ab, &|x| x[0] - x[1]);
    check("mul", &ab, &|x| x[0] * x[1]);
    check("affine", &ab, &|x| affine(x[0], 1.7, 0.3));
    check("clip", &ab, &|x| clip(x[0], -0.8, 0.9));
    check("tanh", &ab, &|x| tanh(x[0]));
    check("sigmoid", &ab, &|x| sigmoid(x[0]));
    check("relu", &ab, &|x| relu(x[0]));
    check("leaky_relu", &ab, &|x| leaky_relu(x[0], 0.3));
    check("softplus", &ab, &|x| softplus(x[0]));
    check("clipped_softplus", &ab, &|x| clipped_softplus(x[0], 0.4, 1.1));
    check("exp", &ab, &|x| exp(x[0]));
    check("ln", &only_p, &|x| ln(x[0]));
    check("recip", &only_p, &|x| recip(x[0]));
    check("square", &ab, &|x| square(x[0]));
    check("sqrt", &only_p, &|x| sqrt(x[0]));
    check("sum", &ab, &|x| sum(x[0]));
    check("sum_channels", &ab, &|x| sum_channels(x[0]));
    check("sum_masked", &[normal("m", &[2, 5])], &|x| sum_masked(x[0], &[5, 2], &[0.5, -2.]));
    check("gather_rows", &ab, &|x| gather_rows(x[0], &[1, 0, 1]));
    let ends = [vec![2, 5], vec![3]];
    check("log_mean_exp", &[normal("k", &[6, 5])], &|x| log_mean_exp(x[0], 3, &ends));
    check("concat", &ab, &|x| concat(&[x[0], x[1], x[0]]));
    check("concat_time", &ab, &|x| concat_time(&[x[0], x[1], x[0]]));
    check("slice_channels", &ab, &|x| slice_channels(x[0], 1, 2));
    check("reshape", &ab, &|x| reshape(x[0], &[6, 4]));
    check("prepend_zero", &ab, &|x| prepend_zero(x[0]));
    check("slice_time", &ab, &|x| slice_time(x[0], 1, 2));
    check("reverse_time", &ab, &|x| reverse_time(x[0], &[3, 2]));
    check("gated_tanh", &ab, &|x| gated_tanh(x[0], x[1]));

    let layer = [a.clone(), normal("w", &[4, 5]), normal("v", &[5])];
    check("linear", &layer, &|x| linear(x[0], x[1], x[2]));
    check("linear_relu", &layer, &|x| linear_relu(x[0], x[1], x[2]));
    let with_residual = [&layer[..], &[normal("h", &[2, 3, 5])]].concat();
    check("linear_residual", &with_residual, &|x| linear_residual(x[0], x[1], x[2], x[3]));
    let conv = |name| [normal(name, &[2, 4, 5]), normal("bias", &[5])];
    let ([wf, bf], [wg, bg]) = (conv("f"), conv("g"));
    let long = normal("long", &[2, 7, 4]);
    let both = [long, wf, bf, wg, bg];
    check("causal_conv1d", &both, &|x| causal_conv1d(x[0], x[1], x[2], 2));
    check("gated_conv", &both, &|x| gated_conv(x[0], (x[1], x[2]), (x[3], x[4]), 3));

    let (gates, state) = (normal("gates", &[2, 4, 12]), normal("state", &[2, 4, 3]));
    let with_u = |width| [normal("x", &[2, 4, width]), normal("u", &[3, width])];
    check("lstm", &with_u(12), &|x| lstm(x[0], x[1]));
    check("gru", &with_u(9), &|x| gru(x[0], x[1]));
    check("lstm_cell", &[gates, state.clone()], &|x| lstm_cell(x[0], x[1]));
    let inputs = ["x", "v"].map(|name| normal(name, &[2, 4, 9]));
    let with_state = [&inputs[..], &[state]].concat();
    check("gru_cell", &with_state, &|x| gru_cell(x[0], x[1], x[2]));

    check("normal_log_prob", &[a.clone(), b, p.clone()], &|x| normal_log_prob(x[0], x[1], x[2]));
    check("rsample", &[a.clone(), p, c], &|x| rsample(x[0], x[1], x[2]));
    for how in [Combine::Product, Combine::AsReleased] {
        check("combined_mean", &pairs, &|x| combined_mean((x[0], x[1]), (x[2], x[3])));
        check("combined_std", &pairs, &|x| combined_std(x[1], x[3], how));
        check("combined_kl", &pairs, &|x| combined_kl((x[0], x[1]), (x[2], x[3]), how));
    }
    let row = |name, width| normal(name, &[2, 3, width]);
    let mixture = [row("x", 2), row("l", 3), row("mean", 6), row("s", 6).map(|x| 0.4 + x * x)];
    let correlated =
        [&mixture[..], &[row("rho", 3).map(|x| 0.9 * crate::kernel::math::tanh(x))]].concat();
    for floor in [0., 0.2] {
        check("mixture_log_prob", &mixture, &|x| mixture_log_prob(x[0], x[1], x[2], x[3], floor));
        check("bivariate_mixture_log_prob", &correlated, &|x| {
            bivariate_mixture_log_prob(x[0], x[1], x[2], x[3], x[4], floor)
        });
        let e = a.map(|x| if x > 0. { 1. } else { 0. });
        check("bernoulli_log_prob", &[row("logits", 4)], &|x| {
            bernoulli_log_prob(x[0].tape().constant(e.clone()), x[0], floor)
        });
    }
    found
}

/// Standard normals from a stream of their own.
fn normal(name: &str, shape: &[usize]) -> Tensor {
    let mut x = Tensor::zeros(shape);
    Noise::new(5, "ops").normals(name, 0, 0, x.data_mut());
    x
}
