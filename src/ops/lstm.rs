//! Long short-term memory: all steps at once, and one step of the cell alone.

use super::conv;
use crate::kernel::lstm::{backward, forward};
use crate::kernel::pointwise::add;
use crate::kernel::recurrent::{BackwardStep, ForwardStep, Recurrence};
use crate::tape::{Product, Var, rule};
use crate::tensor::Tensor;

rule! { LSTM: "lstm",
    forward: "c_t = f c_{t−1} + i g   h_t = o tanh c_t   i, f, g, o of x_t + h_{t−1}U as lstm_cell",
    vjp: "h̄_{t−1} += x̄_t Uᵀ   ū = Σ h_{t−1}ᵀ x̄_t   x̄_t, c̄_{t−1} as lstm_cell",
    products: [Product::layer(0, 1)],
}

/// A layer of LSTM cells over all steps, from `h_0 = c_0 = 0`. x is the part of the gates' pre-activations that comes
/// from the inputs, products included.
#[doc = LSTM!()]
/// x: (B, T, 4H), gates in the order i, f, g, o   u: (H, 4H)   h: (B, T, H)
/// Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
///
/// ```
/// # use stcn::{Tape, Tensor, ops::lstm};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::zeros(&[2, 5, 12]), "x"); // two sequences of five steps
/// let u = tape.input(Tensor::zeros(&[3, 12]), "u");
/// assert_eq!(lstm(x, u).value(), Tensor::zeros(&[2, 5, 3])); // three units: half of tanh 0
/// ```
#[track_caller]
pub fn lstm<'t>(x: Var<'t>, u: Var<'t>) -> Var<'t> {
    let (xs, us) = (x.value(), u.value());
    let sizes = Recurrence::new(LSTM.name, xs.btc(LSTM.name), us.shape(), 4, 5);
    let mut h = Tensor::scratch(&[sizes.batch, sizes.time, sizes.units]);
    let keep = x.is_tracked() || u.is_tracked();
    let saved = sizes.forward((xs.data(), us.data()), h.data_mut(), keep, |step| {
        let ForwardStep { sums, before, saved, h } = step;
        let (gates, c) = saved.split_at_mut(sums.len());
        add(gates, sums);
        c.copy_from_slice(before.map_or(&*h, |before| &before[sums.len()..])); // c_0 = h_0 = 0
        forward(gates, c, h);
    });
    let (states, sequences) = (h.clone(), x.tape().sequences(sizes.batch));
    x.tape().record(&LSTM, [x, u], h, move |gy, [gx, gu]| {
        let mut gates = Tensor::scratch(xs.shape());
        let data = (us.data(), states.data(), gy.data());
        sizes.backward(data, &saved, gates.data_mut(), None, |step| {
            let BackwardStep { before, saved, h_before, gh, carry, gx, .. } = step;
            let (gates, c) = saved.split_at(gx.len());
            gx.copy_from_slice(gates);
            let before = before.map_or(h_before, |before| &before[gx.len()..]); // c_0 = h_0 = 0
            backward(gx, before, c, gh, carry);
        });
        let layer = sizes.layer(sequences);
        conv::weight_grad(&layer, &sizes.delayed(&states), &gates, gu);
        gx.add(|| gates);
    })
}

rule! { LSTM_CELL: "lstm_cell",
    forward: "[c', h']   c' = f c + i g   h' = o tanh c'   i, f, o = σ(x)   g = tanh(x)",
    vjp: "γ = c̄' + h̄' o(1 − tanh² c')   c̄ = γ f   x̄: γ g i(1−i), γ c f(1−f), γ i(1−g²), h̄' tanh(c') o(1−o)",
}

/// One step of an LSTM. x: the pre-activations of the gates.
#[doc = LSTM_CELL!()]
/// x: (…, 4H), gates in the order i, f, g, o   c: (…, H)   result: (…, 2H)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::lstm_cell};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 4], vec![-100., 100., 0., -100.]), "x"); // only the forget gate is open
/// let c = tape.input(Tensor::new(&[1, 1], vec![0.75]), "c");
/// assert_eq!(lstm_cell(x, c).value().data()[0], 0.75);
/// ```
#[track_caller]
pub fn lstm_cell<'t>(x: Var<'t>, c: Var<'t>) -> Var<'t> {
    let (mut gates, before) = (x.value(), c.value());
    let n = before.cols();
    let fits = gates.cols() == 4 * n && gates.rows() == before.rows();
    assert!(fits, "lstm_cell: x is {:?}, c {:?}", gates.shape(), before.shape());
    let mut shape = before.shape().to_vec();
    *shape.last_mut().expect("rank ≥ 1") = 2 * n;
    let mut y = Tensor::scratch(&shape);
    let rows = gates.data_mut().chunks_exact_mut(4 * n).zip(before.data().chunks_exact(n));
    for ((gates, before), y) in rows.zip(y.data_mut().chunks_exact_mut(2 * n)) {
        let (c, h) = y.split_at_mut(n);
        c.copy_from_slice(before);
        forward(gates, c, h);
    }
    let states = y.clone();
    x.tape().record(&LSTM_CELL, [x, c], y, move |gy, [gx, gc]| {
        let (mut g, mut carries) = (gates.clone(), Tensor::scratch(before.shape()));
        let rows = g.data_mut().chunks_exact_mut(4 * n).zip(carries.data_mut().chunks_exact_mut(n));
        let states = states.data().chunks_exact(2 * n).zip(gy.data().chunks_exact(2 * n));
        let before = before.data().chunks_exact(n);
        for (((gates, carry), (state, gy)), before) in rows.zip(states).zip(before) {
            carry.copy_from_slice(&gy[..n]);
            backward(gates, before, &state[..n], &gy[n..], carry);
        }
        gx.add(|| g);
        gc.add(|| carries);
    })
}
