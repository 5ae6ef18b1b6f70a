//! Looking: pictures and tables of what a model read, wrote and learned. Looking changes nothing.

pub mod dump;
pub mod ink;
pub mod png;
pub mod table;
