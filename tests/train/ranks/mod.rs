mod sum;

use proptest::prelude::*;
use stcn::Real;
use stcn::internals::follow::follow;
use stcn::internals::ranks::{Link, Ranks, shares};
use stcn::models::Registry;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Threads of this process as ranks, with a channel from each to each.
struct Threads {
    rank: usize,
    to: Vec<Mutex<Sender<Vec<u8>>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
}

impl Link for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, message: &[u8]) {
        self.to[to].lock().unwrap().send(message.into()).unwrap();
    }

    fn receive(&self, from: usize) -> Vec<u8> {
        self.from[from].lock().unwrap().recv().unwrap()
    }

    fn send_numbers(&self, to: usize, numbers: &[Real]) {
        self.send(to, &numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
    }

    fn receive_numbers(&self, from: usize, numbers: &mut [Real]) {
        let bytes = self.receive(from);
        assert_eq!(bytes.len(), size_of_val(numbers), "as many as were sent");
        for (x, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(size_of::<Real>())) {
            *x = Real::from_le_bytes(bytes.try_into().unwrap());
        }
    }

    fn broadcast(&self, numbers: &mut [Real]) {
        match self.rank {
            0 => (1..self.ranks()).for_each(|rank| self.send_numbers(rank, numbers)),
            _ => self.receive_numbers(0, numbers),
        }
    }
}

/// What rank 0 of `count` makes of `job`, with the help of the others.
pub fn on_ranks<R>(count: usize, job: impl FnOnce(Ranks) -> R) -> R {
    let mut links: Vec<Threads> =
        (0..count).map(|rank| Threads { rank, to: vec![], from: vec![] }).collect();
    for from in 0..count {
        for to in 0..count {
            let (sender, receiver) = channel();
            links[from].to.push(Mutex::new(sender));
            links[to].from.push(Mutex::new(receiver));
        }
    }
    let mut links = links.into_iter().map(|link| &*Box::leak(Box::new(link)));
    let ranks = Ranks::new(links.next().unwrap());
    std::thread::scope(|scope| {
        let others: Vec<_> =
            links.map(|link| scope.spawn(|| follow(link, &Registry::default()))).collect();
        let result = job(ranks);
        ranks.end(true);
        others.into_iter().for_each(|other| assert!(other.join().unwrap()));
        result
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
