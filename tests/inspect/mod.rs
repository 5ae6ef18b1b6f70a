mod dump;
mod ink;
mod page;
mod png;
mod roll;
mod table;
mod wav;
mod wave;
