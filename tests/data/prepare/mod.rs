//! Importers, each on files written here, friendly and hostile.

mod music;
