//! Data sets: reading, making, normalising and batching sequences.

pub mod handwriting;
