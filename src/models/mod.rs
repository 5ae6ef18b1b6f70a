//! Papers: one paper, one file.

pub mod config;
