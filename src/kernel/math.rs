//! Elementary functions with the same bits everywhere.
//!
//! Temporary stand-ins: thrown away when the real file is merged.

/// eˣ
pub fn exp_f64(x: f64) -> f64 {
    x.exp()
}

/// ln x
pub fn ln_f64(x: f64) -> f64 {
    x.ln()
}
