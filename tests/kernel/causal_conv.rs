//! Convolution against its plain loop. The numbers are small integers, so every sum is exact in any
//! order and `==` is the right comparison.

use crate::ops::numbers;
use stcn::internals::kernel::causal_conv::CausalConv;
use stcn::internals::parallel::Work;
use stcn::{Real, Tensor};

/// Integers from −4 to 4.
pub fn integers(len: usize, seed: u64) -> Vec<Real> {
    numbers(&[len], seed).data().iter().map(|x| (2. * x).round()).collect()
}

/// Long and short, narrow and wide, and reaches beyond the beginning.
pub fn cases() -> Vec<CausalConv> {
    let sizes = [
        (1, 1, 1, 1, 1, 1),
        (2, 1, 3, 5, 3, 2),
        (3, 4, 2, 3, 2, 4),
        (1, 7, 5, 4, 3, 3),
        (2, 265, 3, 33, 2, 16),
        (1, 129, 13, 7, 5, 40),
        (2, 20, 60, 17, 2, 8),
    ];
    sizes
        .map(|(batch, time, inputs, outputs, taps, dilation)| CausalConv {
            batch,
            time,
            inputs,
            outputs,
            taps,
            dilation,
            sequences: batch,
        })
        .to_vec()
}

struct Data {
    x: Vec<Real>,
    w: Vec<Real>,
    bias: Vec<Real>,
    /// ȳ.
    y: Vec<Real>,
}

fn data(conv: &CausalConv) -> Data {
    let (rows, i, o) = (conv.batch * conv.time, conv.inputs, conv.outputs);
    Data {
        x: integers(rows * i, 1),
        w: integers(conv.taps * i * o, 2),
        bias: integers(o, 4),
        y: integers(rows * o, 3),
    }
}

/// The plain loop: calls `visit(index into x, into w, into y)` for every product in the sum, in the order of the sum.
pub fn terms(conv: &CausalConv, mut visit: impl FnMut(usize, usize, usize)) {
    let CausalConv { batch, time, inputs, outputs, taps, .. } = *conv;
    for (b, t) in (0..batch).flat_map(|b| (0..time).map(move |t| (b, t))) {
        for j in (0..taps).filter(|&j| conv.reach(j) <= t) {
            let (from, to) = (b * time + t - conv.reach(j), b * time + t);
            for i in 0..inputs {
                for o in 0..outputs {
                    visit(from * inputs + i, (j * inputs + i) * outputs + o, to * outputs + o);
                }
            }
        }
    }
}

fn forward(conv: &CausalConv, data: &Data) -> Vec<Real> {
    let mut y = vec![Real::NAN; conv.batch * conv.time * conv.outputs];
    conv.tiles([&mut y], conv.outputs, |tile, [y]| {
        conv.forward(&data.x, &data.w, &data.bias, tile, y);
    });
    y
}

#[test]
fn forward_is_the_plain_loop() {
    for conv in cases() {
        let data = data(&conv);
        let mut want = data.bias.repeat(conv.batch * conv.time);
        terms(&conv, |x, w, y| want[y] += data.x[x] * data.w[w]);
        assert!(forward(&conv, &data) == want, "{conv:?}");
    }
}

#[test]
fn the_gradient_of_x_is_the_plain_loop_of_two_at_once() {
    for conv in cases() {
        let data = data(&conv);
        let other = integers(data.y.len(), 5);
        let w = [data.w.clone(), integers(data.w.len(), 6)];
        for first in [false, true] {
            let before = integers(data.x.len(), 4);
            let mut want = if first { vec![0.; before.len()] } else { before.clone() };
            terms(&conv, |x, at, y| want[x] += data.y[y] * w[0][at] + other[y] * w[1][at]);
            let mut found = if first { vec![Real::NAN; before.len()] } else { before };
            let packed = w.each_ref().map(|w| conv.pack(w));
            let mut work = Work::new();
            let from = [(&*data.y, &packed[0]), (&*other, &packed[1])];
            conv.queue_grad_x(&mut work, from, &mut found, first);
            work.run();
            assert!(found == want, "{conv:?}, first: {first}");
        }
    }
}

#[test]
fn the_plain_loop_itself_by_hand() {
    // K = 2, dilation 2: y_t = 10 x_{t−2} + x_t, tap 1 the present.
    let conv =
        CausalConv { batch: 1, time: 4, inputs: 1, outputs: 1, taps: 2, dilation: 2, sequences: 1 };
    let data = Data { x: vec![1., 2., 3., 4.], w: vec![10., 1.], bias: vec![0.], y: vec![] };
    let mut y = vec![0.; 4];
    terms(&conv, |x, w, to| y[to] += data.x[x] * data.w[w]);
    assert_eq!(y, [1., 2., 13., 24.]);
    assert_eq!(forward(&conv, &data), y);
}

#[test]
fn causal_conv_does_not_see_the_future() {
    for conv in cases() {
        let mut data = data(&conv);
        let before = forward(&conv, &data);
        let now = conv.time / 2;
        for t in now..conv.time {
            data.x[t * conv.inputs..][..conv.inputs].fill(Real::NAN);
        }
        let after = forward(&conv, &data);
        let past = now * conv.outputs;
        assert!(before[..past] == after[..past], "{conv:?}");
        assert!(after[past..past + conv.outputs].iter().all(|y| y.is_nan()), "{conv:?}");
        let other = conv.time * conv.outputs;
        assert!(
            before[other..] == after[other..],
            "{conv:?}: another sequence is none of its business"
        );
    }
}

#[test]
fn a_step_is_that_row_of_forward_to_the_bit() {
    let shapes =
        [(1, 9, 3, 5, 2, 2), (3, 20, 300, 70, 2, 8), (2, 131, 7, 129, 3, 1), (2, 1, 4, 4, 3, 5)];
    for (batch, time, inputs, outputs, taps, dilation) in shapes {
        let conv = CausalConv { batch, time, inputs, outputs, taps, dilation, sequences: 1 };
        let random = |shape: &[usize], seed| -> Tensor { numbers(shape, seed) };
        let x = random(&[batch, time, inputs], 1);
        let w = random(&[taps, inputs, outputs], 2);
        let bias = random(&[outputs], 3);
        let whole = Data {
            x: x.data().to_vec(),
            w: w.data().to_vec(),
            bias: bias.data().to_vec(),
            y: vec![],
        };
        let want = forward(&conv, &whole);
        for t in 0..time {
            let row = |j: usize| -> Vec<Real> {
                let row = |b: usize| match t.checked_sub(conv.reach(j)) {
                    Some(t) => whole.x[(b * time + t) * inputs..][..inputs].to_vec(),
                    None => vec![0.; inputs],
                };
                (0..batch).flat_map(row).collect()
            };
            let rows: Vec<Vec<Real>> = (0..taps).map(row).collect();
            let rows: Vec<&[Real]> = rows.iter().map(Vec::as_slice).collect();
            let mut y = vec![Real::NAN; batch * outputs];
            conv.step(&rows, [(w.data(), bias.data())], [&mut y]);
            for (b, y) in y.chunks(outputs).enumerate() {
                let want = &want[(b * time + t) * outputs..][..outputs];
                let same = y.iter().zip(want).all(|(y, want)| y.to_bits() == want.to_bits());
                // The f64 build promises no bits, only digits: sums of ≤ 600 terms of ≤ 4.
                let near = y.iter().zip(want).all(|(y, want)| (y - want).abs() < 1e-9);
                assert!(
                    if cfg!(feature = "f64") { near } else { same },
                    "{conv:?} t = {t}, b = {b}"
                );
            }
        }
    }
}

#[test]
fn a_step_of_no_sequence_is_nothing() {
    let conv = CausalConv::linear(0, 3, 2);
    conv.step(&[&[]], [(&[1.; 6], &[1.; 2])], [&mut []]);
}
