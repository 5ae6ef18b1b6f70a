//! Tensors: sharing, shapes, sums, recycled buffers.

use crate::ops::numbers;
use stcn::internals::parallel;
use stcn::{Real, Tensor, zip};

#[test]
fn a_clone_is_shared_until_written() {
    for len in [3, 5000] {
        let a = numbers(&[len], 1);
        let mut b = a.clone();
        assert_eq!(a.data().as_ptr(), b.data().as_ptr());
        let first = a.data()[0];
        b.data_mut()[0] = 7.;
        assert_eq!((a.data()[0], b.data()[0]), (first, 7.));
        assert_eq!(a.data()[1..], b.data()[1..]);
    }
}

#[test]
fn a_dropped_clone_leaves_the_other_its_buffer() {
    let a = numbers(&[5000], 1);
    let want = a.data().to_vec();
    drop(a.clone());
    let mut other = Tensor::scratch(&[5000]);
    other.data_mut().fill(9.);
    assert_eq!(a.data(), want);
}

#[test]
fn a_buffer_to_be_written_starts_as_nan_in_debug_builds() {
    if cfg!(debug_assertions) {
        assert!(Tensor::scratch(&[2000]).data().iter().all(|x| x.is_nan()));
    }
    assert!(Tensor::zeros(&[2000]).data().iter().all(|&x| x == 0.));
}

#[test]
fn recycled_buffers_have_the_length_asked_for() {
    for len in [1023, 1024, 1025, 1500, 3000, 2999, 70_000, 1024] {
        assert_eq!(Tensor::scratch(&[len]).len(), len);
    }
}

#[test]
fn shape_and_rows_and_columns() {
    let x = Tensor::new(&[2, 3, 4], (0..24).map(|i| i as Real).collect());
    assert_eq!((x.rows(), x.cols(), x.len(), x.btc("op")), (6, 4, 24, (2, 3, 4)));
    assert_eq!(x.view()[[1, 2, 3]], 23.);
    let y = x.clone().reshape(&[6, 4]);
    assert_eq!((y.shape(), y.data()), ([6, 4].as_slice(), x.data()));
    assert!(Tensor::zeros(&[0, 3]).is_empty());
    let mut next = 0.;
    let counted = Tensor::from_fn(&[2, 2], || {
        next += 1.;
        next
    });
    assert_eq!(counted.data(), [1., 2., 3., 4.]);
}

#[test]
fn sums_run_in_f64_by_chunks_in_order() {
    let x = numbers(&[2 * parallel::CHUNK + 100], 3);
    let chunk = |x: &[Real]| x.iter().fold(0., |sum, &x| sum + f64::from(x));
    let want = x.data().chunks(parallel::CHUNK).map(chunk).fold(0., |sum, x| sum + x);
    assert_eq!(x.sum(), want);
    assert_eq!(Tensor::new(&[2], vec![3., 4.]).squared_norm(), 25.);
    assert_eq!(Tensor::new(&[2], vec![3., 4.]).sum_of(|x| f64::from(x) + 1.), 9.);
}

#[test]
fn elementwise_over_more_than_one_chunk() {
    let n = parallel::CHUNK + 5;
    let (a, b) = (numbers(&[n], 1), numbers(&[n], 2));
    let want: Vec<Real> = a.data().iter().zip(b.data()).map(|(a, b)| a - 2. * b).collect();
    assert_eq!(zip([&a, &b], |[a, b]| a - 2. * b).data(), want);
    assert!(a.map(|x| -x).data().iter().zip(a.data()).all(|(y, x)| *y == -x));
    let mut sum = a.clone();
    sum.add_assign(&b);
    assert!((0..n).all(|i| sum.data()[i] == a.data()[i] + b.data()[i]));
}

#[test]
fn finite_means_neither_nan_nor_infinite() {
    assert!(Tensor::scalar(1.).is_finite());
    assert!(!Tensor::scalar(Real::NAN).is_finite());
    assert!(!Tensor::scalar(Real::INFINITY).is_finite());
}

#[test]
#[should_panic(expected = "Tensor::new: shape [2, 3] takes 6 numbers, got 5")]
fn numbers_that_do_not_fill_the_shape_are_refused() {
    Tensor::new(&[2, 3], vec![0.; 5]);
}

#[test]
#[should_panic(expected = "reshape: [6] has 6 numbers, [4] takes 4")]
fn a_reshape_keeps_the_size() {
    let _ = Tensor::zeros(&[6]).reshape(&[4]);
}

#[test]
#[should_panic(expected = "item: shape [2] is not one number")]
fn an_item_is_one_number() {
    Tensor::zeros(&[2]).item();
}

#[test]
#[should_panic(expected = "conv: want (B, T, C), got [2, 3]")]
fn three_axes_are_asked_for_by_the_ops_name() {
    Tensor::zeros(&[2, 3]).btc("conv");
}

#[test]
#[should_panic(expected = "add: shapes differ")]
fn adding_in_place_wants_one_shape() {
    Tensor::zeros(&[2]).add_assign(&Tensor::zeros(&[3]));
}
