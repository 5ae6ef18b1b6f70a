//! Every test but the private ones: one binary, a module per file of `src`.

mod data;
mod dist;
mod inspect;
mod kernel;
mod ops;
mod parallel;
mod tape;
mod tensor;
