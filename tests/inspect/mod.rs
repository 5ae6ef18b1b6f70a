mod dump;
mod ink;
mod png;
mod table;
