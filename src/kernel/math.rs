//! Elementary functions with the same bits everywhere.
use crate::Real;
/// stand-in
pub fn soft_fma(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}
/// stand-in
#[inline(always)]
pub fn exp(x: Real) -> Real {
    x.exp()
}
/// stand-in
#[inline(always)]
pub fn ln(x: Real) -> Real {
    x.ln()
}
/// stand-in
#[inline(always)]
pub fn ln_1p(x: Real) -> Real {
    x.ln_1p()
}
/// stand-in
#[inline(always)]
pub fn tanh(x: Real) -> Real {
    x.tanh()
}
/// stand-in
#[inline(always)]
pub fn sigmoid(x: Real) -> Real {
    1. / (1. + (-x).exp())
}
/// stand-in
#[inline(always)]
pub fn softplus(x: Real) -> Real {
    x.max(0.) + (-x.abs()).exp().ln_1p()
}
crate::vectorised! {
    /// stand-in
    pub fn gated(filter: &mut [Real], gate: &mut [Real], y: &mut [Real]) {
        for ((f, g), y) in filter.iter_mut().zip(gate.iter_mut()).zip(y) { *f = tanh(*f); *g = sigmoid(*g); *y = *f * *g; }
    }
}
/// eˣ
pub fn exp_f64(x: f64) -> f64 { x.exp() }
/// ln x
pub fn ln_f64(x: f64) -> f64 { x.ln() }
