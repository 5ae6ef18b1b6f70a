//! Adam, and the clip of the gradient's norm.

use crate::kernel::math::flush;
use crate::kernel::simd::vectorised;
use crate::nn::Module;
use crate::parallel::{self, PIECE};
use crate::tape::Grads;
use crate::tensor::{Real, Tensor, zip};

/// Adam with the two moments of every parameter. Source: Kingma & Ba 2015, in the form of its §2.
///
/// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `θ ← θ − α_t m/(√v + ε)`, `α_t = lr √(1−β₂ᵗ)/(1−β₁ᵗ)`.
/// A g or an m below 2⁻⁵⁶ becomes 0, and so does a subnormal v. The moments of a dead unit fade to 0 within some hundred
/// updates, and never slow the CPU as subnormal numbers do (decision 0025). With a weight decay λ, weights (not biases, nor
/// other vectors) become `θ (1 − lr λ)` before each update, as in AdamW (Loshchilov & Hutter 2019).
///
/// ```
/// # use stcn::{Keep, Tape, Tensor, nn::{Init, Linear}, ops::{square, sum}, optim::Adam};
/// let mut layer = Linear::new(&mut Init::new(1), 2, 1);
/// let mut adam = Adam::new(&layer, 0.9, 0.999, 1e-8);
/// let mut losses = vec![];
/// for step in 1..=20 {
///     let tape = Tape::new();
///     let x = tape.constant(Tensor::new(&[1, 2], vec![1., 2.]));
///     let loss = sum(square(layer.forward(x)));
///     losses.push(loss.value().item());
///     let grads = tape.backward(loss, Keep::Leaves);
///     adam.update(&mut layer, &grads, 1., 0.01, step);
/// }
/// assert!(losses[19] < losses[0]);
/// ```
pub struct Adam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
    /// m and v, in the order of the model's parameters.
    means: Vec<Tensor>,
    squares: Vec<Tensor>,
}

impl Adam {
    /// Zero moments for every parameter of `model`.
    pub fn new(model: &(impl Module + ?Sized), beta1: f64, beta2: f64, eps: f64) -> Self {
        let mut means = vec![];
        model.visit(&mut |p| means.push(Tensor::zeros(p.value.shape())));
        Self { beta1, beta2, eps, decay: 0., squares: means.clone(), means }
    }

    /// With the weight decay λ.
    ///
    /// ```
    /// # use stcn::{Keep, Tape, Tensor, nn::{Init, Linear, Module}, ops::sum, optim::Adam};
    /// let mut layer = Linear::new(&mut Init::new(1), 2, 1);
    /// let weight = |layer: &Linear| { let mut found = vec![]; layer.visit(&mut |p| found.push(p.value.data()[0])); found[0] };
    /// let before = weight(&layer);
    /// let mut adam = Adam::new(&layer, 0.9, 0.999, 1e-8).with_weight_decay(0.5);
    /// let tape = Tape::new();
    /// let grads = tape.backward(sum(tape.constant(Tensor::scalar(1.))), Keep::Leaves); // of a loss that needs no layer
    /// adam.update(&mut layer, &grads, 1., 0.1, 1);
    /// assert_eq!(weight(&layer), before - 0.05 * before);
    /// ```
    pub fn with_weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// With the moments of a checkpoint.
    #[track_caller]
    pub fn with_moments(mut self, means: Vec<Tensor>, squares: Vec<Tensor>) -> Self {
        for (old, new) in [(&self.means, &means), (&self.squares, &squares)] {
            let same =
                old.len() == new.len() && old.iter().zip(new).all(|(a, b)| a.shape() == b.shape());
            assert!(same, "Adam: moments of another model");
        }
        (self.means, self.squares) = (means, squares);
        self
    }

    /// The moments m and v, in the order of the model's parameters.
    pub fn moments(&self) -> (&[Tensor], &[Tensor]) {
        (&self.means, &self.squares)
    }

    /// One update with the gradients times `scale`; `step` counts from 1. A parameter that the loss does not
    /// depend on, such as a recurrent weight in a sequence of one step, has a gradient of 0.
    pub fn update(
        &mut self,
        model: &mut (impl Module + ?Sized),
        grads: &Grads,
        scale: Real,
        lr: f64,
        step: u64,
    ) {
        let moments = Moments {
            beta1: self.beta1 as Real,
            rest1: (1. - self.beta1) as Real, // in f64: 1 − 0.999 loses three digits in f32
            beta2: self.beta2 as Real,
            rest2: (1. - self.beta2) as Real,
            eps: self.eps as Real,
            alpha: self.alpha(lr, step),
            scale,
        };
        let mut state = self.means.iter_mut().zip(&mut self.squares);
        let mut tasks = vec![];
        let decay = (lr * self.decay) as Real;
        model.visit_mut(&mut |p| {
            let (m, v) = state.next().expect("Adam: a parameter more than at the start");
            let g = grads.find(p).map(Tensor::data);
            let g = (0..p.value.len()).step_by(PIECE).map(move |at| match g {
                Some(g) => &g[at..g.len().min(at + PIECE)],
                None => &ZEROS,
            });
            let decay = if p.value.shape().len() > 1 { decay } else { 0. };
            let pieces = [p.value.data_mut(), m.data_mut(), v.data_mut()];
            let [p, m, v] = pieces.map(|x| x.chunks_mut(PIECE));
            tasks.extend(p.zip(m).zip(v).zip(g).map(|task| (task, decay)));
        });
        parallel::each(tasks, |((((p, m), v), g), decay)| {
            if decay > 0. {
                p.iter_mut().for_each(|p| *p -= decay * *p);
            }
            update(p, m, v, g, moments);
        });
    }

    /// `α_t`
    fn alpha(&self, lr: f64, step: u64) -> Real {
        let corrected = (1. - power(self.beta2, step)).sqrt() / (1. - power(self.beta1, step));
        (lr * corrected) as Real
    }

    /// `‖α_t m/(√v + ε)‖₂` of every parameter, in the model's order: how far update number `step`, the last one, moved it.
    ///
    /// ```
    /// # use stcn::{Keep, Tape, Tensor, nn::{Init, Linear, Module}, ops::sum, optim::Adam};
    /// let mut layer = Linear::new(&mut Init::new(1), 1, 1);
    /// let mut adam = Adam::new(&layer, 0.9, 0.999, 1e-8);
    /// let tape = Tape::new();
    /// let grads = tape.backward(sum(layer.forward(tape.constant(Tensor::scalar(2.)))), Keep::Leaves);
    /// adam.update(&mut layer, &grads, 1., 0.01, 1);
    /// // The first update moves every number by the learning rate.
    /// assert!(adam.update_norms(0.01, 1).iter().all(|norm| (norm - 0.01).abs() < 1e-6));
    /// ```
    pub fn update_norms(&self, lr: f64, step: u64) -> Vec<f64> {
        let (alpha, eps) = (self.alpha(lr, step), self.eps as Real);
        let moved = |(m, v)| zip([m, v], |[m, v]| alpha * m / (v.sqrt() + eps));
        let moved = self.means.iter().zip(&self.squares).map(moved);
        moved.map(|update| update.squared_norm().sqrt()).collect()
    }
}

/// A piece of a gradient that is 0.
static ZEROS: [Real; PIECE] = [0.; PIECE];

/// The numbers of one update.
#[derive(Clone, Copy)]
struct Moments {
    beta1: Real,
    rest1: Real,
    beta2: Real,
    rest2: Real,
    eps: Real,
    alpha: Real,
    scale: Real,
}

vectorised! {
    fn update(p: &mut [Real], m: &mut [Real], v: &mut [Real], g: &[Real], k: Moments) {
        for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
            let g = flush(g * k.scale);
            *m = flush(k.beta1 * *m + k.rest1 * g);
            *v = k.beta2 * *v + k.rest2 * (g * g);
            *v = if *v < Real::MIN_POSITIVE { 0. } else { *v };
            *p -= k.alpha * *m / (v.sqrt() + k.eps);
        }
    }
}

/// `base^n` by squaring: the same bits everywhere, unlike `powi`.
fn power(mut base: f64, mut n: u64) -> f64 {
    let mut product = 1.;
    while n > 0 {
        if n & 1 == 1 {
            product *= base;
        }
        base *= base;
        n >>= 1;
    }
    product
}

/// `‖g‖₂` over all parameters that have one, in f64: squares summed per parameter, then by their number.
///
/// ```
/// # use stcn::{Keep, Tape, Tensor, nn::{Init, Linear}, ops::sum, optim::gradient_norm};
/// let layer = Linear::new(&mut Init::new(1), 2, 1);
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::new(&[1, 2], vec![2., 2.]));
/// let grads = tape.backward(sum(layer.forward(x)), Keep::Leaves);
/// assert_eq!(gradient_norm(&layer, &grads), 3.); // (2, 2) of the weight, 1 of the bias
/// ```
pub fn gradient_norm(model: &(impl Module + ?Sized), grads: &Grads) -> f64 {
    let mut all = vec![];
    model.visit(&mut |p| all.extend(grads.find(p)));
    let squares = parallel::map(all.len(), |i| all[i].squared_norm());
    squares.iter().fold(0., |sum, square| sum + square).sqrt()
}

/// `min(1, most/‖g‖)`: the factor that brings a gradient of this norm down to `most`; 0 does not clip.
///
/// ```
/// # use stcn::optim::clip_scale;
/// assert_eq!([clip_scale(10., 5.), clip_scale(3., 5.), clip_scale(3., 0.)], [0.5, 1., 1.]);
/// ```
pub fn clip_scale(norm: f64, most: f64) -> f64 {
    if most > 0. && norm > most { most / norm } else { 1. }
}
