//! Loops over numbers. A fast loop has a plain one as its oracle, in its file or in its test.
//!
//! Everything whose bits could depend on the machine lives here and nowhere else.

pub mod causal_conv;
pub mod gemm;
pub mod gru;
pub mod lstm;
pub mod math;
pub mod mixture;
pub mod orthogonal;
pub mod pointwise;
pub mod recurrent;
pub mod reduce;
pub mod simd;
pub mod skinny_gemm;
