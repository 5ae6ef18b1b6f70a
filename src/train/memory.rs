//! An estimate of the memory that a run will take, before it takes it.
//!
//! Parameters are counted from their shapes. What a pass holds is measured on two short ones and extrapolated: its
//! tensors grow linearly with sequences and steps. Not here: the tensors' buffers (`tensor`).

use super::config::Config;
use super::evaluate::{LIMIT, Plan, forward};
use super::objective;
use super::shards::shards;
use crate::data::{Batch, DataSet, Split, by_length};
use crate::error::{Error, Result};
use crate::models::{self, Kl, SequenceModel, parameters};
use crate::noise::Noise;
use crate::parallel;
use crate::tape::{Keep, Tape};
use crate::tensor::{Real, Tensor, peak};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

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

/// What the process takes beside the `allocated` bytes: its code, and holes in the arenas of the system's
/// allocator, of which there is one per thread. Measured after [`settle`](super::allocator::settle).
fn program(allocated: u64) -> u64 {
    19_000_000 + allocated / 100 * (parallel::threads() as u64 - 1).min(8)
}

/// Sequences of the passes that are measured. Gradients of parameters are told apart from other tensors by their length;
/// with an odd number of sequences, few others have the length of a parameter.
const SEQUENCES: usize = 7;
/// Steps of the shorter of the two passes; the longer one has twice as many. With K particles, both have 1/K of that.
const SHORT: usize = 32;

impl Estimate {
    /// The estimate for the run that `config` describes, on the threads that there are.
    pub fn new(config: &Config, model: &dyn SequenceModel, set: &DataSet) -> Self {
        let crop = if config.data.crop > 0 { config.data.crop } else { usize::MAX };
        let train = set.split(Split::Train).iter().map(|&i| set.length(i).min(crop));
        let mut train: Vec<usize> = train.collect();
        train.sort_by_key(|&steps| std::cmp::Reverse(steps));
        let ends = [train.first(), train.last()].map(|steps| steps.copied().unwrap_or(0));
        let even = ends[0] - ends[1] <= ends[0] / 5; // buffers that fit one fit all
        train.truncate(config.train.batch);
        let samples = Plan::of_check(config).samples(set);
        let lengths = |places: Vec<usize>| places.iter().map(|&i| set.length(samples[i])).collect();
        let checked = by_length(set, &samples, LIMIT).into_iter().map(lengths).collect();
        let mut estimate = Self::of(config, model, (train, even), checked);
        estimate.rest += set.bytes_in_memory();
        estimate
    }

    /// The estimate for training steps alone, given sequences and steps of a batch; without data set or validation.
    pub fn of_batch(config: &Config, model: &dyn SequenceModel, batch: (usize, usize)) -> Self {
        Self::of(config, model, (vec![batch.1; batch.0], true), vec![])
    }

    /// Given the longest training sequences, longest first, whether all are about as long, and every batch of a check.
    fn of(
        config: &Config,
        model: &dyn SequenceModel,
        (trained, even): (Vec<usize>, bool),
        checked: Vec<Vec<usize>>,
    ) -> Self {
        let batch = (trained.len(), trained.first().map_or(0, |&steps| steps));
        let draws = config.train.draws();
        let state = state(model.parameter_count());
        let gradient = state / NUMBERS_PER_PARAMETER;
        let input = config.model.obs.input * size_of::<Real>();
        let measured = |steps: usize, draws: usize, pass: &dyn Fn(usize) -> Measured| {
            [1, 2].map(|i| pass(i * steps.div_ceil(2).min(SHORT.div_ceil(draws))))
        };
        let pass = measured(batch.1, draws, &|steps| training_pass(config, model, steps));
        // No batch is padded to more than if every shard had one of the longest sequences.
        let cut = shards(model, batch.0);
        // The first shard's is counted in `state`. Half of one for each shard stands for packed weights and partial sums, which
        // mostly are as long as parameters and so not measured; those padded to whole panels are, and count twice.
        let gradients = gradient.saturating_mul(3 * cut.len() as u64 - 2) / 2;
        let cut = cut.iter().zip(&trained).map(|(shard, &steps)| (shard.len(), steps)).collect();
        let trained = held(cut, pass, input).saturating_add(gradients);
        // Capacities are rounded up, by 5 % in the mean. A batch of other lengths cannot use the buffers of the one before, and
        // what pools may keep, a quarter, they keep.
        let pools = if even { 1.07 * pass[0].pools.max(pass[1].pools) } else { 1.31 };
        let cut = |lengths: &[usize]| -> Vec<(usize, usize)> {
            let longest = |shard: Range<usize>| {
                (shard.len(), lengths[shard].iter().max().map_or(0, |&steps| steps))
            };
            shards(model, lengths.len()).into_iter().map(longest).collect()
        };
        let longest = checked.iter().flatten().max();
        let checked = longest.and_then(|&longest| {
            let pass = measured(longest, 1, &|steps| checking_pass(config, model, steps));
            checked.iter().map(|lengths| held(cut(lengths), pass, input)).max()
        });
        // Where nothing is kept for a way back, few buffers lie in pools.
        let with = |bytes: u64, factor: f64| (bytes as f64 * factor) as u64;
        let pass = with(trained, pools).max(with(checked.unwrap_or(0), 1.12));
        let rest = program(state.saturating_add(pass));
        Self { state, pass, rest, batch, particles: draws }
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.state.saturating_add(self.pass).saturating_add(self.rest)
    }

    /// Refuses a run that does not fit into `available` bytes; the error has the numbers and the cure.
    pub fn check(&self, available: Option<u64>) -> Result<()> {
        // If the data fill the memory, smaller passes do not help.
        let cure = if available.is_some_and(|available| self.rest > available / 2) {
            "keep the samples on the disk, stored as `stcn data prepare` writes them, by --set data.in_memory=0"
        } else {
            match self.particles {
                1 => "lower train.batch, data.crop or the sizes under [model]",
                _ => "lower train.particles, train.batch, data.crop or the sizes under [model]",
            }
        };
        self.check_with(cure, available)
    }

    /// [`check`](Self::check) for a command that is not a training run, with its own advice.
    pub fn check_with(&self, cure: &str, available: Option<u64>) -> Result<()> {
        let Some(available) = available.filter(|&available| self.total() > available) else {
            return Ok(());
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

/// Bytes that this process can still allocate; `None` where the system does not say (Linux does).
pub fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

/// The least of what the machine, every control group of the process and its own limits leave, as the files under
/// `root`/proc and `root`/sys tell.
pub fn available_below(root: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(root.join(name)).ok();
    let machine = kilobytes(&read("proc/meminfo")?, "MemAvailable:")?;
    let groups = read("proc/self/cgroup").unwrap_or_default();
    let groups = groups.lines().flat_map(|line| left_to_group(root, line));
    let (limits, status) = (read("proc/self/limits"), read("proc/self/status"));
    // Of `ulimit -v` and `ulimit -d`.
    let own = [("Max address space", "VmSize:"), ("Max data size", "VmData:")];
    let own = own.into_iter().filter_map(|(limit, used)| {
        let line = limits.as_ref()?.lines().find_map(|line| line.strip_prefix(limit))?;
        let most: u64 = line.split_whitespace().next()?.parse().ok()?; // or `unlimited`
        Some(most.saturating_sub(kilobytes(status.as_ref()?, used)?))
    });
    groups.chain(own).chain([machine]).min()
}

/// Bytes left in a control group and in each of its parents, given its line of `/proc/self/cgroup`.
fn left_to_group(root: &Path, line: &str) -> Vec<u64> {
    let mut fields = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
    else {
        return vec![];
    };
    // Version 2 has one tree for all controllers, version 1 one for each.
    let (mounts, [most, now, cached]) = match controllers {
        "" => (
            &["sys/fs/cgroup", "sys/fs/cgroup/unified"][..],
            ["memory.max", "memory.current", "inactive_file "],
        ),
        names if names.split(',').any(|name| name == "memory") => (
            &["sys/fs/cgroup/memory"][..],
            ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "],
        ),
        _ => return vec![],
    };
    let left = |group: PathBuf| -> Option<u64> {
        let read = |name: &str| fs::read_to_string(group.join(name)).ok();
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok(); // or `max`
        // Files that were read once are given up as soon as memory is wanted.
        let stat = read("memory.stat").unwrap_or_default();
        let cached = stat.lines().find_map(|line| line.strip_prefix(cached)?.trim().parse().ok());
        let used = number(now)?.saturating_sub(cached.unwrap_or(0));
        Some(number(most)?.saturating_sub(used))
    };
    // In a container the tree may begin at its own group, whatever the path says: groups that are not there say
    // nothing.
    let levels = || Path::new(path.trim_start_matches('/')).ancestors();
    mounts
        .iter()
        .flat_map(|mount| levels().map(move |level| root.join(mount).join(level)))
        .filter_map(left)
        .collect()
}

/// The number behind `name` in a file of lines like `MemAvailable:  1024 kB`, in bytes.
pub fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

/// The peak memory of this process in bytes, where the system says it (Linux).
pub fn peak_resident() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Bytes that a pass of [`SEQUENCES`] sequences of some steps held at its peak.
#[derive(Clone, Copy)]
struct Measured {
    steps: usize,
    /// In tensors, whose rows are the steps of all sequences.
    tensors: f64,
    /// In the list of nodes, which is as long for one sequence as for many …
    list: f64,
    /// … and in the list of their gradients, which stays behind.
    kept: f64,
    /// What pools hold, in tensors and between them, over what tensors hold.
    pools: f64,
}

/// Extrapolates two measured passes: the bytes of a pass of `sequences` × `steps`, and those that stay behind after it.
fn extrapolated([short, long]: [Measured; 2], sequences: usize, steps: usize) -> (f64, f64) {
    let share = (steps as f64 - short.steps as f64) / (long.steps - short.steps) as f64;
    let to = |short: f64, long: f64| short + (long - short) * share;
    // What does not grow with the steps, as packed weights, does not grow with the sequences either.
    let slope = (long.tensors - short.tensors) / (long.steps - short.steps) as f64;
    let fixed = (short.tensors - slope * short.steps as f64).max(0.);
    let tensors = fixed + slope * steps as f64 * sequences as f64 / SEQUENCES as f64;
    (tensors + to(short.list, long.list), to(short.kept, long.kept))
}

/// Bytes that a pass over a batch holds, given the sequences and steps of each of its shards, and the bytes of a step of x.
fn held(shards: Vec<(usize, usize)>, pass: [Measured; 2], input: usize) -> u64 {
    let passes = shards.iter().map(|&(sequences, steps)| extrapolated(pass, sequences, steps));
    let (passes, kept): (Vec<f64>, Vec<f64>) = passes.unzip();
    let sum = |bytes: &[f64]| bytes.iter().fold(0., |sum, x| sum + x);
    // Shards that are computed at the same time are held at the same time; of those before, the gradients are.
    let most = match parallel::at_once(shards.len()) {
        1 => passes.iter().fold(0_f64, |most, &x| most.max(x)) + sum(&kept[1..]),
        _ => sum(&passes),
    };
    let sequences = shards.iter().map(|shard| shard.0).sum::<usize>();
    let longest = shards.iter().map(|shard| shard.1).max().unwrap_or(0);
    (most + (sequences * longest * input) as f64) as u64
}

/// Sequences of zeros.
fn probe(config: &Config, steps: usize) -> Batch {
    let x = Tensor::zeros(&[SEQUENCES, steps, config.model.obs.input]);
    Batch { x, lengths: vec![steps; SEQUENCES], samples: (0..SEQUENCES as u64).collect() }
}

/// What `pass` holds on `tape`, the gradients of parameters left out.
fn measured(model: &dyn SequenceModel, tape: &Tape, steps: usize, pass: impl FnOnce()) -> Measured {
    let parameters = parameters(model).into_iter().map(|(_, value)| value.len()).collect();
    // By one thread: how many scratch buffers several hold at once is chance, which extrapolation would enlarge.
    let (tensors, pools) = peak(parameters, || parallel::alone(pass));
    let kept = (tape.len() * size_of::<Option<Tensor>>()) as f64;
    Measured { steps, tensors: tensors as f64, list: tape.bookkeeping() as f64, kept, pools }
}

/// A forward and a backward pass.
fn training_pass(config: &Config, model: &dyn SequenceModel, steps: usize) -> Measured {
    let (tape, noise) = (Tape::new(), Noise::new(config.seed, "train"));
    measured(model, &tape, steps, || {
        let batch = probe(config, steps);
        let pass =
            objective::forward(model, &tape, &batch, &batch.lengths, &noise, 1., &config.train);
        drop(tape.backward(pass.loss, Keep::Leaves));
    })
}

/// A forward pass as a check makes it, with the nodes of one that keeps all on one tape.
fn checking_pass(config: &Config, model: &dyn SequenceModel, steps: usize) -> Measured {
    let (tape, noise) = (Tape::inference(), Noise::new(config.seed, "evaluate"));
    let batch = probe(config, steps);
    model.elbo(&tape, &batch, &noise, Kl::Analytic);
    drop(batch);
    measured(model, &tape, steps, || {
        forward(model, &probe(config, steps), &noise, 1);
    })
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
