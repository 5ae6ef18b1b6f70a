//! Threads: the only module that names rayon.
//!
//! Four functions, and in none does a result depend on the threads: [`tiles`] writes disjoint pieces of the
//! outputs, cut by constants; [`map`] gives results in index order; [`sum`] adds the partial sums of fixed
//! chunks in index order; [`teams`] is a map whose tasks open parallel regions of their own.
//! Not here: rayon's own reductions, whose order is unspecified.

use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::Mutex;

mod workers;

/// WebAssembly has no threads: everything runs on the thread that calls.
const ONE_THREAD: bool = cfg!(target_family = "wasm");

/// Runs `job` on a pool of `threads` threads (0: one per core). Nested calls use the same pool.
pub fn with_threads<R: Send>(threads: usize, job: impl FnOnce() -> R + Send) -> Result<R> {
    if ONE_THREAD {
        return Ok(job());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::usage(format!("cannot start {threads} threads: {e}")))?;
    Ok(pool.install(job))
}

/// How many threads a region opened here has: in a team, those of the team.
pub fn threads() -> usize {
    if ONE_THREAD { 1 } else { rayon::current_num_threads().min(workers::thread_budget()) }
}

/// The number of the team that this thread belongs to, and 0 outside of [`teams`]: for memory that each keeps to itself.
pub(crate) fn lane() -> usize {
    workers::lane()
}

/// Tasks of several kinds that share one parallel region: no thread waits between the kinds.
#[derive(Default)]
pub struct Work<'a> {
    long: Vec<Task<'a>>,
    tasks: Vec<Task<'a>>,
}

type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

impl<'a> Work<'a> {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task, which owns what it writes.
    pub fn add(&mut self, task: impl FnOnce() + Send + 'a) {
        self.tasks.push(Box::new(task));
    }

    /// Adds one of the longest tasks. They start first, so that no thread waits for one at the end.
    pub fn add_long(&mut self, task: impl FnOnce() + Send + 'a) {
        self.long.push(Box::new(task));
    }

    /// Runs all tasks, on any thread, in any order.
    pub fn run(self) {
        share_out(self.long, self.tasks, |task| task());
    }
}

/// Runs `job` on every task, on any thread, in any order; tasks own what they write.
///
/// Within a task, regions are run by its own thread, or by its team ([`teams`]).
pub fn each<T: Send>(tasks: Vec<T>, job: impl Fn(T) + Sync) {
    share_out(vec![], tasks, job);
}

/// Long tasks go to any free thread. Of the others, each thread starts with its own share: the same part of the
/// list in every region, so usually the same rows, which are still in its cache.
fn share_out<T: Send>(long: Vec<T>, mut tasks: Vec<T>, job: impl Fn(T) + Sync) {
    let threads = threads().min(long.len() + tasks.len()).max(1);
    if threads == 1 {
        return long.into_iter().chain(tasks).for_each(job);
    }
    let mut shares = vec![];
    for thread in (0..threads).rev() {
        let share = tasks.split_off(tasks.len() * thread / (thread + 1));
        shares.push(Mutex::new(share.into_iter()));
    }
    shares.reverse();
    let long = Mutex::new(long.into_iter());
    let first_of = |tasks: &Mutex<std::vec::IntoIter<T>>| tasks.lock().expect(QUIET).next();
    let last_of = |tasks: &Mutex<std::vec::IntoIter<T>>| tasks.lock().expect(QUIET).next_back();
    let of_others =
        |thread: usize| (1..threads).find_map(|i| last_of(&shares[(thread + i) % threads]));
    let next = |thread: usize| {
        first_of(&long).or_else(|| first_of(&shares[thread])).or_else(|| of_others(thread))
    };
    workers::run(threads - 1, &|number| {
        // A worker left over from a larger region takes a share other than the caller's, the first.
        let thread = if number < threads { number } else { 1 + number % (threads - 1) };
        while let Some(task) = next(thread) {
            job(task);
        }
    });
}

/// Why a lock is not poisoned.
const QUIET: &str = "nothing panics under it";

/// `f(0), f(1), … f(n − 1)`, in index order whichever thread computed them.
pub fn map<R: Send>(n: usize, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    map_each((0..n).collect(), f)
}

/// `f` of every item, in their order whichever thread computed them.
pub fn map_each<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let tasks = results.iter_mut().zip(items).collect();
    each(tasks, |(result, item): (&mut Option<R>, T)| *result = Some(f(item)));
    results.into_iter().map(|result| result.expect("every task was run")).collect()
}

/// `f(0), f(1), … f(n − 1)`, each by a team of its own: the threads are shared out evenly among the teams, and
/// regions within a task are run by its team. For tasks that are long chains of regions so short that all threads
/// together would mostly wait for each other. With fewer threads than tasks, or in a team: one after another.
///
/// Team i is led by thread i of the pool in every call. An allocator keeps what a thread has freed for that thread: led by
/// another each time, teams would take their memory once on every thread.
pub fn teams<R: Send>(n: usize, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let all = threads();
    if at_once(n) < n || n == 1 {
        return (0..n).map(f).collect();
    }
    let results: Vec<Mutex<Option<R>>> = (0..n).map(|_| Mutex::new(None)).collect();
    rayon::scope(|scope| {
        scope.spawn_broadcast(|_, thread| {
            let i = thread.index();
            if i < n {
                let result = workers::lead(all * (i + 1) / n - all * i / n, i, || f(i));
                *results[i].lock().expect(QUIET) = Some(result);
            }
        });
    });
    let result = |slot: Mutex<Option<R>>| {
        slot.into_inner().expect(QUIET).expect("every team has its thread")
    };
    results.into_iter().map(result).collect()
}

/// Runs `job` with this thread alone: regions opened in it have one thread.
pub fn alone<R>(job: impl FnOnce() -> R) -> R {
    workers::lead(1, lane(), job)
}

/// How many of `n` tasks [`teams`] runs at the same time: memory has to hold what these hold together.
pub fn at_once(n: usize) -> usize {
    if threads() < n || workers::leads() { n.min(1) } else { n }
}

/// Terms of one partial sum. The bits of a sum depend on it.
pub const CHUNK: usize = 1 << 14;

/// Elements per task of elementwise work: few enough that small tensors are shared out evenly. No bits depend on
/// it.
pub const PIECE: usize = 1 << 13;

/// Cuts every output into pieces of [`PIECE`] elements and runs `job(range, pieces)` on each.
///
/// All outputs have the same length; `range` says which elements the pieces are.
pub fn chunks<T: Send, const N: usize>(
    outputs: [&mut [T]; N],
    job: impl Fn(Range<usize>, [&mut [T]; N]) + Sync,
) {
    rows(outputs, [1; N], PIECE, job);
}

/// Cuts outputs of `rows × widths[i]` elements into pieces of `rows_per_tile` rows and runs
/// `job(row range, pieces)` on each.
pub fn rows<T: Send, const N: usize>(
    mut outputs: [&mut [T]; N],
    widths: [usize; N],
    rows_per_tile: usize,
    job: impl Fn(Range<usize>, [&mut [T]; N]) + Sync,
) {
    let total = outputs[0].len() / widths[0];
    let mut tasks = Vec::with_capacity(total.div_ceil(rows_per_tile));
    for start in (0..total).step_by(rows_per_tile) {
        let range = start..total.min(start + rows_per_tile);
        tasks.push((range.clone(), split_front(&mut outputs, widths.map(|w| w * range.len()))));
    }
    each(tasks, |(range, pieces)| job(range, pieces));
}

/// Rows `time` of sequence `batch`: one tile of a (B, T, C) output.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Which sequence.
    pub batch: usize,
    /// Which of its steps.
    pub time: Range<usize>,
}

/// Cuts outputs of shape (batch, time, widths\[i\]) into tiles of at most `rows_per_tile` steps of one
/// sequence, evenly.
pub fn cut<T, const N: usize>(
    mut outputs: [&mut [T]; N],
    widths: [usize; N],
    (batch, time): (usize, usize),
    rows_per_tile: usize,
) -> Vec<(Tile, [&mut [T]; N])> {
    let per_sequence = time.div_ceil(rows_per_tile).max(1);
    let mut tasks = Vec::with_capacity(batch * per_sequence);
    for b in 0..batch {
        for i in 0..per_sequence {
            let time = i * time / per_sequence..(i + 1) * time / per_sequence;
            let pieces = split_front(&mut outputs, widths.map(|w| w * time.len()));
            tasks.push((Tile { batch: b, time }, pieces));
        }
    }
    tasks
}

/// Runs `job(tile, pieces)` on every tile of [`cut`].
pub fn tiles<T: Send, const N: usize>(
    outputs: [&mut [T]; N],
    widths: [usize; N],
    shape: (usize, usize),
    rows_per_tile: usize,
    job: impl Fn(Tile, [&mut [T]; N]) + Sync,
) {
    let tasks = cut(outputs, widths, shape, rows_per_tile);
    each(tasks, |(tile, pieces)| job(tile, pieces));
}

/// `Σ f(i)` over `0..n` in f64: each chunk of `chunk` indices gives a partial sum (on any thread), and these are
/// added in index order.
pub fn sum(n: usize, chunk: usize, f: impl Fn(Range<usize>) -> f64 + Sync) -> f64 {
    let partials = map(n.div_ceil(chunk), |i| f(i * chunk..n.min((i + 1) * chunk)));
    partials.iter().fold(0., |sum, partial| sum + partial)
}

/// The halves of a range: how the tree branches along which the terms of the sequences of a batch are added. Any
/// branch may be computed by itself, on another thread or machine: its sum has the same bits.
pub fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [range.start..middle, middle..range.end]
}

/// Takes the first `lengths[i]` elements off each output.
fn split_front<'a, T, const N: usize>(
    outputs: &mut [&'a mut [T]; N],
    lengths: [usize; N],
) -> [&'a mut [T]; N] {
    let mut i = 0;
    outputs.each_mut().map(|output| {
        let (front, rest) = std::mem::take(output).split_at_mut(lengths[i]);
        *output = rest;
        i += 1;
        front
    })
}
