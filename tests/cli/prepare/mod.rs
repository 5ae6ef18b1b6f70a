//! `stcn data prepare`: what is told of each set, and that a refusal leaves nothing behind.

mod ink;
mod music;
mod omniglot;
mod recordings;
mod unipen;
