//! Numbers that know how far they may be off: arithmetic in f64, with a bound on the roundings that the tape, which
//! computes in [`Real`](crate::tensor::Real), may have made on the same way (Wilkinson's running error analysis).

use crate::kernel::math::exp_f64;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number, and how far the tape's may be from it, in units of ε of the tape's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounded {
    /// In f64.
    pub value: f64,
    /// Of the tape's, in ε.
    pub error: f64,
}

impl Rounded {
    /// As it stands on the tape.
    pub fn exact(value: f64) -> Self {
        Self { value, error: 0. }
    }

    /// The result of an operation: its inputs' errors carried through it, and its own rounding.
    fn of(value: f64, carried: f64) -> Self {
        Self { value, error: carried + value.abs() }
    }
}

impl Add for Rounded {
    type Output = Self;

    fn add(self, b: Self) -> Self {
        Self::of(self.value + b.value, self.error + b.error)
    }
}

impl Sub for Rounded {
    type Output = Self;

    fn sub(self, b: Self) -> Self {
        self + -b
    }
}

impl Mul for Rounded {
    type Output = Self;

    fn mul(self, b: Self) -> Self {
        let carried = self.error * b.value.abs() + b.error * self.value.abs();
        Self::of(self.value * b.value, carried)
    }
}

impl Div for Rounded {
    type Output = Self;

    fn div(self, b: Self) -> Self {
        let value = self.value / b.value;
        Self::of(value, (self.error + b.error * value.abs()) / b.value.abs())
    }
}

impl Neg for Rounded {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, error: self.error }
    }
}

impl Sub<Rounded> for f64 {
    type Output = Rounded;

    fn sub(self, b: Rounded) -> Rounded {
        Rounded::exact(self) - b
    }
}

impl Mul<Rounded> for f64 {
    type Output = Rounded;

    fn mul(self, b: Rounded) -> Rounded {
        Rounded::exact(self) * b
    }
}

impl Div<Rounded> for f64 {
    type Output = Rounded;

    fn div(self, b: Rounded) -> Rounded {
        Rounded::exact(self) / b
    }
}

impl Sub<f64> for Rounded {
    type Output = Self;

    fn sub(self, b: f64) -> Self {
        self - Self::exact(b)
    }
}

/// `tanh x`. Within two roundings on the tape.
pub fn tanh(x: Rounded) -> Rounded {
    let y = 1. - 2. / (1. + exp_f64(2. * x.value));
    Rounded { value: y, error: x.error * (1. - y * y) + 2. * y.abs() }
}

/// `σ(x) = 1/(1 + e⁻ˣ)`. Within two roundings on the tape.
pub fn sigmoid(x: Rounded) -> Rounded {
    let y = 1. / (1. + exp_f64(-x.value));
    Rounded { value: y, error: x.error * y * (1. - y) + 2. * y }
}

/// 1 where x > 0, else 0.
pub fn positive(x: Rounded) -> Rounded {
    Rounded::exact(if x.value > 0. { 1. } else { 0. })
}
