//! VRNN: a recurrent network with a latent at every step (Chung et al., NIPS 2015).
//!
//! | paper | here |
//! |---|---|
//! | φ_x, φ_z | `embed`, `embed_latent` |
//! | φ_prior, φ_enc | `prior`, `infer` |
//! | φ_dec | `decode`, then `head` |
//! | h_t | `lstm` |
//!
//! ```text
//! p(z_t | x_{<t}, z_{<t}) = N(φ_prior(h_{t−1}))                       Eq. 5
//! p(x_t | z_{≤t}, x_{<t}) = head(φ_dec(φ_z(z_t), h_{t−1}))            Eq. 6
//! h_t = LSTM(φ_x(x_t), φ_z(z_t), h_{t−1}),  h_0 = 0                   Eq. 7
//! q(z_t | x_{≤t}, z_{<t}) = N(φ_enc(φ_x(x_t), h_{t−1}))               Eq. 9   sees x_{≤t}
//! ```
//! Only the posterior and the units go step by step; priors and outputs of all steps are one pass.
//! Facts: rivals.md §3.

use super::{
    Bound, Elbo, Generator, Kl, ModelConfig, SequenceModel, Step, StepModel, each_step,
    first_steps, head,
};
use crate::data::Batch;
use crate::dist::{Normal, Observation};
use crate::nn::{Head, Init, Lstm, Mlp, NormalLayers, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Tape, Var};
use crate::tensor::{Real, Tensor};

/// An LSTM that also reads what was drawn.
pub struct Vrnn {
    embed: Mlp,
    embed_latent: Mlp,
    prior: NormalLayers,
    infer: NormalLayers,
    decode: Mlp,
    head: Head,
    lstm: Lstm,
    latent: usize,
}
module!(Vrnn: embed, embed_latent, prior, infer, decode, head, lstm);

/// What a walk over all steps leaves, (B, T, ·) each.
struct Walk<'t> {
    /// h_{t−1}
    before: Var<'t>,
    z: Var<'t>,
    /// φ_z(z_t)
    drawn: Var<'t>,
    /// The distribution that z_t came from.
    from: Normal<'t>,
}

impl Vrnn {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let ModelConfig { input, channels, embedding, latent_embedding, output_layers, .. } =
            *config;
        let (z, hidden, n) = (config.latents[0], config.latent_width(), output_layers);
        let mlp = |init: &mut Init, name: &str, inputs: usize, width: usize| {
            init.scope(name, |init| Mlp::new(init, inputs, width, n))
        };
        let normal = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| NormalLayers::new(init, inputs, hidden, n, z))
        };
        Self {
            embed: mlp(init, "embed", input, embedding),
            embed_latent: mlp(init, "embed_latent", z, latent_embedding),
            prior: normal(init, "prior", channels),
            infer: normal(init, "infer", embedding + channels),
            decode: mlp(init, "decode", latent_embedding + channels, embedding),
            head: head(init, config, embedding),
            lstm: init
                .scope("lstm", |init| Lstm::new(init, embedding + latent_embedding, channels, 1.)),
            latent: z,
        }
    }

    /// Step by step: z_t from the posterior where t < `given`, from the prior behind.   x: (B, T, D)
    fn walk<'t>(&self, x: Var<'t>, given: usize, noise: &Noise, samples: &[u64]) -> Walk<'t> {
        let (tape, steps) = (x.tape(), x.value().shape()[1]);
        let epsilon = noise.normal_tensor("z.1", samples, steps, self.latent);
        let epsilon = tape.constant(epsilon).named("noise.z.1");
        let embedded = self.embed.forward(x);
        let mut state = self.lstm.start(samples.len()).map(|zeros| tape.constant(zeros));
        let (mut before, mut zs, mut drawn, mut froms) = (vec![], vec![], vec![], vec![]);
        for t in 0..steps {
            let (e, h) = (slice_time(embedded, t, 1), state[0]);
            let from = if t < given {
                self.infer.forward(concat(&[e, h])) // Eq. 9
            } else {
                self.prior.forward(h) // Eq. 5
            };
            let z = rsample(from.mean, from.std, slice_time(epsilon, t, 1));
            let u = self.embed_latent.forward(z);
            state = self.lstm.step(concat(&[e, u]), state); // Eq. 7
            before.push(h);
            zs.push(z);
            drawn.push(u);
            froms.push(from);
        }
        let from = Normal::concat_time(&froms);
        let [before, z, drawn] = [before, zs, drawn].map(|steps| concat_time(&steps));
        Walk { before, z: z.named("z.1"), drawn, from }
    }

    /// `p(x_t | z_{≤t}, x_{<t})`, Eq. 6.
    fn output<'t>(&self, drawn: Var<'t>, before: Var<'t>) -> Observation<'t> {
        self.head.forward(self.decode.forward(concat(&[drawn, before])))
    }

    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that [`Generator`] uses: if x is what [`generate`](super::generate) made of its
    /// first `given` steps, it comes back to the bit.   x, result: (B, T, D)
    pub fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let walk = self.walk(tape.constant(x.clone()), given, noise, samples);
        let px = self.output(walk.drawn, walk.before);
        first_steps(given, x, &px.sample(noise, samples, 0, 1.))
    }
}

impl SequenceModel for Vrnn {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let walk = self.walk(x, batch.x.shape()[1], noise, &batch.samples);
        let (q, p) = (walk.from.named("q.1"), self.prior.forward(walk.before).named("p.1"));
        let kl = kl.of(q, p, walk.z).named("kl.1");
        let px = self.output(walk.drawn, walk.before).named("head");
        let log_px = px.log_prob(x).named("log_px");
        Elbo { log_px, kl: vec![kl], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Lower
    }

    fn steps(&self) -> Option<&dyn StepModel> {
        Some(self)
    }

    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm> {
        let state = self.lstm.start(samples.len());
        Box::new(Writer { model: self, samples: samples.to_vec(), state, t: 0 })
    }
}

impl StepModel for Vrnn {
    /// φ_x(x_t)
    fn context<'t>(&self, x: Var<'t>, _lengths: &[usize]) -> Vec<Var<'t>> {
        vec![self.embed.forward(x)]
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        self.lstm.start(rows).into()
    }

    fn step<'t>(
        &self,
        context: &[Var<'t>],
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t> {
        let (e, h) = (context[0], state[0]);
        let p = self.prior.forward(h).named("p.1");
        let q = self.infer.forward(concat(&[e, h])).named("q.1");
        let z = draw("z.1", q);
        let u = self.embed_latent.forward(z);
        Step {
            log_px: self.output(u, h).named("head").log_prob(x).named("log_px"),
            log_ratio: p.log_prob(z) - q.log_prob(z),
            state: self.lstm.step(concat(&[e, u]), [state[0], state[1]]).into(),
        }
    }
}

/// Sequences under way.
struct Writer<'m> {
    model: &'m Vrnn,
    samples: Vec<u64>,
    /// h_{t−1}, c_{t−1}
    state: [Tensor; 2],
    t: usize,
}

impl Writer<'_> {
    fn state<'t>(&self, tape: &'t Tape) -> [Var<'t>; 2] {
        self.state.clone().map(|state| tape.constant(state))
    }

    /// φ_z(z_t) of a draw.
    fn draw_latent<'t>(&self, from: Normal<'t>, noise: &Noise, temperature: Real) -> Var<'t> {
        let z = from.rsample_from(self.t, noise, "z.1", &self.samples, temperature);
        self.model.embed_latent.forward(z)
    }

    fn advance<'t>(&mut self, e: Var<'t>, u: Var<'t>, state: [Var<'t>; 2]) {
        self.state = self.model.lstm.step(concat(&[e, u]), state).map(Var::value);
        self.t += 1;
    }
}

impl Generator for Writer<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let state = self.state(&tape);
        let u = self.draw_latent(self.model.prior.forward(state[0]), noise, temperature);
        let x = self.model.output(u, state[0]).sample(noise, &self.samples, self.t, temperature);
        self.advance(self.model.embed.forward(tape.constant(x.clone())), u, state);
        x
    }

    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        for x in each_step(x) {
            let tape = Tape::inference();
            let state = self.state(&tape);
            let e = self.model.embed.forward(tape.constant(x));
            let from = self.model.infer.forward(concat(&[e, state[0]]));
            let u = self.draw_latent(from, noise, 1.);
            self.advance(e, u, state);
        }
    }
}
