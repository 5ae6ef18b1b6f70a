//! Helpers that stay awake from one parallel region to the next.
//!
//! A training step is hundreds of regions of 5 µs to 10 ms with a few µs between them. Rayon's threads fall
//! asleep in such a gap, and to wake one takes longer than many a region (decision 0012). So a helper that
//! rayon has started looks out for the next region of the same leader for a while before it goes home.
//!
//! A leader waits for nobody who is not at work: if no helper comes, it does everything itself. One of the
//! three files that may use `unsafe`, for one lifetime.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};

/// What everyone in a region does, given who they are: take tasks until none is left.
type Job = &'static (dyn Fn(usize) + Sync);

/// How often a helper looks for the next region before it goes home: about a tenth of a millisecond.
const PATIENCE: usize = 200;

/// Where a thread stands.
#[derive(Clone, Copy)]
struct Place {
    /// How many threads may work at a region that it opens, itself included: within a task, one, unless it
    /// leads a team.
    hands: usize,
    /// Whether it leads a team, which is a task of an outer region.
    leads: bool,
}

thread_local! {
    /// The helpers of the regions that this thread opens, and of those that it opens as a team's leader: the
    /// first are then at work in the outer one.
    static CREWS: [Arc<Crew>; 2] = Default::default();
    static PLACE: Cell<Place> = const { Cell::new(Place { hands: usize::MAX, leads: false }) };
    /// Which of the two have an open region. A thread that waits in another pool may take a task of this one.
    static OPEN: Cell<[bool; 2]> = const { Cell::new([false; 2]) };
}

/// How many threads may work at a region that this thread opens.
pub(super) fn hands() -> usize {
    PLACE.get().hands
}

/// Whether this thread leads a team.
pub(super) fn leads() -> bool {
    PLACE.get().leads
}

/// Runs `job`, a task, as the leader of a team of `hands` threads.
pub(super) fn lead<R>(hands: usize, job: impl FnOnce() -> R) -> R {
    let before = PLACE.replace(Place { hands, leads: true });
    let result = job(); // if it panics, the region that it is a task of puts back what was
    PLACE.set(before);
    result
}

/// Runs `job(0)` on this thread and, with other numbers, on up to `helpers` others; returns when all have
/// left it. A helper has the same number in every region; two may share one.
pub(super) fn run(helpers: usize, job: &(dyn Fn(usize) + Sync)) {
    let (crew, mut open) = (usize::from(leads()), OPEN.get());
    if helpers == 0 || open[crew] {
        return job(0);
    }
    open[crew] = true;
    let before = OPEN.replace(open);
    let result = CREWS.with(|crews| crews[crew].lead(helpers, job));
    OPEN.set(before);
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

#[derive(Default)]
struct Crew {
    /// The open region's. Whoever works at it holds the lock for reading.
    job: RwLock<Option<Job>>,
    /// How many regions there were: a helper enters each once.
    regions: AtomicUsize,
    /// Helpers that were called and have not gone home.
    helpers: AtomicUsize,
    /// What a helper's task panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Crew {
    fn lead(
        self: &Arc<Self>,
        helpers: usize,
        job: &(dyn Fn(usize) + Sync),
    ) -> std::thread::Result<()> {
        // SAFETY: only the lifetime is changed, and the reference does not outlive this call: helpers use it
        // under the lock for reading, and it is taken out under the lock for writing, panics or not.
        let job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        *self.alone() = Some(job);
        self.regions.fetch_add(1, SeqCst);
        for here in self.helpers.load(SeqCst)..helpers {
            self.helpers.fetch_add(1, SeqCst);
            let crew = self.clone();
            rayon::spawn(move || crew.help(here + 1));
        }
        let mine = inside(job, 0);
        *self.alone() = None;
        let theirs = self.panic.lock().expect("nothing panics under it").take();
        mine.and(theirs.map_or(Ok(()), Err))
    }

    /// The job, once nobody is at work.
    fn alone(&self) -> RwLockWriteGuard<'_, Option<Job>> {
        for look in 0.. {
            if let Ok(job) = self.job.try_write() {
                return job;
            }
            pause(look);
        }
        unreachable!()
    }

    fn help(&self, number: usize) {
        let mut seen = 0;
        while self.wait(seen) {
            seen = self.regions.load(SeqCst);
            let Ok(job) = self.job.try_read() else { continue }; // over, or a later one is being opened
            if let Some(Err(panic)) = job.map(|job| inside(job, number)) {
                *self.panic.lock().expect("nothing panics under it") = Some(panic);
            }
        }
    }

    /// Until there is another region than number `seen`: true; false: go home.
    fn wait(&self, seen: usize) -> bool {
        for look in 0..PATIENCE {
            if self.regions.load(SeqCst) != seen {
                return true;
            }
            pause(look);
        }
        // Either the leader sees that one helper fewer is there, or the helper sees the leader's region.
        self.helpers.fetch_sub(1, SeqCst);
        let called = self.regions.load(SeqCst) != seen;
        if called {
            self.helpers.fetch_add(1, SeqCst);
        }
        called
    }
}

/// Runs `job` as part of a region.
fn inside(job: Job, number: usize) -> std::thread::Result<()> {
    let alone = Place { hands: 1, leads: false };
    let before = PLACE.replace(alone); // a thread that waits in another pool may help its own leader
    let result = catch_unwind(AssertUnwindSafe(|| job(number)));
    PLACE.set(before);
    result
}

/// A moment, and a chance for others where there are more threads than cores.
fn pause(look: usize) {
    if look % 8 == 7 {
        std::thread::yield_now();
    }
    (0..16).for_each(|_| std::hint::spin_loop());
}
