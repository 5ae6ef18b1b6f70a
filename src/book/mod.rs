//! The book: pages without code of their own, for readers.
//!
//! So far it holds [`same_bits`], a chapter of small programs, [`where_the_time_goes`], [`dump`], the layout of a
//! dumped pass, and the [`decisions`].
//! What a module is for stands at the head of the module.

#[cfg_attr(not(feature = "f64"), doc = include_str!("same-bits.md"))]
#[cfg_attr(
    feature = "f64",
    doc = "Written for f32: builds in f64 check gradients and promise no bits."
)]
pub mod same_bits {}

#[doc = include_str!("where-the-time-goes.md")]
pub mod where_the_time_goes {}

#[doc = include_str!("dump.md")]
pub mod dump {}

#[doc = include_str!("your-own.md")]
pub mod your_own {}

pub mod decisions {
    //! Why things are as they are: one page each, the question first, and what would change our mind last.
    //!
    //! | | |
    //! |---|---|
    //! | [0001](d0001) | A borrowed tape |
    //! | [0002](d0002) | (B, T, C) and (K, in, out) |
    //! | [0003](d0003) | f32, and f64 by feature |
    //! | [0004](d0004) | Panics and errors |
    //! | [0005](d0005) | Fixed tiles, ordered sums |
    //! | [0006](d0006) | Own elementary functions and normal draws |
    //! | [0007](d0007) | No second derivatives |
    //! | [0008](d0008) | Paper against released code, as enums |
    //! | [0009](d0009) | CPUs without FMA |
    //! | [0010](d0010) | Our own product kernel |
    //! | [0011](d0011) | Inlined closures instead of a SIMD crate |
    //! | [0012](d0012) | Helpers that stay awake |
    //! | [0013](d0013) | Memory is fetched ahead of the products |
    //! | [0014](d0014) | Importers, and data that stays on the disk |
    //! | [0015](d0015) | The rivals, and what of their releases is not reproduced |
    //! | [0016](d0016) | LadderRNN and SWaveNet |
    //! | [0017](d0017) | Weights used step by step |
    //! | [0018](d0018) | Z-forcing and Variational Bi-LSTM: where text, release and sense disagree |
    //! | [0019](d0019) | Bounds by many draws |
    //! | [0020](d0020) | RNN and VRNN |
    //! | [0021](d0021) | Halves of a batch |
    //! | [0022](d0022) | The deep Markov model |
    //! | [0023](d0023) | Every model scores every step |
    //! | [0024](d0024) | A model is one file, and a registry finds it |
    //! | [0025](d0025) | Small numbers become 0 |
    //!
    //! A measurement that stands in a decision was made for this project, on the machine it names; where
    //! none is named, on two x86-64 cores with AVX-512.

    #[doc = include_str!("decisions/0001-borrowed-tape.md")]
    pub mod d0001 {}
    #[doc = include_str!("decisions/0002-layout.md")]
    pub mod d0002 {}
    #[doc = include_str!("decisions/0003-f32-and-f64.md")]
    pub mod d0003 {}
    #[doc = include_str!("decisions/0004-panics-and-errors.md")]
    pub mod d0004 {}
    #[doc = include_str!("decisions/0005-fixed-tiles-ordered-sums.md")]
    pub mod d0005 {}
    #[doc = include_str!("decisions/0006-own-functions-and-draws.md")]
    pub mod d0006 {}
    #[doc = include_str!("decisions/0007-no-second-derivatives.md")]
    pub mod d0007 {}
    #[doc = include_str!("decisions/0008-paper-and-release.md")]
    pub mod d0008 {}
    #[doc = include_str!("decisions/0009-cpus-without-fma.md")]
    pub mod d0009 {}
    #[doc = include_str!("decisions/0010-own-product-kernel.md")]
    pub mod d0010 {}
    #[doc = include_str!("decisions/0011-inlined-closures.md")]
    pub mod d0011 {}
    #[doc = include_str!("decisions/0012-helpers-that-stay-awake.md")]
    pub mod d0012 {}
    #[doc = include_str!("decisions/0013-memory-fetched-ahead.md")]
    pub mod d0013 {}
    #[doc = include_str!("decisions/0014-importers-and-data-on-disk.md")]
    pub mod d0014 {}
    #[doc = include_str!("decisions/0015-rivals.md")]
    pub mod d0015 {}
    #[doc = include_str!("decisions/0016-ladder-rnn-and-swavenet.md")]
    pub mod d0016 {}
    #[doc = include_str!("decisions/0017-weights-used-step-by-step.md")]
    pub mod d0017 {}
    #[doc = include_str!("decisions/0018-z-forcing-and-bi-lstm.md")]
    pub mod d0018 {}
    #[doc = include_str!("decisions/0019-bounds.md")]
    pub mod d0019 {}
    #[doc = include_str!("decisions/0020-rnn-and-vrnn.md")]
    pub mod d0020 {}
    #[doc = include_str!("decisions/0021-halves-of-a-batch.md")]
    pub mod d0021 {}
    #[doc = include_str!("decisions/0022-dmm.md")]
    pub mod d0022 {}
    #[doc = include_str!("decisions/0023-first-step.md")]
    pub mod d0023 {}
    #[doc = include_str!("decisions/0024-a-model-is-one-file.md")]
    pub mod d0024 {}
    #[doc = include_str!("decisions/0025-small-numbers-become-0.md")]
    pub mod d0025 {}
}
