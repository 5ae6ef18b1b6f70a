//! Kernels against their plain loops, to the bit, under every instruction set of this CPU.

mod causal_conv;
mod gemm;
mod gru;
mod lstm;
mod math;
mod mixture;
mod orthogonal;
mod pointwise;
mod recurrent;
mod reduce;
mod simd;
mod skinny_gemm;
mod weight_grad;
