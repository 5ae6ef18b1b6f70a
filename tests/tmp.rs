//! Tmp.
#![cfg(not(feature = "f64"))]
mod cli;
mod data;
mod common;
mod train;
mod repro;
mod tidy;
