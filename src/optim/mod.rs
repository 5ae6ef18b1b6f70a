//! What turns gradients into steps. Not here: whose gradients they are (`nn`, `models`).

pub mod schedule;
