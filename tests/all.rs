//! Every test but the private ones: one binary, a module per file of `src`.

mod data;
mod inspect;
mod models;
mod nn;
