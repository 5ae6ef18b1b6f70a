//! A layer: a linear map without a bias, whose columns have length 1 when it is new.

use stcn::nn::{Init, module};
use stcn::ops::linear;
use stcn::{Param, Tensor, Var};

/// `y = x W`.   x: (…, inputs) → y: (…, outputs)
pub struct Unit {
    weight: Param, // (inputs, outputs)
}
module!(Unit: weight);

impl Unit {
    /// Columns of normal numbers, brought to length 1.
    pub fn new(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        let weight = init.param("weight", &[inputs, outputs], |noise, path, weight| {
            noise.normals(path, 0, 0, weight);
            for column in 0..outputs {
                let column = || (column..inputs * outputs).step_by(outputs);
                let squares = column().fold(0., |sum, i| sum + weight[i] * weight[i]);
                column().for_each(|i| weight[i] /= squares.sqrt());
            }
        });
        Self { weight }
    }

    /// `x W`
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let w = x.tape().param(&self.weight);
        linear(x, w, x.tape().constant(Tensor::zeros(&[w.value().cols()])))
    }
}
