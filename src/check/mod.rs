//! Whether a pass is right: gradients against finite differences, and the first number that is not finite.

mod finite;
mod gradcheck;

pub use gradcheck::{Check, check_node, gradcheck};
