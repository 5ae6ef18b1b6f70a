//! Threads decide nothing.

use crate::ops::small_network;
use stcn::parallel::{self, CHUNK, Tile};
use stcn::{Real, Tensor};

#[test]
fn a_network_has_the_same_bits_on_any_number_of_threads() {
    let on = |threads| parallel::with_threads(threads, small_network).unwrap();
    let bits = |tensors: Vec<Tensor>| -> Vec<_> {
        tensors
            .iter()
            .flat_map(|t| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            .collect()
    };
    let one = bits(on(1));
    for threads in [2, 3, 8] {
        assert!(bits(on(threads)) == one, "{threads} threads");
    }
}

#[test]
fn a_pool_has_the_threads_asked_for() {
    assert_eq!(parallel::with_threads(3, parallel::threads).unwrap(), 3);
}

#[test]
fn results_come_in_index_order() {
    parallel::with_threads(4, || {
        assert_eq!(parallel::map(1000, |i| i * i), (0..1000).map(|i| i * i).collect::<Vec<_>>());
    })
    .unwrap();
}

#[test]
fn partials_are_added_in_order() {
    // 2⁵³ swallows a 1 that comes after it: only the order of the chunks keeps it or loses it.
    let x = [1., 9_007_199_254_740_992., 1., -9_007_199_254_740_992., 1.];
    for threads in [1, 2, 5] {
        let sum = || parallel::sum(x.len(), 1, |range| x[range].iter().sum());
        assert_eq!(parallel::with_threads(threads, sum).unwrap(), 1., "{threads} threads");
    }
    assert_eq!(parallel::sum(10, 4, |range| range.len() as f64), 10.);
    assert_eq!(parallel::sum(0, 4, |_| 1.), 0.);
}

#[test]
fn tiles_cover_every_row_once_and_stay_within_one_sequence() {
    for (batch, time, width, rows) in
        [(3, 10, 2, 4), (1, 1, 1, 8), (2, 128, 3, 128), (2, 129, 1, 128)]
    {
        let mut seen = vec![0usize; batch * time * width];
        let mut owner = vec![0usize; batch * time];
        parallel::tiles(
            [&mut seen, &mut owner],
            [width, 1],
            (batch, time),
            rows,
            |tile, [seen, owner]| {
                let Tile { batch, time } = tile;
                assert!(time.len() <= rows && seen.len() == time.len() * width);
                seen.iter_mut().for_each(|x| *x += 1);
                for (t, owner) in time.zip(owner) {
                    *owner = batch * 1000 + t;
                }
            },
        );
        assert!(seen.iter().all(|&x| x == 1));
        let want = |i: usize| i / time * 1000 + i % time;
        assert!(owner.iter().enumerate().all(|(i, &x)| x == want(i)));
    }
}

#[test]
fn chunks_and_rows_know_which_elements_they_hold() {
    let mut x = vec![0; 2 * CHUNK + 3];
    parallel::chunks([&mut x], |range, [x]| x.iter_mut().zip(range).for_each(|(x, i)| *x = i));
    assert!(x.iter().enumerate().all(|(i, &x)| i == x));
    let (mut a, mut b) = (vec![0; 14], vec![0 as Real; 21]);
    parallel::rows([&mut a], [2], 3, |rows, [a]| {
        a.chunks_mut(2).zip(rows).for_each(|(a, row)| a.fill(row));
    });
    parallel::rows([&mut b], [3], 100, |rows, [b]| assert_eq!((rows, b.len()), (0..7, 21)));
    assert!(a.iter().enumerate().all(|(i, &a)| a == i / 2));
}
