//! Importers: a data set as its owners hand it out becomes one flat npz, raw, with the paper's splits.
//!
//! Every importer pushes sequences into a [`Writer`](super::Writer) one by one, so that memory stays
//! small, and tells `progress` the share of its input that is done, from 0 to 1. One data set, one file.
//! Nothing is normalised here: that is done when a set is loaded, from the train split alone.

pub mod audio;
pub mod blizzard;
pub mod deepwriting;
pub mod folder;
pub mod header;
pub mod iam;
pub mod mat;
pub mod music;
pub mod numpy;
pub mod pattern;
pub mod pickle;
pub mod riff;
pub mod sphere;
pub mod streams;
pub mod timit;
mod tree;
pub mod wav;
pub mod xml;
