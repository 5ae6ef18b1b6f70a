//! No API: what only our own tests, benchmarks and fuzzing reach, under the feature `internals`.
//!
//! They stand outside the crate and see what is public, and no more. Without the feature, as every user builds the
//! crate, this module is not there, and the compiler names whatever only a test still uses. Anything here may change or
//! go in any version.

use crate::data::npz::Flat;
use crate::data::{DataSet, MissingSplit};
use crate::error::Result;
use std::path::PathBuf;

/// The checks of a file's arrays.
#[doc(hidden)]
pub fn data_set(
    name: PathBuf,
    fingerprint: String,
    flat: Flat,
    missing: Option<MissingSplit>,
) -> Result<DataSet> {
    DataSet::from_flat(name, fingerprint, flat, missing)
}

macro_rules! open {
    ($($name:ident: $($module:ident)::+;)+) => {
        $(#[doc(hidden)] pub mod $name { pub use crate::$($module)::+::*; })+
    };
}

open! {
    allocator: train::allocator;
    alphabet: data::handwriting::alphabet;
    bounds: train::bounds;
    check: check;
    checkpoint: train::checkpoint;
    checks: ops::check;
    columns: train::columns;
    curves: train::curves;
    diagnostics: train::diagnostics;
    drawn: train::drawn;
    error: error;
    evaluate: train::evaluate;
    events: train::events;
    exact: train::exact;
    figures: inspect::figures;
    file: file;
    follow: train::follow;
    gradients: train::gradients;
    jacobian: inspect::jacobian;
    kernel: kernel;
    label: inspect::label;
    memory: train::memory;
    metrics: train::metrics;
    npz: data::npz;
    objective: train::objective;
    page: inspect::page;
    parallel: parallel;
    particles: train::particles;
    place: inspect::place;
    prepare: data::prepare;
    ranks: train::ranks;
    resume: train::resume;
    safetensors: train::safetensors;
    samples: train::samples;
    schedule: optim::schedule;
    schema: train::schema;
    shards: train::shards;
    step: train::step;
    sparkline: inspect::sparkline;
    stored: data::stored;
    suite: train::suite;
    unzip: data::unzip;
}
