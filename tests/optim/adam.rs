use stcn::internals::parallel::PIECE;
use stcn::nn::{Init, Linear, Module};
use stcn::ops::{affine, sum, sum_masked};
use stcn::optim::{Adam, clip_scale, gradient_norm};
use stcn::tape::{Grads, Keep, Param, Tape};
use stcn::{Real, Tensor};

/// A model of one parameter.
struct One(Param);

impl Module for One {
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param)) {
        f(&self.0);
    }
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param)) {
        f(&mut self.0);
    }
}

fn one(value: &[Real]) -> One {
    One(Param::new(0, "w", Tensor::new(&[value.len()], value.to_vec())))
}

/// Gradients g, as of the loss Σ g_i w_i.
fn grads(model: &One, g: &[Real]) -> Grads {
    let tape = Tape::new();
    let w = tape.param(&model.0) * tape.constant(Tensor::new(&[g.len()], g.to_vec()));
    tape.backward(sum(w), Keep::Leaves)
}

#[test]
fn two_steps_by_hand() {
    // lr 0.1, β 0.5 and 0.75, ε 0.5, g = 2 then −1; from w = 1:
    // t=1: m = 1, v = 1,    α = 0.1·√0.25/0.5     = 0.1,     w −= 0.1·1/(1 + 0.5)
    // t=2: m = 0, so w stays, v = 1
    let mut model = one(&[1.]);
    let mut adam = Adam::new(&model, 0.5, 0.75, 0.5);
    let g = grads(&model, &[2.]);
    adam.update(&mut model, &g, 1., 0.1, 1);
    let first = 1. - 0.1 / 1.5;
    // Four roundings of numbers near 1.
    let close = |a: Real, b: f64| assert!((a as f64 - b).abs() < 5e-7, "{a} against {b}");
    close(model.0.value.item(), first);
    let g = grads(&model, &[-1.]);
    adam.update(&mut model, &g, 1., 0.1, 2);
    close(model.0.value.item(), first);
    let (m, v) = adam.moments();
    assert_eq!((m[0].item(), v[0].item()), (0., 1.));
}

#[test]
fn the_gradient_is_scaled_before_it_is_squared() {
    let mut plain = one(&[0.5, -0.5]);
    let mut scaled = one(&[0.5, -0.5]);
    let mut adam = [(); 2].map(|()| Adam::new(&plain, 0.9, 0.999, 1e-8));
    let (half, whole) = (grads(&plain, &[1., -3.]), grads(&scaled, &[2., -6.]));
    adam[0].update(&mut plain, &half, 1., 0.01, 1);
    adam[1].update(&mut scaled, &whole, 0.5, 0.01, 1);
    assert_eq!(plain.0.value, scaled.0.value);
    assert_eq!(adam[0].moments(), adam[1].moments());
}

#[test]
fn the_first_step_is_the_learning_rate_whatever_the_gradient() {
    for g in [0.1, 7., -50.] {
        let mut model = one(&[0.]);
        let mut adam = Adam::new(&model, 0.9, 0.999, 1e-8);
        let grads = grads(&model, &[g]);
        adam.update(&mut model, &grads, 1., 0.25, 1);
        let moved = model.0.value.item() as f64;
        // m/√v is ±1 but for ε/(√(1−β₂)|g|) ≤ 3.2e-6 and a few roundings.
        assert!((moved + 0.25 * f64::from(g.signum())).abs() < 1e-6, "{g}: {moved}");
    }
}

#[test]
fn the_norm_runs_over_all_parameters_and_the_clip_only_shrinks() {
    let layer = Linear::new(&mut Init::new(1), 2, 1);
    let tape = Tape::new();
    let x = tape.constant(Tensor::new(&[1, 1, 2], vec![3., 4.]));
    let y = layer.forward(x).value();
    assert_eq!(y.shape(), [1, 1, 1]);
    let loss = affine(sum(layer.forward(x)), 2., 0.);
    let grads = tape.backward(loss, Keep::Leaves);
    // w̄ = 2·(3, 4), b̄ = 2: 36 + 64 + 4
    assert_eq!(gradient_norm(&layer, &grads), f64::sqrt(104.));
    assert_eq!(clip_scale(4., 1.), 0.25);
    assert_eq!(clip_scale(0.5, 1.), 1.);
    assert_eq!(clip_scale(1e9, 0.), 1.);
}

#[test]
fn a_parameter_that_the_loss_does_not_see_has_a_gradient_of_0() {
    let long: Vec<Real> = (0..PIECE + 3).map(|i| i as Real).collect(); // longer than one piece
    let mut model = one(&long);
    let moment = |x: Real| vec![Tensor::new(&[long.len()], vec![x; long.len()])];
    let adam =
        |model: &One| Adam::new(model, 0.9, 0.999, 1e-8).with_moments(moment(0.5), moment(4.));
    let tape = Tape::new();
    let x = tape.input(Tensor::zeros(&[1, 1]), "x");
    let unseen = tape.backward(sum_masked(x, &[1], &[1.]), Keep::Leaves);
    let seen = tape.backward(sum(affine(tape.param(&model.0), 0., 0.)), Keep::Leaves);
    assert_eq!(gradient_norm(&model, &unseen), 0.);
    let (mut moved, mut same) = (adam(&model), adam(&model));
    let mut other = one(&long);
    moved.update(&mut model, &unseen, 1., 0.1, 1);
    same.update(&mut other, &seen, 1., 0.1, 1);
    assert_eq!(model.0.value, other.0.value);
    assert_eq!(
        (moved.moments(), model.0.value.data()[0]),
        (same.moments(), other.0.value.data()[0])
    );
    assert_ne!(model.0.value.data(), long);
}

#[test]
fn moments_of_a_dead_unit_fade_to_0_and_move_it_as_far_as_if_they_did_not() {
    let mut model = one(&[0.; 3]);
    // v of the last falls through the subnormal numbers within these updates.
    let [m, v] =
        [[0.5, -1e-3, 1e-15], [4., 1e-6, 2e-36]].map(|x| vec![Tensor::new(&[3], x.to_vec())]);
    let mut adam = Adam::new(&model, 0.9, 0.999, 1e-8).with_moments(m.clone(), v.clone());
    let zero = grads(&model, &[0.; 3]);
    let mut want = [0f64; 3];
    for step in 1001..=6000 {
        adam.update(&mut model, &zero, 1., 1e-3, step);
        for (i, want) in want.iter_mut().enumerate() {
            let n = (step - 1000) as i32;
            let [m, v] = [(&m, 0.9f64), (&v, 0.999)]
                .map(|(x, beta)| f64::from(x[0].data()[i]) * beta.powi(n));
            let corrected =
                (1. - 0.999f64.powi(step as i32)).sqrt() / (1. - 0.9f64.powi(step as i32));
            *want -= 1e-3 * corrected * m / (v.sqrt() + 1e-8);
        }
        let (m, v) = adam.moments();
        let subnormal = [m, v].iter().flat_map(|x| x[0].data()).any(|x| x.is_subnormal());
        assert!(!subnormal, "after {step} updates: {m:?} {v:?}");
    }
    assert_eq!(adam.moments().0[0], Tensor::zeros(&[3]));
    for (found, want) in model.0.value.data().iter().zip(want) {
        // Tens of terms that matter, each and the sum rounded; and what is lost, lr · 10 · TINY/ε.
        assert!(
            (f64::from(*found) - want).abs() < 1e-5 * want.abs() + 1e-3 * 1.4e-8,
            "{found} {want}"
        );
    }
}

#[test]
#[should_panic(expected = "moments of another model")]
fn moments_of_another_model_are_refused() {
    let model = one(&[1., 2.]);
    let other = vec![Tensor::zeros(&[3])];
    let _ = Adam::new(&model, 0.9, 0.999, 1e-8).with_moments(other.clone(), other);
}
