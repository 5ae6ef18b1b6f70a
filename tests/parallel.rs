//! Threads decide nothing.

use crate::ops::small_network;
use stcn::internals::parallel::{self, PIECE, Tile};
use stcn::{Real, Tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

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
fn alone_a_region_has_one_thread_and_after_it_all_again() {
    parallel::with_threads(3, || {
        assert_eq!(parallel::alone(parallel::threads), 1);
        assert_eq!(parallel::threads(), 3);
    })
    .unwrap();
}

#[test]
fn a_range_is_halved_and_its_second_half_may_be_one_longer() {
    assert_eq!(parallel::halves(0..8), [0..4, 4..8]);
    assert_eq!(parallel::halves(3..6), [3..4, 4..6]);
    assert_eq!(parallel::halves(5..6), [5..5, 5..6]);
    assert_eq!(parallel::halves(2..2), [2..2, 2..2]);
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
    let mut x = vec![0; 2 * PIECE + 3];
    parallel::chunks([&mut x], |range, [x]| x.iter_mut().zip(range).for_each(|(x, i)| *x = i));
    assert!(x.iter().enumerate().all(|(i, &x)| i == x));
    let (mut a, mut b) = (vec![0; 14], vec![0 as Real; 21]);
    parallel::rows([&mut a], [2], 3, |rows, [a]| {
        a.chunks_mut(2).zip(rows).for_each(|(a, row)| a.fill(row));
    });
    parallel::rows([&mut b], [3], 100, |rows, [b]| assert_eq!((rows, b.len()), (0..7, 21)));
    assert!(a.iter().enumerate().all(|(i, &a)| a == i / 2));
}

#[test]
fn two_threads_work_at_once() {
    // Each task waits until the other has begun.
    let both = Barrier::new(2);
    parallel::with_threads(2, || {
        parallel::each(vec![(), ()], |()| {
            both.wait();
        })
    })
    .unwrap();
}

#[test]
fn one_thread_does_everything_itself_in_order() {
    let here = || std::thread::current().id();
    let order = |n| parallel::map(n, |i| (i, here()));
    let (leader, found) = parallel::with_threads(1, || (here(), order(100))).unwrap();
    assert!(found.into_iter().enumerate().all(|(i, one)| one == (i, leader)));
}

#[test]
fn thousands_of_regions_are_complete_with_more_threads_than_cores() {
    for threads in [2, 3, 8] {
        parallel::with_threads(threads, || {
            for round in 0..2000 {
                // Now and then the helpers have gone home.
                let pause = if round % 500 == 0 { 100_000 } else { 0 };
                (0..pause).for_each(|_| std::hint::spin_loop());
                let mut done = vec![0; 1 + round % 17];
                parallel::each(done.iter_mut().collect(), |x| *x += round);
                assert!(done.iter().all(|&x| x == round), "{threads} threads, region {round}");
            }
        })
        .unwrap();
    }
}

#[test]
fn regions_within_regions_and_leaders_side_by_side_finish() {
    let nested = || parallel::map(20, |i| parallel::map(i, |j| j).len());
    std::thread::scope(|scope| {
        for leader in 0..4 {
            scope.spawn(move || {
                for _ in 0..200 {
                    let found = match leader % 2 {
                        0 => nested(), // on the pool that all share
                        _ => parallel::with_threads(3, nested).unwrap(),
                    };
                    assert_eq!(found, (0..20).collect::<Vec<_>>());
                }
            });
        }
    });
}

#[test]
fn a_panic_in_any_task_reaches_the_leader_and_the_next_region_is_whole() {
    parallel::with_threads(3, || {
        for bad in [0, 1, 50, 99] {
            let failed = catch_unwind(AssertUnwindSafe(|| {
                parallel::map(100, |i| assert!(i != bad, "task {i}"));
            }));
            let message = *failed.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("task {bad}"));
            assert_eq!(parallel::map(100, |i| i), (0..100).collect::<Vec<_>>());
        }
    })
    .unwrap();
}

#[test]
fn a_task_may_work_in_another_pool_and_open_regions_after_it() {
    let other = || parallel::with_threads(2, || parallel::map(5, |i| i).len()).unwrap();
    parallel::with_threads(3, || {
        for _ in 0..50 {
            let found = parallel::map(12, |_| (other(), parallel::map(3, |i| i).len(), other()));
            assert!(found.iter().all(|&found| found == (5, 3, 5)));
        }
    })
    .unwrap();
}

#[test]
fn teams_share_the_threads_and_their_results_come_in_order() {
    for (threads, teams, want) in [
        (1, 2, vec![1, 1]),
        (2, 2, vec![1, 1]),
        (3, 2, vec![1, 2]),
        (8, 2, vec![4, 4]),
        (8, 1, vec![8]),
        (2, 3, vec![2, 2, 2]),
        (2, 0, vec![]),
    ] {
        let hands = || parallel::teams(teams, |_| parallel::threads());
        let after = || (hands(), parallel::threads());
        assert_eq!(parallel::with_threads(threads, after).unwrap(), (want, threads));
    }
}

/// Regression, 27 November 2026: led by any thread each time, teams left the memory that they had freed with all threads,
/// twice as much as they used.
#[test]
fn a_team_is_led_by_the_same_thread_in_every_call() {
    parallel::with_threads(8, || {
        let leaders = || parallel::teams(3, |_| std::thread::current().id());
        let first = leaders();
        for _ in 0..50 {
            // Long enough alone that the others fall asleep, and wake in another order.
            let alone = (0..3_000_000_u64).fold(0, |sum, i| std::hint::black_box(sum ^ i));
            assert_eq!(alone, (0..3_000_000).fold(0, |sum, i| sum ^ i));
            assert_eq!(leaders(), first);
        }
    })
    .unwrap();
}

#[test]
fn teams_work_side_by_side_and_so_do_the_threads_of_each() {
    let (all, each) = (Barrier::new(4), [Barrier::new(2), Barrier::new(2)]);
    parallel::with_threads(4, || {
        parallel::teams(2, |team| {
            parallel::each(vec![(), ()], |()| {
                each[team].wait();
                all.wait();
            });
        })
    })
    .unwrap();
}

#[test]
fn teams_within_teams_and_within_tasks_finish() {
    let regions = || parallel::map(10, |i| parallel::teams(2, |j| i + j)[1]).len();
    for threads in [1, 2, 3, 8] {
        let of_teams = |i| parallel::teams(2, |j| i + j + regions());
        let all = || (0..200).map(|_| parallel::teams(2, of_teams)).collect::<Vec<_>>();
        let found = parallel::with_threads(threads, all).unwrap();
        assert!(found.into_iter().all(|x| x == [[10, 11], [11, 12]]), "{threads} threads");
    }
}

#[test]
fn after_a_panic_in_a_team_all_threads_work_again() {
    for threads in [1, 2, 4] {
        parallel::with_threads(threads, || {
            for (teams, bad) in [(2, 0), (2, 1), (1, 0)] {
                let failed = catch_unwind(AssertUnwindSafe(|| {
                    parallel::teams(teams, |i| parallel::map(9, |_| assert!(i != bad, "team {i}")));
                }));
                let message = *failed.unwrap_err().downcast::<String>().unwrap();
                assert_eq!(message, format!("team {bad}"));
                let each = (threads / 2).max(1);
                assert_eq!(parallel::teams(2, |_| parallel::threads()), [each; 2]);
                assert_eq!(parallel::map(100, |i| i), (0..100).collect::<Vec<_>>());
            }
        })
        .unwrap();
    }
}

/// A thread that waits in another pool may take up any task of its own, even the other team.
#[test]
fn a_task_of_a_team_may_work_in_another_pool_and_open_regions_after_it() {
    let other = || parallel::with_threads(2, || parallel::map(5, |i| i).len()).unwrap();
    for threads in [2, 4, 5] {
        parallel::with_threads(threads, || {
            for _ in 0..100 {
                let task = |_| (other(), parallel::map(3, |i| i).len(), other());
                let found = parallel::teams(2, |_| parallel::map(4, task));
                assert!(found.iter().flatten().all(|&found| found == (5, 3, 5)));
            }
        })
        .unwrap();
    }
}
