//! The one test binary: its folders mirror `src`.

mod models;
mod optim;
mod train;
