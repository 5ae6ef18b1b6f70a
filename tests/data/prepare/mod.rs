//! Importers: fixtures of a few bytes, hostile variants of them, and the laws of their orders.

mod audio;
mod blizzard;
mod folder;
mod pattern;
mod riff;
mod sphere;
mod streams;
mod timit;
mod wav;
