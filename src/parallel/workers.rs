//! Workers that stay awake from one parallel region to the next.
//!
//! A training step is hundreds of regions of 5 µs to 10 ms with a few µs between them. Rayon's threads fall
//! asleep in such a gap, and waking one takes longer than many regions last (decision 0012). So a worker that
//! rayon has started polls for the next region of the same caller for a while before it returns to rayon.
//!
//! A caller waits only for workers that have already entered its region: if none comes, it does everything
//! itself. One of the five files that may use `unsafe`, for one lifetime.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};

/// What every thread of a region runs, given its number: take tasks until none is left.
type Job = &'static (dyn Fn(usize) + Sync);

/// How often a worker polls for the next region before it returns to rayon: about a tenth of a millisecond.
const POLLS: usize = 200;

/// What a thread may use.
#[derive(Clone, Copy)]
struct Role {
    /// Threads of a region that it opens, itself included: one within a task, unless it leads a team.
    budget: usize,
    /// Whether it leads a team, which is a task of an outer region.
    leads: bool,
    /// The number of its team.
    lane: usize,
}

thread_local! {
    /// The workers of the regions that this thread opens; and of those that it opens as the leader of a team, which
    /// has fewer.
    static POOLS: [Arc<Workers>; 2] = Default::default();
    static ROLE: Cell<Role> = const { Cell::new(Role { budget: usize::MAX, leads: false, lane: 0 }) };
    /// Which of the two have an open region. A thread that waits in another pool may take a task of this one.
    static OPEN: Cell<[bool; 2]> = const { Cell::new([false; 2]) };
}

/// The number of the team that this thread belongs to; 0 outside.
pub(super) fn lane() -> usize {
    ROLE.get().lane
}

/// How many threads a region that this thread opens may have.
pub(super) fn thread_budget() -> usize {
    ROLE.get().budget
}

/// Whether this thread leads a team.
pub(super) fn leads() -> bool {
    ROLE.get().leads
}

/// Runs `job`, a task, as the leader of team number `lane`, of `budget` threads.
pub(super) fn lead<R>(budget: usize, lane: usize, job: impl FnOnce() -> R) -> R {
    struct Restore(Role);
    impl Drop for Restore {
        fn drop(&mut self) {
            ROLE.set(self.0);
        }
    }
    let _after = Restore(ROLE.replace(Role { budget, leads: true, lane })); // even if it panics
    job()
}

/// Runs `job(0)` on this thread and, with other numbers, on up to `others` more; returns when all have left it. A
/// worker has the same number in every region; two may share one.
pub(super) fn run(others: usize, job: &(dyn Fn(usize) + Sync)) {
    let (pool, mut open) = (usize::from(leads()), OPEN.get());
    if others == 0 || open[pool] {
        return job(0);
    }
    open[pool] = true;
    let before = OPEN.replace(open);
    let result = POOLS.with(|pools| pools[pool].lead(others, job));
    OPEN.set(before);
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

#[derive(Default)]
struct Workers {
    /// The job of the open region. Every thread in it holds the lock for reading.
    job: RwLock<Option<Job>>,
    /// How many regions there were: a worker enters each once.
    regions: AtomicUsize,
    /// Workers that were started and have not returned to rayon.
    awake: AtomicUsize,
    /// The lane of the thread that opened the region.
    lane: AtomicUsize,
    /// The panic of a worker's task.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Workers {
    fn lead(
        self: &Arc<Self>,
        others: usize,
        job: &(dyn Fn(usize) + Sync),
    ) -> std::thread::Result<()> {
        // SAFETY: only the lifetime is changed, and the reference does not outlive this call: workers use it
        // under the lock for reading, and it is taken out under the lock for writing, panics or not.
        let job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        self.lane.store(lane(), SeqCst);
        *self.alone() = Some(job);
        self.regions.fetch_add(1, SeqCst);
        for number in self.awake.load(SeqCst)..others {
            self.awake.fetch_add(1, SeqCst);
            let workers = self.clone();
            rayon::spawn(move || workers.work(number + 1));
        }
        let mine = self.inside(job, 0);
        *self.alone() = None;
        let theirs = self.panic.lock().expect("nothing panics under it").take();
        mine.and(theirs.map_or(Ok(()), Err))
    }

    /// The job, once no worker is in the region.
    fn alone(&self) -> RwLockWriteGuard<'_, Option<Job>> {
        for look in 0.. {
            if let Ok(job) = self.job.try_write() {
                return job;
            }
            pause(look);
        }
        unreachable!()
    }

    fn work(&self, number: usize) {
        let mut seen = 0;
        while self.wait(seen) {
            seen = self.regions.load(SeqCst);
            let Ok(job) = self.job.try_read() else { continue }; // over, or a later one is being opened
            if let Some(Err(panic)) = job.map(|job| self.inside(job, number)) {
                *self.panic.lock().expect("nothing panics under it") = Some(panic);
            }
        }
    }

    /// Waits until there is another region than number `seen`; false: return to rayon.
    fn wait(&self, seen: usize) -> bool {
        for look in 0..POLLS {
            if self.regions.load(SeqCst) != seen {
                return true;
            }
            pause(look);
        }
        // Either the caller sees that one worker fewer is awake, or the worker sees the caller's region.
        self.awake.fetch_sub(1, SeqCst);
        let opened = self.regions.load(SeqCst) != seen;
        if opened {
            self.awake.fetch_add(1, SeqCst);
        }
        opened
    }

    /// Runs `job` as part of a region.
    fn inside(&self, job: Job, number: usize) -> std::thread::Result<()> {
        let alone = Role { budget: 1, leads: false, lane: self.lane.load(SeqCst) };
        let before = ROLE.replace(alone); // a thread that waits in another pool may take a task of its own region
        let result = catch_unwind(AssertUnwindSafe(|| job(number)));
        ROLE.set(before);
        result
    }
}

/// Waits for a moment, and lets other threads run in case there are more than cores.
fn pause(look: usize) {
    if look % 8 == 7 {
        std::thread::yield_now();
    }
    (0..16).for_each(|_| std::hint::spin_loop());
}
