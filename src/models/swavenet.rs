//! SWaveNet: a WaveNet with a latent in every layer (Lai et al. 2018, "Stochastic WaveNet").
//!
//! | rivals.md §7 | here |
//! |---|---|
//! | lin of s⁰ and m; Gate₀ | `embed`; `first_skip` |
//! | pre-layers and their skips | `pre`, `pre_skip` |
//! | Block of g^l, Block← of v^l | `block`, `back` |
//! | p(z^l), q(z^l) | `prior`, `infer` |
//! | s^l, skip^l, r^l | `state`, `skip`, `lookahead_gate` (path `look`) |
//!
//! ```text
//! s⁰_t = max(lin(x_{t−1}), 0),  x_0 = 0;  pre-layers: s ← Block(s), skip = Gate(s)
//! g^l = Block(s^{l−1}),  s^l_t = Gate([g^l_t; z^l_t]),  skip^l_t = Gate([g^l_t; z^l_t])
//! p(z_t^l | ·) = N(Gate(g^l_t))                                       bottom up, sees x_{<t}
//! p(x_t | ·) = head(lin(max(lin(max(Gate₀(s⁰_t) + Σ skips, 0)), 0)))
//! m_t = lin(x_t);  v^L = Block←(m),  v^l = Block←(v^{l+1}),  taps at t and t + δ_l
//! q(z_t^l | ·) = N(Gate([g^l_t; r^l_t])),  r^l_t = Gate([v^l_t; m_t])    sees x_{t'}, t' ≥ t, too
//! ```
//! Dilations are 1, 2, 4, … through pre-layers and layers. Through the blocks above, z_t^l reaches later steps; with
//! one layer there are none above, and the latents of different steps are independent given x.

use super::config::{ObservationConfig, Preset};
use super::sequence::{
    Addresses, Bound, Context, Elbo, Kl, Sampler, SequenceModel, Step, StepModel, addresses,
    each_draw, each_step, of_draws,
};
use super::{Architecture, Description, Draw};
use crate::choice::choice;
use crate::data::Batch;
use crate::dist::{Normal, Observation};
use crate::error::{Error, Result};
use crate::nn::{Gate, Head, Init, Linear, NormalGate, ProjectedBlock, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::settings;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

choice! {
    /// The layers between streams, latents and skips (rivals.md §7).
    GateKind, "kind of gate":
    /// Speech: a linear layer of `gate_hidden_size` units, a rectifier, a linear layer.
    TwoLayer = "two-layer",
    /// Ink: a rectifier, then one linear layer, to which all negative values of a latent are alike.
    PreReluLinear = "pre-relu-linear",
}

choice! {
    /// What the blocks multiply tanh with (rivals.md §12, row 14).
    GateAct, "gate activation":
    /// Paper: a sigmoid.
    Sigmoid = "sigmoid",
    /// Release: the gate without its sigmoid, whose result went into a misspelt variable.
    LinearAsReleased = "linear-as-released",
}

settings! {
    /// Sizes and switches of a SWaveNet. Dilated convolutions have two taps.
    pub struct Config {
        /// E, width of the streams between the layers.
        pub channels: usize = 1..=1 << 16,
        /// Sizes of z^1 … z^L, lowest first: one layer each.
        pub latents: Vec<usize> = (1..=64, 1..=1 << 16),
        /// Layers without a latent, below those with one; dilations 1, 2, 4, … go through all.
        pub pre_layers: usize = 0..=64,
        /// Width of two-layer gates.
        pub gate_hidden_size: usize = 1..=1 << 16,
        /// Width of the two layers before the head.
        pub output_size: usize = 1..=1 << 16,
        /// What gates are.
        pub gate_kind: GateKind,
        /// What the blocks multiply tanh with.
        pub gate_act: GateAct,
    }
}

/// The most layers: dilations double, and a sampler has to remember every row.
const MOST_LAYERS: usize = 20;

/// What `inspect` shows beside a node.
const EQUATIONS: &[(&str, &str)] = &[
    ("embed", "s⁰_t = max(lin(x_{t−1}), 0); m_t = lin(x_t)"),
    ("pre", "pre-layers: s ← Block(s)"),
    ("block", "g^l = Block(s^{l−1})"),
    ("back", "v^l = Block←(v^{l+1})"),
    ("state", "s^l_t = Gate([g^l_t; z^l_t])"),
    ("skip", "skip^l_t = Gate([g^l_t; z^l_t])"),
    ("look", "r^l_t = Gate([v^l_t; m_t])"),
    ("prior", "p(z_t^l | ·) = N(Gate(g^l_t))"),
    ("p", "p(z_t^l | ·)"),
    ("infer", "q(z_t^l | ·) = N(Gate([g^l_t; r^l_t]))"),
    ("q", "q(z_t^l | ·)"),
    ("z", "z_t^l ~ q(z_t^l | ·)"),
    ("head", "p(x_t | ·)"),
    ("kl", "KL(q(z_t^l | ·) ‖ p(z_t^l | ·))"),
    ("log_px", "ln p(x_t | ·)"),
    ("loss", "−ELBO"),
];

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = SWaveNet;

    fn description(&self) -> Description {
        Description {
            name: "swavenet",
            about: "SWaveNet (Lai et al. 2018): a WaveNet with latents in its layers; the posterior sees later steps of x.",
            looks_ahead: true,
            inference_only: &["back", "infer", "look"],
            equations: EQUATIONS,
            ..Description::default()
        }
    }

    /// Layers as in the paper: on speech four with latents (as run; the text says five), on ink one with latents after
    /// five without. Small presets have as many parameters as those of the other models.
    fn preset(&self, preset: Preset, _obs: &ObservationConfig) -> Config {
        let (channels, latent, gate_hidden_size, output_size) = match preset {
            Preset::InkTiny | Preset::SeriesTiny => (46, 8, 32, 32),
            Preset::InkSmall | Preset::MusicSmall | Preset::SeriesSmall => (110, 16, 64, 64),
            Preset::SpeechSmall => (84, 32, 96, 96),
            Preset::Ink => (200, 200, 200, 200),
            Preset::Speech | Preset::SpeechLarge => (1024, 512, 512, 1024),
        };
        let speech = matches!(preset, Preset::SpeechSmall | Preset::Speech | Preset::SpeechLarge);
        let (pre_layers, layers) = if speech { (0, 4) } else { (5, 1) };
        let of_ink = preset == Preset::Ink;
        let gate_kind = if of_ink { GateKind::PreReluLinear } else { GateKind::TwoLayer };
        let (latents, gate_act) = (vec![latent; layers], GateAct::Sigmoid);
        Config { channels, latents, pre_layers, gate_hidden_size, output_size, gate_kind, gate_act }
    }

    fn gradcheck(&self, tiny: Config) -> Config {
        Config {
            channels: 5,
            latents: vec![3, 2],
            pre_layers: 1,
            gate_hidden_size: 5,
            output_size: 5,
            ..tiny
        }
    }

    fn as_released(&self, config: &mut Config, _obs: &mut ObservationConfig) {
        config.gate_act = GateAct::LinearAsReleased;
    }

    fn check(&self, config: &Config) -> Result<()> {
        let layers = config.pre_layers + config.latents.len();
        if layers <= MOST_LAYERS {
            return Ok(());
        }
        Err(Error::usage(format!(
            "the sum of model.pre_layers and the number of model.latents is {layers}: choose a number from 1 to {MOST_LAYERS}"
        )))
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> SWaveNet {
        SWaveNet::new(init, config, obs)
    }
}

/// Gated blocks with latents between them.
pub struct SWaveNet {
    embed: Linear,
    first_skip: Gate,
    pre: Vec<ProjectedBlock>,
    pre_skip: Vec<Gate>,
    block: Vec<ProjectedBlock>,
    back: Vec<ProjectedBlock>,
    prior: Vec<NormalGate>,
    infer: Vec<NormalGate>,
    state: Vec<Gate>, // none after the last layer
    skip: Vec<Gate>,
    lookahead_gate: Vec<Gate>,
    output: Vec<Linear>,
    head: Head,
    input: usize,
    channels: usize,
}
module!(SWaveNet: embed, first_skip, pre, pre_skip, block, back, prior, infer, state, skip, lookahead_gate, output, head);

impl SWaveNet {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &Config, obs: &ObservationConfig) -> Self {
        let Config { channels: e, output_size: b, pre_layers: pre, .. } = *config;
        let (z, layers, input) = (&config.latents, config.latents.len(), obs.input);
        let hidden = match config.gate_kind {
            GateKind::TwoLayer => Some(config.gate_hidden_size),
            GateKind::PreReluLinear => None,
        };
        let linear = config.gate_act == GateAct::LinearAsReleased;
        let block = |init: &mut Init, i: usize| {
            ProjectedBlock::new(init, e, 1 << i).with_linear_gate(linear)
        };
        let layer = |init: &mut Init, l: usize| block(init, pre + l);
        let gate = |init: &mut Init, inputs: usize| Gate::new(init, inputs, hidden, e);
        let output = |init: &mut Init, i| Linear::new(init, if i == 0 { e } else { b }, b);
        Self {
            embed: init.scope("embed", |init| Linear::new(init, input, e)),
            first_skip: init.scope("first_skip", |init| gate(init, e)),
            pre: init.list("pre", pre, block),
            pre_skip: init.list("pre_skip", pre, |init, _| gate(init, e)),
            block: init.list("block", layers, layer),
            back: init.list("back", layers, layer),
            prior: init.list("prior", layers, |init, l| NormalGate::new(init, e, hidden, z[l])),
            infer: init.list("infer", layers, |init, l| NormalGate::new(init, 2 * e, hidden, z[l])),
            state: init.list("state", layers - 1, |init, l| gate(init, e + z[l])),
            skip: init.list("skip", layers, |init, l| gate(init, e + z[l])),
            lookahead_gate: init.list("look", layers, |init, _| gate(init, 2 * e)),
            output: init.list("output", 2, output),
            head: obs.build(init, b),
            input,
            channels: e,
        }
    }

    /// The part below all latents: its sum of skips, and g^1. `run` runs a block on its input.   e: lin(x_{t−1})
    fn below<'t>(
        &self,
        e: Var<'t>,
        mut run: impl FnMut(&ProjectedBlock, Var<'t>) -> Var<'t>,
    ) -> [Var<'t>; 2] {
        let mut s = relu(e);
        let mut skips = self.first_skip.forward(s);
        for (block, gate) in self.pre.iter().zip(&self.pre_skip) {
            s = run(block, s);
            skips = skips + gate.forward(s);
        }
        [skips, run(&self.block[0], s)]
    }

    /// The part above: `draw(l, g^l)` gives z^l, l from 0.
    fn climb<'t>(
        &self,
        [mut skips, mut g]: [Var<'t>; 2],
        mut draw: impl FnMut(usize, Var<'t>) -> Var<'t>,
        mut run: impl FnMut(&ProjectedBlock, Var<'t>) -> Var<'t>,
    ) -> Observation<'t> {
        for (l, skip) in self.skip.iter().enumerate() {
            let both = concat(&[g, draw(l, g)]);
            skips = skips + skip.forward(both);
            if let Some(state) = self.state.get(l) {
                g = run(&self.block[l + 1], state.forward(both));
            }
        }
        let h = self.output[0].forward_relu(relu(skips));
        self.head.forward(self.output[1].forward(h))
    }

    /// Prior and posterior of z^l, from g^l and r^l; l from 0.   g, r: (B, T, ·), result: (B, T, `latents[l]`) each
    pub fn latent<'t>(&self, l: usize, g: Var<'t>, r: Var<'t>) -> (Normal<'t>, Normal<'t>) {
        let (p, q) = (self.prior[l].forward(g), self.infer[l].forward(concat(&[g, r])));
        (p.named(&format!("p.{}", l + 1)), q.named(&format!("q.{}", l + 1)))
    }

    /// r^1 … r^L, computed from the last step of each sequence backwards.   m: (B, T, E)
    fn reverse<'t>(&self, m: Var<'t>, lengths: &[usize]) -> Vec<Var<'t>> {
        let mut v = reverse_time(m, lengths); // so that causal blocks run backwards
        let mut r = vec![];
        for (l, (back, gate)) in self.back.iter().zip(&self.lookahead_gate).enumerate().rev() {
            v = back.forward(v);
            let both = concat(&[reverse_time(v, lengths), m]);
            r.push(gate.forward(both).named(&format!("r.{}", l + 1)));
        }
        r.reverse();
        r
    }

    /// `p(x_t | ·)` of all steps, from the [`context`](StepModel::context) of x, with latents that
    /// `draw(l, g^l, r^l)` gives, l from 0: z^l, (B, T, `latents[l]`).
    pub fn predict<'t>(
        &self,
        c: &Context<Var<'t>>,
        mut draw: impl FnMut(usize, Var<'t>, Var<'t>) -> Var<'t>,
    ) -> Observation<'t> {
        let of_level = |l: usize, g| draw(l, g, c.seen[l]);
        self.climb([c.past[0], c.past[1]], of_level, |block, s| block.forward(s))
    }

    /// The bound, from the context of x.
    fn bound_of<'t>(
        &self,
        context: &Context<Var<'t>>,
        x: Var<'t>,
        samples: &[u64],
        noise: &Noise,
        kl: Kl,
    ) -> Elbo<'t> {
        let mut kls = vec![];
        let draw = |l: usize, g, r| {
            let (p, q) = self.latent(l, g, r);
            let z = q.rsample(noise, &format!("z.{}", l + 1), samples);
            kls.push(kl.of(q, p, z).named(&format!("kl.{}", l + 1)));
            z
        };
        let px = self.predict(context, draw).named("head");
        Elbo { log_px: px.log_prob(x).named("log_px"), kl: kls, auxiliary: vec![] }
    }

    /// Rows of zeros, as many as `blocks` look back over.   (rows, 1, E) each
    fn past<'m>(
        &self,
        blocks: impl Iterator<Item = &'m ProjectedBlock>,
        rows: usize,
    ) -> Vec<Tensor> {
        let count = blocks.map(ProjectedBlock::dilation).sum::<usize>();
        vec![Tensor::zeros(&[rows, 1, self.channels]); count]
    }
}

impl SequenceModel for SWaveNet {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        self.bound_of(&self.context(x, &batch.lengths), x, &batch.samples, noise, kl)
    }

    fn elbos(&self, batch: &Batch, kl: Kl, draws: &[Addresses], see: &mut dyn FnMut(&Elbo)) {
        each_draw(
            batch,
            |x| self.context(x, &batch.lengths),
            draws,
            |c, x, (noise, samples)| see(&self.bound_of(c, x, samples, noise, kl)),
        );
    }

    fn bound(&self) -> Bound {
        Bound::Lower
    }

    /// Only with one layer: with more, later steps depend on z_t.
    fn importance_weights(
        &self,
        batch: &Batch,
        noise: &Noise,
        draws: usize,
    ) -> Option<Vec<Tensor>> {
        if self.block.len() > 1 {
            return None;
        }
        let draws = addresses(noise, batch, draws);
        let weight = |elbo: &Elbo| (elbo.log_px - elbo.kl[0]).value();
        Some(of_draws(self, batch, Kl::Sampled, &draws, weight))
    }

    fn steps(&self) -> Option<&dyn StepModel> {
        Some(self)
    }

    fn sampler<'m>(&'m self, samples: &[u64]) -> Box<dyn Sampler + 'm> {
        let past = self.past(self.pre.iter().chain(&self.block), samples.len());
        let last = Tensor::zeros(&[samples.len(), 1, self.input]);
        Box::new(SWaveNetSampler { model: self, samples: samples.to_vec(), past, last, t: 0 })
    }
}

impl StepModel for SWaveNet {
    /// The sum of skips below the latents, g^1, and r^1 … r^L.
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Context<Var<'t>> {
        let steps = x.value().shape()[1];
        let e = self.embed.forward(prepend_zero(x)); // of 0, x_1 … x_T
        let below = self.below(slice_time(e, 0, steps), |block, s| block.forward(s));
        Context { past: below.into(), seen: self.reverse(slice_time(e, 1, steps), lengths) }
    }

    /// The last δ_l rows of s^{l−1} for every layer above the first, whose input sees no latent.
    fn start(&self, rows: usize) -> Vec<Tensor> {
        self.past(self.block[1..].iter(), rows)
    }

    fn step<'t>(
        &self,
        c: &Context<Var<'t>>,
        x: Var<'t>,
        state: &[Var<'t>],
        draw: Draw<'_, 't>,
    ) -> Step<'t> {
        let (mut rows, mut log_ratio) = (Rows { before: state, after: vec![] }, None);
        let draw = |l: usize, g| {
            let (p, q) = self.latent(l, g, c.seen[l]);
            let z = draw(&format!("z.{}", l + 1), q);
            let ratio = p.log_prob(z) - q.log_prob(z);
            log_ratio = Some(log_ratio.map_or(ratio, |sum| sum + ratio));
            z
        };
        let px = self.climb([c.past[0], c.past[1]], draw, |block, s| rows.run(block, s));
        let log_ratio = log_ratio.expect("a model has a latent");
        let log_px = px.named("head").log_prob(x).named("log_px");
        Step { log_px, log_ratio, state: rows.after }
    }
}

/// The rows that blocks remember before a step and after it: block after block, oldest first.
struct Rows<'a, 't> {
    before: &'a [Var<'t>],
    after: Vec<Var<'t>>,
}

impl<'t> Rows<'_, 't> {
    /// One step of the next block.
    fn run(&mut self, block: &ProjectedBlock, s: Var<'t>) -> Var<'t> {
        let (mine, others) = self.before.split_at(block.dilation());
        self.before = others;
        self.after.extend(&mine[1..]);
        self.after.push(s);
        block.step(mine[0], s)
    }
}

/// Sequences being sampled.
struct SWaveNetSampler<'m> {
    model: &'m SWaveNet,
    samples: Vec<u64>,
    /// The rows that the blocks remember, in the order of [`Rows`].
    past: Vec<Tensor>,
    /// x_{t−1}
    last: Tensor,
    t: usize,
}

impl SWaveNetSampler<'_> {
    /// `p(x_t | ·)`, with latents from their posteriors where there is an r_t.
    fn predict<'t>(
        &mut self,
        tape: &'t Tape,
        r: Option<&[Var<'t>]>,
        noise: &Noise,
        temperature: Real,
    ) -> Observation<'t> {
        let Self { model, samples, t, .. } = self;
        let past: Vec<Var> = self.past.iter().map(|row| tape.constant(row.clone())).collect();
        let mut rows = Rows { before: &past, after: vec![] };
        let e = model.embed.forward(tape.constant(self.last.clone()));
        let below = model.below(e, |block, s| rows.run(block, s));
        let draw = |l: usize, g| {
            let from = r.map_or_else(|| model.prior[l].forward(g), |r| model.latent(l, g, r[l]).1);
            from.rsample_from(*t, noise, &format!("z.{}", l + 1), samples, temperature)
        };
        let px = model.climb(below, draw, |block, s| rows.run(block, s));
        self.past = rows.after.into_iter().map(Var::value).collect();
        self.t += 1;
        px
    }
}

impl Sampler for SWaveNetSampler<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let px = self.predict(&tape, None, noise, temperature);
        self.last = px.sample(noise, &self.samples, self.t - 1, temperature);
        self.last.clone()
    }

    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        let tape = Tape::inference();
        let embedded = self.model.embed.forward(tape.constant(x.clone()));
        let r = self.model.reverse(embedded, &vec![x.shape()[1]; self.samples.len()]);
        let r: Vec<Tensor> = r.into_iter().map(Var::value).collect();
        for (t, x) in each_step(x).enumerate() {
            let tape = Tape::inference();
            let r = r.iter().map(|r| slice_time(tape.constant(r.clone()), t, 1));
            self.predict(&tape, Some(&r.collect::<Vec<_>>()), noise, 1.);
            self.last = x;
        }
    }
}
