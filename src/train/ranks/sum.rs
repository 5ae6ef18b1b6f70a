//! The sum of gradients over ranks, along the tree of sequences.
//!
//! ```text
//! g(branch) = g(left half) + g(right half)
//! ```
//! whoever computes them. The sum of a branch lies with the rank that has its first sequence; where the halves lie with
//! two ranks, the later one sends its half to the earlier. MPI's own sums (`MPI_Reduce`) add in an order that may change
//! with the number of ranks.
//!
//! Every parameter goes this way by itself, as soon as its gradient is whole in the walk back along the tape. So the gradients
//! of late layers travel while those of early ones are computed. No thread waits for messages meanwhile: after every op, the one
//! that has computed it asks whether something has arrived.

use super::{Link, Sum, Transfer, shares};
use crate::data::Batch;
use crate::models::SequenceModel;
use crate::parallel::{halves, teams};
use crate::tape::{Event, Grads, Tape, added_in_pairs};
use crate::tensor::Tensor;
use crate::train::shards::shards;
use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// The part of one rank, which has the sequences `own` of a batch of `all`: what `job` answers for them, and the gradient of
/// the whole batch on rank 0.
pub(super) fn share<J: Sum>(
    link: &'static dyn Link,
    model: &dyn SequenceModel,
    own: &Batch,
    all: usize,
    job: &J,
    watch: &(dyn Fn(&mut Tape) + Sync),
) -> (Vec<J::Answer>, Option<Grads>) {
    let shares = shares(all, link.ranks());
    let first = shares[link.rank()].start;
    let traffic = Traffic::new(link, model, &shares);
    let branches = traffic.branches();
    let traffic = Arc::new(Mutex::new(traffic));
    let mut answers = vec![];
    for branch in branches {
        let part = own.slice(branch.start - first..branch.end - first);
        let shards = shards(model, part.lengths.len());
        lock(&traffic).begin_branch(shards.len());
        answers.extend(teams(shards.len(), |i| {
            let watch = |tape: &mut Tape| {
                watch(tape);
                let [of_ops, of_params] = [&traffic, &traffic].map(Arc::clone);
                tape.observe(move |event| match event {
                    Event::Recorded(..) => (),
                    Event::PulledBack(_) | Event::AddedDeferred(_) => {
                        // If another thread is at it, this one goes on.
                        if let Ok(mut traffic) = of_ops.try_lock() {
                            traffic.look();
                        }
                    }
                });
                tape.hand_over(move |number, grad| {
                    let whole = lock(&of_params).put(i, number, grad);
                    // Not while the lock is held: the shards' last to finish a parameter adds for all.
                    if let Some(parts) = whole {
                        let sum = added_in_pairs(parts);
                        lock(&of_params).computed(number, sum);
                    }
                });
            };
            job.run(model, &part.slice(shards[i].clone()), &watch).0
        }));
        lock(&traffic).end_branch();
    }
    let grads = lock(&traffic).end();
    (answers, grads.map(Grads::from_params))
}

fn lock<'a>(traffic: &'a Mutex<Traffic>) -> MutexGuard<'a, Traffic> {
    traffic.lock().expect("if one thread panics while it holds the lock, the run ends")
}

/// What a rank does for the gradient of each parameter, in this order.
enum Step {
    /// Compute that of a branch of its own: these sequences.
    Compute(Range<usize>),
    /// Receive that of another branch.
    Receive { from: usize, message: usize },
    /// Add the last two.
    Add,
    /// Send the last.
    Send { to: usize, message: usize },
}

/// The steps of this rank for a branch. Messages from one rank to another are numbered from 0, alike on both; `sent` has those so
/// far.
fn steps(
    branch: Range<usize>,
    shares: &[Range<usize>],
    rank: usize,
    sent: &mut Vec<[usize; 2]>,
) -> Vec<Step> {
    let owner = |sequence: usize| {
        shares.iter().position(|share| share.contains(&sequence)).expect("each has one")
    };
    let (to, last) = (owner(branch.start), owner(branch.end - 1));
    if to == last {
        return if to == rank { vec![Step::Compute(branch)] } else { vec![] };
    }
    let [left, right] = halves(branch);
    let from = owner(right.start);
    let mut list = steps(left, shares, rank, sent);
    list.extend(steps(right, shares, rank, sent));
    if to != from {
        let message = sent.iter().filter(|pair| **pair == [from, to]).count();
        sent.push([from, to]);
        match rank {
            _ if rank == from => list.push(Step::Send { to, message }),
            _ if rank == to => list.push(Step::Receive { from, message }),
            _ => (),
        }
    }
    if rank == to {
        list.push(Step::Add);
    }
    list
}

/// The gradient of one parameter; `None` where the loss does not depend on it.
type Gradient = Option<Tensor>;

/// Where a parameter is in its [`steps`].
#[derive(Default)]
struct Param {
    done: usize,
    /// Gradients that are to be added or sent.
    stack: Vec<Gradient>,
    /// Of the branch that is computed: what each shard has given; then empty.
    parts: Vec<Gradient>,
    /// Sums of own branches, which are not yet in the stack.
    computed: VecDeque<Gradient>,
    /// What has arrived and is not yet in the stack, by its sender and the number of its message.
    arrived: BTreeMap<[usize; 2], Gradient>,
}

/// What has not yet come of a message: gradients with the numbers of their parameters.
type Message = VecDeque<(usize, Box<dyn Transfer>)>;

/// The gradients of all parameters on their way.
struct Traffic {
    link: &'static dyn Link,
    steps: Vec<Step>,
    params: Vec<Param>,
    /// Messages that have not yet come, by their sender and number: those of the parameters, in the order in which they are sent.
    coming: BTreeMap<[usize; 2], Message>,
    /// Messages that are not yet sent.
    going: VecDeque<Box<dyn Transfer>>,
}

impl Traffic {
    fn new(link: &'static dyn Link, model: &dyn SequenceModel, shares: &[Range<usize>]) -> Self {
        let sequences = shares.last().map_or(0, |share| share.end);
        let steps = steps(0..sequences, shares, link.rank(), &mut vec![]);
        let mut shapes = vec![];
        model.visit(&mut |p| {
            shapes.resize_with(shapes.len().max(p.number() + 1), Vec::new);
            shapes[p.number()] = p.value.shape().to_vec();
        });
        let params = shapes.iter().map(|_| Param::default()).collect();
        let mut traffic =
            Self { link, steps, params, coming: BTreeMap::new(), going: VecDeque::new() };
        for step in &traffic.steps {
            let Step::Receive { from, message } = *step else { continue };
            // Late layers come first.
            let all = shapes.iter().enumerate().rev().map(|(number, shape)| {
                let tag = message * shapes.len() + number;
                (number, link.begin_receive(from, tag, Tensor::scratch(shape)))
            });
            traffic.coming.insert([from, message], all.collect());
        }
        traffic
    }

    /// Those that this rank computes.
    fn branches(&self) -> Vec<Range<usize>> {
        let of = |step: &Step| {
            if let Step::Compute(branch) = step { Some(branch.clone()) } else { None }
        };
        self.steps.iter().filter_map(of).collect()
    }

    fn begin_branch(&mut self, shards: usize) {
        self.params.iter_mut().for_each(|param| param.parts = vec![None; shards]);
    }

    /// The gradient of a parameter in a shard; all shards' if this was the last.
    fn put(&mut self, shard: usize, number: usize, grad: Tensor) -> Option<Vec<Gradient>> {
        let parts = &mut self.params[number].parts;
        parts[shard] = Some(grad);
        parts.iter().all(Option::is_some).then(|| take(parts))
    }

    /// The sum of all shards of a branch.
    fn computed(&mut self, number: usize, sum: Gradient) {
        self.params[number].computed.push_back(sum);
        self.go_on(number);
    }

    /// No shard gives more.
    fn end_branch(&mut self) {
        for number in 0..self.params.len() {
            let parts = take(&mut self.params[number].parts);
            if !parts.is_empty() {
                self.computed(number, added_in_pairs(parts));
            }
        }
    }

    /// Does what can be done for a parameter without waiting.
    fn go_on(&mut self, number: usize) {
        let count = self.params.len();
        let param = &mut self.params[number];
        while let Some(step) = self.steps.get(param.done) {
            match *step {
                Step::Compute(_) => match param.computed.pop_front() {
                    Some(sum) => param.stack.push(sum),
                    None => return,
                },
                Step::Receive { from, message } => match param.arrived.remove(&[from, message]) {
                    Some(grad) => param.stack.push(grad),
                    None => return,
                },
                Step::Add => {
                    let halves = param.stack.split_off(param.stack.len() - 2);
                    param.stack.push(added_in_pairs(halves));
                }
                Step::Send { to, message } => {
                    let grad = param.stack.pop().expect("a branch of this rank");
                    let tag = message * count + number;
                    self.going.push_back(self.link.begin_send(to, tag, grad));
                }
            }
            param.done += 1;
        }
    }

    /// Lets messages move, and takes what has arrived.
    fn look(&mut self) {
        let messages: Vec<[usize; 2]> = self.coming.keys().copied().collect();
        for message in messages {
            while self.has_come(message) {
                self.take_first(message);
            }
        }
        while self.going.front_mut().is_some_and(|transfer| transfer.is_done()) {
            self.going.pop_front();
        }
    }

    /// Whether the next parameter of a message has come.
    fn has_come(&mut self, message: [usize; 2]) -> bool {
        let first = self.coming.get_mut(&message).and_then(VecDeque::front_mut);
        first.is_some_and(|(_, transfer)| transfer.is_done())
    }

    /// Waits for the first parameter of a message that has not yet come. Whether there was one.
    fn take_first(&mut self, message: [usize; 2]) -> bool {
        let first = self.coming.get_mut(&message).and_then(VecDeque::pop_front);
        first.is_some_and(|(number, transfer)| {
            self.params[number].arrived.insert(message, transfer.end());
            self.go_on(number);
            true
        })
    }

    /// Waits for all messages. What is left: the gradient of the batch, on rank 0.
    fn end(&mut self) -> Option<Vec<Gradient>> {
        let messages: Vec<[usize; 2]> = self.coming.keys().copied().collect();
        messages.into_iter().for_each(|message| while self.take_first(message) {});
        take(&mut self.going).into_iter().for_each(|transfer| drop(transfer.end()));
        self.params.iter_mut().map(|param| param.stack.pop()).collect()
    }
}
