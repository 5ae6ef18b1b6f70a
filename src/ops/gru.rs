//! Gated recurrent unit: all steps at once, and one step of the cell alone.

use super::conv;
use crate::kernel::gru::{backward, forward};
use crate::kernel::recurrent::{BackwardStep, ForwardStep, Recurrence};
use crate::tape::{Product, Var, rule};
use crate::tensor::Tensor;

rule! { GRU: "gru",
    forward: "h_t = (1−u) h_{t−1} + u c   r, u = σ(x_t + v_t)   c = tanh(x_t + r v_t)   v_t = h_{t−1}U",
    vjp: "h̄_{t−1} += v̄_t Uᵀ   ū = Σ h_{t−1}ᵀ v̄_t   x̄_t, v̄_t as gru_cell",
    products: [Product::layer(0, 1)],
}

/// A layer of gated recurrent units over all steps, from `h_0 = 0`. x is the part of the pre-activations of r, u and c
/// that comes from the inputs, products included; each has its own columns of x and v.
///
/// The reset gate r is applied after the product with U, and u is the weight of the new value.
#[doc = GRU!()]
/// x: (B, T, 3H), in the order r, u, c   u: (H, 3H)   h: (B, T, H)
/// Source: Cho et al. 2014, in the form of Fraccaro et al. 2016.
///
/// ```
/// # use stcn::{Tape, Tensor, ops::gru};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 2, 3], vec![0., 0., 100., 0., 0., 100.]), "x"); // u = ½, c = 1
/// let h = gru(x, tape.input(Tensor::zeros(&[1, 3]), "u"));
/// assert_eq!(h.value().data(), [0.5, 0.75]);
/// ```
#[track_caller]
pub fn gru<'t>(x: Var<'t>, u: Var<'t>) -> Var<'t> {
    let (xs, us) = (x.value(), u.value());
    let sizes = Recurrence::new(GRU.name, xs.btc(GRU.name), us.shape(), 3, 4);
    let mut h = Tensor::scratch(&[sizes.batch, sizes.time, sizes.units]);
    let keep = x.is_tracked() || u.is_tracked();
    let saved = sizes.forward((xs.data(), us.data()), h.data_mut(), keep, |step| {
        let ForwardStep { sums, saved, h, .. } = step;
        let (gates, v) = saved.split_at_mut(sums.len());
        v.copy_from_slice(&sums[2 * h.len()..]);
        forward(gates, sums, h);
    });
    let (states, sequences) = (h.clone(), x.tape().sequences(sizes.batch));
    x.tape().record(&GRU, [x, u], h, move |gy, [gx, gu]| {
        let [mut inputs, mut sums] = std::array::from_fn(|_| Tensor::scratch(xs.shape()));
        let data = (us.data(), states.data(), gy.data());
        let gsums = Some(sums.data_mut());
        sizes.backward(data, &saved, inputs.data_mut(), gsums, |step| {
            let BackwardStep { saved, h_before, gh, carry, gx, gsums, .. } = step;
            let (gates, v) = saved.split_at(gx.len());
            gx.copy_from_slice(gates);
            backward(gx, gsums, v, h_before, gh, carry);
        });
        let layer = sizes.layer(sequences);
        conv::weight_grad(&layer, &sizes.delayed(&states), &sums, gu);
        gx.add(|| inputs);
    })
}

rule! { GRU_CELL: "gru_cell",
    forward: "h' = (1−u) h + u c   r, u = σ(x + v)   c = tanh(x + r v)",
    vjp: "ā = h̄' u (1−c²)   x̄ = [ā v_c r(1−r), h̄' (c−h) u(1−u), ā]   v̄ = x̄ but v̄_c = ā r   h̄ = h̄' (1−u)",
}

/// One step of [`gru`], given `v = h U`.
#[doc = GRU_CELL!()]
/// x, v: (…, 3H), in the order r, u, c   h, result: (…, H)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::gru_cell};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 3], vec![0., -100., 100.]), "x"); // u is closed: nothing new
/// let [v, h] = [vec![0.; 3], vec![0.75]].map(|x| tape.constant(Tensor::new(&[1, x.len()], x)));
/// assert_eq!(gru_cell(x, v, h).value().item(), 0.75);
/// ```
#[track_caller]
pub fn gru_cell<'t>(x: Var<'t>, v: Var<'t>, h: Var<'t>) -> Var<'t> {
    let (mut gates, sums, before) = (x.value(), v.value(), h.value());
    let n = before.cols();
    let fits = gates.cols() == 3 * n && gates.rows() == before.rows();
    assert!(fits, "gru_cell: x is {:?}, h {:?}", gates.shape(), before.shape());
    assert_eq!(gates.shape(), sums.shape(), "gru_cell: x and v differ in shape");
    let mut y = before.clone();
    let rows = gates.data_mut().chunks_exact_mut(3 * n).zip(sums.data().chunks_exact(3 * n));
    for ((gates, sums), y) in rows.zip(y.data_mut().chunks_exact_mut(n)) {
        forward(gates, sums, y);
    }
    x.tape().record(&GRU_CELL, [x, v, h], y, move |gy, [gx, gv, gh]| {
        let (mut inputs, mut gsums) = (gates.clone(), Tensor::scratch(gates.shape()));
        let mut direct = Tensor::zeros(before.shape());
        let out = inputs.data_mut().chunks_exact_mut(3 * n);
        let out = out.zip(gsums.data_mut().chunks_exact_mut(3 * n));
        let out = out.zip(direct.data_mut().chunks_exact_mut(n));
        let known = sums.data().chunks_exact(3 * n).zip(before.data().chunks_exact(n));
        let known = known.zip(gy.data().chunks_exact(n));
        for (((inputs, gsums), direct), ((sums, before), gy)) in out.zip(known) {
            backward(inputs, gsums, &sums[2 * n..], before, gy, direct);
        }
        gx.add(|| inputs);
        gv.add(|| gsums);
        gh.add(|| direct);
    })
}
