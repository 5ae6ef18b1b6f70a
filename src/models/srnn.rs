//! SRNN: a chain of latents beside deterministic units (Fraccaro et al., NIPS 2016).
//!
//! | paper | here |
//! |---|---|
//! | d_t | `forward` |
//! | a_t | `smooth`, units that read backwards, or `filter`, layers that see one step |
//! | NN of p(z_t), of q(z_t) | `prior`, `infer`, each a net for the mean and one for the log-variance |
//! | what x passes to the units, what passes to x | `embed`; `decode`, then `head` |
//!
//! ```text
//! d_t = GRU(emb(x_{t−1}), d_{t−1}),  x_0 = d_0 = 0
//! p(z_t | z_{t−1}, d_t) = N(μ⁰, σ⁰²),  μ⁰, ln σ⁰² = NN([d_t; z_{t−1}]),  z_0 = 0
//! p(x_t | z_t, d_t) = head(gen([d_t; z_t]))
//! a_t = GRU([d_t; emb(x_t)], a_{t+1}),  a_{T+1} = 0                        sees all of x
//! q(z_t | z_{t−1}, a_t) = N(μ⁰ + μ̂, σ²),  μ̂, ln σ² = NN([a_t; z_{t−1}])    μ⁰ of the z_{t−1} drawn from q
//! ```
//! `srnn-filter` has `a_t = NN([d_t; emb(x_t)])` instead, which sees x_{≤t} only. As no unit reads a latent,
//! both layers of units are one pass; only the latents go step by step, and priors' variances, outputs and
//! KLs of all steps are one pass again. Facts: rivals.md §4, decision 0015.

use super::{
    Bound, Elbo, Generator, Kl, ModelConfig, ModelKind, SequenceModel, Step, StepModel, each_step,
    first_steps, head,
};
use crate::data::Batch;
use crate::dist::{Normal, Observation};
use crate::nn::{Gru, Head, Init, Linear, Module, clipped_leaky_relu, module};
use crate::noise::Noise;
use crate::ops::*;
use crate::tape::{Param, Tape, Var};
use crate::tensor::{Real, Tensor};

/// A chain of latents beside units that do not read them.
pub struct Srnn {
    embed: Vec<Linear>,
    forward: Gru,
    smooth: Option<Gru>,
    filter: Vec<Linear>, // without the one above
    prior: NormalNets,
    infer: NormalNets,
    decode: Vec<Linear>,
    head: Head,
    input: usize,
    latent: usize,
}
module!(Srnn: embed, forward, smooth, filter, prior, infer, decode, head);

/// Layers `1 … n` of one width, each to pass [`clipped_leaky_relu`].
fn layers(init: &mut Init, name: &str, inputs: usize, width: usize, n: usize) -> Vec<Linear> {
    init.list(name, n, |init, i| Linear::new(init, if i == 0 { inputs } else { width }, width))
}

fn through<'t>(layers: &[Linear], x: Var<'t>) -> Var<'t> {
    layers.iter().fold(x, |h, layer| clipped_leaky_relu(layer.forward(h)))
}

/// `NN([u; z]) = V lrelu₃(W u + U z + b) + c`.   u: (B, T, units), z, result: (B, T, latent)
struct Net {
    units: Param,  // W: (units, hidden)
    latent: Param, // U: (latent, hidden)
    bias: Param,   // (hidden)
    output: Linear,
}
module!(Net: units, latent, bias, output);

impl Net {
    /// The bound of the uniform weights V of a new net: prior and posterior begin next to N(0, 1).
    const OUTPUT: f64 = 1e-3;

    fn new(init: &mut Init, units: usize, hidden: usize, latent: usize) -> Self {
        let mut weight = |name: &str, inputs: usize| {
            init.scope(name, |init| init.weight(&[inputs, hidden], units + latent, hidden))
        };
        let (units, latent_weight) = (weight("units", units), weight("latent", latent));
        let bias = init.bias(hidden);
        let mut output = init.scope("output", |init| Linear::new(init, hidden, latent));
        let glorot = (6. / (hidden + latent) as f64).sqrt();
        output.visit_mut(&mut |p| p.value = p.value.map(|w| (Self::OUTPUT / glorot) as Real * w));
        Self { units, latent: latent_weight, bias, output }
    }

    /// `W u + b`, which waits for no latent.   (B, T, hidden)
    fn see<'t>(&self, u: Var<'t>) -> Var<'t> {
        linear(u, u.tape().param(&self.units), u.tape().param(&self.bias))
    }

    /// The rest, from what it has seen of u.
    fn forward<'t>(&self, seen: Var<'t>, z: Var<'t>) -> Var<'t> {
        self.output.forward(clipped_leaky_relu(linear_onto(z, z.tape().param(&self.latent), seen)))
    }
}

/// A mean and a log-variance from nets that share nothing.
struct NormalNets {
    mean: Net,
    log_var: Net,
}
module!(NormalNets: mean, log_var);

impl NormalNets {
    fn new(init: &mut Init, name: &str, units: usize, hidden: usize, latent: usize) -> Self {
        let mut net = |part: &str| {
            init.scope(name, |init| init.scope(part, |init| Net::new(init, units, hidden, latent)))
        };
        Self { mean: net("mean"), log_var: net("log_var") }
    }

    fn forward<'t>(&self, u: Var<'t>, z: Var<'t>) -> Normal<'t> {
        let mean = self.mean.forward(self.mean.see(u), z);
        Normal { mean, std: std(self.log_var.forward(self.log_var.see(u), z)) }
    }
}

/// `σ = √(eˢ + 10⁻⁶)`
fn std(log_var: Var) -> Var {
    sqrt(affine(exp(log_var), 1., 1e-6))
}

impl Srnn {
    /// A model with fresh parameters.
    pub fn new(init: &mut Init, config: &ModelConfig) -> Self {
        let ModelConfig { input, channels: d, embedding: m, output_layers: n, .. } = *config;
        let (z, hidden) = (config.latents[0], config.latent_width());
        let smoother = config.kind == ModelKind::Srnn;
        Self {
            embed: layers(init, "embed", input, m, n),
            forward: init.scope("forward", |init| Gru::new(init, m, d)),
            smooth: smoother.then(|| init.scope("smooth", |init| Gru::new(init, d + m, d))),
            filter: layers(init, "filter", d + m, d, if smoother { 0 } else { n }),
            prior: NormalNets::new(init, "prior", d, hidden, z),
            infer: NormalNets::new(init, "infer", d, hidden, z),
            decode: layers(init, "decode", d + z, m, n),
            head: head(init, config, m),
            input,
            latent: z,
        }
    }

    /// d_1 … d_T, which see no latent, and emb(x_1) … emb(x_T).   x: (B, T, D)
    fn units<'t>(&self, x: Var<'t>) -> [Var<'t>; 2] {
        let steps = x.value().shape()[1];
        let e = through(&self.embed, prepend_zero(x));
        [self.forward.forward(slice_time(e, 0, steps)).named("d"), slice_time(e, 1, steps)]
    }

    /// a_1 … a_T   (B, T, d)
    fn summarise<'t>(&self, [d, e]: [Var<'t>; 2], lengths: &[usize]) -> Var<'t> {
        let x = concat(&[d, e]);
        let a = match &self.smooth {
            Some(units) => reverse_time(units.forward(reverse_time(x, lengths)), lengths),
            None => through(&self.filter, x),
        };
        a.named("a")
    }

    /// z_1 … z_T, one after another, and what they came from: `from(t, z_{t−1})`.   (B, T, z) each
    fn walk<'t>(
        &self,
        tape: &'t Tape,
        steps: usize,
        noise: &Noise,
        samples: &[u64],
        mut from: impl FnMut(usize, Var<'t>) -> Normal<'t>,
    ) -> (Var<'t>, Normal<'t>) {
        let epsilon = noise.normal_tensor("z.1", samples, steps, self.latent);
        let epsilon = tape.constant(epsilon).named("noise.z.1");
        let mut z = tape.constant(self.start(samples.len()).remove(0));
        let (mut zs, mut froms) = (vec![], vec![]);
        for t in 0..steps {
            let from = from(t, z);
            z = rsample(from.mean, from.std, slice_time(epsilon, t, 1));
            zs.push(z);
            froms.push(from);
        }
        let from = Normal::concat_time(&froms);
        (concat_time(&zs).named("z.1"), from)
    }

    /// `q(z_t | z_{t−1}, a_t)` beside the prior p.
    fn posterior<'t>(&self, p: Normal<'t>, a: Var<'t>, before: Var<'t>) -> Normal<'t> {
        let q = self.infer.forward(a, before);
        Normal { mean: p.mean + q.mean, std: q.std }
    }

    /// `p(x_t | z_t, d_t)`.
    fn output<'t>(&self, d: Var<'t>, z: Var<'t>) -> Observation<'t> {
        self.head.forward(through(&self.decode, concat(&[d, z])))
    }

    /// Steps 1 … `given` of x as they are, every later x_t drawn from `p(x_t | x_{<t})`, all in one pass.
    ///
    /// From the noise that [`Generator`] uses: if x is what [`generate`](super::generate) made of its
    /// first `given` steps, it comes back to the bit.   x, result: (B, T, D)
    pub fn redraw(&self, x: &Tensor, given: usize, noise: &Noise, samples: &[u64]) -> Tensor {
        let tape = Tape::inference();
        let [d, e] = self.units(tape.constant(x.clone()));
        let a = self.summarise([d, e], &vec![given; samples.len()]);
        let (z, _) = self.walk(&tape, x.shape()[1], noise, samples, |t, z| {
            let p = self.prior.forward(slice_time(d, t, 1), z);
            if t < given { self.posterior(p, slice_time(a, t, 1), z) } else { p }
        });
        first_steps(given, x, &self.output(d, z).sample(noise, samples, 0, 1.))
    }
}

impl SequenceModel for Srnn {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, noise: &Noise, kl: Kl) -> Elbo<'t> {
        let (x, steps) = (tape.constant(batch.x.clone()).named("x"), batch.x.shape()[1]);
        let [d, e] = self.units(x);
        let a = self.summarise([d, e], &batch.lengths);
        let seen = [self.prior.mean.see(d), self.infer.mean.see(a), self.infer.log_var.see(a)];
        let mut prior_mean = vec![];
        let (z, q) = self.walk(tape, steps, noise, &batch.samples, |t, z| {
            let [p, mean, log_var] = seen.map(|seen| slice_time(seen, t, 1));
            let p = self.prior.mean.forward(p, z); // μ⁰
            prior_mean.push(p);
            let mean = p + self.infer.mean.forward(mean, z); // μ⁰ + μ̂
            Normal { mean, std: std(self.infer.log_var.forward(log_var, z)) }
        });
        let before = slice_time(prepend_zero(z), 0, steps); // 0, z_1 … z_{T−1}
        let log_var = self.prior.log_var.forward(self.prior.log_var.see(d), before);
        let p = Normal { mean: concat_time(&prior_mean), std: std(log_var) };
        Elbo {
            log_px: self.output(d, z).named("head").log_prob(x).named("log_px"),
            kl: vec![kl.of(q.named("q.1"), p.named("p.1"), z).named("kl.1")],
            auxiliary: vec![],
        }
    }

    fn bound(&self) -> Bound {
        Bound::Lower
    }

    fn steps(&self) -> Option<&dyn StepModel> {
        Some(self)
    }

    fn generator<'m>(&'m self, samples: &[u64]) -> Box<dyn Generator + 'm> {
        let rows = samples.len();
        let x = Tensor::zeros(&[rows, 1, self.input]);
        let (d, z) = (self.forward.start(rows), self.start(rows).remove(0));
        Box::new(Writer { model: self, samples: samples.to_vec(), x, d, z, t: 0 })
    }
}

impl StepModel for Srnn {
    /// d_t and a_t
    fn context<'t>(&self, x: Var<'t>, lengths: &[usize]) -> Vec<Var<'t>> {
        let [d, e] = self.units(x);
        vec![d, self.summarise([d, e], lengths)]
    }

    /// z_0
    fn start(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, self.latent])]
    }

    fn step<'t>(
        &self,
        context: &[Var<'t>],
        x: Var<'t>,
        state: &[Var<'t>],
        draw: &dyn Fn(&str, Normal<'t>) -> Var<'t>,
    ) -> Step<'t> {
        let (d, a, before) = (context[0], context[1], state[0]);
        let p = self.prior.forward(d, before).named("p.1");
        let q = self.posterior(p, a, before).named("q.1");
        let z = draw("z.1", q);
        Step {
            log_px: self.output(d, z).named("head").log_prob(x).named("log_px"),
            log_ratio: p.log_prob(z) - q.log_prob(z),
            state: vec![z],
        }
    }
}

/// Sequences under way.
struct Writer<'m> {
    model: &'m Srnn,
    samples: Vec<u64>,
    /// x_{t−1}, d_{t−1}, z_{t−1}
    x: Tensor,
    d: Tensor,
    z: Tensor,
    t: usize,
}

impl Writer<'_> {
    /// d_t from x_{t−1}.
    fn advance<'t>(&mut self, tape: &'t Tape) -> Var<'t> {
        let [x, d] = [&self.x, &self.d].map(|value| tape.constant(value.clone()));
        let d = self.model.forward.step(through(&self.model.embed, x), d);
        self.d = d.value();
        d
    }

    /// z_t of what it is drawn from.
    fn draw_latent<'t>(&mut self, from: Normal<'t>, noise: &Noise, temperature: Real) -> Var<'t> {
        let z = from.rsample_from(self.t, noise, "z.1", &self.samples, temperature);
        (self.z, self.t) = (z.value(), self.t + 1);
        z
    }
}

impl Generator for Writer<'_> {
    fn draw(&mut self, noise: &Noise, temperature: Real) -> Tensor {
        let tape = Tape::inference();
        let (d, t) = (self.advance(&tape), self.t);
        let prior = self.model.prior.forward(d, tape.constant(self.z.clone()));
        let z = self.draw_latent(prior, noise, temperature);
        self.x = self.model.output(d, z).sample(noise, &self.samples, t, temperature);
        self.x.clone()
    }

    fn observe(&mut self, x: &Tensor, noise: &Noise) {
        let mut ds = vec![];
        for x in each_step(x) {
            ds.push(self.advance(&Tape::inference()).value());
            self.x = x;
        }
        let tape = Tape::inference();
        let e = through(&self.model.embed, tape.constant(x.clone()));
        let d = concat_time(&ds.iter().map(|d| tape.constant(d.clone())).collect::<Vec<_>>());
        let a = self.model.summarise([d, e], &vec![ds.len(); self.samples.len()]).value();
        for (d, a) in ds.into_iter().zip(each_step(&a)) {
            let tape = Tape::inference();
            let [d, a, z] = [d, a, self.z.clone()].map(|value| tape.constant(value));
            let q = self.model.posterior(self.model.prior.forward(d, z), a, z);
            self.draw_latent(q, noise, 1.);
        }
    }
}
