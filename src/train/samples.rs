//! What a model draws as it learns (`train.sample_every`), as `samples/step-000250.svg`: the same pictures as `stcn sample`
//! makes, from the same noise, so that two of them differ by what was learned in between.
//!
//! Not here: how sequences are drawn on a page (`inspect`), when a picture is due (`fit`).

use super::kept::at_step;
use super::trained::raw;
use super::trainer::Trainer;
use crate::data::{DataSet, Split};
use crate::inspect::page::Drawing;
use crate::inspect::{ink, roll, series, wave};
use crate::models::config::Task;
use crate::models::generate;
use crate::noise::Noise;
use crate::tensor::Tensor;

/// How many sequences are drawn.
pub const COUNT: usize = 6;

/// Their seed.
pub const SEED: u64 = 1;

/// The sampling rate of sound that does not say its own, in Hz.
pub const USUAL_RATE: u32 = 16_000;

/// The most sequences in a picture, or panels of series …
const PICTURED: usize = 64;
/// … and the most numbers that they may have together, which also bounds what is drawn at once.
pub const NUMBERS_AT_ONCE: usize = 1 << 22;

/// The most sequences of `numbers` numbers each that one picture has room for.
pub fn room(task: Task, channels: usize, numbers: usize) -> usize {
    let panels = if task == Task::Series { channels.min(series::MOST_CHANNELS) } else { 1 };
    (PICTURED / panels).min(NUMBERS_AT_ONCE / numbers)
}

/// How many steps a sample has unless they are given.
pub fn usual_length(set: &DataSet) -> Option<usize> {
    set.summary(Split::Train).map(|summary| summary.usual_length())
}

/// The picture of some sequences, as the text of an SVG file.
pub fn draw(task: Task, drawings: &[Drawing], channels: usize, rate: u32) -> String {
    match task {
        Task::Ink => ink::svg(drawings),
        Task::Music => roll::svg(drawings, channels),
        Task::Speech => wave::svg(drawings, channels, rate),
        Task::Series => series::svg(drawings, channels),
    }
}

/// The file of the picture after `step` updates.
pub fn name(step: u64) -> String {
    at_step(step, "svg")
}

/// What the model draws now; `None` if its numbers are not finite, as they may be early in training. Changes nothing, and
/// takes no noise of training's.
pub fn picture(trainer: &Trainer) -> Option<String> {
    let (config, model) = (trainer.config(), trainer.model());
    let (task, channels) = (config.model.obs.task, config.model.obs.input);
    let steps = usual_length(trainer.set())?.clamp(1, NUMBERS_AT_ONCE / channels);
    let count = room(task, channels, steps * channels).min(COUNT);
    let samples: Vec<u64> = (0..count as u64).collect();
    let nothing = Tensor::new(&[count, 0, channels], vec![]);
    let noise = Noise::new(SEED, "sample");
    let drawn = generate(model, &nothing, steps, &noise, &samples, 1., |_| ());
    let rows = raw(trainer.normalisation(), &drawn);
    if !drawn.is_finite() || rows.iter().flatten().any(|x| !x.is_finite()) {
        return None;
    }
    let drawings: Vec<_> = rows.iter().map(|rows| Drawing { rows, primed: 0 }).collect();
    let rate = if config.data.rate > 0 { config.data.rate } else { USUAL_RATE };
    Some(draw(task, &drawings, channels, rate))
}
