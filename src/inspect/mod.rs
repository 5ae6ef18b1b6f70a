//! Pictures and tables of what a model read, generated and learned. Looking changes nothing.

pub mod dump;
pub mod html;
pub mod ink;
pub mod page;
pub mod png;
pub mod roll;
pub mod table;
pub mod wav;
pub mod wave;
