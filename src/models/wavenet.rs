//! WaveNet, the deterministic control (van den Oord et al. 2016, as Aksan & Hilliges use it).
//!
//! | spec §4 | here |
//! |---|---|
//! | linear causal convolution D → F | `first` |
//! | gated blocks, skips u_b, outputs h_b | `tcn` |
//! | ReLU(Σ u_b), dense: ReLU(h_K ∘ h_2K ∘ …) | `skips` |
//! | 2 × (1×1 convolution, ReLU), head | `output`, `head` |
//!
//! ```text
//! h = blocks(conv(0, x_1, …, x_{T−1})),   p(x_t | x_{<t}) = head(output(skips(h)))
//! ```
//! No latents: the log-likelihood is exact.

use super::config::{DenseTaps, FirstStep};
use super::{
    Bound, Elbo, Generator, Kl, ModelConfig, SequenceModel, each_step, exact_weights, first_steps,
    head,
};
use crate::data::Batch;
use crate::dist::Observation;
use crate::nn::{CausalConv1d, Head, Init, Mlp, Past, Tcn, TcnPast, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// WaveNet and WaveNet-dense.
pub struct WaveNet {
    first: CausalConv1d,
    tcn: Tcn,
    output: Mlp,
    head: Head,
    config: ModelConfig,
}
module!(WaveNet: first, tcn, output, head);

impl WaveNet {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let ModelConfig { input, channels, kernel_size, .. } = *config;
        let shape = (config.levels(), config.blocks_per_latent);
        let first =
            init.scope("first", |init| CausalConv1d::new(init, input, channels, kernel_size, 1));
        let tcn = Tcn::new(init, "tcn", (channels, channels), shape, kernel_size);
        let taps = if config.kind.is_dense() { taps(config).count() } else { 1 };
        let output = init.scope("output", |init| {
            Mlp::new(init, taps * channels, channels, config.output_layers)
        });
        Self { first, tcn, output, head: head(init, config, channels), config: config.clone() }
    }

    /// `p(x_t | x_{<t})` of every step.   x: (B, T, D)
    fn predict<'t>(&self, x: Var<'t>) -> Observation<'t> {
        let steps = x.value().shape()[1];
        let inputs = slice_time(prepend_zero(x), 0, steps); // 0, x_1 … x_{T−1}
        let blocks = self.tcn.forward_skip(self.first.forward(inputs));
        self.head.forward(self.output.forward(self.skips(&blocks)))
    }

    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that [`Generator`] uses: if x is what [`generate`](super::generate) made of its
    /// first `given` steps, it comes back to the bit.   x, result: (B, T, D)
    pub fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let px = self.predict(tape.constant(x.clone()));
        first_steps(given, x, &px.sample(noise, samples, 0, 1.))
    }

    /// What the output network sees, from the (u, h) of every block.
    fn skips<'t>(&self, blocks: &[(Var<'t>, Var<'t>)]) -> Var<'t> {
        relu(if self.config.kind.is_dense() {
            concat(&taps(&self.config).map(|b| blocks[b].1).collect::<Vec<_>>())
        } else {
            let mut skips = blocks.iter().map(|(u, _)| *u);
            let first = skips.next().expect("a stack has blocks");
            skips.fold(first, |sum, u| sum + u)
        })
    }
}

/// The blocks (from 0) whose outputs WaveNet-dense sees; the last is always one of them.
fn taps(config: &ModelConfig) -> impl Iterator<Item = usize> {
    let every = match config.dense_taps {
        DenseTaps::EveryLevel => 1,
        DenseTaps::Release => 2, // levels 1, 3, 5
    };
    let (levels, per_level) = (config.levels(), config.blocks_per_latent);
    ((levels - 1) % every..levels).step_by(every).map(move |level| (level + 1) * per_level - 1)
}

impl SequenceModel for WaveNet {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, _noise: &Noise, _: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let log_px = self.predict(x).named("head").log_prob(x);
        let log_px = match self.config.first_step {
            FirstStep::Scored => log_px,
            FirstStep::Skipped => skip_first(log_px),
        };
        Elbo { log_px: log_px.named("log_px"), kl: vec![], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Exact
    }

    fn importance_weights(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
    ) -> Option<Vec<Tensor>> {
        Some(exact_weights(self, batch, noise, draws))
    }

    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm> {
        let batch = samples.len();
        let (first, past) = (self.first.past(batch), self.tcn.past(batch));
        let last = Tensor::zeros(&[batch, 1, self.config.input]);
        Box::new(Writer { model: self, samples: samples.to_vec(), first, past, last, t: 0 })
    }
}

/// x_1 is input only: its log-likelihood counts as 0.   x: (B, T)
fn skip_first(log_px: Var) -> Var {
    let value = log_px.value();
    let &[b, t] = value.shape() else { panic!("skip_first: want (B, T), got {:?}", value.shape()) };
    let mut scored = Tensor::zeros(&[b, t]);
    scored.data_mut().chunks_exact_mut(t).for_each(|row| row[1..].fill(1.));
    log_px * log_px.tape().constant(scored)
}

/// Sequences under way.
struct Writer<'m> {
    model: &'m WaveNet,
    samples: Vec<u64>,
    first: Past,
    past: TcnPast,
    /// x_{t−1}
    last: Tensor,
    t: usize,
}

impl Writer<'_> {
    /// The outputs (u, h) of every block for input x_{t−1}.
    fn blocks(&mut self) -> Vec<(Tensor, Tensor)> {
        self.first.push(self.last.clone());
        self.model.tcn.step(&self.model.first.step(&self.first), &mut self.past)
    }
}

impl Generator for Writer<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let blocks = self.blocks().into_iter().map(|(u, h)| (tape.constant(u), tape.constant(h)));
        let features = self.model.skips(&blocks.collect::<Vec<_>>());
        let px = self.model.head.forward(self.model.output.forward(features));
        self.last = px.sample(noise, &self.samples, self.t, temperature);
        self.t += 1;
        self.last.clone()
    }

    fn observe(&mut self, x: &Tensor, _noise: &Noise) {
        for x in each_step(x) {
            self.blocks();
            self.last = x;
            self.t += 1;
        }
    }
}
