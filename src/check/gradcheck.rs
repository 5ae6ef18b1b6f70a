//! Gradients against finite differences, of any op.

use crate::noise::Noise;
use crate::tape::{Keep, Tape, Var};
use crate::tensor::{Real, Tensor, zip};

/// A derivative along a direction u, computed in two ways.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// ⟨∇L, u⟩ by the tape.
    pub exact: f64,
    /// (L(x + hu) − L(x − hu)) / 2h, extrapolated from h and h/2.
    pub numeric: f64,
}

impl Check {
    /// The numeric side from `at(h)`, the value at x + hu: central differences of two widths, extrapolated so that
    /// the h² error drops out (Richardson). They are narrow, to avoid the kinks of rectifiers.
    pub fn from_values(exact: f64, at: &mut dyn FnMut(f64) -> f64) -> Self {
        let mut central = |h: f64| (at(h) - at(-h)) / (2. * h);
        let h = if size_of::<Real>() == 8 { 1e-5 } else { 1e-2 };
        Self { exact, numeric: (4. * central(h / 2.) - central(h)) / 3. }
    }

    /// |exact − numeric| relative to the larger of them (and of 10⁻⁶, for gradients that vanish).
    pub fn relative_error(&self) -> f64 {
        let Self { exact, numeric } = self;
        (exact - numeric).abs() / exact.abs().max(numeric.abs()).max(1e-6)
    }
}

/// Checks the gradient at one node of a pass, whatever it is, along a random direction u of its value. `loss` computes the
/// loss anew, with the node moved (see [`Tape::moving`]).
///
/// Meant for f64, as [`gradcheck`].
pub fn check_node(node: Var, gradient: &Tensor, loss: impl Fn(&Tape) -> f64) -> Check {
    let mut u = Tensor::zeros(gradient.shape());
    let id = node.id().index();
    Noise::new(31, "check_node").normals("u", id as u64, 0, u.data_mut());
    let exact = zip([gradient, &u], |[g, u]| g * u).sum();
    Check::from_values(exact, &mut |h| loss(&Tape::moving(id, u.map(|u| h as Real * u))))
}

/// Checks the gradient of `y = f(inputs)` against finite differences, by random projection.
///
/// The scalar is `L = ⟨v, y⟩`, moved along a random direction u of all inputs at once. One number for any shapes; two evaluations for each width of difference.
///
/// Meant for f64 (feature `f64`), where errors away from kinks are far below 10⁻⁶.
/// ```
/// use stcn::{Tensor, gradcheck, ops::tanh};
/// let inputs = [0.5, 2.].map(Tensor::scalar);
/// let check = gradcheck(&inputs, |_, x| tanh(x[0]) * x[1]);
/// assert!(check.relative_error() < 1e-2);
/// ```
pub fn gradcheck(inputs: &[Tensor], f: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>) -> Check {
    let noise = Noise::new(23, "gradcheck");
    let draw = |purpose: &str, sample: usize, shape: &[usize]| {
        let mut x = Tensor::zeros(shape);
        noise.normals(purpose, sample as u64, 0, x.data_mut());
        x
    };
    let direction: Vec<Tensor> =
        inputs.iter().enumerate().map(|(i, x)| draw("u", i, x.shape())).collect();
    let dot = |a: &Tensor, b: &Tensor| zip([a, b], |[a, b]| a * b).sum();

    let tape = Tape::new();
    let vars: Vec<Var> = inputs.iter().map(|x| tape.input(x.clone(), "")).collect();
    let y = f(&tape, &vars);
    let v = draw("v", 0, y.value().shape());
    let grads = tape.pull_back(y, v.clone(), Keep::Leaves);
    let terms = vars.iter().zip(&direction).filter_map(|(&x, u)| Some(dot(grads.wrt(x)?, u)));
    let exact = terms.fold(0., |sum, term| sum + term);

    Check::from_values(exact, &mut |h| {
        let tape = Tape::inference();
        let moved = inputs
            .iter()
            .zip(&direction)
            .map(|(x, u)| tape.constant(zip([x, u], |[x, u]| x + h as Real * u)));
        dot(&f(&tape, &moved.collect::<Vec<_>>()).value(), &v)
    })
}
