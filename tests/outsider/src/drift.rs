//! A model: a Markov chain of latents, each of which emits one step of x.
//!
//! ```text
//! p(z_t | z_{t−1}) = N(tanh(swish(z_{t−1} W) V), σ_p²)                z_0 = 0
//! p(x_t | z_t) = head(swish(z_t A))
//! q(z_t | z_{t−1}, x_t) = N(tanh([z_{t−1}, x_t] B), σ_q²)             sees x_{≤t}
//! ```
//! σ = softplus(linear) + 0.1.

use crate::layer::Unit;
use crate::op::swish;
use stcn::dist::{Normal, Observation};
use stcn::models::{
    Architecture, Context, Description, ObservationConfig, Preset, Steps, Stepwise,
};
use stcn::nn::{Head, Init, Linear, module};
use stcn::ops::{affine, concat, softplus, tanh};
use stcn::{Tensor, Var, settings};

settings! {
    /// Sizes of a drift model.
    pub struct Config {
        /// Size of z_t.
        pub latent_size: usize = 1..=1024,
        /// Width of the hidden layers of the transition and of the emission.
        pub hidden_size: usize = 1..=1024,
    }
}

/// This model's [`Architecture`].
pub struct Paper;

impl Architecture for Paper {
    type Config = Config;
    type Model = Drift;

    fn description(&self) -> Description {
        let about = "A latent that drifts, from another crate.";
        Description { name: "drift", about, ..Description::default() }
    }

    fn preset(&self, _preset: Preset, _obs: &ObservationConfig) -> Config {
        Config { latent_size: 8, hidden_size: 32 }
    }

    fn gradcheck(&self, _: Config) -> Config {
        Config { latent_size: 3, hidden_size: 4 }
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Drift {
        let Config { latent_size: z, hidden_size: h } = *config;
        let spread = |init: &mut Init, name: &str, inputs: usize| {
            init.scope(name, |init| Linear::new(init, inputs, z))
        };
        Drift {
            inward: init.scope("inward", |init| Unit::new(init, z, h)),
            outward: init.scope("outward", |init| Linear::new(init, h, z)),
            std: spread(init, "std", z),
            emit: init.scope("emit", |init| Unit::new(init, z, h)),
            head: obs.build(init, h),
            infer: init
                .scope("infer", |init| {
                    [spread(init, "mean", z + obs.input), spread(init, "std", z + obs.input)]
                })
                .into(),
            latent: z,
        }
    }
}

/// A chain of latents.
pub struct Drift {
    inward: Unit,
    outward: Linear,
    std: Linear,
    emit: Unit,
    head: Head,
    infer: Vec<Linear>,
    latent: usize,
}
module!(Drift: inward, outward, std, emit, head, infer);

/// A standard deviation of at least 0.1, so that no KL is infinite.
fn std(x: Var) -> Var {
    affine(softplus(x), 1., 0.1)
}

impl Stepwise for Drift {
    fn context<'t>(
        &self,
        x: Var<'t>,
        _lengths: &[usize],
        _memory: Option<&[Var<'t>]>,
    ) -> Context<Var<'t>> {
        Context { past: vec![], seen: vec![x] }
    }

    fn start(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::zeros(&[rows, 1, self.latent])]
    }

    fn prior<'t>(&self, _past: &[Var<'t>], s: &Steps<'t>) -> Normal<'t> {
        let z = s.at(0);
        let mean = tanh(self.outward.forward(swish(self.inward.forward(z))));
        Normal { mean, std: std(self.std.forward(z)) }
    }

    fn posterior<'t>(&self, c: &Context<Var<'t>>, s: &Steps<'t>) -> Normal<'t> {
        let both = concat(&[s.at(0), c.seen[0]]);
        Normal { mean: tanh(self.infer[0].forward(both)), std: std(self.infer[1].forward(both)) }
    }

    fn output<'t>(&self, _past: &[Var<'t>], _s: &Steps<'t>, h: &Steps<'t>) -> Observation<'t> {
        self.head.forward(swish(self.emit.forward(h.at(0))))
    }
}
