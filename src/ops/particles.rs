//! Particles: rows of a batch by index, and the logarithm of their mean weight.
//!
//! Not here: which row goes on from which, and when (`train::particles`).

use crate::kernel::{math::exp_f64, reduce::log_mean};
use crate::tape::{Rule, Var};
use crate::tensor::{Real, Tensor};

/// `y_r = x_{i_r}`: rows of the first axis by index, any of them any number of times.
///
/// x: (B, …), index: R numbers below B, y: (R, …). The gradient's terms are added in the order of r.
#[track_caller]
pub fn gather_rows<'t>(x: Var<'t>, index: &[usize]) -> Var<'t> {
    static RULE: Rule =
        Rule { name: "gather_rows", forward: "y_r = x_{i_r}", vjp: "x̄_i = Σ_{r: i_r = i} ȳ_r" };
    let inputs = x.value();
    let mut shape = inputs.shape().to_vec();
    let width = shape[1..].iter().product::<usize>();
    for i in index {
        assert!(*i < shape[0], "gather_rows: row {i} of {}", shape[0]);
    }
    shape[0] = index.len();
    let mut y = Tensor::scratch(&shape);
    let rows = y.data_mut().chunks_exact_mut(width.max(1)).zip(index);
    rows.for_each(|(y, i)| y.copy_from_slice(&inputs.data()[i * width..][..width]));
    let index = index.to_vec();
    x.tape().record(&RULE, [x], y, move |gy, [gx]| {
        let Some(gx) = gx.zeroed_target() else { return };
        for (gy, i) in gy.data().chunks_exact(width.max(1)).zip(&index) {
            gx[i * width..][..width].iter_mut().zip(gy).for_each(|(gx, gy)| *gx += gy);
        }
    })
}

/// `y_b = Σ_s ln (1/K) Σ_k exp Σ_{t∈s} a_{kB+b, t}`: what weighted particles say of each sequence.
///
/// a: (K·B, T), the terms of the logarithm of row k·B + b's weight; y: (B, 1). `ends` of a sequence cut its
/// steps into segments s, each up to an end and without it; steps from the last end on are not read. One end,
/// its length: the weights of whole sequences (Burda et al. 2016, eq. 8). An end after every step: a mean at
/// each. Ends where particles were drawn anew: the bound of a filter (Maddison et al. 2017, eq. 6). In f64.
#[track_caller]
pub fn log_mean_exp<'t>(a: Var<'t>, particles: usize, ends: &[Vec<usize>]) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "log_mean_exp",
        forward: "y_b = Σ_s ln (1/K) Σ_k exp Σ_{t∈s} a_{kB+b,t}",
        vjp: "ā_{kB+b,t} = ȳ_b softmax_k(Σ_{t∈s} a)_k for t ∈ s, else 0",
    };
    let (inputs, sequences) = (a.value(), ends.len());
    let &[rows, steps] = inputs.shape() else {
        panic!("log_mean_exp: want (K·B, T), got {:?}", inputs.shape())
    };
    assert_eq!(rows, particles * sequences, "log_mean_exp: {particles} rows a sequence");
    let mut shares = Tensor::zeros(&[rows, steps]); // ∂y/∂a
    let mut y = Tensor::zeros(&[sequences, 1]);
    for (b, (y, ends)) in y.data_mut().iter_mut().zip(ends).enumerate() {
        let (mut start, mut total) = (0, 0.);
        for &end in ends {
            assert!(start < end && end <= steps, "log_mean_exp: steps {start}..{end} of {steps}");
            let place =
                |k: usize| (k * sequences + b) * steps + start..(k * sequences + b) * steps + end;
            let sum = |k| inputs.data()[place(k)].iter().fold(0., |sum, &a| sum + f64::from(a));
            let weights: Vec<f64> = (0..particles).map(sum).collect();
            let log_mean = log_mean(&weights);
            for (k, weight) in weights.iter().enumerate() {
                let share = exp_f64(weight - log_mean) / particles as f64;
                shares.data_mut()[place(k)].fill(share as Real);
            }
            total += log_mean;
            start = end;
        }
        *y = total as Real;
    }
    a.tape().record(&RULE, [a], y, move |gy, [ga]| {
        ga.add(|| {
            let mut ga = shares.clone();
            for (row, ga) in ga.data_mut().chunks_exact_mut(steps.max(1)).enumerate() {
                let gy = gy.data()[row % sequences];
                ga.iter_mut().for_each(|ga| *ga *= gy);
            }
            ga
        })
    })
}
