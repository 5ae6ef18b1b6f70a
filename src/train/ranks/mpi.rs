//! The ranks of a run as MPI has started them. Messages go through whatever network its engine has found.
//!
//! An error in MPI ends the program on all ranks, as MPI's standard has it.
#![allow(unsafe_code)]

use super::{COUNT, Link, Ranks, Transfer, decode, encode};
use crate::error::{Error, Result};
use crate::tensor::{Real, Tensor};
use crate::train::checkpoint::ARITHMETIC;
use mpi::Threading;
use mpi::datatype::Equivalence;
use mpi::environment::{Universe, initialize_with_threading, processor_name};
use mpi::point_to_point::Status;
use mpi::request::{Request, StaticScope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use sha2::{Digest, Sha256};
use std::env;
use std::mem::ManuallyDrop;
use std::ptr;

/// The number of this process: Open MPI, PMIx (`srun --mpi=pmix`), PMI.
const RANK: [&str; 3] = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"];

/// MPI from its start to its [`end`](Session::end). A process that panics does not get there: MPI then ends the others,
/// which could otherwise wait for it for ever.
pub struct Session {
    /// The processes.
    pub ranks: Ranks,
    universe: ManuallyDrop<Option<Universe>>,
}

impl Session {
    /// All processes that were started together with this one; alone if it was started by itself. Refused unless all
    /// are the same program.
    pub fn start() -> Result<Self> {
        let says_one = |name| env::var(name).is_ok_and(|count| count == "1");
        if RANK.iter().all(|name| env::var_os(name).is_none()) || COUNT.into_iter().any(says_one) {
            return Ok(Self { ranks: Ranks::ALONE, universe: ManuallyDrop::new(None) });
        }
        // One thread at a time, but not always the one that started.
        let started = initialize_with_threading(Threading::Serialized);
        let (universe, level) =
            started.ok_or_else(|| Error::usage("MPI has been started already"))?;
        if level < Threading::Serialized {
            return Err(Error::usage(
                "this MPI serves its first thread alone, and stcn calls it from several, one at a time: take one built with \
                 threads",
            ));
        }
        let session =
            Self { ranks: Ranks::new(&World), universe: ManuallyDrop::new(Some(universe)) };
        compare(&World)?; // if refused, MPI ends the others, which wait for rank 0
        Ok(session)
    }

    /// Ends MPI, once all processes do.
    pub fn end(self) {
        drop(ManuallyDrop::into_inner(self.universe));
    }
}

/// Refuses, on rank 0, ranks that are another program.
fn compare(link: &dyn Link) -> Result<()> {
    let own = Program::own();
    if link.rank() > 0 {
        let host = processor_name().unwrap_or_default();
        link.send(0, &encode(&(host, own)));
        return Ok(());
    }
    let others = (1..link.ranks()).map(|rank| (rank, decode(&link.receive(rank))));
    let differs = |(rank, (host, other)): (usize, (String, Program))| {
        let what = own.differs(&other)?;
        Some(format!("rank {rank} on {host} {what}: start the same program on every machine"))
    };
    let found: Vec<String> = others.filter_map(differs).collect();
    match found.into_iter().next() {
        None => Ok(()),
        Some(what) => Err(Error::usage(what)),
    }
}

/// What has to be the same on all ranks; what they compute comes from rank 0.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Program {
    version: String,
    arithmetic: u32,
    /// SHA-256 of its file: messages have no version of their own.
    file: String,
}

impl Program {
    fn own() -> Self {
        let file = env::current_exe().and_then(std::fs::read).unwrap_or_default();
        let (version, arithmetic) = (env!("CARGO_PKG_VERSION").into(), ARITHMETIC);
        Self { version, arithmetic, file: hex::encode(Sha256::digest(file)) }
    }

    fn differs(&self, other: &Self) -> Option<String> {
        if (&self.version, self.arithmetic) != (&other.version, other.arithmetic) {
            return Some(format!(
                "runs stcn {} with arithmetic {}, and rank 0 runs {} with {}",
                other.version, other.arithmetic, self.version, self.arithmetic
            ));
        }
        let short = |file: &str| file[..12].to_string();
        (self.file != other.file).then(|| {
            let (other, own) = (short(&other.file), short(&self.file));
            format!("runs another build of stcn than rank 0 (its file has SHA-256 {other}…, here {own}…)")
        })
    }
}

/// `MPI_COMM_WORLD`
struct World;

impl World {
    /// A handle, made anew for every message: Open MPI's are pointers, which may not be shared by threads.
    fn all() -> SimpleCommunicator {
        SimpleCommunicator::world()
    }
}

/// MPI's number of a rank.
fn number(rank: usize) -> i32 {
    i32::try_from(rank).expect("MPI's own numbers are i32")
}

impl Link for World {
    fn rank(&self) -> usize {
        usize::try_from(Self::all().rank()).expect("a rank")
    }

    fn ranks(&self) -> usize {
        usize::try_from(Self::all().size()).expect("a number of ranks")
    }

    fn send(&self, to: usize, message: &[u8]) {
        Self::all().process_at_rank(number(to)).send_with_tag(message, ORDERS);
    }

    fn receive(&self, from: usize) -> Vec<u8> {
        Self::all().process_at_rank(number(from)).receive_vec_with_tag(ORDERS).0
    }

    fn begin_send(&self, to: usize, tag: usize, numbers: Option<Tensor>) -> Box<dyn Transfer> {
        let data = numbers.as_ref().map_or(&[][..], Tensor::data);
        // SAFETY: the numbers stay where they are until the request has ended, in `Numbers`, which waits for that.
        let data: &'static [Real] = unsafe { &*ptr::from_ref(data) };
        let (all, tag) = (Self::all(), self::tag(tag));
        let request =
            all.process_at_rank(number(to)).immediate_send_with_tag(StaticScope, data, tag);
        Box::new(Numbers { request: Some(request), numbers, came: false })
    }

    fn begin_receive(&self, from: usize, tag: usize, mut into: Tensor) -> Box<dyn Transfer> {
        // SAFETY: as above, and nobody reads or writes the numbers meanwhile.
        let data: &mut [Real] = unsafe { &mut *ptr::from_mut(into.data_mut()) };
        let (all, tag) = (Self::all(), self::tag(tag));
        let from = all.process_at_rank(number(from));
        let request = from.immediate_receive_into_with_tag(StaticScope, data, tag);
        Box::new(Numbers { request: Some(request), numbers: Some(into), came: false })
    }

    fn broadcast(&self, numbers: &mut [Real]) {
        Self::all().process_at_rank(0).broadcast_into(numbers);
    }
}

/// The tag of messages that are waited for.
const ORDERS: i32 = 0;

/// That of gradients.
fn tag(tag: usize) -> i32 {
    i32::try_from(tag + 1).expect("fewer than 2³¹ gradients are under way")
}

/// A tensor that MPI sends or fills.
struct Numbers {
    request: Option<Request<'static, [Real]>>,
    numbers: Option<Tensor>,
    came: bool,
}

// SAFETY: MPI's requests belong to the process, not to a thread. `sum` calls MPI from one thread at a time, under a lock.
unsafe impl Send for Numbers {}

impl Numbers {
    fn ended(&mut self, status: Status) {
        self.came = status.count(Real::equivalent_datatype()) > 0;
    }
}

impl Transfer for Numbers {
    fn is_done(&mut self) -> bool {
        match self.request.take().map(Request::test) {
            Some(Err(still)) => self.request = Some(still),
            Some(Ok(status)) => self.ended(status),
            None => (),
        }
        self.request.is_none()
    }

    fn end(mut self: Box<Self>) -> Option<Tensor> {
        if let Some(status) = self.request.take().map(Request::wait) {
            self.ended(status);
        }
        self.numbers.take().filter(|_| self.came)
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            request.wait_without_status();
        }
    }
}
