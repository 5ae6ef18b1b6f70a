//! Particles: rows of a batch by index, and the logarithm of their mean weight.
//!
//! Not here: which particle continues from which, and when (`train::particles`).

use crate::kernel::math::{exp_f64, flush};
use crate::kernel::reduce::log_mean;
use crate::tape::{Var, rule};
use crate::tensor::{Real, Tensor};

rule! { GATHER_ROWS: "gather_rows",
    forward: "y_r = x_{i_r}",
    vjp: "x̄_i = Σ_{r: i_r = i} ȳ_r",
}

/// The rows i_r of the first axis, each any number of times. The gradient's terms are added in the order of r.
#[doc = GATHER_ROWS!()]
/// x: (B, …)   index: R numbers below B   y: (R, …)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::gather_rows};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[2, 1], vec![10., 20.]), "x");
/// assert_eq!(gather_rows(x, &[1, 0, 1]).value().data(), [20., 10., 20.]);
/// ```
#[track_caller]
pub fn gather_rows<'t>(x: Var<'t>, index: &[usize]) -> Var<'t> {
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
    x.tape().record(&GATHER_ROWS, [x], y, move |gy, [gx]| {
        let Some(gx) = gx.zeroed_target() else { return };
        for (gy, i) in gy.data().chunks_exact(width.max(1)).zip(&index) {
            gx[i * width..][..width].iter_mut().zip(gy).for_each(|(gx, gy)| *gx += gy);
        }
    })
}

rule! { LOG_MEAN_EXP: "log_mean_exp",
    forward: "y_b = Σ_s ln (1/K) Σ_k exp Σ_{t∈s} a_{kB+b,t}",
    vjp: "ā_{kB+b,t} = ȳ_b softmax_k(Σ_{t∈s} a)_k for t ∈ s, else 0",
}

/// The bound that K weighted particles give on the log-likelihood of each of B sequences. In f64.
#[doc = LOG_MEAN_EXP!()]
/// Row k·B + b of a has the log-weight of particle k of sequence b, as one term per step. The `ends` of a sequence
/// cut its steps into segments s, each up to but without its end; steps from the last end on are not read. One end,
/// the length of the sequence, gives weights of whole sequences (Burda et al. 2016, eq. 8); ends where particles were
/// resampled give the bound of a filter (Maddison et al. 2017, eq. 6); an end after every step gives a mean at each.
///
/// a: (K·B, T)   y: (B, 1)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::log_mean_exp};
/// # let tape = Tape::new();
/// let a = tape.input(Tensor::new(&[2, 2], vec![2., 3., 2., 3.]), "a"); // two particles of one sequence
/// assert_eq!(log_mean_exp(a, 2, &[vec![2]]).value().item(), 5.);
/// ```
#[track_caller]
pub fn log_mean_exp<'t>(a: Var<'t>, particles: usize, ends: &[Vec<usize>]) -> Var<'t> {
    let (inputs, sequences) = (a.value(), ends.len());
    let &[rows, steps] = inputs.shape() else {
        panic!("log_mean_exp: want (K·B, T), got {:?}", inputs.shape())
    };
    let want = particles * sequences;
    assert_eq!(rows, want, "log_mean_exp: {rows} rows, want {particles} for each of {sequences}");
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
                shares.data_mut()[place(k)].fill(flush(share as Real));
            }
            total += log_mean;
            start = end;
        }
        *y = total as Real;
    }
    a.tape().record(&LOG_MEAN_EXP, [a], y, move |gy, [ga]| {
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
