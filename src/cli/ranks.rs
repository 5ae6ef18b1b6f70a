//! `mpirun -n 4 stcn train …`: one run on the processes that MPI has started together.
//!
//! Not here: what they compute (`train::ranks`).

use super::MOST_THREADS;
use crate::error::{Error, Result};
use crate::models::Registry;
use crate::parallel::with_threads;
use crate::train::follow::follow;
#[cfg(not(feature = "mpi"))]
use crate::train::ranks::COUNT;
use crate::train::ranks::{Link, Ranks};

#[cfg(feature = "mpi")]
pub(super) use crate::train::ranks::mpi::Session;

/// This process alone.
#[cfg(not(feature = "mpi"))]
pub(super) struct Session {
    pub(super) ranks: Ranks,
}

#[cfg(not(feature = "mpi"))]
impl Session {
    /// Refused where MPI has started several: each would train the same run.
    pub(super) fn start() -> Result<Self> {
        // Not Slurm's own count: it may start many copies of a program that have nothing to do with MPI.
        let several = COUNT[..2].iter().find_map(|name| {
            let count: usize = std::env::var(name).ok()?.parse().ok()?;
            (count > 1).then_some(count)
        });
        match several {
            None => Ok(Self { ranks: Ranks::ALONE }),
            Some(count) => Err(Error::usage(format!(
                "MPI has started {count} processes, and this stcn was built without it: install it with \
                 `cargo install --path . --features mpi`, or start it without mpirun"
            ))),
        }
    }

    pub(super) fn end(self) {}
}

/// What every rank but the first does, from the threads that rank 0 gives it until there is nothing more to do; gives
/// whether it ended in order.
pub(super) fn run(link: &'static dyn Link, registry: &Registry) -> Result<bool> {
    // A signal to all ranks is rank 0's to handle: it finishes its update with their help, saves, and ends them.
    let _ = ctrlc::set_handler(|| ());
    let threads = Ranks::threads(link).min(MOST_THREADS);
    with_threads(threads, || follow(link, registry))
}

/// Refuses a command that is not shared out.
pub(super) fn only_alone(ranks: Ranks, cure: &str) -> Result<()> {
    match ranks.count() {
        1 => Ok(()),
        count => Err(Error::usage(format!(
            "MPI has started {count} processes, and this command is not shared out among them: {cure}"
        ))),
    }
}
