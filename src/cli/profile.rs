//! Where a training step spends its time: by rule, forward and back, with nothing left over.
//!
//! Every moment belongs to what ended it: a node recorded, a gradient pulled back, or the step itself. So
//! the sum is the step's wall clock, by construction.

use crate::tape::{Event, Tape};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

/// What a step does besides its tape.
const REST: &str = "clip, Adam, buffers";

/// Times of one rule, over all profiled steps.
#[derive(Clone, Copy, Default)]
struct Row {
    calls: usize,
    forward_ms: f64,
    backward_ms: f64,
    /// Of the values that stand on the tape.
    megabytes: f64,
}

struct State {
    last: Instant,
    rows: BTreeMap<&'static str, Row>,
    steps: usize,
}

/// A clock beside a tape.
pub(super) struct Profile(Rc<RefCell<State>>);

impl Profile {
    /// Watches `tape` from now on.
    pub fn of(tape: &mut Tape) -> Self {
        let state = State { last: Instant::now(), rows: BTreeMap::new(), steps: 0 };
        let state = Rc::new(RefCell::new(state));
        let shared = state.clone();
        tape.watch(move |event| {
            let mut state = shared.borrow_mut();
            let ms = state.lap();
            match event {
                Event::Recorded(rule, value) => {
                    let row = state.rows.entry(rule.name).or_default();
                    row.calls += 1;
                    row.forward_ms += ms;
                    row.megabytes += (value.len() * size_of::<crate::Real>()) as f64 * 1e-6;
                }
                Event::PulledBack(rule) | Event::Settled(rule) => {
                    state.rows.entry(rule.name).or_default().backward_ms += ms
                }
            }
        });
        Self(state)
    }

    /// A step begins.
    pub fn begin(&self) {
        self.0.borrow_mut().lap();
    }

    /// A step ends.
    pub fn end(&self) {
        let mut state = self.0.borrow_mut();
        let ms = state.lap();
        state.steps += 1;
        let rest = state.rows.entry(REST).or_default();
        (rest.calls, rest.backward_ms) = (rest.calls + 1, rest.backward_ms + ms);
    }

    /// Means per step, the slowest first; and their sum in ms.
    fn rows(&self) -> (Vec<(&'static str, Row)>, f64) {
        let state = self.0.borrow();
        let n = state.steps as f64;
        let mean = |(name, row): (&&'static str, &Row)| {
            let Row { calls, forward_ms, backward_ms, megabytes } = *row;
            let (forward_ms, backward_ms) = (forward_ms / n, backward_ms / n);
            (
                *name,
                Row {
                    calls: calls / state.steps,
                    forward_ms,
                    backward_ms,
                    megabytes: megabytes / n,
                },
            )
        };
        let mut rows: Vec<_> = state.rows.iter().map(mean).collect();
        let total = |row: &Row| row.forward_ms + row.backward_ms;
        rows.sort_by(|(_, a), (_, b)| total(b).total_cmp(&total(a)));
        let sum = rows.iter().fold(0., |sum, (_, row)| sum + total(row));
        (rows, sum)
    }

    /// A table, one line a rule.
    pub fn table(&self) -> String {
        let (rows, sum) = self.rows();
        let mut text = format!(
            "{:20} {:>6} {:>11} {:>11} {:>6} {:>9}\n",
            "rule", "calls", "forward ms", "back ms", "%", "values MB"
        );
        for (name, Row { calls, forward_ms, backward_ms, megabytes }) in rows {
            let share = 100. * (forward_ms + backward_ms) / sum;
            text += &format!(
                "{name:20} {calls:>6} {forward_ms:>11.3} {backward_ms:>11.3} {share:>6.1} {megabytes:>9.1}\n"
            );
        }
        text + &format!("{:20} {:>6} {sum:>23.3} {:>6.1}\n", "together", "", 100.)
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let line = |(name, row): (&str, Row)| {
            json!({
                "rule": name, "calls": row.calls, "forward_ms": row.forward_ms,
                "backward_ms": row.backward_ms, "values_mb": row.megabytes,
            })
        };
        self.rows().0.into_iter().map(line).collect()
    }
}

impl State {
    /// Milliseconds since the last time.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let ms = 1e3 * (now - self.last).as_secs_f64();
        self.last = now;
        ms
    }
}
