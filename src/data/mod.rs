//! Data sets: the flat npz file, what it holds, its normalisation, and batches.
//!
//! A [`DataSet`] is raw, unpadded and checked; a [`Batch`] is normalised and padded, and its order
//! depends on a seed alone. Not here: models, drawings.

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
pub use samples::Kind;
pub use set::{DataSet, Summary};
pub use split::{MissingSplit, Split};
pub use writer::Writer;
