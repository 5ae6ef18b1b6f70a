//! Data: files hostile and friendly, normalisation by hand, the order of batches.

mod batch;
mod dequantise;
mod handwriting;
mod normalise;
pub mod npz;
pub mod prepare;
mod samples;
mod set;
mod split;
mod stored;
mod unzip;
mod writer;

use stcn::data::DataSet;
use std::path::PathBuf;

/// The sentence that refuses; panics if nothing is refused.
fn refusal<T>(result: stcn::Result<T>) -> String {
    match result {
        Ok(_) => panic!("accepted"),
        Err(e) => e.to_string(),
    }
}

/// A set of one channel whose values count up, with sequences of these lengths.
fn counting(lengths: &[usize], split: Option<Vec<u8>>) -> DataSet {
    let mut next = 0..;
    let sequences =
        lengths.iter().map(|&n| next.by_ref().take(n).map(|x| x as f32).collect()).collect();
    DataSet::from_parts("counting", 1, sequences, split).unwrap()
}

/// A file of the shared real data, or a printed word that there is none.
fn real(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(file);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}
