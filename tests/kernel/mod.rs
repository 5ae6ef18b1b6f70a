//! Kernels against their plain loops, to the bit, under every instruction set of this CPU.

mod causal_conv;
mod gemm;
mod math;
mod orthogonal;
mod recurrent;
mod reduce;
mod simd;
mod skinny_gemm;
