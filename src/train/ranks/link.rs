//! What the ranks of a run need of one another: messages.

use crate::tensor::{Real, Tensor};

/// Messages between the ranks of a run. From one rank to another they arrive whole, and those without a tag in order; one that
/// cannot arrive ends the program, on all ranks.
pub trait Link: Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn ranks(&self) -> usize;

    /// Sends bytes; may wait until they are received.
    fn send(&self, to: usize, message: &[u8]);

    /// The next bytes from a rank.
    fn receive(&self, from: usize) -> Vec<u8>;

    /// Begins to send the numbers of a tensor, or an empty message, and returns. Messages that are under way between two ranks
    /// have different tags.
    fn begin_send(&self, to: usize, tag: usize, numbers: Option<Tensor>) -> Box<dyn Transfer>;

    /// Begins to receive such a message, whose numbers fill `into`, and returns.
    fn begin_receive(&self, from: usize, tag: usize, into: Tensor) -> Box<dyn Transfer>;

    /// Rank 0 gives all others its numbers. All call it.
    fn broadcast(&self, numbers: &mut [Real]);
}

/// A message under way. If it is dropped, it is waited for.
pub trait Transfer: Send {
    /// Whether it has arrived, or is sent. Messages may move only while this or [`end`](Self::end) is called.
    fn is_done(&mut self) -> bool;

    /// Waits for it. What has arrived: `None` if that was no tensor.
    fn end(self: Box<Self>) -> Option<Tensor>;
}
