//! What every rank but the first does: holds a copy of the model, and computes what rank 0 asks.
//!
//! It reads no file, decides nothing, and writes nothing.

use super::config::Config;
use super::drawn::Drawing;
use super::evaluate::{OfElbo, OfParticles};
use super::ranks::{Described, Link, Map, Order, Sum, add, answer, decode};
use super::step::OfUpdate;
use crate::models::{self, Registry, SequenceModel};
use crate::nn::Init;
use std::path::Path;

/// Computes until rank 0 has nothing more to do; gives whether it ended in order, not by a signal. The model is one of
/// `registry`, which has to be that of rank 0.
pub fn follow(link: &'static dyn Link, registry: &Registry) -> bool {
    let mut held: Option<(String, Box<dyn SequenceModel>)> = None;
    loop {
        match decode(&link.receive(0)) {
            Order::Model(config) => {
                let same = held.take().filter(|(known, _)| *known == config);
                let (_, model) = held.insert(same.unwrap_or_else(|| {
                    let model = build(&config, registry);
                    (config, model)
                }));
                model.visit_mut(&mut |p| link.broadcast(p.value.data_mut()));
            }
            Order::Map { job: Described { name, bytes }, batch } => {
                let (_, model) = held.as_ref().expect("the model comes first");
                let answer = match &*name {
                    OfElbo::NAME => answer::<OfElbo>,
                    OfParticles::NAME => answer::<OfParticles>,
                    Drawing::NAME => answer::<Drawing>,
                    _ => unreachable!("rank 0 runs the same program: {name}"),
                };
                answer(link, &**model, &bytes, &batch.batch());
            }
            Order::Sum { job: Described { name, bytes }, batch, all } => {
                assert_eq!(name, OfUpdate::NAME, "rank 0 runs the same program");
                let (_, model) = held.as_ref().expect("the model comes first");
                add::<OfUpdate>(link, &**model, &bytes, &batch.batch(), all);
            }
            Order::End { orderly } => return orderly,
        }
    }
}

/// The model of a config that rank 0 has read and checked.
fn build(config: &str, registry: &Registry) -> Box<dyn SequenceModel> {
    let config = Config::from_toml(config, Path::new("rank 0"), registry);
    let model = config.and_then(|config| models::build(&config.model, Init::new(config.seed)));
    model.unwrap_or_else(|e| panic!("rank 0 has built this model: {e}"))
}
