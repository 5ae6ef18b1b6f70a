//! Importers: convert published data sets to one flat npz each, raw, with the papers' splits.
//!
//! Each importer passes its sequences one by one to a [`Writer`](super::Writer), so that memory stays small, and calls
//! `progress` with the fraction done, from 0 to 1. One file per data set. Not here: normalisation, which is computed
//! from the train split when a set is loaded.

pub mod audio;
pub mod blizzard;
pub mod deepwriting;
pub mod folder;
pub mod header;
pub mod iam;
pub mod mat;
pub mod music;
pub mod numpy;
pub mod omniglot;
pub mod pattern;
pub mod pickle;
pub mod riff;
pub mod sphere;
pub mod streams;
pub mod strokes;
pub mod timit;
mod tree;
pub mod unipen;
pub mod unipen_format;
pub mod wav;
pub mod xml;
