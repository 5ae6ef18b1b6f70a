//! Pictures and tables of what a model read, generated and learned. Looking changes nothing.

#[cfg(feature = "files")]
pub(crate) mod dump;
pub(crate) mod explain;
pub(crate) mod figures;
pub(crate) mod html;
pub mod ink;
pub(crate) mod jacobian;
pub(crate) mod label;
#[cfg(feature = "files")]
pub(crate) mod midi;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod png;
pub mod roll;
pub mod series;
pub(crate) mod sparkline;
pub(crate) mod table;
#[cfg(feature = "files")]
pub(crate) mod wav;
pub mod wave;

#[cfg(feature = "files")]
pub use dump::Dump;
pub use explain::{Explanation, Number, Pass, Routes, Target};
pub use html::{History, More, page as html};
#[cfg(feature = "files")]
pub use midi::midi;
pub use page::Drawing;
pub use png::png;
pub use table::table;
#[cfg(feature = "files")]
pub use wav::wav;
