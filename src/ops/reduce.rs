//! Sums, in an order that shapes decide.

use crate::kernel::reduce::channel_sums;
use crate::tape::{Var, rule};
use crate::tensor::{Real, Tensor};

rule! { SUM: "sum",
    forward: "y = Σ x",
    vjp: "x̄ = ȳ",
}

/// The sum of all elements, added up in f64.
#[doc = SUM!()]
/// x: any shape   y: (1)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::sum};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[2, 2], vec![1., 2., 3., 4.]), "x");
/// assert_eq!(sum(x).value().item(), 10.);
/// ```
pub fn sum(x: Var) -> Var {
    let (shape, y) = (x.value().shape().to_vec(), Tensor::scalar(x.value().sum() as Real));
    x.tape().record(&SUM, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let mut filled = Tensor::scratch(&shape);
            filled.data_mut().fill(gy.item());
            filled
        })
    })
}

rule! { SUM_CHANNELS: "sum_channels",
    forward: "y_t = Σ_c x_{t,c}",
    vjp: "x̄_{t,c} = ȳ_t",
}

/// Sums over the last axis.
#[doc = SUM_CHANNELS!()]
/// x: (B, T, C)   y: (B, T)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::sum_channels};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 2, 2], vec![1., 2., 3., 4.]), "x");
/// assert_eq!(sum_channels(x).value().data(), [3., 7.]);
/// ```
#[track_caller]
pub fn sum_channels(x: Var) -> Var {
    let inputs = x.value();
    let (b, t, c) = inputs.btc(SUM_CHANNELS.name);
    let y = channel_sums(&inputs);
    x.tape().record(&SUM_CHANNELS, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let mut gx = Tensor::scratch(&[b, t, c]);
            let rows = gx.data_mut().chunks_exact_mut(c.max(1));
            rows.zip(gy.data()).for_each(|(row, &g)| row.fill(g));
            gx
        })
    })
}

rule! { SUM_MASKED: "sum_masked",
    forward: "y = Σ_b w_b Σ_{t<n_b} x_{b,t}",
    vjp: "x̄_{b,t} = ȳ w_b where t < n_b, else 0",
}

/// The sum of sequences of different lengths n, each with a weight w. Steps beyond a sequence's length are not
/// read, so padding changes no bit. Each sequence is summed over time in f64, then the sequences in order.
#[doc = SUM_MASKED!()]
/// x: (B, T)   lengths and weights: B each   y: (1)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::sum_masked};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[2, 2], vec![1., 2., 3., 99.]), "x"); // the second has one step
/// assert_eq!(sum_masked(x, &[2, 1], &[1., 10.]).value().item(), 33.);
/// ```
#[track_caller]
pub fn sum_masked<'t>(x: Var<'t>, lengths: &[usize], weights: &[Real]) -> Var<'t> {
    let inputs = x.value();
    let &[b, t] = inputs.shape() else {
        panic!("sum_masked: want (B, T), got {:?}", inputs.shape())
    };
    assert_eq!((lengths.len(), weights.len()), (b, b), "sum_masked: one length, one weight each");
    for len in lengths {
        assert!(*len <= t, "sum_masked: length {len} of {t} steps");
    }
    let one = |(row, (&len, &weight)): (&[Real], (&usize, &Real))| {
        f64::from(weight) * row[..len].iter().fold(0., |sum, &x| sum + f64::from(x))
    };
    let sequences = inputs.data().chunks_exact(t).zip(lengths.iter().zip(weights));
    let y = Tensor::scalar(sequences.map(one).fold(0., |sum, x| sum + x) as Real);
    let per_sequence: Vec<_> = lengths.iter().copied().zip(weights.iter().copied()).collect();
    x.tape().record(&SUM_MASKED, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let mut gx = Tensor::zeros(&[b, t]);
            for (row, (len, weight)) in gx.data_mut().chunks_exact_mut(t).zip(&per_sequence) {
                row[..*len].fill(gy.item() * weight);
            }
            gx
        })
    })
}
