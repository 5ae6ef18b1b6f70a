//! Sequences drawn side by side, on one process or several: the same numbers.
//!
//! Not here: drawing them (`models::generate`), files and pictures (`cli::sample`).

use super::ranks::{Crew, Map};
use crate::data::Batch;
use crate::models::{SequenceModel, generate};
use crate::noise::Noise;
use crate::tensor::{Real, Tensor};
use serde::{Deserialize, Serialize};

/// What is drawn after the steps that each sequence has.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Drawing {
    /// Of the noise.
    pub seed: u64,
    /// How many steps.
    pub steps: usize,
    /// Multiplies every standard deviation and divides every logit.
    pub temperature: Real,
}

impl Map for Drawing {
    const NAME: &'static str = "draw";
    /// (B, P + steps, D), row-major.
    type Answer = Vec<Real>;

    fn run(&self, model: &dyn SequenceModel, sequences: &Batch) -> Vec<Real> {
        self.draw(model, sequences, |_| ()).data().to_vec()
    }
}

impl Drawing {
    /// On this process alone; `progress` is told how many steps there are.
    pub fn draw(
        &self,
        model: &dyn SequenceModel,
        given: &Batch,
        progress: impl FnMut(usize),
    ) -> Tensor {
        let noise = Noise::new(self.seed, "sample");
        generate(model, &given.x, self.steps, &noise, &given.samples, self.temperature, progress)
    }

    /// Shared out among several.   given: (B, P, D), result: (B, P + steps, D)
    pub fn draw_on(&self, crew: &Crew, given: &Batch) -> Tensor {
        let (b, p, d) = given.x.btc("draw");
        let rows = crew.map(given, self).concat();
        Tensor::new(&[b, p + self.steps, d], rows)
    }
}
