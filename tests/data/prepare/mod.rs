//! Importers: small sets made here in the owners' layouts, hostile variants of them, the laws of their orders.

mod audio;
mod blizzard;
mod deepwriting;
mod folder;
mod header;
pub mod iam;
pub mod music;
mod numpy;
mod pattern;
mod pickle;
mod riff;
mod sphere;
mod streams;
mod timit;
mod tree;
mod wav;
