//! STCN: Stochastic Temporal Convolutional Networks (Aksan & Hilliges, ICLR 2019).
//!
//! | paper | here |
//! |---|---|
//! | d_t^l, the context of level l | `stack`, output of block l·K |
//! | f_p^(l), f_q^(l) | `prior`, `infer` |
//! | f^(o) | `output`, then `head` |
//!
//! ```text
//! d_t^l = Conv^(l)(d_t^{l−1}, d_{t−j}^{l−1})                           Eq. 2   bottom up
//! p(z_t^l | z_t^{l+1}, d_{t−1}^l) = N(f_p^(l)(z_t^{l+1}, d_{t−1}^l))   Eq. 8   top down, sees x_{<t}
//! q̂_t^l = N(f_q^(l)(z_t^{l+1}, d_t^l))                                 Eq. 10  sees x_{≤t}
//! q(z_t^l | z_t^{l+1}, d_t^l) ∝ q̂_t^l · p_t^l                          Eq. 11
//! p(x_t | z_t) = f^(o)(z_t^1),   dense: f^(o)(z_t^1, …, z_t^L)         Eq. 9
//! ```
//! Prior and posterior contexts are rows t−1 and t of one pass over (0, x_1, …, x_T).

use super::config::{ObservationConfig, Preset, Task, check_receptive_field};
use super::sequence::{
    Addresses, Bound, Context, Elbo, Kl, Latents, Sampler, SequenceModel, Step, StepModel,
    each_draw, each_step,
};
use super::{Architecture, Description, Draw};
use crate::choice::choice;
use crate::data::Batch;
use crate::dist::{Normal, Observation};
use crate::error::Result;
use crate::nn::{Head, Init, NormalNet, OutputNet, Past, Stack, StackPast, Tcn, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::settings;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

choice! {
    /// Draws of one latent (decision 0008).
    Draws, "kind of draws":
    /// Paper: the same draw of z^l goes to the nets below and to the output.
    Shared = "shared",
    /// Release: independent draws for the prior below, the posterior below and the output.
    ///
    /// With a dense output the objective is then no lower bound.
    Fresh = "fresh",
}

choice! {
    /// The spread of the combined posterior, Eq. 11.
    Precision, "precision":
    /// Paper: precisions add, `σ_q² = 1/(σ̂⁻² + σ_p⁻²)`.
    Product = "product",
    /// Release: `σ_q = 1/(σ̂⁻² + σ_p⁻²)`, without the square root.
    AsReleased = "as-released",
}

choice! {
    /// The output network f^(o).
    Decoder, "decoder":
    /// Ink: 1×1 convolutions, so x_t sees z_t only, as Eq. 9 says.
    Pointwise = "pointwise",
    /// Speech as released: causal gated blocks, so x_t sees z_{t−5..t}.
    Gated = "gated",
}

settings! {
    /// Sizes and switches of an STCN.
    pub struct Config {
        /// F, filters of every convolution and width of the output network.
        pub channels: usize = 1..=1 << 16,
        /// Taps of a dilated convolution.
        pub kernel_size: usize = 1..=64,
        /// Sizes of z^1 … z^L, lowest first.
        pub latents: Vec<usize> = (1..=64, 1..=1 << 16),
        /// K, gated blocks per level, dilations 1, 2, 4 … starting again at each.
        pub blocks_per_latent: usize = 1..=24,
        /// Hidden layers of each net of a latent.
        pub latent_layers: usize = 1..=64,
        /// Their width; 0: as many as `channels`.
        pub latent_hidden: usize = 0..=1 << 16,
        /// Layers of the output network before the head.
        pub output_layers: usize = 1..=64,
        /// The output network.
        pub decoder: Decoder,
        /// Draws of one latent.
        pub draws: Draws,
        /// The spread of the combined posterior.
        pub precision: Precision,
    }
}

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("tcn", "d_t^l = Conv^(l)(d_t^{l−1}, d_{t−j}^{l−1}): Eq. 2"),
    ("d", "d_t^l, the context of level l: Eq. 2"),
    ("prior", "p(z_t^l | z_t^{l+1}, d_{t−1}^l) = N(f_p(·)): Eq. 8"),
    ("infer", "q̂(z_t^l | ·) = N(f_q(z_t^{l+1}, d_t^l)): Eq. 10"),
    ("p", "p(z_t^l | z_t^{l+1}, d_{t−1}^l): Eq. 8"),
    ("q", "q(z_t^l | ·) ∝ q̂ · p: Eq. 11"),
    ("z", "z_t^l ~ q(z_t^l | z_t^{l+1}, d_t^l): Eq. 11, by reparameterisation"),
    ("output", "f^(o)(z_t): Eq. 9"),
    ("head", "p(x_t | z_t): Eq. 9"),
    ("kl", "KL(q(z_t^l | ·) ‖ p(z_t^l | ·)): Eq. 15"),
    ("log_px", "ln p(x_t | z_t): Eqs. 16, 17"),
    ("loss", "−ELBO: Eq. 15"),
];

/// This model's [`Architecture`].
pub struct Paper {
    /// Whether the output sees every latent, or only z^1.
    pub dense: bool,
}

/// The latents of a preset, lowest first.
pub(super) fn latents(preset: Preset) -> Vec<usize> {
    match preset {
        Preset::InkTiny | Preset::SeriesTiny => vec![16, 8, 4],
        Preset::InkSmall | Preset::Ink | Preset::MusicSmall | Preset::SeriesSmall => {
            vec![32, 16, 8, 4, 2]
        }
        Preset::SpeechSmall => vec![64, 32, 16, 8, 4],
        Preset::Speech | Preset::SpeechLarge => vec![256, 128, 64, 32, 16],
    }
}

impl Architecture for Paper {
    type Config = Config;
    type Model = Stcn;

    fn description(&self) -> Description {
        Description {
            name: if self.dense { "stcn-dense" } else { "stcn" },
            about: if self.dense {
                "STCN whose output sees every latent."
            } else {
                "Stochastic temporal convolutional network: the output sees z¹ (Eq. 9)."
            },
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// `ink`, `speech` and `speech-large` have the paper's sizes; small presets have as many parameters as those of
    /// the other models.
    fn preset(&self, preset: Preset, obs: &ObservationConfig) -> Config {
        let (channels, blocks_per_latent) = match preset {
            Preset::InkTiny | Preset::SeriesTiny => (32, 5),
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => (54, 6),
            Preset::Ink => (256, 6),
            Preset::SpeechSmall => (if self.dense { 59 } else { 60 }, 5),
            Preset::Speech => (256, 5),
            Preset::SpeechLarge => (512, 5),
        };
        let gated = obs.task == Task::Speech;
        Config {
            channels,
            kernel_size: 2,
            latents: latents(preset),
            blocks_per_latent,
            latent_layers: 2,
            latent_hidden: 0,
            output_layers: 5,
            decoder: if gated { Decoder::Gated } else { Decoder::Pointwise },
            draws: Draws::Shared,
            precision: Precision::Product,
        }
    }

    fn gradcheck(&self, tiny: Config) -> Config {
        Config { channels: 5, latents: vec![3, 2], blocks_per_latent: 2, output_layers: 2, ..tiny }
    }

    fn as_released(&self, config: &mut Config, obs: &mut ObservationConfig) {
        (config.draws, config.precision) = (Draws::Fresh, Precision::AsReleased);
        *obs = obs.clone().as_released();
    }

    fn check(&self, config: &Config) -> Result<()> {
        let Config { kernel_size, latents, blocks_per_latent: blocks, .. } = config;
        check_receptive_field("blocks_per_latent", *kernel_size, latents.len(), *blocks)
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Stcn {
        Stcn::new(init, config, obs, self.dense)
    }
}

/// STCN and STCN-dense, LadderRNN and LadderRNN-dense.
pub struct Stcn {
    stack: Stack,
    prior: Vec<NormalNet>,
    infer: Vec<NormalNet>,
    output: OutputNet,
    head: Head,
    sizes: Sizes,
}
module!(Stcn: stack, prior, infer, output, head);

/// The sizes that STCN and LadderRNN have in common.
pub(super) struct Sizes {
    pub(super) input: usize,
    pub(super) dense: bool,
    pub(super) latents: Vec<usize>,
    /// Width of d^l.
    pub(super) context: usize,
    /// Blocks or cells per level.
    pub(super) per_level: usize,
    pub(super) latent_layers: usize,
    pub(super) latent_hidden: usize,
    pub(super) output_layers: usize,
    pub(super) output_size: usize,
    pub(super) decoder: Decoder,
    pub(super) draws: Draws,
    pub(super) combine: Combine,
}

impl Sizes {
    /// How many numbers the output network sees: those of z^1, or of z^1 ∘ … ∘ z^L.
    fn drawn(&self) -> usize {
        if self.dense { self.latents.iter().sum::<usize>() } else { self.latents[0] }
    }
}

impl From<Precision> for Combine {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Product => Combine::Product,
            Precision::AsReleased => Combine::AsReleased,
        }
    }
}

/// One level of a top-down pass: its distributions and its draws.
struct Level<'t> {
    prior: Normal<'t>,
    estimate: Normal<'t>,
    posterior: Normal<'t>,
    /// The draws for the prior below and for the output; the same under [`Draws::Shared`].
    to_prior: Var<'t>,
    to_output: Var<'t>,
}

impl Level<'_> {
    /// Labels prior and posterior as those of level `l`, counted from 0.
    fn name(&self, l: usize) {
        self.prior.named(&format!("p.{}", l + 1));
        self.posterior.named(&format!("q.{}", l + 1));
    }
}

impl Stcn {
    /// An STCN with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig, dense: bool) -> Self {
        let Config { channels, latent_hidden, .. } = *config;
        let (widths, levels) = ((obs.input, channels), config.latents.len());
        let shape = (levels, config.blocks_per_latent);
        let stack = Stack::Blocks(Tcn::new(init, "tcn", widths, shape, config.kernel_size));
        let sizes = Sizes {
            input: obs.input,
            dense,
            latents: config.latents.clone(),
            context: channels,
            per_level: config.blocks_per_latent,
            latent_layers: config.latent_layers,
            latent_hidden: if latent_hidden == 0 { channels } else { latent_hidden },
            output_layers: config.output_layers,
            output_size: channels,
            decoder: config.decoder,
            draws: config.draws,
            combine: config.precision.into(),
        };
        Self::on(stack, init, sizes, obs)
    }

    /// The ladder of latents on top of a stack.
    pub(super) fn on(stack: Stack, init: &mut Init, sizes: Sizes, obs: &ObservationConfig) -> Self {
        let Sizes { latents, latent_layers, latent_hidden, .. } = &sizes;
        let nets = |init: &mut Init, l: usize| {
            let above = latents.get(l + 1).unwrap_or(&0); // width of z^{l+1}
            let inputs = sizes.context + above;
            NormalNet::new(init, inputs, *latent_hidden, *latent_layers, latents[l])
        };
        let prior = init.list("prior", latents.len(), nets);
        let infer = init.list("infer", latents.len(), nets);
        let (y, width, layers) = (sizes.drawn(), sizes.output_size, sizes.output_layers);
        let output = init.scope("output", |init| match sizes.decoder {
            Decoder::Pointwise => OutputNet::pointwise(init, y, width, layers),
            Decoder::Gated => OutputNet::gated(init, y, width, layers),
        });
        Self { stack, prior, infer, output, head: obs.build(init, width), sizes }
    }

    /// d^1 … d^L over (0, x_1 … x_T): the output of the last block or cell of every level.   (B, T + 1, F) each
    pub fn contexts<'t>(&self, x: Var<'t>) -> Vec<Var<'t>> {
        let layers = self.stack.forward(prepend_zero(x));
        let ends = layers.chunks(self.sizes.per_level).map(|level| level[level.len() - 1]);
        ends.enumerate().map(|(l, d)| d.named(&format!("d.{}", l + 1))).collect()
    }

    /// The top-down pass, all steps in parallel; level 1 comes first in the result. `first` is the step of the
    /// sequences, counted from 0, that the second row of `d` belongs to.
    fn descend<'t>(
        &self,
        d: &[Var<'t>],
        first: usize,
        noise: &Noise,
        samples: &[u64],
    ) -> Vec<Level<'t>> {
        let steps = d[0].value().shape()[1] - 1;
        let around = |l: usize| [slice_time(d[l], 0, steps), slice_time(d[l], 1, steps)];
        self.descend_by(around, &|name, q| q.rsample_from(first, noise, name, samples, 1.))
    }

    /// The same for any steps: `around(l)` gives their d_{t−1}^l and d_t^l, `draw(name, posterior)` their latents.
    fn descend_by<'t>(
        &self,
        around: impl Fn(usize) -> [Var<'t>; 2],
        draw: Draw<'_, 't>,
    ) -> Vec<Level<'t>> {
        let mut levels: Vec<Level> = vec![];
        let (mut a, mut b) = (None, None); // z^{l+1}, as the prior and as the posterior below see it
        for l in (0..self.prior.len()).rev() {
            let name = format!("z.{}", l + 1);
            let [past, present] = around(l); // x_{<t}, x_{≤t}
            let prior = self.prior[l].forward(join(past, a)); // Eq. 8
            let estimate = self.infer[l].forward(join(present, b)); // Eq. 10
            let posterior = estimate.combined(prior, self.sizes.combine); // Eq. 11
            let to_prior = draw(&name, posterior);
            let (to_posterior, to_output) = match self.sizes.draws {
                Draws::Shared => (to_prior, to_prior),
                Draws::Fresh => {
                    let other = |what: &str| draw(&format!("{name}.{what}"), posterior);
                    (other("posterior"), other("output"))
                }
            };
            (a, b) = (Some(to_prior), Some(to_posterior));
            levels.push(Level { prior, estimate, posterior, to_prior, to_output });
        }
        levels.reverse(); // z^1 first, as the paper counts
        levels
    }

    /// The top-down pass with every latent drawn from its prior: what the output network sees of the steps from
    /// `first` on.   d: each level's d_{t−1} for these steps, (B, T, F), result: (B, T, what the output sees)
    pub fn sample_prior<'t>(
        &self,
        d: &[Var<'t>],
        first: usize,
        noise: &Noise,
        samples: &[u64],
        temperature: Real,
    ) -> Var<'t> {
        let (mut above, mut z) = (None, vec![]);
        for l in (0..d.len()).rev() {
            let prior = self.prior[l].forward(join(d[l], above)); // Eq. 8
            let name = format!("z.{}", l + 1);
            let draw = |name: &str| prior.rsample_from(first, noise, name, samples, temperature);
            let to_prior = draw(&name);
            z.push(match self.sizes.draws {
                Draws::Shared => to_prior,
                Draws::Fresh => draw(&format!("{name}.output")),
            });
            above = Some(to_prior);
        }
        z.reverse();
        self.join_latents(z)
    }

    /// What the output network sees of all steps with latents drawn from their posteriors.
    ///
    /// d: from [`contexts`](Self::contexts), (B, T + 1, F), result: (B, T, what the output sees)
    pub fn sample_posterior<'t>(&self, d: &[Var<'t>], noise: &Noise, samples: &[u64]) -> Var<'t> {
        let levels = self.descend(d, 0, noise, samples);
        self.join_latents(levels.iter().map(|level| level.to_output))
    }

    /// `p(x_t | z_t)` from what the output network sees, Eq. 9.   y: (B, T, z^1, or all latents side by side)
    pub fn predict<'t>(&self, y: Var<'t>) -> Observation<'t> {
        self.head.forward(self.output.forward(y))
    }

    /// `ln q(z_t^l | ·) − ln p(z_t^l | ·)` of every draw that the generative model makes: one per level, and under
    /// Fresh with a dense output a second one at every level above 1.
    fn sampled_kl<'t>(&self, l: usize, level: &Level<'t>) -> Vec<Var<'t>> {
        let draws = match self.sizes.draws {
            Draws::Shared => vec![level.to_prior],
            Draws::Fresh if l == 0 => vec![level.to_output],
            Draws::Fresh if self.sizes.dense => vec![level.to_prior, level.to_output],
            Draws::Fresh => vec![level.to_prior],
        };
        let ratio = |z| level.posterior.log_prob(z) - level.prior.log_prob(z);
        draws.into_iter().map(ratio).collect()
    }

    /// The terms of the bound, from the contexts of x.
    fn elbo_of<'t>(
        &self,
        d: &[Var<'t>],
        x: Var<'t>,
        noise: &Noise,
        samples: &[u64],
        kl: Kl,
    ) -> Elbo<'t> {
        let levels = self.descend(d, 0, noise, samples);
        let of_level = |(l, level): (usize, &Level<'t>)| {
            level.name(l);
            let kl = match kl {
                Kl::Analytic => level.estimate.combined_kl(level.prior, self.sizes.combine),
                Kl::Sampled => {
                    let draws = self.sampled_kl(l, level);
                    draws[1..].iter().fold(draws[0], |sum, &kl| sum + kl)
                }
            };
            kl.named(&format!("kl.{}", l + 1))
        };
        let kl = levels.iter().enumerate().map(of_level).collect(); // Eq. 15
        let y = self.join_latents(levels.iter().map(|level| level.to_output));
        let px = self.predict(y).named("head"); // Eq. 9
        Elbo { log_px: px.log_prob(x).named("log_px"), kl, auxiliary: vec![] } // Eqs. 16, 17
    }

    /// [`contexts`](Self::contexts), for [`each_draw`]. Not cut in time before they are needed, when they are in cache.
    fn seen<'t>(&self, x: Var<'t>) -> Context<Var<'t>> {
        Context { past: vec![], seen: self.contexts(x) }
    }

    /// The value of `of` for each of `draws` draws, given the contexts and x.
    fn values(
        &self,
        batch: &Batch,
        draws: usize,
        of: impl for<'t> Fn(u64, &[Var<'t>], Var<'t>) -> Var<'t>,
    ) -> Vec<Tensor> {
        let mut values = vec![];
        each_draw(
            batch,
            |x| self.seen(x),
            0..draws as u64,
            |c, x, draw| values.push(of(draw, &c.seen, x).value()),
        );
        values
    }

    /// What the output network sees: z^1, or z^1 ∘ … ∘ z^L.
    fn join_latents<'t>(&self, z: impl IntoIterator<Item = Var<'t>>) -> Var<'t> {
        let z: Vec<Var> = z.into_iter().collect();
        if self.sizes.dense { concat(&z) } else { z[0] }
    }
}

impl SequenceModel for Stcn {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        self.elbo_of(&self.contexts(x), x, noise, &batch.samples, kl)
    }

    fn elbos(&self, batch: &Batch, kl: Kl, draws: &[Addresses], see: &mut dyn FnMut(&Elbo)) {
        each_draw(
            batch,
            |x| self.seen(x),
            draws,
            |c, x, (noise, samples)| see(&self.elbo_of(&c.seen, x, noise, samples, kl)),
        );
    }

    fn is_recurrent(&self) -> bool {
        matches!(self.stack, Stack::Cells { .. })
    }

    fn bound(&self) -> Bound {
        let fresh = self.sizes.draws == Draws::Fresh;
        if fresh && self.sizes.dense { Bound::Objective } else { Bound::Lower }
    }

    /// `ln w_t = ln p(x_t | z_t) + Σ_l ln p(z_t^l | ·) − ln q(z_t^l | ·)`
    fn importance_weights(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
    ) -> Option<Vec<Tensor>> {
        if self.output.looks_back() {
            return None;
        }
        Some(self.values(batch, draws, |draw, d, x| {
            let levels = self.descend(d, 0, &noise.later(draw), &batch.samples);
            let y = self.join_latents(levels.iter().map(|level| level.to_output));
            let log_px = self.predict(y).log_prob(x);
            let kl = levels.iter().enumerate().flat_map(|(l, level)| self.sampled_kl(l, level));
            kl.fold(log_px, |log_w, kl| log_w - kl)
        }))
    }

    fn likelihoods(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
        latents: Latents,
    ) -> Option<Vec<Tensor>> {
        if self.output.looks_back() {
            return None;
        }
        let samples = &batch.samples;
        Some(self.values(batch, draws, |draw, d, x| {
            let noise = noise.later(draw);
            let y = match latents {
                Latents::Prior => {
                    let steps = x.value().shape()[1];
                    let past: Vec<Var> = d.iter().map(|&d| slice_time(d, 0, steps)).collect();
                    self.sample_prior(&past, 0, &noise, samples, 1.)
                }
                Latents::Shuffled(level) => {
                    let levels = self.descend(d, 0, &noise, samples);
                    self.join_latents(levels.iter().enumerate().map(|(l, of)| match l == level {
                        true => x.tape().constant(shuffled(&of.to_output.value(), batch, &noise)),
                        false => of.to_output,
                    }))
                }
            };
            self.predict(y).log_prob(x)
        }))
    }

    /// `None` if the objective is no bound: a latent's KL is then counted once for two draws.
    fn steps(&self) -> Option<&dyn StepModel> {
        (self.bound() == Bound::Lower).then_some(self)
    }

    fn sampler<'m>(&'m self, samples: &[u64]) -> Box<dyn Sampler + 'm> {
        let mut past = self.stack.past(samples.len());
        let start = Tensor::zeros(&[samples.len(), 1, self.sizes.input]);
        let contexts = self.context_step(&start, &mut past);
        let decoder = self.output.past(samples.len());
        Box::new(StcnSampler {
            model: self,
            samples: samples.to_vec(),
            past,
            contexts,
            decoder,
            t: 0,
        })
    }
}

impl StepModel for Stcn {
    /// d_{t−1}^l and d_t^l of every level
    fn context<'t>(&self, x: Var<'t>, _lengths: &[usize]) -> Context<Var<'t>> {
        let (steps, d) = (x.value().shape()[1], self.contexts(x));
        let from = |first| d.iter().map(|&d| slice_time(d, first, steps)).collect();
        Context { past: from(0), seen: from(1) }
    }

    /// The last latents that a decoder which looks back has seen: none yet. Rows of zeros would not do: its layers
    /// turn them into something else, where `forward` pads every layer with zeros.
    fn start(&self, rows: usize) -> Vec<Tensor> {
        let nothing = Tensor::zeros(&[rows, 0, self.sizes.drawn()]);
        if self.output.looks_back() { vec![nothing] } else { vec![] }
    }

    fn step<'t>(
        &self,
        c: &Context<Var<'t>>,
        x: Var<'t>,
        state: &[Var<'t>],
        draw: Draw<'_, 't>,
    ) -> Step<'t> {
        let levels = self.descend_by(|l| [c.past[l], c.seen[l]], draw);
        levels.iter().enumerate().for_each(|(l, level)| level.name(l));
        let kls: Vec<Var> =
            levels.iter().enumerate().flat_map(|(l, level)| self.sampled_kl(l, level)).collect();
        let kl = kls[1..].iter().fold(kls[0], |sum, &kl| sum + kl);
        let y = self.join_latents(levels.iter().map(|level| level.to_output));
        let seen = state.first().map_or(y, |&before| concat_time(&[before, y]));
        let rows = seen.value().shape()[1];
        let h = self.output.forward(seen);
        let px = self.head.forward(slice_time(h, rows - 1, 1)).named("head");
        let kept = rows.min(self.sizes.output_layers); // blocks of two taps, one step apart
        let last = |_: &Var<'t>| slice_time(seen, rows - kept, kept);
        Step {
            log_px: px.log_prob(x).named("log_px"),
            log_ratio: affine(kl, -1., 0.),
            state: state.iter().map(last).collect(),
        }
    }
}

impl Stcn {
    /// d_t^1 … d_t^L from x_t.
    fn context_step(&self, x: &Tensor, past: &mut StackPast) -> Vec<Tensor> {
        let layers = self.stack.step(x, past);
        let levels = layers.chunks(self.sizes.per_level);
        levels.map(|level| level[level.len() - 1].clone()).collect()
    }
}

/// Sequences being sampled.
struct StcnSampler<'m> {
    model: &'m Stcn,
    samples: Vec<u64>,
    past: StackPast,
    /// d_{t−1}^l, (B, 1, F) each
    contexts: Vec<Tensor>,
    decoder: Vec<Past>,
    t: usize,
}

impl Sampler for StcnSampler<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let Self { model, samples, t, .. } = self;
        let tape = Tape::inference();
        let d: Vec<Var> = self.contexts.iter().map(|d| tape.constant(d.clone())).collect();
        let y = model.sample_prior(&d, *t, noise, samples, temperature).value();
        let h = model.output.step(&y, &mut self.decoder);
        let px = model.head.forward(tape.constant(h));
        let x = px.sample(noise, samples, *t, temperature);
        self.advance(&x);
        x
    }

    /// Latents are drawn only for a decoder that looks back: no other part remembers them.
    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        for x in each_step(x) {
            let before = self.contexts.clone();
            let t = self.t;
            self.advance(&x);
            if self.model.output.looks_back() {
                let tape = Tape::inference();
                let both = before.iter().zip(&self.contexts).map(|(before, now)| {
                    concat_time(&[before, now].map(|d| tape.constant(d.clone())))
                });
                let both: Vec<Var> = both.collect();
                let levels = self.model.descend(&both, t, noise, &self.samples);
                let y = self.model.join_latents(levels.iter().map(|level| level.to_output)).value();
                self.model.output.step(&y, &mut self.decoder);
            }
        }
    }
}

impl StcnSampler<'_> {
    fn advance(&mut self, x: &Tensor) {
        self.contexts = self.model.context_step(x, &mut self.past);
        self.t += 1;
    }
}

/// The steps of every sequence in a random order, within its length.   z: (B, T, C)
fn shuffled(z: &Tensor, batch: &Batch, noise: &Noise) -> Tensor {
    let (_, steps, c) = z.btc("shuffled");
    let mut out = z.clone();
    let mut keys = vec![0; steps];
    let rows = out.data_mut().chunks_exact_mut(steps * c).zip(z.data().chunks_exact(steps * c));
    for ((row, z), (&length, &sample)) in rows.zip(batch.lengths.iter().zip(&batch.samples)) {
        noise.words("shuffle", sample, 0, &mut keys);
        let mut order: Vec<usize> = (0..length).collect();
        order.sort_by_key(|&t| (keys[t], t));
        for (row, &t) in row.chunks_exact_mut(c).zip(&order) {
            row.copy_from_slice(&z[t * c..][..c]);
        }
    }
    out
}

/// `[d, z]`, or d alone at the top.
fn join<'t>(d: Var<'t>, z: Option<Var<'t>>) -> Var<'t> {
    z.map_or(d, |z| concat(&[d, z]))
}
