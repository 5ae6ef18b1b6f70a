//! Every test but the private ones: one binary, a module per file of `src`.

mod data;
mod inspect;
mod kernel;
mod models;
mod nn;
mod noise;
mod optim;
mod train;
