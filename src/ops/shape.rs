//! Joining and cutting along an axis.

use crate::parallel::{self, PIECE};
use crate::tape::{Slot, Var, rule};
use crate::tensor::{Real, Tensor};
use std::rc::Rc;

rule! { CONCAT: "concat",
    forward: "y = [x₁ … xₙ]",
    vjp: "x̄ᵢ = ȳ[i]",
}

/// Joins tensors along the last axis.
#[doc = CONCAT!()]
/// xᵢ: (…, Cᵢ)   y: (…, Σ Cᵢ)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::concat};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[2, 1], vec![1., 2.]), "x");
/// assert_eq!(concat(&[x, x]).value(), Tensor::new(&[2, 2], vec![1., 1., 2., 2.]));
/// ```
#[track_caller]
pub fn concat<'t>(xs: &[Var<'t>]) -> Var<'t> {
    let values: Vec<Tensor> = xs.iter().map(|x| x.value()).collect();
    let mut shape = values[0].shape().to_vec();
    for v in &values {
        let same = v.shape()[..shape.len() - 1] == shape[..shape.len() - 1];
        assert!(same, "concat: {:?} beside {:?}", v.shape(), values[0].shape());
    }
    let widths: Vec<usize> = values.iter().map(Tensor::cols).collect();
    let total = widths.iter().sum::<usize>();
    *shape.last_mut().expect("rank ≥ 1") = total;
    let mut y = Tensor::scratch(&shape);
    let parts: Vec<(&[Real], usize)> = values.iter().map(|x| (x.data(), x.cols())).collect();
    parallel::rows([y.data_mut()], [total], (PIECE / total).max(1), |range, [y]| {
        let mut at = 0;
        for &(x, width) in &parts {
            let rows = x[range.start * width..].chunks_exact(width.max(1));
            for (y, x) in y.chunks_exact_mut(total).zip(rows) {
                y[at..at + width].copy_from_slice(x);
            }
            at += width;
        }
    });
    xs[0].tape().record_all(&CONCAT, xs, y, move |gy, slots| {
        let mut at = 0;
        for (slot, &width) in slots.iter_mut().zip(&widths) {
            copy_columns(slot, width, gy.data(), total, at);
            at += width;
        }
    })
}

/// Adds columns `at..at + width` of `from` (rows of `total`) to a slot of that width.
fn copy_columns(slot: &mut Slot, width: usize, from: &[Real], total: usize, at: usize) {
    let Some((g, first)) = slot.target() else { return };
    parallel::rows([g], [width], (PIECE / width).max(1), |range, [g]| {
        for (row, g) in range.zip(g.chunks_exact_mut(width)) {
            write(g, &from[row * total + at..][..width], first);
        }
    });
}

/// Stores the `first` term, adds the others.
fn write(to: &mut [Real], from: &[Real], first: bool) {
    if first {
        to.copy_from_slice(from);
    } else {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
}

rule! { SLICE_CHANNELS: "slice_channels",
    forward: "y = x[…, start..start+len]",
    vjp: "x̄[…, start..start+len] = ȳ, else 0",
}

/// Some of the channels.
#[doc = SLICE_CHANNELS!()]
/// x: (…, C)   y: (…, len)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::slice_channels};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 3], vec![1., 2., 3.]), "x");
/// assert_eq!(slice_channels(x, 1, 2).value().data(), [2., 3.]);
/// ```
#[track_caller]
pub fn slice_channels(x: Var, start: usize, len: usize) -> Var {
    let inputs = x.value();
    let (total, mut shape) = (inputs.cols(), inputs.shape().to_vec());
    assert!(start + len <= total, "slice_channels: {start}..{} of {total}", start + len);
    *shape.last_mut().expect("rank ≥ 1") = len;
    let mut y = Tensor::scratch(&shape);
    let rows = inputs.data().chunks_exact(total);
    for (y, x) in y.data_mut().chunks_exact_mut(len.max(1)).zip(rows) {
        y.copy_from_slice(&x[start..start + len]);
    }
    x.tape().record(&SLICE_CHANNELS, [x], y, move |gy, [gx]| {
        let Some(gx) = gx.zeroed_target() else { return };
        for (gx, gy) in gx.chunks_exact_mut(total).zip(gy.data().chunks_exact(len)) {
            write(&mut gx[start..start + len], gy, false);
        }
    })
}

rule! { RESHAPE: "reshape",
    forward: "y = x in another shape",
    vjp: "x̄ = ȳ in the shape of x",
}

/// The same numbers in the same order, in another shape.
#[doc = RESHAPE!()]
///
/// ```
/// # use stcn::{Tape, Tensor, ops::reshape};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 2, 2], vec![1., 2., 3., 4.]), "x");
/// assert_eq!(reshape(x, &[4, 1]).value().shape(), [4, 1]);
/// ```
#[track_caller]
pub fn reshape<'t>(x: Var<'t>, shape: &[usize]) -> Var<'t> {
    let inputs = x.value();
    let before = inputs.shape().to_vec();
    x.tape().record(&RESHAPE, [x], inputs.reshape(shape), move |gy, [gx]| {
        gx.add(|| gy.reshape(&before))
    })
}

rule! { PREPEND_ZERO: "prepend_zero",
    forward: "y = (0, x_1 … x_T)",
    vjp: "x̄_t = ȳ_{t+1}",
}

/// Puts a step of zeros before the first.
#[doc = PREPEND_ZERO!()]
/// x: (B, T, C)   y: (B, T + 1, C)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::prepend_zero};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 2, 1], vec![1., 2.]), "x");
/// assert_eq!(prepend_zero(x).value().data(), [0., 1., 2.]);
/// ```
#[track_caller]
pub fn prepend_zero(x: Var) -> Var {
    let inputs = x.value();
    let (b, t, c) = inputs.btc(PREPEND_ZERO.name);
    let mut y = Tensor::zeros(&[b, t + 1, c]);
    for (y, x) in y.data_mut().chunks_mut((t + 1) * c).zip(inputs.data().chunks(t * c)) {
        y[c..].copy_from_slice(x);
    }
    x.tape().record(&PREPEND_ZERO, [x], y, move |gy, [gx]| gx.add(|| window(&gy, 1, t)))
}

rule! { SLICE_TIME: "slice_time",
    forward: "y_t = x_{start+t}, t < len",
    vjp: "x̄_{start+t} = ȳ_t, else 0",
}

/// Some of the steps.
#[doc = SLICE_TIME!()]
/// x: (B, T, C)   y: (B, len, C)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::slice_time};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 3, 1], vec![1., 2., 3.]), "x");
/// assert_eq!(slice_time(x, 1, 2).value().data(), [2., 3.]);
/// ```
#[track_caller]
pub fn slice_time(x: Var, start: usize, len: usize) -> Var {
    let inputs = x.value();
    let (_, t, c) = inputs.btc(SLICE_TIME.name);
    assert!(start + len <= t, "slice_time: steps {start}..{} of {t}", start + len);
    let y = window(&inputs, start, len);
    x.tape().record(&SLICE_TIME, [x], y, move |gy, [gx]| {
        let Some((gx, first)) = gx.target() else { return };
        parallel::rows([gx], [t * c], 1, |range, [gx]| {
            let gy = &gy.data()[range.start * len * c..][..len * c];
            if first {
                gx[..start * c].fill(0.);
                gx[(start + len) * c..].fill(0.);
            }
            write(&mut gx[start * c..(start + len) * c], gy, first);
        });
    })
}

/// Steps `start .. start + len` of every sequence.
fn window(x: &Tensor, start: usize, len: usize) -> Tensor {
    let (b, t, c) = x.btc("window");
    let mut y = Tensor::scratch(&[b, len, c]);
    if len > 0 {
        parallel::rows([y.data_mut()], [len * c], 1, |range, [y]| {
            y.copy_from_slice(&x.data()[(range.start * t + start) * c..][..len * c]);
        });
    }
    y
}

rule! { CONCAT_TIME: "concat_time",
    forward: "y = (x₁ … xₙ), one after another in time",
    vjp: "x̄ᵢ = ȳ at the steps of xᵢ",
}

/// Joins sequences in time.
#[doc = CONCAT_TIME!()]
/// xᵢ: (B, Tᵢ, C)   y: (B, Σ Tᵢ, C)
///
/// ```
/// # use stcn::{Tape, Tensor, ops::concat_time};
/// # let tape = Tape::new();
/// let [x, y] = [[1., 2.], [3., 4.]].map(|x| tape.input(Tensor::new(&[2, 1, 1], x.to_vec()), ""));
/// assert_eq!(concat_time(&[x, y]).value().data(), [1., 3., 2., 4.]);
/// ```
#[track_caller]
pub fn concat_time<'t>(xs: &[Var<'t>]) -> Var<'t> {
    let values: Vec<Tensor> = xs.iter().map(|x| x.value()).collect();
    let (batch, _, c) = values[0].btc(CONCAT_TIME.name);
    for v in &values {
        let (b, _, channels) = v.btc(CONCAT_TIME.name);
        let fits = (b, channels) == (batch, c);
        assert!(fits, "concat_time: {:?} after {:?}", v.shape(), values[0].shape());
    }
    let steps: Vec<usize> = values.iter().map(|v| v.shape()[1]).collect();
    let total = steps.iter().sum::<usize>();
    let mut y = Tensor::scratch(&[batch, total, c]);
    for (b, mut y) in y.data_mut().chunks_exact_mut((total * c).max(1)).enumerate() {
        for (v, n) in values.iter().zip(&steps) {
            let (now, later) = y.split_at_mut(n * c);
            now.copy_from_slice(&v.data()[b * n * c..][..n * c]);
            y = later;
        }
    }
    xs[0].tape().record_all(&CONCAT_TIME, xs, y, move |gy, slots| {
        let mut at = 0;
        for (slot, n) in slots.iter_mut().zip(&steps) {
            if let Some((g, first)) = slot.target() {
                for (b, g) in g.chunks_exact_mut((n * c).max(1)).enumerate() {
                    write(g, &gy.data()[(b * total + at) * c..][..n * c], first);
                }
            }
            at += n;
        }
    })
}

rule! { REVERSE_TIME: "reverse_time",
    forward: "y_t = x_{n−1−t} where t < n, else 0",
    vjp: "x̄_t = ȳ_{n−1−t} where t < n, else 0",
}

/// Every sequence from its last step to its first, then zeros. n is the length of each without padding.
#[doc = REVERSE_TIME!()]
/// x, y: (B, T, C)   lengths: B
///
/// ```
/// # use stcn::{Tape, Tensor, ops::reverse_time};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::new(&[1, 3, 1], vec![1., 2., 99.]), "x"); // two steps, and padding
/// assert_eq!(reverse_time(x, &[2]).value().data(), [2., 1., 0.]);
/// ```
#[track_caller]
pub fn reverse_time<'t>(x: Var<'t>, lengths: &[usize]) -> Var<'t> {
    let inputs = x.value();
    let (batch, steps, _) = inputs.btc(REVERSE_TIME.name);
    let fits = lengths.len() == batch && lengths.iter().all(|&n| n <= steps);
    assert!(fits, "reverse_time: lengths {lengths:?} of {batch} sequences of {steps} steps");
    let lengths: Rc<[usize]> = lengths.into();
    x.tape().record(&REVERSE_TIME, [x], reversed(&inputs, &lengths), move |gy, [gx]| {
        gx.add(|| reversed(&gy, &lengths))
    })
}

fn reversed(x: &Tensor, lengths: &[usize]) -> Tensor {
    let (_, t, c) = x.btc("reversed");
    let mut y = Tensor::scratch(x.shape());
    parallel::rows([y.data_mut()], [t * c], 1, |b, [y]| {
        let (there, padding) = y.split_at_mut(lengths[b.start] * c);
        let x = &x.data()[b.start * t * c..][..there.len()];
        let rows = there.chunks_exact_mut(c.max(1)).zip(x.chunks_exact(c.max(1)).rev());
        rows.for_each(|(y, x)| y.copy_from_slice(x));
        padding.fill(0.);
    });
    y
}

/// The value of x as a constant: no gradient passes.   Same shape
///
/// ```
/// # use stcn::{Tape, Tensor, ops::stop_gradient, tape::Keep};
/// # let tape = Tape::new();
/// let x = tape.input(Tensor::scalar(3.), "x");
/// let grads = tape.backward(stop_gradient(x) * x, Keep::Leaves);
/// assert_eq!(grads.wrt(x).unwrap().item(), 3.); // 6 without the stop
/// ```
pub fn stop_gradient(x: Var) -> Var {
    x.tape().constant(x.value())
}
