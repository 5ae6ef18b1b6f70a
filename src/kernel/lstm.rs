//! The cell of a long short-term memory: one step of some units of some rows.
//!
//! `c' = f c + i g`, `h' = o tanh c'` with `i, f, o = σ(·)` and `g = tanh(·)` of their pre-activations. The gates
//! stand one after another in a slice, in the order i, f, g, o; with n units, c, h and their gradients are n
//! long. Each loop is its own oracle: the copies for the instruction sets differ in speed, never in bits.

use super::math::{sigmoid, tanh};
use super::simd::vectorised;
use crate::tensor::Real;

vectorised! {
    /// Overwrites pre-activations with gates and c with c', and fills `h` with h'.
    pub fn forward(gates: &mut [Real], c: &mut [Real], h: &mut [Real]) {
        let n = h.len();
        let (i, gates) = gates.split_at_mut(n);
        let (f, gates) = gates.split_at_mut(n);
        let (g, o) = gates.split_at_mut(n);
        let (o, c) = (&mut o[..n], &mut c[..n]);
        for j in 0..n {
            (i[j], f[j]) = (sigmoid(i[j]), sigmoid(f[j]));
            (g[j], o[j]) = (tanh(g[j]), sigmoid(o[j]));
            c[j] = f[j] * c[j] + i[j] * g[j];
            h[j] = o[j] * tanh(c[j]);
        }
    }
}

vectorised! {
    /// From c (`before`), c' (`after`) and h̄' (`gh`): overwrites the gates with the gradients of the pre-activations,
    /// and c̄' with c̄ (`gc`).
    pub fn backward(gates: &mut [Real], before: &[Real], after: &[Real], gh: &[Real], gc: &mut [Real]) {
        let n = gh.len();
        let (i, gates) = gates.split_at_mut(n);
        let (f, gates) = gates.split_at_mut(n);
        let (g, o) = gates.split_at_mut(n);
        let (o, gc, before, after) = (&mut o[..n], &mut gc[..n], &before[..n], &after[..n]);
        for j in 0..n {
            let squashed = tanh(after[j]);
            let total = gc[j] + gh[j] * o[j] * (1. - squashed * squashed);
            gc[j] = total * f[j];
            f[j] = total * before[j] * f[j] * (1. - f[j]);
            o[j] = gh[j] * squashed * o[j] * (1. - o[j]);
            let (input, new) = (i[j], g[j]);
            i[j] = total * new * input * (1. - input);
            g[j] = total * input * (1. - new * new);
        }
    }
}
