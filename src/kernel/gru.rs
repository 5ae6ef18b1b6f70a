//! The cell of a gated recurrent unit: one step of some units of some rows.
//!
//! `h' = (1 − u) h + u c` with `r, u = σ(x + v)`, `c = tanh(x + r v)` and `v = h U`, each gate with its own part of
//! x and v. The parts stand one after another in a slice, in the order r, u, c; with n units, h and its gradients
//! are n long. Each loop is its own oracle: the copies for the instruction sets differ in speed, never in bits.

use super::math::{sigmoid, tanh};
use super::simd::vectorised;
use crate::tensor::Real;

vectorised! {
    /// Overwrites x, which `gates` holds, with the gates, and h with h'.
    pub fn forward(gates: &mut [Real], v: &[Real], h: &mut [Real]) {
        let n = h.len();
        let (r, gates) = gates.split_at_mut(n);
        let (u, c) = gates.split_at_mut(n);
        let (c, v) = (&mut c[..n], &v[..3 * n]);
        let (vr, vu, vc) = (&v[..n], &v[n..2 * n], &v[2 * n..]);
        for j in 0..n {
            (r[j], u[j]) = (sigmoid(r[j] + vr[j]), sigmoid(u[j] + vu[j]));
            c[j] = tanh(c[j] + r[j] * vc[j]);
            h[j] = (1. - u[j]) * h[j] + u[j] * c[j];
        }
    }
}

vectorised! {
    /// From v_c (`vc`), h (`before`) and `h̄' = gh + carry`: overwrites the gates with x̄, fills v̄ (`gv`), and leaves
    /// in `carry` the part of h̄ that does not pass through v.
    pub fn backward(
        gates: &mut [Real],
        gv: &mut [Real],
        vc: &[Real],
        before: &[Real],
        gh: &[Real],
        carry: &mut [Real],
    ) {
        let n = gh.len();
        let (r, gates) = gates.split_at_mut(n);
        let (u, c) = gates.split_at_mut(n);
        let (gvr, gv) = gv.split_at_mut(n);
        let (gvu, gvc) = gv.split_at_mut(n);
        let (c, gvc, carry) = (&mut c[..n], &mut gvc[..n], &mut carry[..n]);
        let (vc, before) = (&vc[..n], &before[..n]);
        for j in 0..n {
            let gh = gh[j] + carry[j];
            carry[j] = gh * (1. - u[j]);
            let new = gh * u[j] * (1. - c[j] * c[j]);
            u[j] = gh * (c[j] - before[j]) * u[j] * (1. - u[j]);
            gvc[j] = new * r[j];
            r[j] = new * vc[j] * r[j] * (1. - r[j]);
            (c[j], gvr[j], gvu[j]) = (new, r[j], u[j]);
        }
    }
}
