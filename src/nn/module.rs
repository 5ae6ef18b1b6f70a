//! Parameters: what owns them, and how they are initialised.

use crate::kernel::orthogonal::orthonormalise;
use crate::noise::Noise;
use crate::tape::Param;
use crate::tensor::{Real, Tensor};

/// Anything that owns parameters, like PyTorch's `nn.Module`. They are always visited in the order given to [`module!`].
///
/// ```
/// # use stcn::nn::{Init, Linear, Module};
/// let layer = Linear::new(&mut Init::new(1), 3, 2);
/// let mut paths = vec![];
/// layer.visit(&mut |p| paths.push(p.path()));
/// assert_eq!(paths, ["weight", "bias"]);
/// assert_eq!(layer.parameter_count(), 3 * 2 + 2);
/// ```
pub trait Module {
    /// Calls `f` on every parameter.
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param));
    /// Calls `f` on every parameter, which it may change.
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param));

    /// How many numbers the parameters have together.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit(&mut |p| count += p.value.len());
        count
    }
}

impl Module for Param {
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param)) {
        f(self);
    }
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param)) {
        f(self);
    }
}

impl<M: Module> Module for Vec<M> {
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param)) {
        self.iter().for_each(|m| m.visit(f));
    }
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param)) {
        self.iter_mut().for_each(|m| m.visit_mut(f));
    }
}

impl<M: Module> Module for Option<M> {
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param)) {
        self.iter().for_each(|m| m.visit(f));
    }
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param)) {
        self.iter_mut().for_each(|m| m.visit_mut(f));
    }
}

/// `module!(Linear: weight, bias);`: the fields that hold parameters, in order.
#[macro_export]
#[doc(hidden)]
macro_rules! module {
    ($type:ident: $($field:ident),+) => {
        impl $crate::nn::Module for $type {
            fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m $crate::tape::Param)) {
                $( self.$field.visit(f); )+
            }
            fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut $crate::tape::Param)) {
                $( self.$field.visit_mut(f); )+
            }
        }
    };
}
pub use crate::module;

/// Makes the parameters of a model while it is being built, each with a path, a number and a random stream of its
/// own.
///
/// ```
/// # use stcn::nn::{Init, Linear};
/// let mut init = Init::new(1);
/// let layer = init.scope("decode", |init| Linear::new(init, 3, 2));
/// assert_eq!(init.into_shapes()[0], ("decode.weight".to_string(), vec![3, 2]));
/// ```
pub struct Init {
    /// `None`: parameters without numbers.
    noise: Option<Noise>,
    path: Vec<String>,
    /// Path and shape of every parameter so far; how many there are is the number of the next one.
    shapes: Vec<(String, Vec<usize>)>,
}

impl Init {
    /// Parameters drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { noise: Some(Noise::new(seed, "init")), path: vec![], shapes: vec![] }
    }

    /// Parameters without numbers, so that a model of any size is built in no time: to count its parameters, or
    /// to fill them from a file that is known to have them all.
    pub fn unfilled() -> Self {
        Self { noise: None, path: vec![], shapes: vec![] }
    }

    /// Path and shape of every parameter made, in order.
    pub fn into_shapes(self) -> Vec<(String, Vec<usize>)> {
        self.shapes
    }

    /// Builds a part whose parameters have paths that begin with `name`.
    pub fn scope<M>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> M) -> M {
        self.path.push(name.into());
        let built = build(self);
        self.path.pop();
        built
    }

    /// Builds `n` parts with paths `name.1`, `name.2`, …; `build` gets the index, counted from 0.
    pub fn list<M>(
        &mut self,
        name: &str,
        n: usize,
        build: impl Fn(&mut Self, usize) -> M,
    ) -> Vec<M> {
        self.scope(name, |init| {
            (0..n).map(|i| init.scope(&(i + 1).to_string(), |init| build(init, i))).collect()
        })
    }

    /// Weights, uniform in ±√(6/(fan_in + fan_out)). Source: Glorot & Bengio 2010, eq. 16.
    pub fn weight(&mut self, shape: &[usize], fan_in: usize, fan_out: usize) -> Param {
        let bound = (6. / (fan_in + fan_out) as f64).sqrt() as Real;
        self.param("weight", shape, |noise, path, value| {
            noise.uniforms(path, 0, 0, value);
            value.iter_mut().for_each(|u| *u = bound * (2. * *u - 1.));
        })
    }

    /// A bias of zeros.
    pub fn bias(&mut self, channels: usize) -> Param {
        self.param("bias", &[channels], |_, _, _| ())
    }

    /// Recurrent weights, (units, gates · units): an orthogonal matrix for each gate, which preserves the norm of
    /// the state. Source: Saxe et al. 2014.
    pub fn recurrent(&mut self, units: usize, gates: usize) -> Param {
        self.param("recurrent", &[units, gates * units], |noise, path, value| {
            for gate in 0..gates {
                let mut rows = vec![0.; units * units];
                noise.normals(path, gate as u64, 0, &mut rows);
                orthonormalise(&mut rows, units);
                for (to, row) in value.chunks_exact_mut(gates * units).zip(rows.chunks_exact(units))
                {
                    to[gate * units..][..units].copy_from_slice(row);
                }
            }
        })
    }

    /// The next parameter, with `name` appended to the current path. `fill(noise, path, value)` sets its value, which
    /// starts as zeros. If its random numbers are drawn under the path, adding a parameter changes the initial values of no other.
    pub fn param(
        &mut self,
        name: &str,
        shape: &[usize],
        fill: impl FnOnce(&Noise, &str, &mut [Real]),
    ) -> Param {
        let path = self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        let mut value = Tensor::zeros(if self.noise.is_some() { shape } else { &[0] });
        if let Some(noise) = &self.noise {
            fill(noise, &path, value.data_mut());
        }
        self.shapes.push((path.clone(), shape.to_vec()));
        Param::new(self.shapes.len() - 1, path, value)
    }
}
