//! Dilated causal convolution over time.

use crate::kernel::causal_conv::CausalConv;
use crate::kernel::reduce;
use crate::parallel::Work;
use crate::tape::{Product, Slot, Var, rule};
use crate::tensor::Tensor;

rule! { CAUSAL_CONV1D: "causal_conv1d",
    forward: "y_t = b + Σⱼ x_{t−rⱼ} wⱼ   rⱼ = (K−1−j)·dilation",
    vjp: "x̄_s = Σⱼ ȳ_{s+rⱼ} wⱼᵀ   w̄ⱼ = Σ x_{t−rⱼ}ᵀȳ_t   b̄ = Σ ȳ",
    products: [Product::layer(0, 1)],
}

/// A dilated causal convolution of K taps: tap j reads x from rⱼ steps back, and the last tap reads the present step; before
/// t = 0 there are zeros.
#[doc = CAUSAL_CONV1D!()]
/// x: (B, T, I)   w: (K, I, O)   bias: (O)   y: (B, T, O)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::causal_conv1d};
/// # let tape = Tape::new();
/// let x = tape.constant(Tensor::new(&[1, 4, 1], vec![1., 2., 3., 4.]));
/// let w = tape.input(Tensor::new(&[2, 1, 1], vec![10., 1.]), "w");
/// let bias = tape.input(Tensor::zeros(&[1]), "bias");
/// let y = causal_conv1d(x, w, bias, 2); // 10 x_{t−2} + x_t
/// assert_eq!(y.value().data(), [1., 2., 13., 24.]);
/// ```
#[track_caller]
pub fn causal_conv1d<'t>(x: Var<'t>, w: Var<'t>, bias: Var<'t>, dilation: usize) -> Var<'t> {
    let (xs, ws, bs) = (x.value(), w.value(), bias.value());
    let conv = sizes(CAUSAL_CONV1D.name, &xs, &ws, &bs, dilation);
    let mut y = Tensor::scratch(&[conv.batch, conv.time, conv.outputs]);
    conv.tiles([y.data_mut()], conv.outputs, |tile, [y]| {
        conv.forward(xs.data(), ws.data(), bs.data(), tile, y);
    });
    let y = x.tape().record(&CAUSAL_CONV1D, [x, w, bias], y, move |gy, [gx, gw, gb]| {
        backward(&conv, &xs, &ws, &gy, gx, gw, gb);
    });
    y.with_setting("dilation", dilation)
}

/// The gradients of x, w and bias of a convolution or a linear layer, in one parallel region.
pub(super) fn backward(
    conv: &CausalConv,
    x: &Tensor,
    w: &Tensor,
    gy: &Tensor,
    gx: &mut Slot,
    gw: &mut Slot,
    gb: &mut Slot,
) {
    let packed = gx.is_needed().then(|| conv.pack(w.data()));
    let mut work = Work::new();
    queue_layer(&mut work, conv, x, gy, [gw, gb]);
    if let (Some(w), Some((gx, first))) = (&packed, gx.target()) {
        conv.queue_grad_x(&mut work, [(gy.data(), w)], gx, first);
    }
    work.run();
}

/// Queues the gradients of w and bias.
pub(super) fn queue_layer<'a>(
    work: &mut Work<'a>,
    conv: &CausalConv,
    x: &'a Tensor,
    gy: &'a Tensor,
    [gw, gb]: [&'a mut Slot; 2],
) {
    if let Some((gw, first)) = gw.target() {
        conv.queue_grad_w(work, x.data(), gy.data(), gw, first);
    }
    if let Some(gb) = gb.zeroed_target() {
        reduce::queue_add_columns(work, gy.data(), gb);
    }
}

/// The sizes of a convolution, or a panic that says which do not fit.
#[track_caller]
pub(super) fn sizes(
    op: &str,
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    dilation: usize,
) -> CausalConv {
    let ((batch, time, i), (taps, inputs, outputs)) = (x.btc(op), w.btc(op));
    assert_eq!(i, inputs, "{op}: x has {i} channels, w takes {inputs}");
    assert_eq!(bias.shape(), [outputs], "{op}: w gives {outputs}, bias has {:?}", bias.shape());
    assert!(dilation > 0, "{op}: dilation 0");
    assert!(taps * i * outputs > 0, "{op}: w is empty, {:?}", w.shape());
    CausalConv { batch, time, inputs, outputs, taps, dilation }
}
