//! The one test binary; its modules mirror `src`.

mod kernel;
mod noise;
