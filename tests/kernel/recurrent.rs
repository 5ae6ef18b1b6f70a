//! Recurrence: the same bits on any number of threads.

use crate::common::allocator::peak;
use crate::common::counted_alone;
use stcn::internals::kernel::recurrent::{BackwardStep, ForwardStep, Recurrence};
use stcn::ops::{gru, lstm, sum};
use stcn::tape::{Keep, Var};
use stcn::{Noise, Tape, Tensor, with_threads};

/// States and gradients of `h_t = x_t + h_{t−1} U`, a cell of one gate that saves its input. The way back has so many threads.
fn linear_cell(batch: usize, time: usize, units: usize, back: usize) -> Vec<Tensor> {
    let normals = |name: &str, shape: &[usize]| {
        let mut x = Tensor::zeros(shape);
        Noise::new(4, "recurrent").normals(name, 0, 0, x.data_mut());
        x.map(|x| x / 8.)
    };
    let (x, u) = (normals("x", &[batch, time, units]), normals("u", &[units, units]));
    let gy = normals("gy", &[batch, time, units]);
    let sizes = Recurrence::new("linear", (batch, time, units), u.shape(), 1, 1);
    let mut h = Tensor::zeros(&[batch, time, units]);
    let saved = sizes.forward((x.data(), u.data()), h.data_mut(), true, |step| {
        let ForwardStep { sums, saved, h, .. } = step;
        for ((h, x), sum) in h.iter_mut().zip(saved).zip(sums) {
            *h = *x + sum;
        }
    });
    let mut gx = Tensor::zeros(&[batch, time, units]);
    let data = (u.data(), h.data(), gy.data());
    let cell = |step: BackwardStep| step.gx.copy_from_slice(step.gh);
    with_threads(back, || sizes.backward(data, &saved, gx.data_mut(), None, cell)).unwrap();
    vec![x, u, gy, h, gx]
}

#[test]
fn a_linear_cell_sums_powers_of_its_matrix_forwards_and_back() {
    let (batch, time, units) = (3, 5, 37);
    let all = linear_cell(batch, time, units, 1);
    let [x, u, gy, h, gx] = &all[..] else { unreachable!() };
    let at =
        |x: &Tensor, b: usize, t: usize, i: usize| f64::from(x.data()[(b * time + t) * units + i]);
    let u = |i: usize, j: usize| f64::from(u.data()[i * units + j]);
    for b in 0..batch {
        let (mut state, mut grad) = (vec![0.; units], vec![0.; units]);
        for t in 0..time {
            let next = |j| at(x, b, t, j) + (0..units).fold(0., |sum, i| sum + state[i] * u(i, j));
            state = (0..units).map(next).collect();
            let back = time - 1 - t;
            let next =
                |i| at(gy, b, back, i) + (0..units).fold(0., |sum, j| sum + grad[j] * u(i, j));
            grad = (0..units).map(next).collect();
            for i in 0..units {
                assert!((at(h, b, t, i) - state[i]).abs() < 1e-5, "h of {b}, {t}, {i}");
                assert!(
                    (at(gx, b, back, i) - grad[i]).abs() < 1e-5,
                    "gradient of {b}, {back}, {i}"
                );
            }
        }
    }
}

#[test]
fn any_number_of_threads_makes_the_same_bits() {
    let on = |threads, back| with_threads(threads, || linear_cell(7, 9, 75, back)).unwrap();
    let one = on(1, 1);
    for (threads, back) in [(2, 2), (3, 3), (8, 8), (1, 8), (8, 1)] {
        assert!(on(threads, back) == one, "{threads} threads, {back} on the way back");
    }
}

type Layer = for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>;

/// A value and the gradients of a layer whose cells have several gates, in up to three blocks of units.
fn layer(op: Layer, gates: usize) -> Vec<Tensor> {
    let units = 75;
    let tape = Tape::new();
    let input = |name: &'static str, shape: &[usize]| {
        let mut x = Tensor::zeros(shape);
        Noise::new(5, "recurrent").normals(name, 0, 0, x.data_mut());
        tape.input(x.map(|x| x / 8.), name)
    };
    let (x, u) = (input("x", &[7, 9, gates * units]), input("u", &[units, gates * units]));
    let h = op(x, u);
    let grads = tape.backward(sum(h * h), Keep::Leaves);
    let of = |x: Var| grads.wrt(x).expect("a gradient").clone();
    vec![h.value(), of(x), of(u)]
}

#[test]
fn any_number_of_threads_makes_the_same_bits_of_cells_with_several_gates() {
    for (op, gates) in [(lstm as Layer, 4), (gru, 3)] {
        let on = |threads| with_threads(threads, || layer(op, gates)).unwrap();
        let one = on(1);
        assert!(one.iter().all(|x| x.data().iter().all(|x| x.is_finite())), "{gates} gates");
        for threads in [2, 3, 8] {
            assert!(on(threads) == one, "{gates} gates, {threads} threads");
        }
    }
}

#[test]
fn states_are_delayed_by_one_step_within_their_sequence() {
    let sizes = Recurrence::new("delayed", (2, 3, 1), &[1, 1], 1, 1);
    let h = Tensor::new(&[2, 3, 1], vec![1., 2., 3., 4., 5., 6.]);
    assert_eq!(sizes.delayed(&h).data(), [0., 1., 2., 0., 4., 5.]);
}

const STEPS: usize = 64;
const UNITS: usize = 128;

#[test]
#[ignore = "the test below starts it in a process of its own"]
fn counted() {
    let Ok(words) = std::env::var("STCN_COUNTED") else {
        return println!("skipped: nothing to count");
    };
    let pass = || {
        let tape = if words == "gradients" { Tape::new() } else { Tape::inference() };
        let input = |shape: &[usize]| tape.input(Tensor::zeros(shape), "x");
        lstm(input(&[1, STEPS, 4 * UNITS]), input(&[UNITS, 4 * UNITS]));
    };
    let (_, held) = with_threads(1, || peak(pass)).unwrap();
    println!("\ncounted {held}");
}

#[test]
fn a_pass_without_gradients_keeps_the_gates_of_one_step() {
    let [with, without] = ["gradients", "inference"]
        .map(|words| counted_alone("kernel::recurrent::counted", words)[0]);
    // Four gates and a cell of every step but the last two.
    let gates = 4 * 5 * UNITS * (STEPS - 2);
    assert!(with - without >= gates as f64, "{with} and {without} bytes: want {gates} less");
}
