//! The gradient of every model's loss against differences, in f64: all parameters at once along a random
//! direction. Run with `--features f64`.
#![cfg(feature = "f64")]

use super::{Model, batch, every, model, name, noise, switched, with_those_of};
use stcn::models::Kl;
use stcn::models::ModelConfig;
use stcn::tape::{Keep, Tape};
use stcn::{Noise, Real, Tensor};

fn normals(purpose: &str, shape: &[usize]) -> Tensor {
    let mut x = Tensor::zeros(shape);
    Noise::new(5, "gradcheck").normals(purpose, 0, 0, x.data_mut());
    x
}

/// `Σ ⟨v, log p⟩ + Σ_l ⟨v_l, KL_l⟩` with random v, its slope along u by the tape, or its value only.
fn projected(model: &dyn Model, config: &ModelConfig, direction: Option<&[Tensor]>) -> f64 {
    let batch = batch(config, &[7, 5]);
    let tape = Tape::new();
    let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
    let terms = [elbo.log_px].into_iter().chain(elbo.kl).chain(elbo.auxiliary).enumerate().map(
        |(i, term)| {
            let v = normals(&format!("v.{i}"), term.value().shape());
            stcn::ops::sum(term * tape.constant(v))
        },
    );
    let total = terms.reduce(|sum, term| sum + term).unwrap();
    let Some(direction) = direction else { return f64::from(total.value().item()) };
    let grads = tape.backward(total, Keep::Leaves);
    let mut slope = 0.;
    model.visit(&mut |p| {
        let u = &direction[p.number()];
        slope += stcn::zip([grads.param(p), u], |[g, u]| g * u).sum();
    });
    slope
}

/// A central difference with h = 10⁻⁶: its h² error is ≈ 10⁻¹², rounding 10⁻¹⁶ · |L| / h ≈ 10⁻⁸ of slopes
/// of 10 and more; a rectifier within h of its kink would show, and there is none at these seeds.
fn check(config: &ModelConfig) {
    // Differences do not stop at anything.
    let full = "auxiliary_target = 'full'\nstate_weight = 0.1".parse().unwrap();
    let config = &with_those_of(config, &full);
    let mut model = model(config);
    let mut direction = vec![];
    model.visit(&mut |p| direction.push(normals(p.path(), p.value.shape())));
    let exact = projected(&*model, config, Some(&direction));
    let h: Real = 1e-6;
    let mut at = |step: Real| {
        model.visit_mut(&mut |p| {
            let u = &direction[p.number()];
            p.value = stcn::zip([&p.value, u], |[x, u]| x + step * u);
        });
        projected(&*model, config, None)
    };
    let (up, down) = (at(h), at(-2. * h));
    let numeric = (up - down) / f64::from(2. * h);
    let error = (exact - numeric).abs() / exact.abs().max(numeric.abs());
    assert!(error < 1e-6, "{}: {exact} by the tape, {numeric} by differences", name(config));
}

#[test]
fn every_models_gradient_is_that_of_its_loss() {
    for config in every() {
        check(&config);
    }
}

#[test]
fn every_switch_between_paper_and_release_has_its_gradient() {
    let switches = ["draws", "precision", "floors", "dense_taps", "gate_act", "gate_kind"];
    for config in every() {
        let all = switches.iter().fold(vec![config], |all, key| {
            all.iter().flat_map(|config| switched(config, key)).collect()
        });
        all.iter().for_each(check);
    }
}
