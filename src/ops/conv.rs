//! Dilated causal convolution over time.

use crate::kernel::causal_conv::CausalConv;
use crate::kernel::reduce::{Rows, queue_add_columns};
use crate::kernel::weight_grad::{Use, queue_grad_w, rows_of};
use crate::parallel::{self, Work};
use crate::tape::{Deferred, Product, Slot, Tape, Var, rule};
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
    let conv = sizes(x.tape(), CAUSAL_CONV1D.name, &xs, &ws, &bs, dilation);
    let mut y = Tensor::scratch(&[conv.batch, conv.time, conv.outputs]);
    conv.tiles([y.data_mut()], conv.outputs, |tile, [y]| {
        conv.forward(xs.data(), ws.data(), bs.data(), tile, y);
    });
    let y = x.tape().record(&CAUSAL_CONV1D, [x, w, bias], y, move |gy, [gx, gw, gb]| {
        backward((&conv, &conv), &xs, &ws, &gy, [gx, gw, gb]);
    });
    y.with_setting("dilation", dilation)
}

/// The gradients of x, w and bias, in one parallel region. The rows of x are cut for x̄ as `flat` says, and belong to
/// sequences as `conv` says.
pub(super) fn backward(
    (flat, conv): (&CausalConv, &CausalConv),
    x: &Tensor,
    w: &Tensor,
    gy: &Tensor,
    [gx, gw, gb]: [&mut Slot; 3],
) {
    let packed = gx.is_needed().then(|| flat.pack(w.data()));
    let mut work = Work::new();
    queue_layer(&mut work, conv, x, gy, [gw, gb]);
    if let (Some(w), Some((gx, first))) = (&packed, gx.target()) {
        flat.queue_grad_x(&mut work, [(gy.data(), w)], gx, first);
    }
    work.run();
}

/// Queues the gradients of w and bias. Of a weight with other uses too, the terms are added when all are known, since
/// each sequence is summed over all of them first.
pub(super) fn queue_layer<'a>(
    work: &mut Work<'a>,
    conv: &CausalConv,
    x: &'a Tensor,
    gy: &'a Tensor,
    [gw, gb]: [&'a mut Slot; 2],
) {
    queue_weight(work, conv, x, gy, gw);
    if gb.is_shared() {
        gb.defer(|| BiasUse { conv: *conv, gy: gy.clone() });
    } else if let Some(gb) = gb.zeroed_target() {
        queue_add_columns(work, vec![rows(conv, gy)], gb);
    }
}

/// The gradient of w alone.
pub(super) fn weight_grad(conv: &CausalConv, x: &Tensor, gy: &Tensor, gw: &mut Slot) {
    let mut work = Work::new();
    queue_weight(&mut work, conv, x, gy, gw);
    work.run();
}

fn queue_weight<'a>(
    work: &mut Work<'a>,
    conv: &CausalConv,
    x: &'a Tensor,
    gy: &'a Tensor,
    gw: &'a mut Slot,
) {
    if gw.is_shared() || is_step(conv) {
        gw.defer(|| WeightUse { conv: *conv, x: x.clone(), gy: gy.clone() });
    } else if let Some((gw, first)) = gw.target() {
        queue_grad_w(work, vec![one_use(conv, x, gy)], gw, first);
    }
}

fn one_use<'a>(conv: &CausalConv, x: &'a Tensor, gy: &'a Tensor) -> Use<'a> {
    Use { conv: *conv, x: x.data(), gy: gy.data() }
}

/// Whether it is a linear layer over one step of every sequence.
fn is_step(conv: &CausalConv) -> bool {
    conv.time == 1 && conv.taps == 1 && conv.batch.is_multiple_of(conv.sequences)
}

/// One of several uses of a weight: `xᵀ ȳ`.
struct WeightUse {
    conv: CausalConv,
    x: Tensor,
    gy: Tensor,
}

impl Deferred for WeightUse {
    fn add_all(uses: Vec<Self>, gw: &mut Slot) {
        let mut stacked = vec![];
        let mut uses = uses.into_iter().peekable();
        while let Some(first) = uses.next() {
            let mut steps = vec![first];
            while let Some(next) = uses.next_if(|next| next.follows(&steps[0])) {
                steps.push(next);
            }
            stacked.push(Self::stack(steps));
        }
        let Some((gw, first)) = gw.target() else { return };
        let uses = stacked.iter().map(|Self { conv, x, gy }| one_use(conv, x, gy));
        let mut work = Work::new();
        queue_grad_w(&mut work, uses.collect(), gw, first);
        work.run();
    }
}

impl WeightUse {
    /// Whether both are single steps of the same sequences.
    fn follows(&self, other: &Self) -> bool {
        is_step(&self.conv) && is_step(&other.conv) && self.conv.sequences == other.conv.sequences
    }

    /// Single steps as one layer, each sequence with its rows of all steps: long chains instead of chains of one row.
    fn stack(steps: Vec<Self>) -> Self {
        let (conv, rows) = (steps[0].conv, steps.iter().map(|step| step.conv.batch).sum::<usize>());
        if !is_step(&conv) || rows == conv.sequences {
            return steps.into_iter().next().expect("at least one step");
        }
        let of = |rows: fn(&Self) -> &Tensor| stacked(conv.sequences, steps.iter().map(rows));
        let (x, gy) = (of(|step| &step.x), of(|step| &step.gy));
        let (batch, time) = (conv.sequences, rows / conv.sequences);
        Self { conv: CausalConv { batch, time, ..conv }, x, gy }
    }
}

/// The rows of all steps, of one sequence below those of another.
fn stacked<'a>(sequences: usize, steps: impl Iterator<Item = &'a Tensor>) -> Tensor {
    let steps: Vec<&Tensor> = steps.collect();
    let (rows, cols) = (steps.iter().map(|step| step.rows()).sum::<usize>(), steps[0].cols());
    let mut all = Tensor::scratch(&[rows, cols]);
    parallel::rows([all.data_mut()], [cols], rows / sequences, |range, [all]| {
        let b = range.start / (rows / sequences);
        let of_step = |step: &&'a Tensor| {
            let (batch, data) = (step.rows(), step.data());
            rows_of(b, batch, sequences).map(move |row| &data[row * cols..][..cols])
        };
        let rows = steps.iter().flat_map(of_step);
        all.chunks_exact_mut(cols).zip(rows).for_each(|(to, from)| to.copy_from_slice(from));
    });
    all
}

/// One of several uses of a bias.
struct BiasUse {
    conv: CausalConv,
    gy: Tensor,
}

impl Deferred for BiasUse {
    fn add_all(uses: Vec<Self>, gb: &mut Slot) {
        let Some(gb) = gb.zeroed_target() else { return };
        let mut work = Work::new();
        queue_add_columns(&mut work, uses.iter().map(|one| rows(&one.conv, &one.gy)).collect(), gb);
        work.run();
    }
}

fn rows<'a>(conv: &CausalConv, gy: &'a Tensor) -> Rows<'a> {
    let CausalConv { batch, time, sequences, .. } = *conv;
    Rows { x: gy.data(), batch, time, sequences }
}

/// The sizes of a convolution, or a panic that says which do not fit.
#[track_caller]
pub(super) fn sizes(
    tape: &Tape,
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
    let sequences = tape.sequences(batch);
    CausalConv { batch, time, inputs, outputs, taps, dilation, sequences }
}
