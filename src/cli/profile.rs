//! Where the time of a training step goes: by op, forward and backward.
//!
//! The time between two events on a tape is attributed to the op of the later one. If n shards of a batch run in
//! parallel, each on its own tape, times are divided by n. One row is the rest of the step's wall-clock time, so
//! that the rows add up to it. One pass more counts subnormal numbers, with which some CPUs are a hundred times slower
//! (decision 0025).

use crate::optim::Adam;
use crate::parallel;
use crate::tape::{Event, Grads, Tape};
use crate::tensor::Tensor;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The row of what a step does outside its tapes, including waiting for the slowest.
const REST: &str = "clip, Adam, waiting";

/// Times of one rule, over all profiled steps.
#[derive(Clone, Copy, Default)]
struct Row {
    calls: usize,
    forward_ms: f64,
    backward_ms: f64,
    /// Megabytes of values recorded on the tape.
    megabytes: f64,
    /// Subnormal numbers in the values and gradients of one sequence; for the rest, in Adam's moments.
    subnormal: usize,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<&'static str, Row>,
    tapes: usize,
    steps: usize,
    wall_ms: f64,
    /// Subnormal numbers in Adam's moments.
    faded: usize,
}

/// Collects the times of the tapes it observes.
#[derive(Default)]
pub(super) struct Profile(Arc<Mutex<State>>);

/// Why locking cannot fail.
const NEVER_POISONED: &str = "no code panics while it holds the lock";

impl Profile {
    /// Starts to observe `tape`, one of a step's tapes.
    pub fn watch(&self, tape: &mut Tape) {
        let (state, last) = (self.0.clone(), Cell::new(Instant::now()));
        state.lock().expect(NEVER_POISONED).tapes += 1;
        tape.observe(move |event| {
            let now = Instant::now();
            let ms = 1e3 * (now - last.replace(now)).as_secs_f64();
            let mut state = state.lock().expect(NEVER_POISONED);
            match event {
                Event::Recorded(rule, value) => {
                    let row = state.rows.entry(rule.name).or_default();
                    row.calls += 1;
                    row.forward_ms += ms;
                    row.megabytes += (value.len() * size_of::<crate::Real>()) as f64 * 1e-6;
                }
                Event::PulledBack(rule) | Event::AddedDeferred(rule) => {
                    state.rows.entry(rule.name).or_default().backward_ms += ms
                }
            }
        });
    }

    /// Runs and times a step.
    pub fn time<R>(&self, step: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = step();
        let mut state = self.0.lock().expect(NEVER_POISONED);
        state.wall_ms += since(start);
        state.steps += 1;
        result
    }

    /// Counts the subnormal numbers of a pass that kept all gradients, and of the moments.
    pub fn count(&self, tape: &Tape, grads: &Grads, adam: &Adam) {
        let of = |x: &Tensor| x.data().iter().filter(|x| x.is_subnormal()).count();
        let mut state = self.0.lock().expect(NEVER_POISONED);
        tape.each(|node| {
            let found = of(&node.value) + grads.at(node.id).map_or(0, of);
            state.rows.entry(node.rule.name).or_default().subnormal += found;
        });
        let (m, v) = adam.moments();
        state.faded = m.iter().chain(v).map(of).sum::<usize>();
    }

    /// Means per step, the slowest first; and the wall-clock time per step in ms.
    fn rows(&self) -> (Vec<(&'static str, Row)>, f64) {
        let state = self.0.lock().expect(NEVER_POISONED);
        let (n, wall_ms) = (state.steps as f64, state.wall_ms / state.steps as f64);
        let parallel_tapes = match state.tapes / state.steps {
            tapes if tapes <= parallel::threads() => tapes as f64,
            _ => 1., // one after another
        };
        let mean = |(name, row): (&&'static str, &Row)| {
            let (calls, megabytes) = (row.calls / state.steps, row.megabytes / n);
            let [forward_ms, backward_ms] =
                [row.forward_ms, row.backward_ms].map(|ms| ms / n / parallel_tapes);
            (*name, Row { calls, forward_ms, backward_ms, megabytes, ..*row })
        };
        let mut rows: Vec<_> = state.rows.iter().map(mean).collect();
        let total = |row: &Row| row.forward_ms + row.backward_ms;
        let rest = wall_ms - rows.iter().fold(0., |sum, (_, row)| sum + total(row));
        let subnormal = state.faded;
        rows.push((REST, Row { calls: 1, backward_ms: rest, subnormal, ..Row::default() }));
        rows.sort_by(|(_, a), (_, b)| total(b).total_cmp(&total(a)));
        (rows, wall_ms)
    }

    /// As a table with one line per op.
    pub fn table(&self) -> String {
        let (rows, sum) = self.rows();
        let mut text = format!(
            "{:20} {:>6} {:>11} {:>11} {:>6} {:>9} {:>9}\n",
            "rule", "calls", "forward ms", "back ms", "%", "values MB", "subnormal"
        );
        for (name, Row { calls, forward_ms, backward_ms, megabytes, subnormal }) in rows {
            let share = 100. * (forward_ms + backward_ms) / sum;
            text += &format!(
                "{name:20} {calls:>6} {forward_ms:>11.3} {backward_ms:>11.3} {share:>6.1} {megabytes:>9.1} {subnormal:>9}\n"
            );
        }
        text + &format!("{:20} {:>6} {sum:>23.3} {:>6.1}\n", "total", "", 100.)
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let line = |(name, row): (&str, Row)| {
            json!({
                "rule": name, "calls": row.calls, "forward_ms": row.forward_ms,
                "backward_ms": row.backward_ms, "values_mb": row.megabytes,
                "subnormal": row.subnormal,
            })
        };
        self.rows().0.into_iter().map(line).collect()
    }
}

/// Milliseconds since `start`.
fn since(start: Instant) -> f64 {
    1e3 * start.elapsed().as_secs_f64()
}
