//! Linear layers over channels (the papers' 1×1 convolutions) and the small nets made of them.

use super::{Init, module};
use crate::dist::Normal;
use crate::ops::{affine, clipped_softplus, linear, linear_relu, linear_residual, softplus};
use crate::tape::{Param, Var};
use crate::tensor::Real;

/// `y = x W + b`.   x: (…, in) → y: (…, out)
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, Linear}};
/// let layer = Linear::with_bias(&mut Init::new(1), 2, 3, |bias| bias.fill(0.5));
/// let tape = Tape::inference();
/// let y = layer.forward(tape.constant(Tensor::zeros(&[4, 2]))); // four rows of zeros
/// assert_eq!(y.value(), Tensor::new(&[4, 3], vec![0.5; 12]));
/// ```
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

    /// Glorot weights, and a bias that `fill` sets.
    pub fn with_bias(
        init: &mut Init,
        in_channels: usize,
        out_channels: usize,
        fill: impl FnOnce(&mut [Real]),
    ) -> Self {
        let mut layer = Self::new(init, in_channels, out_channels);
        if layer.bias.value.len() == out_channels {
            fill(layer.bias.value.data_mut()); // not one of `Init::unfilled`, which has no numbers
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

/// Linear layers of one width, each followed by a rectifier.   x: (…, in) → (…, width)
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, Mlp, Module}};
/// let net = Mlp::new(&mut Init::new(1), 3, 8, 2);
/// assert_eq!(net.parameter_count(), (3 * 8 + 8) + (8 * 8 + 8));
/// let tape = Tape::inference();
/// let y = net.forward(tape.constant(Tensor::new(&[1, 3], vec![1., -2., 3.]))).value();
/// assert!(y.data().iter().all(|&y| y >= 0.));
/// ```
pub struct Mlp {
    layers: Vec<Linear>,
}
module!(Mlp: layers);

impl Mlp {
    /// `layers` layers of `width`, with paths `1`, `2`, …
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

/// Features → a diagonal normal, μ and σ from the same hidden layers: `σ = softplus(·) + 10⁻⁴`.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, NormalLayers}};
/// let net = NormalLayers::new(&mut Init::new(1), 3, 16, 1, 2);
/// let tape = Tape::inference();
/// let p = net.forward(tape.constant(Tensor::zeros(&[1, 4, 3])));
/// assert_eq!(p.mean.value().shape(), [1, 4, 2]);
/// assert!((p.std.value().data()[0] - 1.).abs() < 0.04);
/// ```
pub struct NormalLayers {
    hidden: Mlp,
    mean: Linear,
    std: Linear,
}
module!(NormalLayers: hidden, mean, std);

impl NormalLayers {
    /// `layers` hidden layers, `width` wide. The bias of σ starts at 0.6, so that σ starts near 1.
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

/// Features → a diagonal normal, μ and σ from two separate nets: `μ = net(x)`,
/// `σ = clip(softplus(net'(x)), 10⁻³, 5)`.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, NormalNet}};
/// let net = NormalNet::new(&mut Init::new(1), 1, 16, 2, 4);
/// let tape = Tape::inference();
/// let p = net.forward(tape.constant(Tensor::new(&[1, 2, 1], vec![-1e9, 1e9])));
/// assert_eq!(p.mean.value().shape(), [1, 2, 4]);
/// assert!(p.std.value().data().iter().all(|std| (1e-3..=5.).contains(std)));
/// ```
pub struct NormalNet {
    mean: Net,
    std: Net,
}
module!(NormalNet: mean, std);

impl NormalNet {
    /// Bounds of a latent's standard deviation.
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
