//! Which instructions this CPU has, and the vectors that the products are written in.
//!
//! One of the two files that may use `unsafe` (the other is `gemm`): intrinsics and functions compiled
//! for a CPU feature are only reached after [`isa`] has seen that feature. Every path gives the same
//! bits; `STCN_ISA=avx512|avx2|neon|portable` forces one that the CPU has, for tests.
#![allow(unsafe_code)]

use std::sync::OnceLock;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// x86-64 with AVX-512 F, VL, DQ and BW.
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// aarch64, always.
    Neon,
    /// Anything else: the same bits through a software FMA, slowly (decision 0009).
    Portable,
}

impl Isa {
    /// As `STCN_ISA` spells it.
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

/// Compiles a function once per instruction set and calls the copy for this CPU.
///
/// For plain loops in mul and add: the copies differ in speed, never in bits.
#[macro_export]
#[doc(hidden)]
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
pub use crate::vectorised;
