//! One run on several processes, which MPI calls ranks: `mpirun -n 4 stcn train`. The same bits on any number of them.
//!
//! Rank 0 is the program as it is without MPI: it alone reads data, holds the optimiser, decides, writes and prints. The
//! others hold a copy of the model and compute what rank 0 asks of them (`follow`): it sends them the parameters, and each
//! its share of the sequences of a batch. What is computed for each sequence comes back in the order of the batch; gradients
//! are added along the tree of sequences while others are computed (`sum`). So no bit depends on how many ranks there are (decision 0030).
//!
//! Not here: messages by MPI (`mpi`), what there is to compute (`step`, `evaluate`, `drawn`).

mod link;
#[cfg(feature = "mpi")]
pub(crate) mod mpi;
mod sum;

pub use link::{Link, Transfer};

use super::shards::{branches, map_shards};
use crate::data::Batch;
use crate::models::SequenceModel;
use crate::tape::{Grads, Tape};
use crate::tensor::{Real, Tensor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What `mpirun` and `srun` tell the processes that they start, how many there are: Open MPI, PMI (MPICH, Intel MPI), Slurm.
#[cfg(feature = "cli")]
pub const COUNT: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// The processes of a run.
#[derive(Clone, Copy, Default)]
pub struct Ranks(Option<&'static dyn Link>);

impl Ranks {
    /// This process alone.
    pub const ALONE: Self = Self(None);

    /// Those of a link, of which this process is one.
    #[cfg(any(feature = "mpi", feature = "internals"))]
    pub fn new(link: &'static dyn Link) -> Self {
        Self((link.ranks() > 1).then_some(link))
    }

    /// `None` in a program that can have no other ranks: the compiler leaves out what would be done with them.
    #[inline]
    fn link(self) -> Option<&'static dyn Link> {
        self.0.filter(|_| cfg!(any(feature = "mpi", feature = "internals")))
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.link().map_or(1, Link::ranks)
    }

    /// The link, if this process is one that computes what rank 0 asks.
    pub fn follows(self) -> Option<&'static dyn Link> {
        self.link().filter(|link| link.rank() > 0)
    }

    /// Tells the others, first of all, how many threads each shall have (0: one per core).
    pub fn begin(self, threads: usize) {
        self.tell(&threads);
    }

    /// What [`begin`](Self::begin) has told this process.
    pub fn threads(link: &dyn Link) -> usize {
        decode(&link.receive(0))
    }

    /// With the config by which the others build the model (`Config::portable_toml`).
    pub fn of(self, config: &str) -> Others<'_> {
        Others(self, config)
    }

    /// Tells the others that there is nothing more to do. Not `orderly`: after a signal, which the others may have had too.
    pub fn end(self, orderly: bool) {
        self.tell(&Order::End { orderly });
    }

    fn tell<M: Serialize>(self, message: &M) {
        if let Some(link) = self.link() {
            tell(link, message);
        }
    }
}

/// Sends a message from rank 0 to every other.
fn tell<M: Serialize>(link: &dyn Link, message: &M) {
    let message = encode(message);
    (1..link.ranks()).for_each(|rank| link.send(rank, &message));
}

/// The other processes that work on a model, if there are any, and the config by which they build it.
#[derive(Clone, Copy)]
pub struct Others<'a>(Ranks, &'a str);

impl Others<'_> {
    /// This process alone.
    pub const NONE: Self = Self(Ranks::ALONE, "");
}

/// What rank 0 tells another rank to do.
#[derive(Serialize, Deserialize)]
pub(super) enum Order {
    /// To hold the model of this config; its parameters come next, one broadcast for each.
    Model(String),
    /// To run a job on these sequences.
    Map { job: Described, batch: Rows },
    /// The same, and to add the gradients of a batch of `all` sequences, of which these are the own.
    Sum { job: Described, batch: Rows, all: usize },
    /// To stop; MPI's own end is waited for only if this process was not told to stop by a signal.
    End { orderly: bool },
}

/// A job as a message: the name of its type, and its own bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Described {
    fn new<J: Serialize>(name: &str, job: &J) -> Self {
        Self { name: name.into(), bytes: encode(job) }
    }
}

/// A batch as a message.
#[derive(Serialize, Deserialize)]
pub(super) struct Rows {
    shape: Vec<usize>,
    x: Vec<Real>,
    lengths: Vec<usize>,
    samples: Vec<u64>,
}

impl Rows {
    fn new(batch: Batch) -> Self {
        let (shape, x) = (batch.x.shape().to_vec(), batch.x.data().to_vec());
        Self { shape, x, lengths: batch.lengths, samples: batch.samples }
    }

    pub(super) fn batch(self) -> Batch {
        let x = Tensor::new(&self.shape, self.x);
        Batch { x, lengths: self.lengths, samples: self.samples }
    }
}

/// The bytes of a message.
pub(super) fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    bincode::serialize(message).expect("numbers, text and lists")
}

/// What [`encode`] was given. All ranks run the same program, as they have made sure of.
pub(super) fn decode<M: DeserializeOwned>(bytes: &[u8]) -> M {
    bincode::deserialize(bytes).expect("a message of this program")
}

/// What is computed for every sequence of a batch, without a gradient.
pub trait Map: Serialize + DeserializeOwned + Sync {
    /// Its name among the messages.
    const NAME: &'static str;
    /// What it gives for some neighbours.
    type Answer: Serialize + DeserializeOwned + Send;
    /// Computes it.
    fn run(&self, model: &dyn SequenceModel, sequences: &Batch) -> Self::Answer;
}

/// What is computed for every sequence of a batch, and the gradient of a sum over them.
pub trait Sum: Serialize + DeserializeOwned + Sync {
    /// Its name among the messages.
    const NAME: &'static str;
    /// What it gives for some neighbours besides the gradient.
    type Answer: Serialize + DeserializeOwned + Send;
    /// Computes it on a new tape, which `watch` is shown first, with one walk back. On several ranks `watch` lets each
    /// gradient be taken as soon as it is whole, so that what is given back has none of parameters.
    fn run(
        &self,
        model: &dyn SequenceModel,
        sequences: &Batch,
        watch: &(dyn Fn(&mut Tape) + Sync),
    ) -> (Self::Answer, Grads);
}

/// All who compute with a model as it is now: this process, and others that have its parameters. Nobody can change these
/// meanwhile, since the model is borrowed.
pub struct Crew<'a> {
    model: &'a dyn SequenceModel,
    ranks: Ranks,
}

impl<'a> Crew<'a> {
    /// Sends the others the parameters.
    pub fn new(others: Others, model: &'a dyn SequenceModel) -> Self {
        let Others(ranks, config) = others;
        if let Some(link) = ranks.link() {
            tell(link, &Order::Model(config.into()));
            model.visit(&mut |p| link.broadcast(&mut p.value.data().to_vec()));
        }
        Self { model, ranks }
    }

    /// The answers for all sequences of the batch, in order.
    pub fn map<J: Map>(&self, batch: &Batch, job: &J) -> Vec<J::Answer> {
        let own = |part: &Batch| map_shards(self.model, part, |shard| job.run(self.model, shard));
        let Some(link) = self.ranks.link() else { return own(batch) };
        let shares = shares(batch.lengths.len(), link.ranks());
        let order = |batch| Order::Map { job: Described::new(J::NAME, job), batch };
        share_out(link, batch, &shares, order);
        let mut answers = own(&batch.slice(shares[0].clone()));
        gather(link, &shares, &mut answers);
        answers
    }

    /// The same, and the sum of the gradients.
    pub fn sum<J: Sum>(
        &self,
        batch: &Batch,
        job: &J,
        watch: &(dyn Fn(&mut Tape) + Sync),
    ) -> (Vec<J::Answer>, Grads) {
        let Some(link) = self.ranks.link() else {
            let run = |shard: &Batch| job.run(self.model, shard, watch);
            let (answers, grads) = map_shards(self.model, batch, run).into_iter().unzip();
            return (answers, Grads::sum(grads));
        };
        let all = batch.lengths.len();
        let shares = shares(all, link.ranks());
        let order = |batch| Order::Sum { job: Described::new(J::NAME, job), batch, all };
        share_out(link, batch, &shares, order);
        let (mut answers, grads) =
            sum::share(link, self.model, &batch.slice(shares[0].clone()), all, job, watch);
        gather(link, &shares, &mut answers);
        (answers, grads.expect("rank 0 has the first sequence"))
    }
}

/// Sends every other rank its part of the batch.
fn share_out(
    link: &dyn Link,
    batch: &Batch,
    shares: &[Range<usize>],
    order: impl Fn(Rows) -> Order,
) {
    for (rank, share) in shares.iter().enumerate().skip(1).filter(|(_, share)| !share.is_empty()) {
        link.send(rank, &encode(&order(Rows::new(batch.slice(share.clone())))));
    }
}

/// Adds the answers of every other rank.
fn gather<A: DeserializeOwned>(link: &dyn Link, shares: &[Range<usize>], answers: &mut Vec<A>) {
    for (rank, _) in shares.iter().enumerate().skip(1).filter(|(_, share)| !share.is_empty()) {
        answers.extend(decode::<Vec<A>>(&link.receive(rank)));
    }
}

/// The sequences of each rank: neighbours, about as many for each, and whole branches of the tree where a power of two of
/// ranks divides it. Rank 0 has the first.
pub fn shares(sequences: usize, ranks: usize) -> Vec<Range<usize>> {
    // Deeper for other numbers of ranks: thirds of four branches would be halves and quarters.
    let depth = ranks.next_power_of_two().ilog2() + if ranks.is_power_of_two() { 0 } else { 2 };
    let branches = branches(0..sequences, depth);
    let first = |rank: usize| {
        branches.get((branches.len() * rank).div_ceil(ranks)).map_or(sequences, |of| of.start)
    };
    (0..ranks).map(|rank| first(rank)..first(rank + 1)).collect()
}

/// What another rank does for rank 0: a [`Map`].
pub(super) fn answer<J: Map>(link: &dyn Link, model: &dyn SequenceModel, job: &[u8], own: &Batch) {
    let job: J = decode(job);
    link.send(0, &encode(&map_shards(model, own, |shard| job.run(model, shard))));
}

/// What another rank does for rank 0: a [`Sum`] over its part of a batch of `all` sequences.
pub(super) fn add<J: Sum>(
    link: &'static dyn Link,
    model: &dyn SequenceModel,
    job: &[u8],
    own: &Batch,
    all: usize,
) {
    let job: J = decode(job);
    let (answers, _) = sum::share(link, model, own, all, &job, &|_| ());
    link.send(0, &encode(&answers));
}
