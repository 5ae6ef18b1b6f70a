//! The gradient of a weight against its plain loop, and along the tree of its sequences.

use super::causal_conv::{cases, integers, terms};
use crate::ops::numbers;
use stcn::Real;
use stcn::internals::kernel::causal_conv::CausalConv;
use stcn::internals::kernel::gemm::{Mat, Right, mul_add};
use stcn::internals::kernel::weight_grad::{Use, queue_grad_w, rows_of};
use stcn::internals::parallel::{self, Work, halves};
use std::ops::Range;

fn grad_w(uses: Vec<Use>, gw: &mut [Real], first: bool) {
    let mut work = Work::new();
    queue_grad_w(&mut work, uses, gw, first);
    work.run();
}

#[test]
fn the_gradient_of_w_is_the_plain_loop() {
    for (conv, first) in cases().into_iter().flat_map(|conv| [(conv, false), (conv, true)]) {
        let rows = conv.batch * conv.time;
        let [x, gy] = [conv.inputs, conv.outputs].map(|width| integers(rows * width, 1));
        let mut found = integers(conv.taps * conv.inputs * conv.outputs, 6);
        let mut want = if first { vec![0.; found.len()] } else { found.clone() };
        terms(&conv, |at_x, w, y| want[w] += x[at_x] * gy[y]);
        grad_w(vec![Use { conv, x: &x, gy: &gy }], &mut found, first);
        assert!(found == want, "{conv:?}, first: {first}");
    }
}

/// A weight of 70 × 290 numbers for each of two taps, used twice: over three draws of five sequences, and over one.
struct Case {
    convs: [CausalConv; 2],
    data: [[Vec<Real>; 2]; 2],
}

fn case() -> Case {
    let conv = |batch, time, dilation| {
        let (inputs, outputs, taps, sequences) = (70, 290, 2, 5);
        CausalConv { batch, time, inputs, outputs, taps, dilation, sequences }
    };
    let convs = [conv(15, 7, 3), conv(5, 300, 1)];
    let data = convs.map(|conv| {
        let rows = conv.batch * conv.time;
        [conv.inputs, conv.outputs].map(|width| numbers(&[rows * width], 3).data().to_vec())
    });
    Case { convs, data }
}

impl Case {
    fn uses(&self) -> Vec<Use<'_>> {
        self.convs.iter().zip(&self.data).map(|(&conv, [x, gy])| Use { conv, x, gy }).collect()
    }

    /// Chains of 256 steps of one sequence after another, each added to the sum before it; sequences by the tree.
    fn plain(&self, sequences: Range<usize>) -> Vec<Real> {
        let [left, right] = halves(sequences.clone());
        if !left.is_empty() {
            let mut sum = self.plain(left);
            sum.iter_mut().zip(self.plain(right)).for_each(|(sum, x)| *sum += x);
            return sum;
        }
        let CausalConv { inputs: i, outputs: o, taps, .. } = self.convs[0];
        let mut sum = vec![0.; taps * i * o];
        for (conv, [x, gy]) in self.convs.iter().zip(&self.data) {
            for row in rows_of(sequences.start, conv.batch, conv.sequences) {
                for (tap, sum) in sum.chunks_exact_mut(i * o).enumerate() {
                    let reach = conv.reach(tap).min(conv.time);
                    let steps: Vec<usize> = (reach..conv.time).collect();
                    for chain in steps.chunks(256) {
                        let at = row * conv.time + chain[0];
                        let x = Mat::new(&x[(at - reach) * i..], chain.len(), i).transposed();
                        mul_add(x, Right::Rows(Mat::new(&gy[at * o..], chain.len(), o)), sum);
                    }
                }
            }
        }
        sum
    }
}

#[test]
fn sequences_are_added_along_the_tree_to_the_bit_on_any_number_of_threads() {
    let case = case();
    let want = case.plain(0..5);
    for threads in [1, 2, 3, 8] {
        let mut found = vec![Real::NAN; want.len()];
        parallel::with_threads(threads, || grad_w(case.uses(), &mut found, true)).unwrap();
        assert!(found == want, "{threads} threads");
    }
    let mut found = vec![1.; want.len()];
    grad_w(case.uses(), &mut found, false);
    assert!(found.iter().zip(&want).all(|(found, want)| *found == 1. + want));
}

#[test]
fn rows_belong_to_sequences_in_turn_and_all_to_the_first_if_they_cannot_be_shared_out() {
    let rows = |b, batch, sequences| rows_of(b, batch, sequences).collect::<Vec<_>>();
    assert_eq!([rows(0, 6, 3), rows(2, 6, 3)], [vec![0, 3], vec![2, 5]]);
    assert_eq!([rows(0, 4, 3), rows(2, 4, 3)], [vec![0, 1, 2, 3], vec![]]);
    assert_eq!(rows(1, 3, 3), [1]);
}

/// A product that underflows to −0 at the end of a sequence is +0, as it would be with a step of padding after it.
#[test]
#[cfg(not(feature = "f64"))]
fn no_gradient_is_a_negative_zero() {
    let tiny = Real::MIN_POSITIVE;
    let conv = CausalConv::linear(1, 1, 1);
    let mut found = [Real::NAN];
    grad_w(vec![Use { conv, x: &[tiny], gy: &[-tiny] }], &mut found, true);
    assert_eq!(found[0].to_bits(), 0);
}
