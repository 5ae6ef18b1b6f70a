//! Data sets: the flat npz file, loading, normalisation, and batches.
//!
//! A [`DataSet`] is raw, unpadded and checked. A [`Batch`] is normalised and padded; the order of batches depends only
//! on a seed. Not here: models, pictures.

mod agreement;
pub mod batch;
pub mod dequantise;
pub mod handwriting;
pub mod normalise;
pub mod npz;
pub mod prepare;
pub mod samples;
pub mod set;
pub mod split;
pub mod stored;
pub mod unzip;
pub mod writer;

pub use batch::{Batch, Batching, Epochs, Limit, Window, in_order};
pub use dequantise::Dequantise;
pub use normalise::{Normalisation, Normalise};
pub use samples::Dtype;
pub use set::{DataSet, Summary};
pub use split::{MissingSplit, Split};
pub use writer::Writer;
