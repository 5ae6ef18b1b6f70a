//! Sums, in an order that shapes decide.

use crate::kernel::reduce::channel_sums;
use crate::tape::{Rule, Var};
use crate::tensor::{Real, Tensor};

/// `y = Σ x` over everything, in f64.   x: any shape, y: (1)
pub fn sum(x: Var) -> Var {
    static RULE: Rule = Rule { name: "sum", forward: "y = Σ x", vjp: "x̄ = ȳ" };
    let (shape, y) = (x.value().shape().to_vec(), Tensor::scalar(x.value().sum() as Real));
    x.tape().record(&RULE, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let mut filled = Tensor::scratch(&shape);
            filled.data_mut().fill(gy.item());
            filled
        })
    })
}

/// `y_t = Σ_c x_{t,c}`: over the last axis.   x: (B, T, C), y: (B, T)
#[track_caller]
pub fn sum_channels(x: Var) -> Var {
    static RULE: Rule = Rule { name: "sum_channels", forward: "y = Σ_c x_c", vjp: "x̄_c = ȳ" };
    let inputs = x.value();
    let (b, t, c) = inputs.btc(RULE.name);
    let y = channel_sums(&inputs);
    x.tape().record(&RULE, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let mut gx = Tensor::scratch(&[b, t, c]);
            let rows = gx.data_mut().chunks_exact_mut(c.max(1));
            rows.zip(gy.data()).for_each(|(row, &g)| row.fill(g));
            gx
        })
    })
}

/// `y = Σ_b w_b Σ_{t < len_b} x_{b,t}`: steps beyond a sequence's length are not read, so padding
/// changes no bit. Each sequence is summed over time in f64, then the sequences in order.
///
/// x: (B, T), lengths and weights: B each, y: (1)
#[track_caller]
pub fn sum_masked<'t>(x: Var<'t>, lengths: &[usize], weights: &[Real]) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "sum_masked",
        forward: "y = Σ_b w_b Σ_{t<len_b} x_{b,t}",
        vjp: "x̄_{b,t} = ȳ w_b where t < len_b, else 0",
    };
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
    x.tape().record(&RULE, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let mut gx = Tensor::zeros(&[b, t]);
            for (row, (len, weight)) in gx.data_mut().chunks_exact_mut(t).zip(&per_sequence) {
                row[..*len].fill(gy.item() * weight);
            }
            gx
        })
    })
}
