mod sum;

use proptest::prelude::*;
use stcn::internals::follow::follow;
use stcn::internals::ranks::{Link, Ranks, Transfer, shares};
use stcn::models::Registry;
use stcn::{Real, Tensor};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex};

/// The sender of a message, and its tag if it is a gradient.
type Key = (usize, Option<usize>);

/// Messages to one rank that it has not yet taken.
#[derive(Default)]
struct Mailbox {
    waiting: Mutex<BTreeMap<Key, VecDeque<Vec<u8>>>>,
    came: Condvar,
    /// The tags of all that came, in order.
    tags: Mutex<Vec<usize>>,
}

impl Mailbox {
    fn put(&self, from: usize, tag: Option<usize>, message: Vec<u8>) {
        self.tags.lock().unwrap().extend(tag);
        self.waiting.lock().unwrap().entry((from, tag)).or_default().push_back(message);
        self.came.notify_all();
    }

    fn take_now(&self, from: usize, tag: Option<usize>) -> Option<Vec<u8>> {
        self.waiting.lock().unwrap().get_mut(&(from, tag))?.pop_front()
    }

    fn take(&self, from: usize, tag: Option<usize>) -> Vec<u8> {
        let waiting = self.waiting.lock().unwrap();
        let empty = |waiting: &mut BTreeMap<_, VecDeque<_>>| {
            waiting.get(&(from, tag)).is_none_or(VecDeque::is_empty)
        };
        let mut waiting = self.came.wait_while(waiting, empty).unwrap();
        waiting.get_mut(&(from, tag)).unwrap().pop_front().unwrap()
    }
}

/// Threads of this process as ranks.
struct Threads {
    rank: usize,
    all: Arc<Vec<Mailbox>>,
}

/// The bytes of numbers, with a byte before them that says whether there are any.
fn bytes(numbers: Option<&[Real]>) -> Vec<u8> {
    let there = [u8::from(numbers.is_some())];
    there.into_iter().chain(numbers.into_iter().flatten().flat_map(|x| x.to_le_bytes())).collect()
}

fn numbers(bytes: &[u8], into: &mut [Real]) {
    assert_eq!(bytes.len() - 1, size_of_val(into), "as many as were sent");
    for (x, bytes) in into.iter_mut().zip(bytes[1..].chunks_exact(size_of::<Real>())) {
        *x = Real::from_le_bytes(bytes.try_into().unwrap());
    }
}

impl Link for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.all.len()
    }

    fn send(&self, to: usize, message: &[u8]) {
        self.all[to].put(self.rank, None, message.into());
    }

    fn receive(&self, from: usize) -> Vec<u8> {
        self.all[self.rank].take(from, None)
    }

    fn begin_send(&self, to: usize, tag: usize, numbers: Option<Tensor>) -> Box<dyn Transfer> {
        self.all[to].put(self.rank, Some(tag), bytes(numbers.as_ref().map(Tensor::data)));
        Box::new(Sent)
    }

    fn begin_receive(&self, from: usize, tag: usize, into: Tensor) -> Box<dyn Transfer> {
        let (all, rank) = (Arc::clone(&self.all), self.rank);
        Box::new(Coming { all, rank, from, tag, into, message: None })
    }

    fn broadcast(&self, all: &mut [Real]) {
        match self.rank {
            0 => (1..self.ranks()).for_each(|rank| self.send(rank, &bytes(Some(all)))),
            _ => numbers(&self.receive(0), all),
        }
    }
}

struct Sent;

impl Transfer for Sent {
    fn is_done(&mut self) -> bool {
        true
    }

    fn end(self: Box<Self>) -> Option<Tensor> {
        None
    }
}

struct Coming {
    all: Arc<Vec<Mailbox>>,
    rank: usize,
    from: usize,
    tag: usize,
    into: Tensor,
    message: Option<Vec<u8>>,
}

impl Transfer for Coming {
    fn is_done(&mut self) -> bool {
        if self.message.is_none() {
            self.message = self.all[self.rank].take_now(self.from, Some(self.tag));
        }
        self.message.is_some()
    }

    fn end(mut self: Box<Self>) -> Option<Tensor> {
        let wait = || self.all[self.rank].take(self.from, Some(self.tag));
        let message = self.message.take().unwrap_or_else(wait);
        (message[0] == 1).then(|| {
            numbers(&message, self.into.data_mut());
            self.into
        })
    }
}

/// What rank 0 of `count` makes of `job`, with the help of the others.
pub fn on_ranks<R>(count: usize, job: impl FnOnce(Ranks) -> R) -> R {
    on_ranks_told(count, job).0
}

/// The same, and the tags of the gradients that came to rank 0, in order.
fn on_ranks_told<R>(count: usize, job: impl FnOnce(Ranks) -> R) -> (R, Vec<usize>) {
    let all: Arc<Vec<Mailbox>> = Arc::new((0..count).map(|_| Mailbox::default()).collect());
    let links = (0..count).map(|rank| Threads { rank, all: Arc::clone(&all) });
    let mut links = links.map(|link| &*Box::leak(Box::new(link)));
    let ranks = Ranks::new(links.next().unwrap());
    std::thread::scope(|scope| {
        let others: Vec<_> =
            links.map(|link| scope.spawn(|| follow(link, &Registry::default()))).collect();
        let result = job(ranks);
        ranks.end(true);
        others.into_iter().for_each(|other| assert!(other.join().unwrap()));
        (result, all[0].tags.lock().unwrap().clone())
    })
}

proptest! {
    #[test]
    fn every_sequence_has_one_rank_and_no_rank_much_more_than_another(
        sequences in 1..200usize,
        ranks in 1..20usize,
    ) {
        let shares = shares(sequences, ranks);
        prop_assert_eq!(shares.len(), ranks);
        prop_assert_eq!(shares[0].start, 0);
        prop_assert!(!shares[0].is_empty());
        prop_assert_eq!(shares[ranks - 1].end, sequences);
        for pair in shares.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
        }
        // Four branches for each rank or more, of sizes that differ by one: at most a branch and its sequences above the mean.
        let most = shares.iter().map(|share| share.len()).max().unwrap();
        let branch = sequences.div_ceil(1 << sequences.ilog2().min(ranks.next_power_of_two().ilog2() + 2 * u32::from(!ranks.is_power_of_two())));
        let branches = most.div_ceil(branch);
        prop_assert!(most <= sequences.div_ceil(ranks) + branch + branches, "{shares:?}");
    }
}

#[test]
fn two_ranks_halve_a_batch_and_three_have_about_a_third_each() {
    let of = |sequences, ranks| {
        shares(sequences, ranks).into_iter().map(|share| share.len()).collect::<Vec<_>>()
    };
    assert_eq!(of(20, 2), [10, 10]);
    assert_eq!(of(16, 3), [6, 5, 5]);
    assert_eq!(of(3, 4), [1, 1, 1, 0]);
    assert_eq!(of(1, 2), [1, 0]);
}
