//! Elementary functions with the same bits on every CPU.
//!
//! std's own come from the platform's C library, so they differ by machine (decision 0006). These use
//! only `+ − × ÷`, comparisons and integer shifts, each of which IEEE 754 defines to the bit, and no
//! branches: a plain loop over them becomes vectors. Errors are in ulp (units in the last place; 2⁻¹⁴⁹
//! for subnormal results) against f64, the maximum over all finite f32. Under the feature `f64` they are std's.
//!
//! The only file that may call std's float functions. Coefficients: our own minimax fits (by the Remez
//! algorithm, for `tanh` by Lawson's), in 40 digits, then rounded.

use crate::tensor::Real;

#[cfg(feature = "f64")]
pub use double::*;
#[cfg(not(feature = "f64"))]
pub use single::*;

/// ½ ln 2π
pub const HALF_LN_TWO_PI: Real = 0.918_938_533_204_672_8;

/// 2⁻⁵⁶, below which numbers that fade become 0 before they are subnormal (decision 0025).
pub const TINY: Real = 1. / (1u64 << 56) as Real;

/// x, or 0 where |x| < [`TINY`].
#[inline(always)]
pub fn flush(x: Real) -> Real {
    if x.abs() < TINY { 0. } else { x }
}

/// `eˣ`, or 0 where that is below [`TINY`]; without a subnormal number on the way.
#[inline(always)]
pub fn flushed_exp(x: Real) -> Real {
    const LN_TINY: Real = -38.816_242_111_356_94;
    let tiny = x < LN_TINY; // not where x is NaN
    let y = exp(if tiny { 0. } else { x });
    if tiny { 0. } else { y }
}

/// `c₀ + c₁x + c₂x² + …` by Horner's rule, each product rounded.
macro_rules! polynomial {
    ($x:expr; $c:expr) => { $c };
    ($x:expr; $c:expr, $($rest:expr),+) => { $c + $x * $crate::kernel::math::polynomial!($x; $($rest),+) };
}
pub(crate) use polynomial;

#[cfg(not(feature = "f64"))]
mod single {
    /// ln 2 as 9 bits, so that small multiples are exact, and the rest.
    const LN_2: (f32, f32) = (0.693_359_4, -0.000_212_194_44);
    /// 1.5 · 2²³: adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.;

    /// `(n, r)` with `x = n ln 2 + r`, |r| ≤ ½ ln 2, n an integer as float and as int.
    #[inline(always)]
    fn reduce(x: f32) -> (f32, i32, f32) {
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let bits = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        (n, bits, (x - n * LN_2.0) - n * LN_2.1)
    }

    /// 2ⁿ for −126 ≤ n ≤ 127.
    #[inline(always)]
    fn power_of_two(n: i32) -> f32 {
        f32::from_bits((n.wrapping_add(127) << 23) as u32)
    }

    /// `eˣ`, subnormal results included, `inf` above 88.73. Error ≤ 0.99 ulp.
    ///
    /// `x = n ln 2 + r`, so `eˣ = 2ⁿ eʳ`; a polynomial of degree 6 for eʳ. 2ⁿ is applied in two halves
    /// because neither 2¹²⁸ nor 2⁻¹⁴⁹ is a normal number.
    #[inline(always)]
    pub fn exp(x: f32) -> f32 {
        let (_, n, r) = reduce(x.clamp(-104., 89.));
        let half = n >> 1;
        exp_near_zero(r) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
    }

    /// `eʳ` for |r| ≤ ½ ln 2.
    #[inline(always)]
    fn exp_near_zero(r: f32) -> f32 {
        let tail =
            polynomial!(r; 0.499_999_94, 0.166_665_21, 0.041_668_39, 0.008_368_717, 0.001_381_464);
        1. + (r + r * r * tail)
    }

    /// The logarithm without its special cases, of x > 0, plus a small `correction`.
    ///
    /// `x = 2ⁿ(1 + f)` with √½ ≤ 1 + f < √2, then `ln(1 + f) = f − f²/2 + f³ R(f)`; the small terms first.
    #[inline(always)]
    fn ln_of_positive(x: f32, correction: f32) -> f32 {
        const SQRT_HALF: i32 = std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32;
        let subnormal = x < f32::MIN_POSITIVE;
        let bits = (if subnormal { x * 8_388_608. } else { x }).to_bits() as i32;
        let above = bits.wrapping_sub(SQRT_HALF);
        let n = ((above >> 23) - if subnormal { 23 } else { 0 }) as f32;
        let f = f32::from_bits(((above & 0x007f_ffff) + SQRT_HALF) as u32) - 1.;
        let square = f * f;
        let tail = polynomial!(f; 0.333_339_1, -0.250_013_38, 0.199_630_72, -0.165_775_54,
            0.149_146_62, -0.142_677_05, 0.087_009_825);
        let small = f * square * tail + (n * LN_2.1 + correction) - 0.5 * square;
        n * LN_2.0 + (f + small)
    }

    /// `y`, except where x is no positive finite number: there what a logarithm gives.
    #[inline(always)]
    fn or_special(x: f32, y: f32) -> f32 {
        let y = if x < f32::INFINITY { y } else { x };
        let y = if x < 0. { f32::NAN } else { y };
        if x == 0. { f32::NEG_INFINITY } else { y }
    }

    /// `ln x`, subnormal x included; `−inf` at 0, NaN below. Error ≤ 1.16 ulp.
    ///
    /// The exponent times ln 2, and a polynomial of degree 9 in what is left.
    #[inline(always)]
    pub fn ln(x: f32) -> f32 {
        or_special(x, ln_of_positive(x, 0.))
    }

    /// `ln(1 + x)`, to full precision near 0; `−inf` at −1, NaN below. Error ≤ 1.18 ulp.
    ///
    /// `ln u + c/u`, where u is the rounded 1 + x and c what the rounding lost (Knuth's two-sum).
    #[inline(always)]
    pub fn ln_1p(x: f32) -> f32 {
        let u = 1. + x;
        let x_in_u = u - 1.;
        let lost = (1. - (u - x_in_u)) + (x - x_in_u);
        or_special(u, ln_of_positive(u, lost / u))
    }

    /// `tanh x`, odd, never beyond ±1. Error ≤ 2.60 ulp.
    ///
    /// `2h/(1 + h²)` with `h = tanh(x/2)`, here `g = 2h = x + x N(x²)/Q(x²)`. An error of h fades where
    /// the result nears 1, so that N and Q need few terms, and no h takes it past 1. Constant from 9 on.
    #[inline(always)]
    pub fn tanh(x: f32) -> f32 {
        let x = x.clamp(-9., 9.);
        let z = x * x;
        let n = z * polynomial!(z; -0.083_333_23, -0.000_972_066_3, -6.799_522e-8);
        let q = polynomial!(z; 1., 0.111_663_75, 0.001_048_444_5);
        let g = x + x * (n / q);
        g / (1. + 0.25 * (g * g))
    }

    /// `σ(x) = 1/(1 + e⁻ˣ)`, as precise for large negative x. Error ≤ 2.49 ulp.
    ///
    /// With `x = n ln 2 + r` it is `2ⁿ/(2ⁿ + e⁻ʳ)`: no overflow and no cancellation. The numerator is
    /// held 2⁶⁴ too large, so that it stays normal where the result is not.
    #[inline(always)]
    pub fn sigmoid(x: f32) -> f32 {
        const DOWN: f32 = 1. / (1u128 << 64) as f32;
        let (_, n, r) = reduce(x.clamp(-104., 20.));
        let scaled = power_of_two(n.wrapping_add(64));
        scaled / (scaled * DOWN + exp_near_zero(-r)) * DOWN
    }

    /// `ln(1 + eˣ)`, as precise for large negative x. Error ≤ 2.87 ulp.
    ///
    /// `max(x, 0) + ln(1 + e)` with `e = e^−|x|` in \[0, 1\], and `ln(1 + e) = 2 artanh(w/2)` with
    /// `w = 2e/(2 + e)`: a series in odd powers of w, all of one sign.
    #[inline(always)]
    pub fn softplus(x: f32) -> f32 {
        let e = exp(-x.abs());
        let w = (e + e) / (2. + e);
        let z = w * w;
        let tail = polynomial!(z; 0.083_333_02, 0.012_506_725, 0.002_187_646_2, 0.000_547_106_2);
        let positive = if x > 0. { x } else { 0. };
        positive + (w + w * z * tail)
    }
}

/// std's, for gradient checks.
#[cfg(feature = "f64")]
mod double {
    /// `eˣ`.
    pub fn exp(x: f64) -> f64 {
        x.exp()
    }

    /// `ln x`.
    pub fn ln(x: f64) -> f64 {
        x.ln()
    }

    /// `ln(1 + x)`.
    pub fn ln_1p(x: f64) -> f64 {
        x.ln_1p()
    }

    /// `tanh x`.
    pub fn tanh(x: f64) -> f64 {
        x.tanh()
    }

    /// `1/(1 + e⁻ˣ)`.
    pub fn sigmoid(x: f64) -> f64 {
        1. / (1. + (-x).exp())
    }

    /// `ln(1 + eˣ)`.
    pub fn softplus(x: f64) -> f64 {
        x.max(0.) + (-x.abs()).exp().ln_1p()
    }
}

/// ln 2 as 32 bits, so that its multiples by an exponent are exact, and the rest.
const LN_2_F64: (f64, f64) = (0.6931471803691238, 1.9082149292705877e-10);

/// `eˣ` in f64 whatever `Real` is, for schedules. Within 1 ulp of std's (sampled).
///
/// As the f32 one, with degree 11.
#[inline(always)]
pub fn exp_f64(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.; // 1.5 · 2⁵²
    let shifted = x.clamp(-746., 710.) * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let bits = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i64;
    let r = (x.clamp(-746., 710.) - n * LN_2_F64.0) - n * LN_2_F64.1;
    let tail = polynomial!(r; 0.5000000000000011, 0.16666666666666413, 0.041666666666530155, 0.00833333333349447, 0.0013888888943630363, 0.00019841269506555424, 2.4801493098729907e-05, 2.755758639667626e-06, 2.7630248423878485e-07, 2.5000053901951678e-08);
    let power_of_two = |n: i64| f64::from_bits((n.wrapping_add(1023) << 52) as u64);
    let half = bits >> 1;
    (1. + (r + r * r * tail)) * power_of_two(half) * power_of_two(bits.wrapping_sub(half))
}

/// `ln x` in f64 whatever `Real` is, for noise. Within 1 ulp of std's (sampled).
///
/// As the f32 one, but `ln(1 + f) = 2 artanh(f/(2 + f))`: fewer terms for a division.
#[inline(always)]
pub fn ln_f64(x: f64) -> f64 {
    const SQRT_HALF: i64 = std::f64::consts::FRAC_1_SQRT_2.to_bits() as i64;
    let subnormal = x < f64::MIN_POSITIVE;
    let bits = (if subnormal { x * 4_503_599_627_370_496. } else { x }).to_bits() as i64;
    let above = bits.wrapping_sub(SQRT_HALF);
    let n = ((above >> 52) - if subnormal { 52 } else { 0 }) as f64;
    let f = f64::from_bits(((above & 0x000f_ffff_ffff_ffff) + SQRT_HALF) as u64) - 1.;
    let s = f / (2. + f);
    let z = s * s;
    let tail = z
        * polynomial!(z; 0.6666666666666734, 0.3999999999941468, 0.2857142874238836, 0.22222198573072008, 0.18183564332582838, 0.15314050380389801, 0.14795951466019192);
    let half_square = 0.5 * f * f;
    let small = s * (half_square + tail) + n * LN_2_F64.1;
    let y = n * LN_2_F64.0 + (f - (half_square - small));
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x < 0. { f64::NAN } else { y };
    if x == 0. { f64::NEG_INFINITY } else { y }
}

/// `cos 2πx` in f64 whatever `Real` is, for spectra: x in turns, so that whole ones come off exactly.
/// Within 2⁻⁵² of the true value where |x| ≤ 1.
///
/// Folded into the first quarter of a turn; there Taylor's series of cos below an eighth and of sin above.
#[inline(always)]
pub fn cos_turns_f64(x: f64) -> f64 {
    let x = (x - x.round()).abs();
    let (x, sign) = if x > 0.25 { (0.5 - x, -1.) } else { (x, 1.) };
    let a = std::f64::consts::TAU * if x > 0.125 { 0.25 - x } else { x };
    let z = a * a;
    let cos = polynomial!(z; 1., -1. / 2., 1. / 24., -1. / 720., 1. / 40320., -1. / 3628800., 1. / 479001600., -1. / 87178291200., 1. / 20922789888000.);
    let sin = a
        * polynomial!(z; 1., -1. / 6., 1. / 120., -1. / 5040., 1. / 362880., -1. / 39916800., 1. / 6227020800., -1. / 1307674368000.);
    sign * if x > 0.125 { sin } else { cos }
}

/// `a·b + c` rounded once, on any CPU: the fused multiply-add of those that have none.
///
/// The product is exact in f64, and the sum is rounded twice: in f64, then to f32. The first rounding can mislead the
/// second only by reaching a tie, a sum half-way between two neighbours in f32, and it never crosses one. Ties have these
/// last 29 bits; those between subnormal numbers are elsewhere, so that small results are not trusted at all.
#[inline(always)]
pub fn soft_fma(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let result = sum as f32;
    let tie = sum.to_bits() & TIE_MASK == TIE;
    let small = result != 0. && result.abs() <= f32::MIN_POSITIVE;
    if tie || small { rounded_to_odd(product, c, sum) as f32 } else { result }
}

/// The bits of an f64 beyond those of an f32, and what they are half-way between two.
pub(super) const TIE_MASK: u64 = 0x1fff_ffff;
pub(super) const TIE: u64 = 0x1000_0000;

/// `product + c`, where `sum` is that in f64: if inexact, it gets its last bit set, which makes a second rounding, to f32,
/// the only one that counts (Boldo and Melquiond 2008).
#[cold]
fn rounded_to_odd(product: f64, c: f64, sum: f64) -> f64 {
    let c_in_sum = sum - product;
    let lost = (product - (sum - c_in_sum)) + (c - c_in_sum);
    let even = sum.to_bits() & 1 == 0;
    let outwards = if (lost > 0.) == (sum > 0.) { 1 } else { u64::MAX };
    let step = if lost != 0. && sum.is_finite() && even { outwards } else { 0 };
    f64::from_bits(sum.to_bits().wrapping_add(step))
}
