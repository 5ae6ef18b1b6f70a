//! Linear layers over channels (the papers' 1×1 convolutions) and the small nets made of them.

use super::{Init, module};
use crate::dist::Normal;
use crate::ops::{affine, clipped_softplus, linear, linear_relu, linear_residual, softplus};
use crate::tape::{Param, Var};
use crate::tensor::Real;

/// `y = x W + b`.   x: (…, in) → y: (…, out)
pub struct Linear {
    weight: Param, // (in, out)
    bias: Param,   // (out)
}
module!(Linear: weight, bias);

impl Linear {
    /// Glorot weights, zero bias.
    pub fn new(init: &mut Init, in_channels: usize, out_channels: usize) -> Self {
        let weight = init.weight(&[in_channels, out_channels], in_channels, out_channels);
        Self { weight, bias: init.bias(out_channels) }
    }

    /// Glorot weights, and a bias that `fill` changes from zeros.
    pub fn with_bias(
        init: &mut Init,
        in_channels: usize,
        out_channels: usize,
        fill: impl FnOnce(&mut [Real]),
    ) -> Self {
        let mut layer = Self::new(init, in_channels, out_channels);
        if layer.bias.value.len() == out_channels {
            fill(layer.bias.value.data_mut()); // an unfilled model has no numbers
        }
        layer
    }

    /// `x W + b`
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        linear(x, x.tape().param(&self.weight), x.tape().param(&self.bias))
    }

    /// `h + x W + b`
    #[track_caller]
    pub fn forward_residual<'t>(&self, x: Var<'t>, h: Var<'t>) -> Var<'t> {
        linear_residual(x, x.tape().param(&self.weight), x.tape().param(&self.bias), h)
    }

    /// `max(x W + b, 0)`
    #[track_caller]
    pub fn forward_relu<'t>(&self, x: Var<'t>) -> Var<'t> {
        linear_relu(x, x.tape().param(&self.weight), x.tape().param(&self.bias))
    }
}

/// Layers 1 … n of one width, each with a rectifier.   x: (…, in) → (…, width)
pub struct Mlp {
    layers: Vec<Linear>,
}
module!(Mlp: layers);

impl Mlp {
    /// `layers` layers of `width`; paths `1`, `2`, …
    pub fn new(init: &mut Init, in_channels: usize, width: usize, layers: usize) -> Self {
        let layer = |init: &mut Init, i: usize| {
            let inputs = if i == 0 { in_channels } else { width };
            init.scope(&(i + 1).to_string(), |init| Linear::new(init, inputs, width))
        };
        Self { layers: (0..layers).map(|i| layer(init, i)).collect() }
    }

    /// All layers in turn.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.layers.iter().fold(x, |h, layer| layer.forward_relu(h))
    }
}

/// Hidden layers, then a linear one: paths `1 … n`, `n+1`.
struct Net {
    hidden: Mlp,
    output: Linear,
}
module!(Net: hidden, output);

impl Net {
    fn new(init: &mut Init, inputs: usize, width: usize, layers: usize, outputs: usize) -> Self {
        let hidden = Mlp::new(init, inputs, width, layers);
        let last_inputs = if layers == 0 { inputs } else { width };
        let last = (layers + 1).to_string();
        Self { hidden, output: init.scope(&last, |init| Linear::new(init, last_inputs, outputs)) }
    }

    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.output.forward(self.hidden.forward(x))
    }
}

/// Features → a diagonal normal, by hidden layers that mean and spread share: `σ = softplus(·) + 10⁻⁴`.
pub struct NormalLayers {
    hidden: Mlp,
    mean: Linear,
    std: Linear,
}
module!(NormalLayers: hidden, mean, std);

impl NormalLayers {
    /// `layers` hidden layers, `width` wide; σ begins near 1, as its bias does at 0.6.
    pub fn new(
        init: &mut Init,
        inputs: usize,
        width: usize,
        layers: usize,
        outputs: usize,
    ) -> Self {
        Self {
            hidden: Mlp::new(init, inputs, width, layers),
            mean: init.scope("mean", |init| Linear::new(init, width, outputs)),
            std: init.scope("std", |init| {
                Linear::with_bias(init, width, outputs, |bias| bias.fill(0.6))
            }),
        }
    }

    /// x: (B, T, inputs) → a normal over (B, T, outputs)
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Normal<'t> {
        let h = self.hidden.forward(x);
        Normal { mean: self.mean.forward(h), std: affine(softplus(self.std.forward(h)), 1., 1e-4) }
    }
}

/// Features → a diagonal normal, by two nets that share nothing: `μ = net(x)`,
/// `σ = clip(softplus(net'(x)), 10⁻³, 5)`.
pub struct NormalNet {
    mean: Net,
    std: Net,
}
module!(NormalNet: mean, std);

impl NormalNet {
    /// The clip of a latent's standard deviation.
    pub const STD: (Real, Real) = (1e-3, 5.);

    /// Two nets of `layers` hidden layers, `width` wide.
    pub fn new(
        init: &mut Init,
        inputs: usize,
        width: usize,
        layers: usize,
        outputs: usize,
    ) -> Self {
        let mut net =
            |name| init.scope(name, |init| Net::new(init, inputs, width, layers, outputs));
        Self { mean: net("mean"), std: net("std") }
    }

    /// x: (B, T, inputs) → a normal over (B, T, outputs)
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>) -> Normal<'t> {
        let (low, high) = Self::STD;
        Normal { mean: self.mean.forward(x), std: clipped_softplus(self.std.forward(x), low, high) }
    }
}
