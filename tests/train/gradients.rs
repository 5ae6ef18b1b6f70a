use stcn::data::Batch;
use stcn::internals::gradients::{Checked, check_model, models, suspects};
use stcn::models::{
    ALL, Architecture, Bound, Description, Elbo, HeadKind, Kl, ModelConfig, ModelKind,
    ObservationConfig, Preset, Sampler, SequenceModel, WAVENET,
};
use stcn::nn::{Head, Init, Linear, module};
use stcn::ops::{prepend_zero, slice_time, tanh};
use stcn::tape::{Rule, Tape, Var};
use stcn::{Noise, settings, zip};

settings! {
    /// Nothing to choose.
    pub struct Config {
        /// Width of the hidden layer.
        pub width: usize = 1..=8,
    }
}

struct Paper;

/// A model with a wrong op in it.
pub const WRONG: ModelKind = ModelKind::new(&Paper);

impl Architecture for Paper {
    type Config = Config;
    type Model = Wrong;

    fn description(&self) -> Description {
        let about = "x_t from the square of a layer of x_{t−1}.";
        Description { name: "wrong", about, has_latents: false, ..Description::default() }
    }

    fn preset(&self, _preset: Preset, _obs: &ObservationConfig) -> Config {
        Config { width: 3 }
    }

    fn gradcheck(&self, tiny: Config) -> Config {
        tiny
    }

    fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Wrong {
        let first = init.scope("first", |init| Linear::new(init, obs.input, config.width));
        let second = init.scope("second", |init| Linear::new(init, config.width, config.width));
        Wrong { first, second, head: obs.build(init, config.width) }
    }
}

pub struct Wrong {
    first: Linear,
    second: Linear,
    head: Head,
}
module!(Wrong: first, second, head);

/// x² whose gradient forgets the 2.
fn half_square(x: Var) -> Var {
    static RULE: Rule =
        Rule { name: "half_square", forward: "y = x²", vjp: "x̄ = ȳ x", products: &[] };
    let value = x.value();
    x.tape().record(&RULE, [x], value.map(|x| x * x), move |gy, [gx]| {
        gx.add(|| zip([&gy, &value], |[gy, x]| gy * x));
    })
}

impl SequenceModel for Wrong {
    fn elbo<'t>(&self, tape: &'t Tape, batch: &Batch, _: &Noise, _: Kl) -> Elbo<'t> {
        let x = tape.constant(batch.x.clone()).named("x");
        let before = slice_time(prepend_zero(x), 0, batch.x.shape()[1]);
        let h = half_square(self.first.forward(before));
        let px = self.head.forward(tanh(self.second.forward(h)));
        Elbo { log_px: px.log_prob(x), kl: vec![], auxiliary: vec![] }
    }

    fn bound(&self) -> Bound {
        Bound::Exact
    }

    fn sampler<'m>(&'m self, _: &[u64]) -> Box<dyn Sampler + 'm> {
        unreachable!("nobody draws from it")
    }
}

/// Differences in f32 see two digits or so of a small model: enough to tell a half from a whole.
const TOLERANCE: f64 = if cfg!(feature = "f64") { 1e-6 } else { 0.2 };

#[test]
fn a_wrong_rule_is_caught_where_gradients_come_through_it_and_named() {
    let config = ModelConfig::gradcheck(WRONG, HeadKind::Normal);
    let judged = |checked: Checked| {
        let ok = checked.check.relative_error() <= TOLERANCE;
        (checked, ok)
    };
    let all: Vec<(Checked, bool)> = check_model(&config).unwrap().into_iter().map(judged).collect();
    for (checked, ok) in &all {
        let error = checked.check.relative_error();
        assert_eq!(*ok, !checked.path.starts_with("first."), "{}: {error:e}", checked.path);
    }
    let names = |right: &[&str]| {
        let found = suspects(&all, right);
        found.iter().map(|rule| rule.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["half_square"]);
    assert!(names(&["half_square"]).is_empty(), "cleared by a check of its own");
    let right: Vec<(Checked, bool)> = all.into_iter().filter(|(_, ok)| *ok).collect();
    assert!(suspects(&right, &[]).is_empty());
}

#[test]
fn every_model_comes_with_every_head_unless_one_is_named() {
    assert_eq!(models(&ALL, None).len(), ALL.len() * HeadKind::ALL.len());
    let one = models(&[WAVENET], Some(HeadKind::Gmm));
    assert_eq!(one.len(), 1);
    assert_eq!((one[0].kind, one[0].obs.head), (WAVENET, HeadKind::Gmm));
    assert!(models(&ALL, None).iter().all(|config| config.validate().is_ok()));
}

/// In f64 alone: finite differences in f32 lose all digits.
#[cfg(feature = "f64")]
#[test]
fn every_parameter_of_every_model_agrees_with_finite_differences() {
    for config in models(&ALL, None) {
        for checked in check_model(&config).unwrap() {
            let (error, path) = (checked.check.relative_error(), checked.path);
            assert!(error <= 1e-6, "{} {} {path}: {error:e}", config.kind, config.obs.head);
        }
    }
}

#[cfg(not(feature = "f64"))]
#[test]
fn every_parameter_of_a_model_is_checked() {
    let config = &models(&[stcn::models::STCN_DENSE], Some(HeadKind::Gmm))[0];
    let checked = check_model(config).unwrap();
    let read_by =
        |path: &str| checked.iter().find(|checked| checked.path == path).unwrap().rule.name;
    assert_eq!(read_by("tcn.1.filter.weight"), "gated_conv");
    let paths: Vec<String> = checked.into_iter().map(|checked| checked.path).collect();
    for path in
        ["tcn.1.filter.weight", "prior.2.mean.1.bias", "infer.1.std.3.weight", "head.pen.bias"]
    {
        assert!(paths.iter().any(|p| p == path), "{path} is not among {paths:?}");
    }
}
