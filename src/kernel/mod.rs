//! Loops over numbers. Every fast loop is tested against a plain one, in its file or in its test.
//!
//! What could give other bits on another CPU is here: elementary functions, vector instructions, the order of sums in
//! a product. Threads are in `parallel`.

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
pub mod weight_grad;
