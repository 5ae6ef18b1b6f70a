//! Tmp.
#![cfg(not(feature = "f64"))]
mod cli;
mod common;
mod data;
mod repro;
mod tidy;
mod train;
