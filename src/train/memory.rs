//! An estimate of the memory that a run will take, before it takes it.
//!
//! Parameters are counted from their shapes. What a pass holds is measured on two short ones and extrapolated: its
//! tensors grow linearly with rows (sequences × steps). Not here: the tensors' buffers (`tensor`).

use super::config::{Config, Objective};
use super::evaluate::LIMIT;
use super::objective;
use super::shards::shards;
use crate::data::{Batch, DataSet, Split};
use crate::error::{Error, Result};
use crate::models::{self, Kl, SequenceModel, parameters};
use crate::noise::Noise;
use crate::tape::{Keep, Tape};
use crate::tensor::{Real, Tensor, peak};
use std::fs;
use std::path::Path;

/// Bytes that a run will hold at its peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Parameters, their gradients, Adam's two moments, and the bytes of a checkpoint while it is saved.
    pub state: u64,
    /// The largest pass, of training or of a check.
    pub pass: u64,
    /// The part of the data set that is in memory, and the program itself.
    pub rest: u64,
    /// Sequences and steps of the largest training batch.
    pub batch: (usize, usize),
    /// Rows of each sequence in a training batch: 1, or K of IWAE and FIVO.
    pub particles: usize,
}

/// Value, gradient, two moments; and all but the gradient again in the bytes of a checkpoint.
const NUMBERS_PER_PARAMETER: u64 = 7;

/// What the program itself takes: measured, 20 to 30 MB.
const PROGRAM: u64 = 30_000_000;

impl Estimate {
    /// The estimate for the run that `config` describes.
    pub fn new(config: &Config, model: &dyn SequenceModel, set: &DataSet) -> Self {
        let longest = |split| set.split(split).iter().map(|&i| set.length(i)).max().unwrap_or(0);
        let (crop, train) = (config.data.crop, longest(Split::Train));
        let steps = if crop > 0 { crop.min(train) } else { train };
        let batch = (config.train.batch.min(set.split(Split::Train).len()), steps);
        let checked = longest(Split::Valid) * LIMIT.sequences.min(set.split(Split::Valid).len());
        let checked = checked.min(LIMIT.steps).max(longest(Split::Valid));
        // Just large enough that the tensors' buffers are counted.
        let short = ((1 << 14) / width(model)).clamp(32, 256);
        let state = state(model.parameter_count());
        let gradients = state / NUMBERS_PER_PARAMETER; // counted there already
        let of = |sequences, steps| training_pass(config, model, sequences, steps);
        let count = shards(model, batch.0).len(); // in parallel, with a gradient each
        let rows = (batch.0 * batch.1).div_ceil(count);
        let trained = match config.train.objective {
            Objective::Elbo => extrapolated(short, rows, |rows| of(1, rows)),
            Objective::Iwae | Objective::Fivo => {
                // Some tensors hold one step each: many rows, so that they are counted too.
                let many = 256_usize.div_ceil(config.train.particles);
                extrapolated(4 * many, rows, |rows| of(many, rows / many))
            }
        };
        let trained = trained.saturating_mul(count as u64).saturating_sub(gradients);
        let checked = extrapolated(short, checked, |rows| checking_pass(config, model, rows));
        let pass = trained.max(checked);
        let pass = pass.saturating_add(pass / 4); // batches of other lengths: buffers fit within a quarter
        let rest = PROGRAM + set.bytes_in_memory();
        Self { state, pass, rest, batch, particles: config.train.draws() }
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.state.saturating_add(self.pass).saturating_add(self.rest)
    }

    /// Refuses a run that does not fit into `available` bytes; the error has the numbers and the cure.
    pub fn check(&self, available: Option<u64>) -> Result<()> {
        let Some(available) = available.filter(|&available| self.total() > available) else {
            return Ok(());
        };
        // If the data fill the memory, smaller passes do not help.
        let cure = if self.rest > available / 2 {
            "keep the samples on the disk, stored as `stcn data prepare` writes them, by --set data.in_memory=0"
        } else {
            match self.particles {
                1 => "lower train.batch, data.crop or the sizes under [model]",
                _ => "lower train.particles, train.batch, data.crop or the sizes under [model]",
            }
        };
        Err(Error::usage(format!(
            "the run would take about {}, and {} are free: {cure}",
            self.summary(),
            size(available)
        )))
    }

    /// `1.5 GB (parameters, gradients and Adam 352 MB, a batch of 20 × 227 steps 1.1 GB, data and program 33 MB)`
    pub fn summary(&self) -> String {
        let ((sequences, steps), [total, state, pass, rest]) =
            (self.batch, [self.total(), self.state, self.pass, self.rest].map(size));
        let particles = match self.particles {
            1 => String::new(),
            particles => format!(" × {particles} particles"),
        };
        format!(
            "{total} (parameters, gradients and Adam {state}, a batch of {sequences} × {steps} steps{particles} {pass}, \
             data and program {rest})"
        )
    }
}

/// Refuses a model whose parameters alone do not fit into `available` bytes.
pub fn check_state(config: &Config, available: Option<u64>) -> Result<()> {
    let count = models::count(&config.model)?;
    let state = state(count);
    let Some(available) = available.filter(|&available| state > available) else { return Ok(()) };
    let (state, free) = (size(state), size(available));
    Err(Error::usage(format!(
        "the model's {count} parameters take {state} with their gradients and Adam's moments, and {free} are \
         free: lower the sizes under [model]"
    )))
}

fn state(parameters: usize) -> u64 {
    (parameters as u64).saturating_mul(NUMBERS_PER_PARAMETER * size_of::<Real>() as u64)
}

/// The usual width of a layer: the median length of its biases.
fn width(model: &dyn SequenceModel) -> usize {
    let shapes = parameters(model).into_iter().map(|(_, value)| value.shape());
    let mut widths: Vec<usize> =
        shapes.filter(|shape| shape.len() == 1).map(|shape| shape[0]).collect();
    widths.sort();
    widths.get(widths.len() / 2).copied().unwrap_or(1)
}

/// Bytes that this process can still allocate; `None` where the system does not say (Linux does).
pub fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let machine = kilobytes * 1024;
    // A container may be given less than the machine has.
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(Path::new("/sys/fs/cgroup").join(name)).ok()?.trim().parse().ok()
    };
    let group = number("memory.max").zip(number("memory.current"));
    Some(group.map_or(machine, |(most, now)| machine.min(most.saturating_sub(now))))
}

/// The peak memory of this process in bytes, where the system says it (Linux).
pub fn peak_resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The bytes of a pass of `rows` rows, extrapolated from `short` and twice as many.
fn extrapolated(short: usize, rows: usize, pass: impl Fn(usize) -> usize) -> u64 {
    let (a, b) = (pass(short) as u64, pass(2 * short) as u64);
    let slope = b.saturating_sub(a) / short as u64;
    a.saturating_sub(slope * short as u64).saturating_add(slope.saturating_mul(rows as u64))
}

/// Sequences of zeros.
fn probe(config: &Config, sequences: usize, steps: usize) -> Batch {
    let x = Tensor::zeros(&[sequences, steps, config.model.obs.input]);
    Batch { x, lengths: vec![steps; sequences], samples: (0..sequences as u64).collect() }
}

/// Bytes held at the peak of a forward and backward pass, beyond the state.
fn training_pass(
    config: &Config,
    model: &dyn SequenceModel,
    sequences: usize,
    steps: usize,
) -> usize {
    let (batch, tape) = (probe(config, sequences, steps), Tape::new());
    let noise = Noise::new(config.seed, "train");
    let pass = || {
        let pass = objective::forward(model, &tape, &batch, &noise, 1., &config.train);
        drop(tape.backward(pass.loss, Keep::Leaves));
    };
    peak(pass).1
}

/// The same for a forward pass alone.
fn checking_pass(config: &Config, model: &dyn SequenceModel, rows: usize) -> usize {
    let (batch, tape) = (probe(config, 1, rows), Tape::inference());
    peak(|| drop(model.elbo(&tape, &batch, &Noise::new(config.seed, "evaluate"), Kl::Analytic))).1
}

/// `1.5 GB`
fn size(bytes: u64) -> String {
    let (mut value, mut units) = (bytes as f64, ["B", "kB", "MB", "GB", "TB", "PB", "EB"].iter());
    let mut unit = units.next().expect("a first unit");
    while let Some(next) = units.as_slice().first().filter(|_| value >= 999.5) {
        (value, unit) = (value / 1000., next);
        units.next();
    }
    if value < 9.95 && *unit != "B" {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}
