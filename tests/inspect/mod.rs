mod ink;
mod png;
