//! The gated unit of WaveNet, alone and with its two convolutions.

use super::conv::{queue_layer, sizes};
use super::one_shape;
use crate::kernel::{math, pointwise};
use crate::parallel::{self, Work};
use crate::tape::{Product, Var, rule};
use crate::tensor::{Tensor, zip};

rule! { GATED_TANH: "gated_tanh",
    forward: "y = a s   a = tanh(x)   s = σ(g)",
    vjp: "x̄ = ȳ s(1 − a²)   ḡ = ȳ a s(1 − s)",
}

/// The gated unit.
#[doc = GATED_TANH!()]
/// x, g, y: same shape
/// Source: van den Oord et al. 2016 (WaveNet), eq. 2.
///
/// ```
/// # use stcn::{Tape, Tensor, ops::gated_tanh};
/// # let tape = Tape::new();
/// let [x, g] = [1., -100.].map(|x| tape.input(Tensor::scalar(x), ""));
/// assert!(gated_tanh(x, g).value().item() < 1e-30); // a closed gate
/// ```
#[track_caller]
pub fn gated_tanh<'t>(x: Var<'t>, g: Var<'t>) -> Var<'t> {
    one_shape(GATED_TANH.name, [&x.value(), &g.value()]);
    let a = x.value().map(math::tanh);
    let s = g.value().map(math::sigmoid);
    let y = zip([&a, &s], |[a, s]| a * s);
    x.tape().record(&GATED_TANH, [x, g], y, move |gy, [gx, gg]| {
        gx.add(|| zip([&gy, &a, &s], |[gy, a, s]| gy * s * (1. - a * a)));
        gg.add(|| zip([&gy, &a, &s], |[gy, a, s]| gy * a * s * (1. - s)));
    })
}

/// Weight and bias of one of the two convolutions.
type Layer<'t> = (Var<'t>, Var<'t>);

rule! { GATED_CONV: "gated_conv",
    forward: "y = a s   a = tanh(W_f∗x + b_f)   s = σ(W_g∗x + b_g)",
    vjp: "f̄ = ȳ s(1 − a²)   ḡ = ȳ a s(1 − s)   then as causal_conv1d",
    products: [Product::layer(0, 1), Product::layer(0, 3)],
}

/// [`gated_tanh`] of two causal convolutions, fused: a tile goes through products and gate while it is in cache, and
/// the convolutions are not kept.
#[doc = GATED_CONV!()]
/// x: (B, T, I)   W: (K, I, O)   b: (O)   y: (B, T, O)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::{causal_conv1d, gated_conv, gated_tanh}};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 3, 1], vec![1., 2., 3.]), "x");
/// let [wf, wg] = [0.5, -1.].map(|w| tape.input(Tensor::new(&[2, 1, 1], vec![w, 1.]), ""));
/// let b = tape.input(Tensor::zeros(&[1]), "b");
/// let composed = gated_tanh(causal_conv1d(x, wf, b, 1), causal_conv1d(x, wg, b, 1));
/// assert_eq!(gated_conv(x, (wf, b), (wg, b), 1).value(), composed.value());
/// ```
#[track_caller]
pub fn gated_conv<'t>(x: Var<'t>, filter: Layer<'t>, gate: Layer<'t>, dilation: usize) -> Var<'t> {
    let (xs, [wf, bf, wg, bg]) = (x.value(), [filter.0, filter.1, gate.0, gate.1].map(Var::value));
    let conv = sizes(x.tape(), GATED_CONV.name, &xs, &wf, &bf, dilation);
    let (filter_shapes, gate_shapes) = ([wf.shape(), bf.shape()], [wg.shape(), bg.shape()]);
    assert_eq!(filter_shapes, gate_shapes, "gated_conv: filter and gate differ in shape");
    let (o, shape) = (conv.outputs, [conv.batch, conv.time, conv.outputs]);
    let [mut y, mut a, mut s] = std::array::from_fn(|_| Tensor::scratch(&shape));
    conv.tiles([&mut y, &mut a, &mut s].map(Tensor::data_mut), o, |tile, [y, a, s]| {
        for (w, bias, sums) in [(&wf, &bf, &mut *a), (&wg, &bg, &mut *s)] {
            conv.forward(xs.data(), w.data(), bias.data(), tile, sums);
        }
        pointwise::gated(a, s, y);
    });
    let inputs = [x, filter.0, filter.1, gate.0, gate.1];
    let y =
        x.tape().record(&GATED_CONV, inputs, y, move |mut gf: Tensor, [gx, gwf, gbf, gwg, gbg]| {
            let mut gg = Tensor::scratch(&shape);
            parallel::chunks([gf.data_mut(), gg.data_mut()], |range, [gf, gg]| {
                pointwise::gated_grad(&a.data()[range.clone()], &s.data()[range], gf, gg);
            });
            let packed = gx.is_needed().then(|| [&wf, &wg].map(|w| conv.pack(w.data())));
            let mut work = Work::new();
            for (g, layer) in [(&gf, [gwf, gbf]), (&gg, [gwg, gbg])] {
                queue_layer(&mut work, &conv, &xs, g, layer);
            }
            if let (Some([wf, wg]), Some((gx, first))) = (&packed, gx.target()) {
                conv.queue_grad_x(&mut work, [(gf.data(), wf), (gg.data(), wg)], gx, first);
            }
            work.run();
        });
    y.with_setting("dilation", dilation)
}
