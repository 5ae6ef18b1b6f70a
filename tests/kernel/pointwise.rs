//! Elementwise loops, element by element.

use crate::ops::numbers;
use stcn::Real;
use stcn::internals::kernel::math::{sigmoid, tanh};
use stcn::internals::kernel::pointwise::{add, gated, gated_grad, relu, relu_grad};

/// Every length up to a few vectors of the widest kind, and values of every size and sign.
fn cases() -> impl Iterator<Item = [Vec<Real>; 4]> {
    (0..70).map(|n| {
        [1, 2, 3, 4].map(|seed| {
            let x = numbers(&[n], seed);
            let sizes = [1., 1e-20, 40., 0.];
            let size = |i: usize| sizes[(i + seed as usize) % 4]; // a 0 beside another number
            x.data().iter().enumerate().map(|(i, x)| x * size(i)).collect()
        })
    })
}

#[test]
fn add_and_relu_are_their_formulas() {
    for [x, y, ..] in cases() {
        let (mut sum, mut rectified, mut gradient) = (x.clone(), x.clone(), x.clone());
        add(&mut sum, &y);
        relu(&mut rectified);
        relu_grad(&mut gradient, &y);
        for i in 0..x.len() {
            assert_eq!(sum[i], x[i] + y[i]);
            assert_eq!(rectified[i], if x[i] > 0. { x[i] } else { 0. });
            assert_eq!(gradient[i], if y[i] > 0. { x[i] } else { 0. });
        }
    }
}

#[test]
fn the_gated_unit_and_its_gradient_are_their_formulas_to_the_bit() {
    for [x, g, gy, junk] in cases() {
        let (mut a, mut s, mut y) = (x.clone(), g.clone(), junk.clone());
        gated(&mut a, &mut s, &mut y);
        let (mut gf, mut gg) = (gy.clone(), junk);
        gated_grad(&a, &s, &mut gf, &mut gg);
        for i in 0..x.len() {
            let (want_a, want_s) = (tanh(x[i]), sigmoid(g[i]));
            assert_eq!([a[i], s[i], y[i]], [want_a, want_s, want_a * want_s]);
            let ys = gy[i] * want_s;
            assert_eq!([gf[i], gg[i]], [ys * (1. - want_a * want_a), ys * want_a * (1. - want_s)]);
        }
    }
}
