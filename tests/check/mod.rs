//! Checks of a pass.

mod finite;
mod gradcheck;
