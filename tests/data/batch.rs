//! Batches: padding, masks, and an order that depends on seed and epoch alone.

use super::{counting, real, refusal};
use stcn::Tensor;
use stcn::data::{
    Batch, Batching, DataSet, Epochs, Limit, Normalisation, Split, Window, by_length,
};
use stcn::internals::parallel;

/// 211 sequences of lengths 1 to 97, every fifth of them valid.
fn many() -> DataSet {
    let lengths: Vec<usize> = (0..211).map(|i| 1 + i * 37 % 97).collect();
    counting(&lengths, Some((0..211).map(|i| u8::from(i % 5 == 4)).collect()))
}

fn batching(seed: u64) -> Batching {
    Batching { sequences: 4, crop: None, transpose: 0, seed }
}

fn epochs(set: &DataSet, batching: Batching) -> Epochs<'_> {
    Epochs::new(set, Split::Train, batching).unwrap()
}

#[test]
fn padding_is_zero_after_normalisation_and_the_mask_says_where() {
    let set = counting(&[3, 1, 2], None);
    let statistics = Normalisation { mean: vec![100.], std: vec![2.] };
    let windows = [1, 0, 2].map(|i| Window::whole(&set, i));
    let batch = Batch::new(&set, &statistics, &windows, None).unwrap();
    assert_eq!(batch.x.shape(), [3, 3, 1]);
    assert_eq!(batch.x.data(), [-48.5, 0., 0., -50., -49.5, -49., -48., -47.5, 0.]);
    assert_eq!(batch.mask().shape(), [3, 3]);
    assert_eq!(batch.mask().data(), [1., 0., 0., 1., 1., 1., 1., 1., 0.]);
    assert_eq!(batch.lengths, [1, 3, 2]);
    assert_eq!(batch.samples, [1, 0, 2]);
    assert_eq!(batch.steps(), 6);
}

#[test]
fn a_window_is_a_piece_of_its_sequence() {
    let set = counting(&[2, 6], None);
    let statistics = Normalisation::identity(1);
    let batch = Batch::new(
        &set,
        &statistics,
        &[Window { sample: 1, start: 2, steps: 3, transpose: 0 }],
        None,
    )
    .unwrap();
    assert_eq!(batch.x.data(), [4., 5., 6.]);
    assert_eq!(batch.samples, [1]);
}

#[test]
fn a_part_of_a_batch_is_padded_to_its_own_longest() {
    let x = Tensor::new(&[3, 2, 1], vec![1., 0., 2., 0., 3., 4.]);
    let batch = Batch { x, lengths: vec![1, 1, 2], samples: vec![7, 8, 9] };
    let front = Tensor::new(&[2, 1, 1], vec![1., 2.]);
    let want = Batch { x: front, lengths: vec![1, 1], samples: vec![7, 8] };
    assert_eq!(batch.slice(0..2), want);
    assert_eq!(batch.slice(2..3).x, Tensor::new(&[1, 2, 1], vec![3., 4.]));
    assert_eq!(batch.slice(0..3), batch);
    assert_eq!(batch.slice(1..1).x.shape(), [0, 0, 1]);
}

#[test]
fn an_epoch_has_every_sequence_once() {
    let set = many();
    let epochs = epochs(&set, batching(1));
    for epoch in [0, 1, 1_000_000] {
        let batches = epochs.epoch(epoch);
        assert_eq!(batches.len(), epochs.batches_per_epoch());
        let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().filter(|&&n| n != 4).collect::<Vec<_>>(), [&1], "169 = 42·4 + 1");
        let mut samples: Vec<usize> = batches.iter().flatten().map(|w| w.sample).collect();
        samples.sort_unstable();
        assert_eq!(samples, set.split(Split::Train));
        assert!(batches.iter().flatten().all(|w| *w == Window::whole(&set, w.sample)));
    }
}

#[test]
fn the_order_depends_on_seed_and_epoch_and_on_nothing_else() {
    let set = many();
    let order = |seed, epoch| epochs(&set, batching(seed)).epoch(epoch);
    assert_eq!(order(1, 3), order(1, 3));
    assert_ne!(order(1, 3), order(2, 3));
    assert_ne!(order(1, 3), order(1, 4));
    // What was asked before does not matter.
    let asked = epochs(&set, batching(1));
    asked.epoch(9);
    assert_eq!(asked.epoch(3), order(1, 3));
    for threads in [1, 3] {
        let there = parallel::with_threads(threads, || epochs(&set, batching(1)).epoch(3));
        assert_eq!(there.unwrap(), order(1, 3));
    }
}

#[test]
fn steps_go_through_the_batches_of_one_epoch_and_then_of_the_next() {
    let set = many();
    let epochs = epochs(&set, batching(5));
    let mut step = 0;
    for epoch in 0..3 {
        for index in 0..epochs.epoch(epoch).len() {
            assert_eq!(epochs.position(step), (epoch, index));
            step += 1;
        }
    }
}

#[test]
fn batches_hold_sequences_of_like_length_in_no_order_of_length() {
    let set = many();
    let epochs = epochs(&set, batching(1));
    let batches = epochs.epoch(0);
    let longest = |b: &Vec<Window>| b.iter().map(|w| w.steps).max().unwrap();
    let padded: usize = batches.iter().map(|b| b.len() * longest(b)).sum();
    let steps = set.steps(Split::Train);
    assert!(padded < steps * 110 / 100, "{padded} for {steps}");
    assert!(!batches.is_sorted_by_key(longest));
}

#[test]
fn a_crop_is_a_window_inside_and_moves_from_epoch_to_epoch() {
    let set = many();
    let epochs = epochs(&set, Batching { crop: Some(20), ..batching(1) });
    let window = |epoch, sample| {
        let windows = epochs.epoch(epoch).concat();
        *windows.iter().find(|w| w.sample == sample).unwrap()
    };
    for w in epochs.epoch(0).concat() {
        assert_eq!(w.steps, set.length(w.sample).min(20));
        assert!(w.start + w.steps <= set.length(w.sample));
    }
    let long = set.split(Split::Train).iter().copied().find(|&i| set.length(i) > 60).unwrap();
    let starts: Vec<usize> = (0..50).map(|epoch| window(epoch, long).start).collect();
    assert!(starts.iter().any(|&start| start != starts[0]));
    let figures = Normalisation::identity(1);
    let batch = Batch::new(&set, &figures, &epochs.epoch(0)[0], None).unwrap();
    assert_eq!(batch.x.shape()[1], *batch.lengths.iter().max().unwrap());
}

#[test]
fn crops_reach_the_first_and_the_last_step() {
    let set = counting(&[5], None);
    let epochs = epochs(&set, Batching { crop: Some(3), ..batching(1) });
    let mut starts: Vec<usize> = (0..60).map(|epoch| epochs.epoch(epoch)[0][0].start).collect();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts, [0, 1, 2]);
}

#[test]
fn a_crops_start_does_not_depend_on_the_size_of_the_batch() {
    let set = many();
    let windows = |sequences| {
        let batching = Batching { sequences, crop: Some(20), transpose: 0, seed: 1 };
        let mut windows = epochs(&set, batching).epoch(2).concat();
        windows.sort_by_key(|w| w.sample);
        windows
    };
    assert_eq!(windows(4), windows(31));
}

#[test]
fn evaluation_has_every_sequence_once_the_longest_first_within_the_limits() {
    let set = many();
    let samples = set.split(Split::Valid);
    let batches = by_length(&set, samples, Limit { sequences: 6, steps: 200 });
    let places = batches.concat();
    let length = |place: &usize| set.length(samples[*place]);
    assert!(places.iter().map(length).is_sorted_by(|a, b| a >= b));
    for (i, batch) in batches.iter().enumerate() {
        let (b, t) = (batch.len(), length(&batch[0]));
        assert!(b <= 6 && (b == 1 || b * t <= 200), "{b} × {t}");
        let room = b < 6 && (b + 1) * t <= 200;
        assert!(!room || i + 1 == batches.len(), "{b} × {t} are not as many as fit");
    }
    let mut sorted = places;
    sorted.sort();
    assert_eq!(sorted, (0..samples.len()).collect::<Vec<_>>());
}

#[test]
fn a_sequence_beyond_every_limit_is_a_batch_of_its_own_and_equals_keep_their_order() {
    let set = counting(&[9, 1, 1, 9], None);
    let limit = Limit { sequences: 0, steps: 2 };
    let places = |limit| by_length(&set, &[0, 1, 2, 3], limit);
    assert_eq!(places(limit), [[0], [3], [1], [2]]);
    assert_eq!(places(Limit { sequences: 9, ..limit }), [vec![0], vec![3], vec![1, 2]]);
}

#[test]
fn an_empty_split_is_no_evaluation_and_a_refused_training() {
    let set = counting(&[1], None);
    assert!(by_length(&set, &[], Limit { sequences: 1, steps: 1 }).is_empty());
    assert_eq!(
        refusal(Epochs::new(&set, Split::Test, batching(1))),
        "counting: has no sequence in split test, wanted at least one; choose another split"
    );
}

#[test]
fn batches_of_nothing_are_refused() {
    let set = counting(&[1], None);
    let refused = |batching| refusal(Epochs::new(&set, Split::Train, batching));
    assert_eq!(
        refused(Batching { sequences: 0, ..batching(1) }),
        "a batch of 0 sequences cropped to all steps is empty; both take at least 1"
    );
    assert_eq!(
        refused(Batching { crop: Some(0), ..batching(1) }),
        "a batch of 4 sequences cropped to 0 steps is empty; both take at least 1"
    );
}

#[test]
fn real_lines_pad_little() {
    let Some(path) = real("unipen/unipen_text.npz") else { return };
    let set = DataSet::open(path, None).unwrap();
    let epochs = epochs(&set, Batching { sequences: 20, crop: None, transpose: 0, seed: 1 });
    let start = std::time::Instant::now();
    let batches = epochs.epoch(0);
    eprintln!("order of an epoch: {:.1} µs", start.elapsed().as_secs_f64() * 1e6);
    let longest = |b: &Vec<Window>| b.iter().map(|w| w.steps).max().unwrap();
    let padded: usize = batches.iter().map(|b| b.len() * longest(b)).sum();
    let steps = set.steps(Split::Train);
    eprintln!("padding {:.1} %", (padded as f64 / steps as f64 - 1.) * 100.);
    assert!(padded < steps * 115 / 100, "{padded} for {steps}");
}

#[test]
fn a_piece_is_moved_as_far_as_its_keys_stay_on_the_keyboard() {
    let rows = vec![0., 0., 1., 0., 0., 0., 0., 1., 1., 0.]; // two steps of five keys: 2 alone, 2 and 3
    let set = DataSet::from_parts("keys", 5, vec![rows.clone(), vec![0.; 10]], None).unwrap();
    let moved = |sample: usize, transpose: i32| {
        let window = Window { transpose, ..Window::whole(&set, sample) };
        let batch = Batch::new(&set, &Normalisation::identity(5), &[window], None).unwrap();
        batch.x.data().to_vec()
    };
    let by_one = vec![0., 0., 0., 1., 0., 0., 0., 0., 1., 1.];
    let down = vec![1., 0., 0., 0., 0., 1., 1., 0., 0., 0.];
    assert_eq!(moved(0, 0), rows.into_iter().map(stcn::Real::from).collect::<Vec<_>>());
    assert_eq!(
        (moved(0, 1), moved(0, 6)),
        (by_one.clone(), by_one),
        "key 3 to the last, no further"
    );
    assert_eq!((moved(0, -2), moved(0, -6)), (down.clone(), down));
    assert_eq!(moved(1, 4), moved(1, 0), "silence stays");
}

#[test]
fn every_move_comes_in_some_epoch_and_crops_start_where_they_did() {
    let set = many();
    let of = |transpose: u32| epochs(&set, Batching { transpose, crop: Some(20), ..batching(1) });
    let moves: Vec<i32> =
        (0..20).flat_map(|epoch| of(2).epoch(epoch).concat()).map(|w| w.transpose).collect();
    for by in -2..=2 {
        let share = moves.iter().filter(|&&x| x == by).count() as f64 / moves.len() as f64;
        // Five standard errors of 3,380 draws.
        assert!((share - 0.2).abs() < 5. * (0.16 / moves.len() as f64).sqrt(), "{by}: {share}");
    }
    let still = |windows: Vec<Window>| -> Vec<Window> {
        windows.into_iter().map(|w| Window { transpose: 0, ..w }).collect()
    };
    assert_eq!(still(of(2).epoch(3).concat()), of(0).epoch(3).concat());
    assert!(moves.iter().all(|by| (-2..=2).contains(by)));
}
