//! Kernels against their plain loops, to the bit, under every instruction set of this CPU.

mod causal_conv;
mod few_rows;
mod gemm;
mod math;
mod orthogonal;
mod recurrent;
mod reduce;
mod simd;
