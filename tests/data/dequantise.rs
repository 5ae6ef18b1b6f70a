//! Noise over the cells of whole numbers: where it falls, and what is not on the grid.

use super::{counting, refusal};
use crate::common::{ink, says};
use stcn::Noise;
use stcn::data::{Batch, DataSet, Dequantise, Normalisation, Window};
use stcn::internals::parallel;

fn noise(step: u64) -> Dequantise {
    Dequantise::new(Noise::new(7, "train").at(step), 2)
}

/// Rows of sequence `i` of ten lines of ink, raw again, in a batch of these windows.
fn rows(windows: &[Window], dequantise: Option<Dequantise>, i: usize) -> Vec<f32> {
    let set = ink(20);
    let batch = Batch::new(&set, &Normalisation::identity(3), windows, dequantise).unwrap();
    let (_, t, d) = batch.x.btc("test");
    let at = batch.samples.iter().position(|&sample| sample == i as u64).unwrap();
    batch.x.data()[at * t * d..][..batch.lengths[at] * d].iter().map(|&x| x as f32).collect()
}

#[test]
fn every_real_value_stays_within_its_cell_and_the_pen_stays_as_it_is() {
    let whole = [Window::whole(&ink(20), 3)];
    let (raw, spread) = (rows(&whole, None, 3), rows(&whole, Some(noise(1)), 3));
    let (mut sum, mut squares, mut count) = (0., 0., 0.);
    for (raw, spread) in raw.chunks_exact(3).zip(spread.chunks_exact(3)) {
        assert_eq!(raw[2], spread[2]);
        for d in 0..2 {
            let u = f64::from(spread[d] - raw[d]);
            assert!((-0.5..=0.5).contains(&u), "{u}");
            (sum, squares, count) = (sum + u, squares + u * u, count + 1.);
        }
    }
    // Of 58 uniforms: mean 0 ± 0.038, mean square 1/12 ± 0.0098; three of each.
    assert!((sum / count).abs() < 0.115, "{sum}");
    assert!((squares / count - 1. / 12.).abs() < 0.03, "{squares}");
}

#[test]
fn noise_depends_on_update_sequence_step_and_channel_and_on_nothing_else() {
    let set = ink(20);
    let whole = |i| Window::whole(&set, i);
    let alone = rows(&[whole(3)], Some(noise(1)), 3);
    // Beside a longer one, in another place of the batch, on other threads.
    let windows = [whole(9), whole(3), whole(0)];
    assert_eq!(rows(&windows, Some(noise(1)), 3), alone);
    for threads in [1, 3] {
        let there = parallel::with_threads(threads, || rows(&windows, Some(noise(1)), 3));
        assert_eq!(there.unwrap(), alone);
    }
    // Of a piece, its own.
    let piece = Window { sample: 3, start: 4, steps: 6, transpose: 0 };
    assert_eq!(rows(&[piece], Some(noise(1)), 3), alone[12..30]);
    let raw = rows(&[whole(3)], None, 3);
    let moved = |other: Vec<f32>| {
        let pairs = alone.iter().zip(&raw).zip(&other);
        pairs.enumerate().filter(|(i, ((a, x), b))| i % 3 < 2 && *a - *x != *b - *x).count()
    };
    assert!(moved(rows(&[whole(3)], Some(noise(2)), 3)) > 55, "another update");
    let other: Vec<f32> = rows(&[whole(4)], Some(noise(1)), 4);
    let cells: Vec<f32> =
        other.iter().zip(rows(&[whole(4)], None, 4)).map(|(a, x)| a - x).collect();
    let mine: Vec<f32> = alone.iter().zip(&raw).map(|(a, x)| a - x).collect();
    assert!(cells.iter().zip(&mine).filter(|(a, b)| (*a - *b).abs() > 1e-3).count() > 50);
}

#[test]
fn what_is_off_the_grid_is_named() {
    let set = |rows: &[f32]| DataSet::from_parts("mine", 2, vec![rows.to_vec()], None).unwrap();
    set(&[1., 0.5, -65536., 0.25]).check_grid(1).unwrap();
    says(
        &refusal(set(&[1., 2., 3., 0.5]).check_grid(2)),
        &[
            "mine: sequence 1, step 2, channel 2 is 0.5, dequantisation wants whole numbers from −65536 to 65536",
            "or leave out --dequantise",
        ],
    );
    says(&refusal(set(&[1., 2., 70000., 3.]).check_grid(2)), &["step 2, channel 1 is 70000, deq"]);
}

#[test]
fn a_sequence_with_more_steps_than_noise_has_addresses_is_refused() {
    // As many channels as leave two steps.
    let set = counting(&[2, 3], None);
    set.check_grid(1 << 30).unwrap_or_else(|e| panic!("{e}"));
    says(
        &refusal(set.check_grid(1 << 31)),
        &["sequence 2 has 3 steps, dequantisation takes at most 2; split it"],
    );
}
