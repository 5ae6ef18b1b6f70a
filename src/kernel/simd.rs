//! The instruction set of this CPU, and the vectors that products are written in.
//!
//! One of the five files that may use `unsafe` (`gemm::single`, `parallel::workers`, `train::allocator` and `train::ranks::mpi` are the others):
//! intrinsics and functions compiled for a CPU feature are only reached after [`isa`] has seen that
//! feature. Every path gives the same bits; `STCN_ISA=avx512|avx2|neon|portable` forces one that the CPU has, for
//! tests.
#![allow(unsafe_code)]
#![cfg_attr(feature = "f64", allow(dead_code))] // products in f64 are matrixmultiply's

use std::sync::OnceLock;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // found on x86-64 alone
pub enum Isa {
    /// x86-64 with AVX-512 F, VL, DQ and BW.
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// aarch64, always.
    Neon,
    /// Anything else: the same bits through a software FMA, slowly (decision 0009); and WebAssembly.
    Portable,
}

impl Isa {
    /// Its spelling in `STCN_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// The sets that this CPU has, best first.
    pub fn available() -> Vec<Isa> {
        let mut found = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            if avx2 && avx512 {
                found.push(Self::Avx512);
            }
            if avx2 {
                found.push(Self::Avx2);
            }
        }
        if cfg!(target_arch = "aarch64") {
            found.push(Self::Neon);
        }
        found.push(Self::Portable);
        found
    }
}

/// The set in use: the best that the CPU has, or the one `STCN_ISA` names. Read once.
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| {
        let available = Isa::available();
        let Ok(name) = std::env::var("STCN_ISA") else { return available[0] };
        let named = available.iter().find(|isa| isa.name() == name);
        *named.unwrap_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            panic!("STCN_ISA={name}: this CPU has {}", names.join(", "))
        })
    })
}

/// Runs a loop given as a closure, compiled for this CPU as `vectorised!` does.
///
/// For short bodies, which the compiler inlines into each copy; long ones are named functions.
#[inline]
pub fn vectorise<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    fn avx512<R>(body: impl FnOnce() -> R) -> R {
        body()
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2<R>(body: impl FnOnce() -> R) -> R {
        body()
    }
    match isa() {
        // SAFETY: `isa` names only sets that were detected on this CPU.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(body) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(body) },
        _ => body(),
    }
}

/// Compiles a function once per instruction set and calls the copy for this CPU.
///
/// For plain loops in mul and add: the copies differ in speed, never in bits.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        $vis fn $name($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512($($arg: $type),*) $(-> $ret)? { body($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $ret)? { body($($arg),*) }
            match $crate::kernel::simd::isa() {
                // SAFETY: `isa` names only sets that were detected on this CPU.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::simd::Isa::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::simd::Isa::Avx2 => unsafe { avx2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    };
}
pub(crate) use vectorised;

/// `LANES` numbers in one register. `fma` rounds once, on every implementation.
///
/// # Safety
/// Only inside functions compiled for the instruction set that [`isa`] detected; pointers must be
/// valid for the lanes that are touched.
#[allow(missing_docs)]
pub(super) trait Simd: Copy {
    const LANES: usize;
    unsafe fn zero() -> Self;
    unsafe fn splat(from: *const f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The first `n` lanes; the rest are 0.
    unsafe fn load_front(from: *const f32, n: usize) -> Self;
    /// Writes the first `n` lanes only.
    unsafe fn store_front(self, to: *mut f32, n: usize);
    /// `self · b + c`
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    /// Asks for the line of cache around `from`, which need not be there.
    unsafe fn prefetch(from: *const f32);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    // The bodies are one intrinsic each; the contract is the trait's.
    #[allow(unsafe_op_in_unsafe_fn)]
    impl Simd for __m512 {
        const LANES: usize = 16;
        #[inline(always)]
        unsafe fn zero() -> Self {
            _mm512_setzero_ps()
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> Self {
            _mm512_set1_ps(*from)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            _mm512_loadu_ps(from)
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm512_storeu_ps(to, self)
        }
        #[inline(always)]
        unsafe fn load_front(from: *const f32, n: usize) -> Self {
            _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, from)
        }
        #[inline(always)]
        unsafe fn store_front(self, to: *mut f32, n: usize) {
            _mm512_mask_storeu_ps(to, ((1u32 << n) - 1) as u16, self)
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            _mm512_fmadd_ps(self, b, c)
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            _mm512_add_ps(self, b)
        }
        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            _mm_prefetch::<_MM_HINT_T0>(from.cast())
        }
    }

    /// Sliding window over this gives the mask of the first `n` lanes.
    static FRONT: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)]
    unsafe fn front(n: usize) -> __m256i {
        _mm256_loadu_si256(FRONT.as_ptr().add(8 - n).cast())
    }

    #[allow(unsafe_op_in_unsafe_fn)]
    impl Simd for __m256 {
        const LANES: usize = 8;
        #[inline(always)]
        unsafe fn zero() -> Self {
            _mm256_setzero_ps()
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> Self {
            _mm256_set1_ps(*from)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            _mm256_loadu_ps(from)
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self)
        }
        #[inline(always)]
        unsafe fn load_front(from: *const f32, n: usize) -> Self {
            _mm256_maskload_ps(from, front(n))
        }
        #[inline(always)]
        unsafe fn store_front(self, to: *mut f32, n: usize) {
            _mm256_maskstore_ps(to, front(n), self)
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            _mm256_fmadd_ps(self, b, c)
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            _mm256_add_ps(self, b)
        }
        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            _mm_prefetch::<_MM_HINT_T0>(from.cast())
        }
    }
}

/// WebAssembly, whose vectors have four numbers. Its relaxed `madd` rounds once or twice, by machine: a program built for it
/// has to [probe](crate::kernel::simd::madd_fuses) first. Plain simd128 has none.
#[cfg(target_arch = "wasm32")]
mod wasm {
    use super::Simd;
    use std::arch::wasm32::*;

    #[allow(unsafe_op_in_unsafe_fn)]
    impl Simd for v128 {
        const LANES: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            f32x4_splat(0.)
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> Self {
            v128_load32_splat(from.cast())
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            v128_load(from.cast())
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            v128_store(to.cast(), self)
        }
        #[inline(always)]
        unsafe fn load_front(from: *const f32, n: usize) -> Self {
            let number = |i: usize| if i < n { *from.add(i) } else { 0. };
            f32x4(number(0), number(1), number(2), number(3))
        }
        #[inline(always)]
        unsafe fn store_front(self, to: *mut f32, n: usize) {
            let numbers = std::mem::transmute::<v128, [f32; 4]>(self);
            (0..n).for_each(|i| *to.add(i) = numbers[i])
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            fma(self, b, c)
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            f32x4_add(self, b)
        }
        /// WebAssembly has no such hint.
        #[inline(always)]
        unsafe fn prefetch(_from: *const f32) {}
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn fma(a: v128, b: v128, c: v128) -> v128 {
        f32x4_relaxed_madd(a, b, c)
    }

    /// Four of [`soft_fma`](crate::kernel::math::soft_fma): two sums in f64 at a time, and if one of the four is not to be
    /// trusted, each by itself.
    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn fma(a: v128, b: v128, c: v128) -> v128 {
        use crate::kernel::math::{TIE, TIE_MASK};
        let high = |x| i64x2_shuffle::<1, 0>(x, x);
        let sum = |a, b, c| {
            let product = f64x2_mul(f64x2_promote_low_f32x4(a), f64x2_promote_low_f32x4(b));
            f64x2_add(product, f64x2_promote_low_f32x4(c))
        };
        let tie = |x| i64x2_eq(v128_and(x, u64x2_splat(TIE_MASK)), u64x2_splat(TIE));
        let (low, high) = (sum(a, b, c), sum(high(a), high(b), high(c)));
        let (front, back) = (f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high));
        let result = i64x2_shuffle::<0, 2>(front, back);
        let small = f32x4_le(f32x4_abs(result), f32x4_splat(f32::MIN_POSITIVE));
        let small = v128_and(small, f32x4_ne(result, f32x4_splat(0.)));
        match v128_any_true(v128_or(small, v128_or(tie(low), tie(high)))) {
            true => each(a, b, c),
            false => result,
        }
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[cold]
    #[inline(never)]
    fn each(a: v128, b: v128, c: v128) -> v128 {
        macro_rules! lane {
            ($i:literal) => {
                crate::kernel::math::soft_fma(
                    f32x4_extract_lane::<$i>(a),
                    f32x4_extract_lane::<$i>(b),
                    f32x4_extract_lane::<$i>(c),
                )
            };
        }
        f32x4(lane!(0), lane!(1), lane!(2), lane!(3))
    }
}

/// Whether the fused multiply-add that products use rounds once here, as it does on every CPU. WebAssembly alone leaves that
/// to the machine.
pub fn madd_fuses() -> bool {
    // x² − 1 with x = 1 + 2⁻²³: the last bit of x² is lost where the product is rounded.
    let x = [std::hint::black_box(1. + f32::EPSILON); 4];
    let mut found = [0.; 4];
    // SAFETY: `isa` does not matter to four lanes, and all four are there.
    unsafe {
        let (x, minus) = (Four::load(x.as_ptr()), Four::load([-1.; 4].as_ptr()));
        x.fma(x, minus).store(found.as_mut_ptr());
    }
    found == [super::math::soft_fma(x[0], x[0], -1.); 4]
}

/// Four numbers: NEON registers on aarch64, where `mul_add` is one instruction; vectors of WebAssembly; elsewhere the fallback
/// without FMA, through [`soft_fma`](super::math::soft_fma).
#[cfg(target_arch = "wasm32")]
pub(super) type Four = std::arch::wasm32::v128;

/// Four plain numbers.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy)]
pub(super) struct Four([f32; 4]);

#[cfg(not(target_arch = "wasm32"))]
#[allow(unsafe_op_in_unsafe_fn)]
impl Simd for Four {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.; 4])
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        Self([*from; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; 4]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; 4]>().write_unaligned(self.0)
    }
    #[inline(always)]
    unsafe fn load_front(from: *const f32, n: usize) -> Self {
        Self(std::array::from_fn(|i| if i < n { *from.add(i) } else { 0. }))
    }
    #[inline(always)]
    unsafe fn store_front(self, to: *mut f32, n: usize) {
        (0..n).for_each(|i| *to.add(i) = self.0[i])
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
                self.0[i].mul_add(b.0[i], c.0[i])
            } else {
                software_fma(self.0[i], b.0[i], c.0[i])
            }
        }))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
    /// std has no stable hint for NEON.
    #[inline(always)]
    unsafe fn prefetch(_from: *const f32) {}
}

/// Not inlined: unrolled into every kernel it would be most of the program.
#[cfg(not(target_arch = "wasm32"))]
#[inline(never)]
fn software_fma(a: f32, b: f32, c: f32) -> f32 {
    super::math::soft_fma(a, b, c)
}
