//! The GRU's cell against its formulas, unit by unit, to the bit.

use crate::ops::numbers;
use stcn::Real;
use stcn::internals::kernel::gru::{backward, forward};
use stcn::internals::kernel::math::{sigmoid, tanh};

#[test]
fn a_cell_is_its_formulas() {
    for n in [1, 2, 7, 16, 33, 70] {
        let data = |len: usize, seed| numbers(&[len], seed).data().to_vec();
        let (x, v, before) = (data(3 * n, 1), data(3 * n, 2), data(n, 3));
        let (gh, other) = (data(n, 4), data(n, 5));
        let (mut gates, mut h) = (x.clone(), before.clone());
        forward(&mut gates, &v, &mut h);
        let (mut gx, mut gv, mut carry) = (gates.clone(), vec![Real::NAN; 3 * n], other.clone());
        backward(&mut gx, &mut gv, &v[2 * n..], &before, &gh, &mut carry);
        for j in 0..n {
            let [(xr, vr), (xu, vu), (xc, vc)] = [0, 1, 2].map(|p| (x[p * n + j], v[p * n + j]));
            let (r, u) = (sigmoid(xr + vr), sigmoid(xu + vu));
            let c = tanh(xc + r * vc);
            assert_eq!([0, 1, 2].map(|p| gates[p * n + j]), [r, u, c]);
            assert_eq!(h[j], (1. - u) * before[j] + u * c);
            let g = gh[j] + other[j];
            assert_eq!(carry[j], g * (1. - u));
            let new = g * u * (1. - c * c);
            let want = [new * vc * r * (1. - r), g * (c - before[j]) * u * (1. - u), new];
            assert_eq!([0, 1, 2].map(|p| gx[p * n + j]), want, "{n} units, {j}");
            let want = [want[0], want[1], new * r];
            assert_eq!([0, 1, 2].map(|p| gv[p * n + j]), want, "{n} units, {j}");
        }
    }
}
