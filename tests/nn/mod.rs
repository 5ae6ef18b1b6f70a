//! Layers: a step at a time and the whole sequence at once, sizes, names.

mod conv;
mod gate;
mod gated;
mod gru;
mod head;
mod linear;
mod log_var;
mod lstm;
mod made;
mod module;
mod output;
mod stack;
mod tcn;

use stcn::nn::{Init, Module};
use stcn::{Noise, Real, Tensor};

/// A layer with random biases, where a new one has zeros.
fn lively<M: Module>(build: impl FnOnce(&mut Init) -> M) -> M {
    let mut layer = build(&mut Init::new(5));
    layer.visit_mut(&mut |p| {
        if p.value.shape().len() == 1 {
            let path = p.path().to_string();
            Noise::new(5, "bias").normals(&path, 0, 0, p.value.data_mut());
        }
    });
    layer
}

fn normals(shape: &[usize]) -> Tensor {
    let mut x = Tensor::zeros(shape);
    Noise::new(6, "nn").normals("x", 0, 0, x.data_mut());
    x
}

/// Step t of every sequence, (B, 1, C).
fn step(x: &Tensor, t: usize) -> Tensor {
    let (b, steps, c) = x.btc("step");
    let rows = (0..b).flat_map(|b| x.data()[(b * steps + t) * c..][..c].to_vec());
    Tensor::new(&[b, 1, c], rows.collect())
}

/// The entries of a parameter.
fn values<M: Module>(layer: &M, path: &str) -> Vec<Real> {
    let mut found = None;
    layer.visit(&mut |p| {
        if p.path() == path {
            found = Some(p.value.data().to_vec());
        }
    });
    found.unwrap_or_else(|| panic!("no parameter {path}"))
}
