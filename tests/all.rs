//! Every test but the private ones: one binary, a module per file of `src`.

mod book;
mod check;
mod choice;
mod cli;
mod common;
mod data;
mod dist;
mod error;
mod file;
mod inspect;
mod kernel;
mod models;
mod nn;
mod noise;
mod ops;
mod optim;
mod oracle;
mod parallel;
#[cfg(not(feature = "f64"))] // promises no bits
mod repro;
mod tape;
mod tensor;
mod tidy;
mod train;
mod web;
