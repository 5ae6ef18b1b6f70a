//! What the ranks of a run need of one another: messages.

use crate::tensor::Real;

/// Messages between the ranks of a run. From one rank to another they arrive whole and in order; one that cannot arrive
/// ends the program, on all ranks.
pub trait Link: Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn ranks(&self) -> usize;

    /// Sends bytes; may wait until they are received.
    fn send(&self, to: usize, message: &[u8]);

    /// The next bytes from a rank.
    fn receive(&self, from: usize) -> Vec<u8>;

    /// Sends numbers; may wait until they are received.
    fn send_numbers(&self, to: usize, numbers: &[Real]);

    /// The next numbers from a rank, as many as it has sent.
    fn receive_numbers(&self, from: usize, numbers: &mut [Real]);

    /// Rank 0 gives all others its numbers. All call it.
    fn broadcast(&self, numbers: &mut [Real]);
}
