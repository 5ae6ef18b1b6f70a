//! Linear layers over the last axis: alone, with a rectifier, on top of a residual.

use super::conv;
use crate::kernel::causal_conv::CausalConv;
use crate::kernel::gemm::{Mat, Onto, SKINNY_ROWS};
use crate::kernel::pointwise::{self, relu, relu_grad};
use crate::kernel::skinny_gemm::ReusedWeight;
use crate::parallel::{self, Work};
use crate::tape::{Product, Slot, Var, rule};
use crate::tensor::{Real, Tensor};
use std::rc::Rc;

rule! { LINEAR: "linear",
    forward: "y = x W + b",
    vjp: "x̄ = ȳ Wᵀ   w̄ = Σ xᵀȳ   b̄ = Σ ȳ",
    products: [Product::layer(0, 1)],
}

/// A linear layer over the last axis.
#[doc = LINEAR!()]
/// x: (…, I)   w: (I, O)   bias: (O)   y: (…, O)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::linear};
/// # let tape = Tape::new();
/// let x = tape.constant(Tensor::new(&[1, 2], vec![1., 2.]));
/// let w = tape.input(Tensor::new(&[2, 1], vec![3., 4.]), "w");
/// let bias = tape.input(Tensor::new(&[1], vec![0.5]), "bias");
/// assert_eq!(linear(x, w, bias).value().item(), 11.5);
/// ```
#[track_caller]
pub fn linear<'t>(x: Var<'t>, w: Var<'t>, bias: Var<'t>) -> Var<'t> {
    let layer = Linear::new(LINEAR.name, x, w, bias);
    let y = layer.forward(|_, _| ());
    x.tape()
        .record(&LINEAR, [x, w, bias], y, move |gy, slots| layer.backward(&gy, slots.each_mut()))
}

rule! { LINEAR_RELU: "linear_relu",
    forward: "y = max(x W + b, 0)",
    vjp: "ū = ȳ [y > 0]   x̄ = ū Wᵀ   w̄ = Σ xᵀū   b̄ = Σ ū",
    products: [Product::layer(0, 1)],
}

/// [`linear`] followed by ReLU, fused, so that the tape keeps y but not x W + b.
#[doc = LINEAR_RELU!()]
/// x: (…, I)   w: (I, O)   bias: (O)   y: (…, O)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::linear_relu};
/// # let tape = Tape::new();
/// let x = tape.constant(Tensor::new(&[1, 1], vec![2.]));
/// let w = tape.input(Tensor::new(&[1, 2], vec![3., -3.]), "w");
/// let bias = tape.input(Tensor::zeros(&[2]), "bias");
/// assert_eq!(linear_relu(x, w, bias).value().data(), [6., 0.]);
/// ```
#[track_caller]
pub fn linear_relu<'t>(x: Var<'t>, w: Var<'t>, bias: Var<'t>) -> Var<'t> {
    let layer = Linear::new(LINEAR_RELU.name, x, w, bias);
    let y = layer.forward(|_, y| relu(y));
    let outputs = y.clone();
    x.tape().record(&LINEAR_RELU, [x, w, bias], y, move |mut gu: Tensor, slots| {
        let y = outputs.data();
        parallel::chunks([gu.data_mut()], |range, [gu]| relu_grad(gu, &y[range]));
        layer.backward(&gu, slots.each_mut());
    })
}

rule! { LINEAR_RESIDUAL: "linear_residual",
    forward: "y = h + (x W + b)",
    vjp: "h̄ = ȳ   x̄ = ȳ Wᵀ   w̄ = Σ xᵀȳ   b̄ = Σ ȳ",
    products: [Product::layer(0, 1)],
}

/// [`linear`] added to a residual h, fused, so that the tape keeps one value and not two.
#[doc = LINEAR_RESIDUAL!()]
/// x: (…, I)   w: (I, O)   bias: (O)   h, y: (…, O)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::linear_residual};
/// # let tape = Tape::new();
/// let [x, h] = [2., 100.].map(|x| tape.constant(Tensor::new(&[1, 1], vec![x])));
/// let w = tape.input(Tensor::new(&[1, 1], vec![3.]), "w");
/// let bias = tape.input(Tensor::zeros(&[1]), "bias");
/// assert_eq!(linear_residual(x, w, bias, h).value().item(), 106.);
/// ```
#[track_caller]
pub fn linear_residual<'t>(x: Var<'t>, w: Var<'t>, bias: Var<'t>, h: Var<'t>) -> Var<'t> {
    let (layer, before) = (Linear::new(LINEAR_RESIDUAL.name, x, w, bias), h.value());
    let (rows, o) = (layer.conv.time, layer.conv.outputs);
    let found = before.shape();
    assert!(
        before.cols() == o && before.rows() == rows,
        "linear_residual: h is {found:?}, y ({rows}, {o})"
    );
    let y = layer.forward(|at, y| pointwise::add(y, &before.data()[at..at + y.len()]));
    x.tape().record(&LINEAR_RESIDUAL, [x, w, bias, h], y, move |gy, [gx, gw, gb, gh]| {
        gh.add(|| gy.clone());
        layer.backward(&gy, [gx, gw, gb]);
    })
}

/// `y = h + x W`: [`linear_residual`] without a bias, as for the gates of a recurrent layer.
///
/// x: (…, I)   w: (I, O)   h, y: (…, O)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::linear_onto};
/// # let tape = Tape::new();
/// let [x, w, h] = [2., 3., 100.].map(|x| tape.input(Tensor::new(&[1, 1], vec![x]), ""));
/// assert_eq!(linear_onto(x, w, h).value().item(), 106.);
/// ```
#[track_caller]
pub fn linear_onto<'t>(x: Var<'t>, w: Var<'t>, h: Var<'t>) -> Var<'t> {
    let no_bias = x.tape().constant(Tensor::zeros(&[w.value().cols()]));
    linear_residual(x, w, no_bias, h)
}

/// The values and sizes of one layer.
struct Linear {
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    /// All rows as one sequence.
    conv: CausalConv,
    /// The rows as those of their sequences.
    by_sequence: CausalConv,
    reused: Rc<ReusedWeight>,
}

impl Linear {
    #[track_caller]
    fn new(op: &str, x: Var, w: Var, bias: Var) -> Self {
        let reused = w.cached(|| ReusedWeight::new(w.value()));
        let tape = x.tape();
        let (x, w, bias) = (x.value(), w.value(), bias.value());
        let &[i, o] = w.shape() else { panic!("{op}: want w of (I, O), got {:?}", w.shape()) };
        assert_eq!(x.cols(), i, "{op}: x has {} channels, w takes {i}", x.cols());
        assert_eq!(bias.shape(), [o], "{op}: w gives {o} channels, bias has {:?}", bias.shape());
        assert!(i * o > 0, "{op}: w is empty, {:?}", w.shape());
        let conv = CausalConv::linear(x.rows(), i, o);
        let by_sequence = match *x.shape() {
            [batch, time, _] => {
                CausalConv { batch, time, sequences: tape.sequences(batch), ..conv }
            }
            _ => CausalConv { batch: x.rows(), time: 1, sequences: tape.sequences(1), ..conv },
        };
        Self { x, w, bias, conv, by_sequence, reused }
    }

    /// Runs `finish(at, piece)` on every piece of y, which begins at element `at`, once its sums are complete.
    fn forward(&self, finish: impl Fn(usize, &mut [Real]) + Sync) -> Tensor {
        let (conv, rows, o) = (self.conv, self.conv.time, self.conv.outputs);
        let mut shape = self.x.shape().to_vec();
        *shape.last_mut().expect("rank ≥ 1") = o;
        let mut y = Tensor::scratch(&shape);
        let (x, w, bias) = (self.x.data(), self.w.data(), self.bias.data());
        if rows > SKINNY_ROWS {
            conv.tiles([y.data_mut()], o, |tile, [y]| {
                conv.forward(x, w, bias, tile, y);
                finish(tile.time.start * o, y);
            });
        } else if let Some(w) = self.reused.packed() {
            let x = Mat::new(x, rows, conv.inputs);
            w.product(x, Onto::Row(bias), y.data_mut(), finish);
        } else {
            conv.step(&[x], [(w, bias)], [y.data_mut()]);
            finish(0, y.data_mut());
        }
        y
    }

    fn backward(&self, gy: &Tensor, [gx, gw, gb]: [&mut Slot; 3]) {
        let (rows, o) = (self.conv.time, self.conv.outputs);
        if rows > SKINNY_ROWS {
            let sizes = (&self.conv, &self.by_sequence);
            return conv::backward(sizes, &self.x, &self.w, gy, [gx, gw, gb]);
        }
        let mut work = Work::new();
        conv::queue_layer(&mut work, &self.by_sequence, &self.x, gy, [gw, gb]);
        work.run();
        if let Some((gx, first)) = gx.target() {
            let onto = if first { Onto::Zero } else { Onto::C };
            let gy = Mat::new(gy.data(), rows, o);
            self.reused.transposed().product(gy, onto, gx, |_, _| ());
        }
    }
}
