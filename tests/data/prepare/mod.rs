//! Importers: small sets made here in the owners' layouts, whole and spoilt.

mod deepwriting;
pub mod iam;
mod numpy;
mod pickle;
mod tree;
