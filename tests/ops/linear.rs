//! Linear layers.

use super::{ROUNDING, difference, numbers, pass, twins};
use stcn::Tensor;
use stcn::internals::kernel::skinny_gemm::ReusedWeight;
use stcn::ops::*;
use stcn::tape::{Keep, Tape, Var};
use std::rc::Rc;

/// Multiples of ½ and a bias of ⅛, so that no sum is nearer to the kink than ⅛, and all are exact.
#[cfg(feature = "f64")]
fn inputs(rows: &[usize], i: usize, o: usize) -> [Tensor; 3] {
    let shape: Vec<usize> = rows.iter().copied().chain([i]).collect();
    [super::halves(&shape, 1), super::halves(&[i, o], 2), Tensor::new(&[o], vec![0.125; o])]
}

#[cfg(feature = "f64")]
#[test]
fn gradients_of_linear_layers() {
    let shapes: [(&[usize], usize, usize); 4] =
        [(&[2, 3], 4, 5), (&[1, 1], 1, 1), (&[2, 50], 3, 2), (&[4], 3, 2)];
    for (rows, i, o) in shapes {
        super::gradcheck(&inputs(rows, i, o), |x| linear(x[0], x[1], x[2]));
        super::gradcheck(&inputs(rows, i, o), |x| linear_relu(x[0], x[1], x[2]));
        let h: Vec<usize> = rows.iter().copied().chain([o]).collect();
        let [x, w, b] = inputs(rows, i, o);
        let all = [x, w, b, super::halves(&h, 4)];
        super::gradcheck(&all, |x| linear_residual(x[0], x[1], x[2], x[3]));
    }
}

#[test]
fn a_linear_layer_by_hand() {
    let x = Tensor::new(&[1, 2, 2], vec![1., 2., 3., 4.]);
    let w = Tensor::new(&[2, 3], vec![1., 0., 2., 0., 1., -1.]);
    let found = pass(&[x, w, Tensor::new(&[3], vec![10., 20., 30.])], |x| linear(x[0], x[1], x[2]));
    assert_eq!(found[0], Tensor::new(&[1, 2, 3], vec![11., 22., 30., 13., 24., 32.]));
}

#[test]
fn linear_relu_is_relu_of_linear_to_the_bit() {
    // 2·3 rows go by columns, 2·200 by tiles.
    for t in [3, 200] {
        let inputs = [numbers(&[2, t, 7], 1), numbers(&[7, 70], 2), numbers(&[70], 3)];
        twins(&inputs, 0., |x| linear_relu(x[0], x[1], x[2]), |x| relu(linear(x[0], x[1], x[2])));
    }
}

#[test]
fn linear_residual_is_a_sum_with_linear_to_the_bit() {
    for t in [3, 200] {
        let inputs = [
            numbers(&[2, t, 7], 1),
            numbers(&[7, 70], 2),
            numbers(&[70], 3),
            numbers(&[2, t, 70], 4),
        ];
        twins(
            &inputs,
            0.,
            |x| linear_residual(x[0], x[1], x[2], x[3]),
            |x| linear(x[0], x[1], x[2]) + x[3],
        );
    }
}

#[test]
#[should_panic(expected = "linear_residual: h is [2, 3, 4], y (6, 5)")]
fn a_residual_has_the_shape_of_the_value() {
    let inputs =
        [numbers(&[2, 3, 7], 1), numbers(&[7, 5], 2), numbers(&[5], 3), numbers(&[2, 3, 4], 4)];
    pass(&inputs, |x| linear_residual(x[0], x[1], x[2], x[3]));
}

#[test]
fn a_row_alone_is_that_row_of_many_to_the_bit() {
    let inputs = [numbers(&[1, 300, 33], 1), numbers(&[33, 70], 2), numbers(&[70], 3)];
    let many = pass(&inputs, |x| linear(x[0], x[1], x[2]));
    for t in [0, 150, 299] {
        let x = Tensor::new(&[1, 1, 33], inputs[0].data()[t * 33..][..33].to_vec());
        let one = pass(&[x, inputs[1].clone(), inputs[2].clone()], |x| linear(x[0], x[1], x[2]));
        let row = Tensor::new(&[1, 1, 70], many[0].data()[t * 70..][..70].to_vec());
        let tolerance = if cfg!(feature = "f64") { 1e-13 } else { 0. }; // f64 promises no bits
        assert!(super::difference(&one[0], &row) <= tolerance, "row {t}");
    }
}

/// `x W` of steps of `rows` rows each, in turn, joined in time: (1, steps · rows, O).
fn in_steps<'t>(x: Var<'t>, w: Var<'t>, rows: usize) -> Var<'t> {
    let no_bias = x.tape().constant(Tensor::zeros(&[w.value().cols()]));
    let steps = x.value().shape()[1] / rows;
    let step = |t| linear(slice_time(x, t * rows, rows), w, no_bias);
    concat_time(&(0..steps).map(step).collect::<Vec<_>>())
}

/// A function of x and a weight.
type Product = dyn for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>;

#[test]
fn a_weight_of_many_small_steps_has_the_gradient_of_one_product_whatever_it_is_and_who_uses_it() {
    // 300 rows: as 60 steps of 5, as one, and both on top of one another. W as a leaf, and as another's value.
    let (x, w, v) = (numbers(&[1, 300, 7], 1), numbers(&[7, 40], 2), numbers(&[1, 300, 40], 3));
    let gradients = |of: &Product| {
        let tape = Tape::new();
        let [x, w] = [tape.input(x.clone(), "x"), tape.input(w.clone(), "w")];
        let loss = sum(of(x, w) * tape.constant(v.clone()));
        let [few, all] = [Keep::Leaves, Keep::All].map(|keep| tape.backward(loss, keep));
        let both = [x, w].map(|leaf| {
            assert_eq!(few.wrt(leaf), all.wrt(leaf));
            few.wrt(leaf).unwrap().clone()
        });
        // Every term is asked for again, and again they add up.
        let mut sum = Tensor::zeros(w.value().shape());
        tape.explain(&all, w).iter().for_each(|term| sum.add_assign(&term.grad));
        assert!(difference(&sum, &both[1]) <= ROUNDING);
        both
    };
    let whole: &Product = &|x, w| in_steps(x, w, 300);
    let pairs: [[&Product; 2]; 4] = [
        [whole, &|x, w| in_steps(x, w, 5)],
        [whole, &|x, w| in_steps(x, w, 60)],
        [&|x, w| whole(x, w) + whole(x, w), &|x, w| in_steps(x, w, 5) + whole(x, w)],
        [&|x, w| whole(x, affine(w, 2., 1.)) + whole(x, w), &|x, w| {
            in_steps(x, affine(w, 2., 1.), 5) + in_steps(x, w, 10)
        }],
    ];
    for (i, [one, other]) in pairs.into_iter().enumerate() {
        let [one, other] = [gradients(one), gradients(other)];
        for (one, other) in one.iter().zip(&other) {
            assert!(difference(one, other) <= ROUNDING, "pair {i}");
        }
    }
}

#[cfg(not(feature = "f64"))]
#[test]
fn single_steps_make_chains_of_256_of_each_sequence_and_the_sequences_are_added() {
    use stcn::internals::kernel::gemm::{Mat, Right, mul_add};
    let (sequences, draws, steps, i, o) = (2, 2, 150, 3, 5);
    let rows = sequences * draws;
    let (x, gy) = (numbers(&[rows, steps, i], 1), numbers(&[rows, steps, o], 2));
    let of = |sequence: usize, x: &Tensor| -> Vec<stcn::Real> {
        let cols = x.cols();
        let row = |t, draw| (draw * sequences + sequence) * steps + t;
        let all = (0..steps).flat_map(|t| (0..draws).map(move |draw| row(t, draw)));
        all.flat_map(|row| x.data()[row * cols..][..cols].to_vec()).collect()
    };
    let tape = Tape::new();
    tape.set_sequences(sequences);
    let w = tape.input(numbers(&[i, o], 3), "w");
    let y = in_steps(tape.constant(x.clone()), w, 1);
    let grads = tape.pull_back(y, gy.clone(), Keep::Leaves);
    let [mut want, other] = [0, 1].map(|b| {
        let (mut sum, x, gy) = (vec![0.; i * o], of(b, &x), of(b, &gy));
        for (x, gy) in x.chunks(256 * i).zip(gy.chunks(256 * o)) {
            let rows = x.len() / i;
            let x = Mat::new(x, rows, i).transposed();
            mul_add(x, Right::Rows(Mat::new(gy, rows, o)), &mut sum);
        }
        sum
    });
    want.iter_mut().zip(other).for_each(|(want, x)| *want += x);
    assert_eq!(grads.wrt(w).unwrap().data(), want);
}

#[test]
fn a_product_that_nobody_needs_is_not_done() {
    let tape = Tape::new();
    let (x, w) = (tape.input(numbers(&[3, 2], 1), "x"), tape.constant(numbers(&[2, 2], 2)));
    let y = linear_onto(x, w, x);
    let grads = tape.backward(sum(y + y), Keep::All);
    assert!(grads.wrt(w).is_none());
    assert_eq!(tape.explain(&grads, x).len(), 1);
}

/// What linear layers keep with their weight.
fn reused(w: Var) -> Rc<ReusedWeight> {
    w.cached(|| ReusedWeight::new(w.value()))
}

#[test]
fn weights_are_packed_from_their_second_use_on_and_only_for_few_rows() {
    let tape = Tape::inference();
    let (w, bias) = (tape.constant(numbers(&[3, 5], 1)), tape.constant(numbers(&[5], 2)));
    linear(tape.constant(numbers(&[65, 3], 3)), w, bias);
    assert!(reused(w).packed().is_none(), "65 rows are many");
    assert!(reused(w).packed().is_some());
    let tape = Tape::inference();
    let (w, bias) = (tape.constant(numbers(&[3, 5], 1)), tape.constant(numbers(&[5], 2)));
    linear(tape.constant(numbers(&[64, 3], 3)), w, bias);
    assert!(reused(w).packed().is_some(), "64 rows are few, and used it once");
}

#[test]
fn a_packed_weight_is_shared_by_all_its_layers_and_goes_with_the_pass() {
    let mut tape = Tape::new();
    let (x, bias) = (tape.constant(numbers(&[2, 3], 3)), tape.constant(numbers(&[3], 2)));
    let w = tape.input(numbers(&[3, 3], 1), "w");
    let y = linear(linear(linear(x, w, bias), w, bias), w, bias);
    let kept = Rc::downgrade(&reused(w));
    assert_eq!(kept.strong_count(), 4, "the node and three layers hold it");
    let (one, other) = (reused(w), reused(w));
    assert!(std::ptr::eq(one.transposed(), other.transposed()));
    assert!(std::ptr::eq(one.packed().unwrap(), other.packed().unwrap()));
    drop((one, other, y));
    tape.reset();
    assert!(kept.upgrade().is_none());
}

macro_rules! refused {
    ($($name:ident $sentence:literal $op:ident $x:expr, $w:expr, $bias:expr;)*) => { $(
        #[test]
        #[should_panic(expected = $sentence)]
        fn $name() {
            pass(&[numbers(&$x, 1), numbers(&$w, 2), numbers(&$bias, 3)], |x| $op(x[0], x[1], x[2]));
        }
    )* };
}
refused! {
    channels_must_fit "linear: x has 3 channels, w takes 2" linear [1, 4, 3], [2, 5], [5];
    bias_must_fit "linear: w gives 5 channels, bias has [4]" linear [1, 4, 3], [3, 5], [4];
    w_has_two_axes "linear: want w of (I, O), got [1, 3, 5]" linear [1, 4, 3], [1, 3, 5], [5];
    channels_must_fit_before_relu "linear_relu: x has 3 channels, w takes 2" linear_relu [1, 4, 3], [2, 5], [5];
}
