//! The book: how a deep model of sequences is trained, in small programs that were all run; then what this crate promises,
//! how well it does, and why it is built as it is.
//!
//! Chapters 1 to 8 are a course, for somebody who knows calculus and a little Rust: each builds on those before it. Chapters 9
//! to 12 can be read in any order. Each chapter ends with three exercises, whose answers are folded.
//!
//! | | chapter | |
//! |---|---|---|
//! | 1 | [A scalar's derivative](scalar) | the chain rule by hand, and why it is walked backwards |
//! | 2 | [The tape in 100 lines](tiny_tape) | a complete reverse-mode tape, and how the crate's differs |
//! | 3 | [Rules, and how to check them](rules) | write an op with its gradient, and compare it with differences in f64 |
//! | 4 | [Layers](layers) | parameters, training a small network, what depth does to a gradient |
//! | 5 | [Causal convolutions](causal_convolutions) | taps, dilation, padding, how far back a stack sees, a test for leaks |
//! | 6 | [Latent variables, reparameterisation, the ELBO](latents) | score data whose cause is hidden, on a model that can be solved exactly |
//! | 7 | [STCN, equation by equation](stcn_equations) | the paper's Eqs. 1 to 17, each with its lines of code |
//! | 8 | [Reading gradients](reading_gradients) | two small runs of your own: a latent that carries nothing, and why |
//! | 9 | [Same seed, same bits](same_bits) | what could make two runs differ, and why it does not, in small programs |
//! | 10 | [Speed, and where the time goes](where_the_time_goes) | against PyTorch, and against the limits of the machine |
//! | 11 | [Your own op, layer and model](your_own) | a crate that adds one of each, read file by file |
//! | 12 | [Two draws for the price of one](two_draws) | why an objective that is no bound may exceed the likelihood, as in the paper's tables |
//!
//! To look things up:
//!
//! | | |
//! |---|---|
//! | [Results](results) | every model on handwriting and music: ELBO, IWAE, FIVO, with the commands |
//! | [Data](data) | the format of a data set, the importers, your own data from NumPy |
//! | [Nothing lost](nothing_lost) | kills, full disks, damaged files, divergence |
//! | [Several machines](several_machines) | one run on many processes by MPI, with Slurm, and when it pays |
//! | [A pass in another framework](dump) | the layout of a dumped pass, to compute it again in PyTorch or NumPy |
//! | [Decisions](decisions) | why things are as they are, one page each |
//!
//! What a module is for is said in the module itself.

/// A picture between two parts of a chapter: blank lines around it, or it would be part of a sentence.
macro_rules! figure {
    ($file:literal) => {
        concat!("\n\n", include_str!(concat!("figures/", $file)), "\n\n")
    };
}

#[doc = include_str!("scalar.md")]
#[doc = figure!("scalar.svg")]
#[doc = include_str!("scalar-2.md")]
pub mod scalar {}

#[doc = include_str!("tiny-tape.md")]
pub mod tiny_tape {}

#[doc = include_str!("rules.md")]
pub mod rules {}

#[doc = include_str!("layers.md")]
pub mod layers {}

#[doc = include_str!("causal-convolutions.md")]
#[doc = figure!("receptive-field.svg")]
#[doc = include_str!("causal-convolutions-2.md")]
pub mod causal_convolutions {}

#[doc = include_str!("latents.md")]
pub mod latents {}

#[doc = include_str!("stcn-equations.md")]
pub mod stcn_equations {}

#[doc = include_str!("reading-gradients.md")]
#[doc = figure!("kl.svg")]
#[doc = include_str!("reading-gradients-2.md")]
pub mod reading_gradients {}

#[cfg_attr(not(feature = "f64"), doc = include_str!("same-bits.md"))]
#[cfg_attr(
    feature = "f64",
    doc = "Written for f32: builds in f64 check gradients and do not promise the same bits."
)]
pub mod same_bits {}

#[doc = include_str!("where-the-time-goes.md")]
pub mod where_the_time_goes {}

#[doc = include_str!("your-own.md")]
pub mod your_own {}

#[doc = include_str!("two-draws.md")]
pub mod two_draws {}

#[doc = include_str!("results.md")]
pub mod results {}

#[doc = include_str!("data.md")]
pub mod data {}

#[doc = include_str!("nothing-lost.md")]
pub mod nothing_lost {}

#[doc = include_str!("several-machines.md")]
pub mod several_machines {}

#[doc = include_str!("dump.md")]
pub mod dump {}

pub mod decisions {
    //! Why things are as they are. One page each: the question first, and last what would change our mind.
    //!
    //! | | | |
    //! |---|---|---|
    //! | [0001](d0001) | A borrowed tape | variables are two-word handles that borrow the tape, not reference-counted nodes |
    //! | [0002](d0002) | (B, T, C) and (K, in, out) | one memory layout, without strides |
    //! | [0003](d0003) | f32, and f64 by feature | gradient checks in f64 are a second build |
    //! | [0004](d0004) | Panics and errors | wrong shapes panic; bad files and configs are errors |
    //! | [0005](d0005) | Fixed tiles, ordered sums | why the number of threads changes no bit |
    //! | [0006](d0006) | Own elementary functions and normal draws | `exp`, `tanh` and random numbers do not come from the platform |
    //! | [0007](d0007) | No second derivatives | gradients are tensors, not recorded variables |
    //! | [0008](d0008) | Paper against released code, as enums | where the two differ, both are built |
    //! | [0009](d0009) | CPUs without FMA | they compute the same bits in software, slowly |
    //! | [0010](d0010) | Our own product kernel | why matrix products are not left to a library |
    //! | [0011](d0011) | Inlined closures instead of a SIMD crate | plain loops, compiled once per instruction set |
    //! | [0012](d0012) | Workers that stay awake | threads poll between parallel regions instead of sleeping |
    //! | [0013](d0013) | Prefetching for the products | what closed the gap between cache and memory |
    //! | [0014](d0014) | Importers, and data that stays on disk | one format for all sets, read by position when large |
    //! | [0015](d0015) | The rivals, and which parts of their releases are not reproduced | one harness for all models; SRNN |
    //! | [0016](d0016) | LadderRNN and SWaveNet | the same for these two |
    //! | [0017](d0017) | Weights used step by step | weights packed once, their gradients added in groups |
    //! | [0018](d0018) | Z-forcing and Variational Bi-LSTM: where text, release and sense disagree | the same for these two |
    //! | [0019](d0019) | Bounds by many draws | IWAE and FIVO: which bound is valid for which model |
    //! | [0020](d0020) | RNN and VRNN | the same as 0015 for these two |
    //! | [0021](d0021) | A batch is a tree | how any number of threads share the step of a small model, with the same bits |
    //! | [0022](d0022) | The deep Markov model | which variant is built |
    //! | [0023](d0023) | Every model scores every step | a switch of the release that was removed |
    //! | [0024](d0024) | A model is one file, and a registry finds it | how models are declared, here and in other crates |
    //! | [0025](d0025) | Small numbers become 0 | subnormal numbers slow some CPUs, so they are avoided by definition |
    //! | [0026](d0026) | The engine in a browser | the same bits in WebAssembly: two modules, no bindings |
    //! | [0027](d0027) | A suite starts the commands | every run of a table is an ordinary one; what a report is made of |
    //! | [0028](d0028) | Memory that stays where it is used | why a process took twice what its tensors did, and what cured it |
    //! | [0029](d0029) | One channel after another | the head in which no channel of a step is independent of the others |
    //! | [0030](d0030) | One run on several processes | the first is the whole program, the others compute what it asks |
    //!
    //! Measurements in a decision were made for this project, on the machine that it names; if it names none, on two
    //! x86-64 cores with AVX-512. `stcn.md` and `rivals.md` are the specifications that the models were written from; they
    //! are not in this repository.

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
    #[doc = include_str!("decisions/0012-workers-that-stay-awake.md")]
    pub mod d0012 {}
    #[doc = include_str!("decisions/0013-prefetching.md")]
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
    #[doc = include_str!("decisions/0021-a-batch-is-a-tree.md")]
    pub mod d0021 {}
    #[doc = include_str!("decisions/0022-dmm.md")]
    pub mod d0022 {}
    #[doc = include_str!("decisions/0023-first-step.md")]
    pub mod d0023 {}
    #[doc = include_str!("decisions/0024-a-model-is-one-file.md")]
    pub mod d0024 {}
    #[doc = include_str!("decisions/0025-small-numbers-become-0.md")]
    pub mod d0025 {}
    #[doc = include_str!("decisions/0026-the-engine-in-a-browser.md")]
    pub mod d0026 {}
    #[doc = include_str!("decisions/0027-a-suite-starts-the-commands.md")]
    pub mod d0027 {}
    #[doc = include_str!("decisions/0028-memory-that-stays-where-it-is-used.md")]
    pub mod d0028 {}
    #[doc = include_str!("decisions/0029-one-channel-after-another.md")]
    pub mod d0029 {}
    #[doc = include_str!("decisions/0030-one-run-on-several-processes.md")]
    pub mod d0030 {}
}
