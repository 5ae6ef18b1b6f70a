//! How a run got where it is, for its page: the pass at checkpoints on the way, aggregated, and curves over all updates.

use crate::inspect::place::{joined_from, steps};
use crate::inspect::table::rms;
use crate::tape::{Grads, Tape, Var};
use crate::tensor::Tensor;
use serde_json::{Map, Value, json};

/// The most numbers of all passes together: 1.1 MB in base64.
const MOST_NUMBERS: usize = 200_000;

/// The most checkpoints that a page shows.
const MOST_PASSES: usize = 32;

/// The most points of a curve.
const MOST_POINTS: usize = 300;

/// The passes of one batch at several checkpoints of a run, and the run's metrics.
#[derive(Default)]
pub struct History {
    passes: Vec<Aggregate>,
    curves: Value,
}

/// What is left of one pass.
struct Aggregate {
    about: Value,
    /// Root mean square of value and gradient of every node; NaN where there is none.
    rms: Vec<[f32; 2]>,
    profiles: Vec<Profile>,
}

/// A quantity of the paper by sequence and step.
struct Profile {
    /// `value kl.1`, `grad z.2`
    name: String,
    /// (B, T)
    numbers: Vec<f32>,
}

impl History {
    /// How many passes of so many nodes there is room for, two or more.
    pub fn room(tape: &Tape) -> usize {
        (MOST_NUMBERS / (2 * tape.len()).max(1)).clamp(2, MOST_PASSES)
    }

    /// Adds a pass, after those of earlier steps. `about` has `step`, `loss` and `kl_weight`.
    pub fn add(&mut self, tape: &Tape, grads: &Grads, about: Value) {
        let steps = steps(tape);
        // With the digits that a table shows, so that the page shows the same.
        let short = |x: &Tensor| rms(x).parse().unwrap_or(f32::NAN);
        let of = |x: Var| [short(&x.value()), grads.wrt(x).map_or(f32::NAN, short)];
        let profiles = tape.vars().filter_map(|x| Profile::of(x, grads, steps)).collect();
        self.passes.push(Aggregate { about, rms: tape.vars().map(of).collect(), profiles });
    }

    /// The curves: `columns`, `step` first, and rows of numbers, where they are known. Of many rows, means of as many
    /// following each other as it takes.
    pub fn with_curves(mut self, columns: &[String], rows: &[Vec<Option<f64>>]) -> Self {
        let each = rows.len().div_ceil(MOST_POINTS).max(1);
        let mean = |rows: &[Vec<Option<f64>>]| -> Vec<Option<f64>> {
            let column = |i: usize| {
                let known: Vec<f64> = rows.iter().filter_map(|row| *row.get(i)?).collect();
                let sum = known.iter().fold(0., |sum, x| sum + x);
                (!known.is_empty()).then(|| sum / known.len() as f64)
            };
            (0..columns.len()).map(column).collect()
        };
        let points: Vec<_> = rows.chunks(each).map(mean).collect();
        self.curves = json!({"columns": columns, "rows": points, "rows_each": each});
        self
    }

    /// How many numbers of the page's second block it takes.
    pub(super) fn len(&self) -> usize {
        let profile =
            |pass: &Aggregate| pass.profiles.iter().map(|x| x.numbers.len()).sum::<usize>();
        self.passes.iter().map(|pass| 2 * pass.rms.len() + profile(pass)).sum::<usize>()
    }

    /// What the first block says of it; its numbers are put behind `data`.
    pub(super) fn pack(&self, data: &mut Vec<f32>) -> Value {
        let pass = |pass: &Aggregate| {
            let mut says = pass.about.clone();
            says["rms"] = data.len().into();
            data.extend(pass.rms.iter().flatten());
            let mut profiles = Map::new();
            for Profile { name, numbers } in &pass.profiles {
                profiles.insert(name.clone(), data.len().into());
                data.extend(numbers);
            }
            says["profiles"] = profiles.into();
            says
        };
        let passes: Vec<Value> = self.passes.iter().map(pass).collect();
        json!({"passes": passes, "curves": self.curves})
    }
}

impl Profile {
    /// Of `log_px` and every `kl.l` the value, of every `z.l` and level of features the root mean square of the
    /// gradient; of any other node nothing.
    fn of(x: Var, grads: &Grads, steps: usize) -> Option<Self> {
        let label = x.label();
        let (word, number) = label.split_once('.').unwrap_or((&label, "1"));
        number.parse::<usize>().ok()?;
        let (kind, numbers) = match word {
            "log_px" | "kl" => ("value", over_steps(&x.value(), steps)?),
            "z" | "d" | "h" | "b" => ("grad", gradient(x, grads, steps)?),
            _ => return None,
        };
        Some(Self { name: format!("{kind} {label}"), numbers })
    }
}

/// The gradient at x over the steps; of a value put together from its steps, theirs.
fn gradient(x: Var, grads: &Grads, steps: usize) -> Option<Vec<f32>> {
    let parts = joined_from(x, grads);
    if parts.len() != steps {
        return over_steps(grads.wrt(x)?, steps);
    }
    let of_step = |part: &Var| grads.wrt(*part).and_then(|grad| over_steps(grad, 1));
    let each: Vec<Option<Vec<f32>>> = parts.iter().map(of_step).collect();
    let rows = each.iter().flatten().next()?.len();
    let at = |row: usize| each.iter().map(move |step| step.as_ref().map_or(0., |step| step[row]));
    Some((0..rows).flat_map(at).collect())
}

/// One number for every sequence and step: of several channels their root mean square. A row before the first step is
/// left out.   x: (B, T) or (B, T, C) or with T + 1 steps, result: (B, T)
fn over_steps(x: &Tensor, steps: usize) -> Option<Vec<f32>> {
    let (rows, of_x, channels) = match *x.shape() {
        [rows, of_x] => (rows, of_x, 1),
        [rows, of_x, channels] => (rows, of_x, channels),
        _ => return None,
    };
    let first = of_x.checked_sub(steps).filter(|first| *first <= 1)?;
    let one = |cells: &[crate::Real]| match cells {
        [x] => *x as f32,
        _ => {
            let squares = cells.iter().fold(0., |sum, &x| sum + f64::from(x) * f64::from(x));
            (squares / channels as f64).sqrt() as f32
        }
    };
    let row = |row: usize| {
        let steps = (first..of_x).map(move |t| row * of_x + t);
        steps.map(|at| one(&x.data()[at * channels..][..channels]))
    };
    Some((0..rows).flat_map(row).collect())
}
