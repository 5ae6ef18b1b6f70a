//! Data sets: the flat npz file, loading, normalisation, and batches.
//!
//! A [`DataSet`] is raw, unpadded and checked. A [`Batch`] is normalised and padded; the order of batches depends only
//! on a seed. Not here: models, pictures.

mod agreement;
pub(crate) mod batch;
pub(crate) mod dequantise;
pub mod handwriting;
pub(crate) mod normalise;
#[cfg(feature = "files")]
pub(crate) mod npz;
#[cfg(feature = "files")]
pub(crate) mod prepare;
pub(crate) mod samples;
pub(crate) mod set;
pub(crate) mod split;
#[cfg(feature = "files")]
pub(crate) mod stored;
#[cfg(feature = "files")]
pub(crate) mod unzip;
#[cfg(feature = "files")]
pub(crate) mod writer;

pub use batch::{Batch, Batching, Epochs, Limit, Window, by_length};
pub use dequantise::Dequantise;
pub use normalise::{Normalisation, Normalise};
pub use samples::Dtype;
pub use set::{DataSet, Summary};
pub use split::{MissingSplit, Split};
#[cfg(feature = "files")]
pub use writer::{Writer, Written};
