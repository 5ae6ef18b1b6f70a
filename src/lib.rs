//! Stochastic temporal convolutional networks on a CPU: a tape, kernels, models, training and a command
//! line, with the same bits on every machine and every gradient open to look at.
//!
//! STCN (Aksan & Hilliges, ICLR 2019) models sequences of real numbers, such as handwriting or speech: a
//! stack of dilated causal convolutions reads the past, and a ladder of random variables, one for each
//! time scale, decides what comes next. Training maximises a lower bound on the log-likelihood of the data. The baselines
//! of its paper's tables, recurrent and convolutional, stand beside it in [`models`], under the same commands.
//!
//! The promise: **same seed, same bits**, on any number of threads, on any x86-64 CPU and on aarch64, in
//! debug and release builds, and after being killed and resumed ([how, in small programs](book::same_bits)).
//! aarch64 has been run under an emulator, and not yet on a machine of its own.
//!
//! # One pass, and the way back
//! ```
//! use stcn::models::{self, Kl};
//! use stcn::ops::{affine, sum};
//! use stcn::{Batch, Init, Keep, ModelConfig, Noise, Preset, Result, Tape, Tensor};
//!
//! fn main() -> Result<()> {
//!     // Two latents, each over three blocks of convolutions.
//!     let small = ModelConfig::preset(models::STCN_DENSE, Preset::InkTiny, None)
//!         .with("channels", 8)?
//!         .with("latents", vec![4, 2])?
//!         .with("blocks_per_latent", 3)?;
//!     let model = models::build(&small, Init::new(1))?;
//!     // A square: each step is a move of the pen, and 1 where a stroke ends.
//!     let x = vec![1., 0., 0., 0., 1., 0., -1., 0., 0., 0., -1., 1.];
//!     let x = Tensor::new(&[1, 4, 3], x);
//!     let batch = Batch { x, lengths: vec![4], samples: vec![0] };
//!
//!     let tape = Tape::new();
//!     let elbo = model.elbo(&tape, &batch, &Noise::new(1, "train"), Kl::Analytic);
//!     let nll = affine(sum(elbo.log_px), -1., 0.);
//!     let loss = elbo.kl.iter().fold(nll, |loss, &kl| loss + sum(kl)); // Eqs. 15 to 17
//!     let grads = tape.backward(loss, Keep::All);
//!
//!     // The paper's quantities are nodes, found by their names.
//!     let z2 = tape.find("z.2").expect("the upper latent");
//!     let gradient = grads.wrt(z2).expect("the loss depends on it");
//!     assert_eq!(gradient.shape(), [1, 4, 2]); // one sequence, four steps, two numbers
//!     for term in tape.explain(&grads, z2) {
//!         println!("from {}: {}", term.consumer, term.rule.vjp);
//!     }
//!     Ok(())
//! }
//! ```
//! Training, evaluation, drawing and inspection are the binary's: `stcn train` learns from handwriting
//! that the program makes itself.
//!
//! # The modules
//! The types you write most are here at the root. The rest is in twelve modules:
//!
//! | module | use it to |
//! |---|---|
//! | [`ops`] | write a formula that can be differentiated |
//! | [`tape`] | ask what a pass computed; write an op |
//! | [`math`] | compute `exp` or `tanh` inside an op of your own |
//! | [`nn`] | build a model from layers; write a layer |
//! | [`dist`] | get a log-probability, a draw or a divergence |
//! | [`models`] | run the model of a paper; add a model |
//! | [`data`] | read, split, normalise and batch sequences |
//! | [`optim`] | write a training loop of your own: Adam, clipping, schedules |
//! | [`train`] | train, resume and evaluate a model from a program |
//! | [`inspect`] | look at a pass: tables, dumps, pictures, sound |
//! | [`cli`] | run the commands with models of your own |
//! | [`book`] | learn it from the chain rule on; read guides and the reasons for decisions |
//!
//! Everything else is private. Adding an op, a layer and a model from a crate of your own is
//! [a chapter of the book](book::your_own).
//!
//! # The floors
//! How the source is laid out: a module imports only from floors below its own. `tests/tidy.rs` checks it, and lists the
//! few exceptions with their reasons.
//!
//! | floor | | modules |
//! |---|---|---|
//! | 8 | the door | [`cli`]: the commands |
//! | 7 | practice | [`train`]: config, step, fit, evaluate, checkpoint, suite · [`inspect`]: table, explain, dump, pictures, sound |
//! | 6 | papers | [`models`]: one paper, one file |
//! | 5 | parts | [`nn`]: layers · [`optim`]: Adam, schedules · [`data`]: sets, batches, handwriting |
//! | 4 | probability | [`dist`]: log-probability, draws, divergence |
//! | 3 | vocabulary | [`ops`]: differentiable functions, forward and vjp side by side |
//! | 2 | the tape | [`tape`]: what was computed, and the walk back · `check`: gradients against differences |
//! | 1 | numbers | `kernel`: loops with care for speed and bits · `noise`: random numbers by address |
//! | 0 | the ground | `tensor` · `parallel`: the only threads · `error` · `choice` · `file`: whole or not at all |
//!
//! Outside: the [`book`], with [same bits](book::same_bits) in small programs, and the
//! [decisions](book::decisions) with what would change our mind.
//!
//! # Symbols
//! | paper | here | |
//! |---|---|---|
//! | x_t | `x` (B, T, D) | a step of the data; batch, time, channel, always in this order |
//! | d_t^l | node `d.l` (B, T + 1, F) | context of level l: the last block of the level, over (0, x_1 … x_T) |
//! | z_t^l | node `z.l` (B, T, C) | latent of level l; l = 1 is nearest to the data |
//! | p(z_t^l ∣ ·), f_p^(l) | `prior.l` | Eq. 8: sees x_{<t} and z^{l+1} |
//! | q̂(z_t^l ∣ ·), f_q^(l) | `infer.l` | Eq. 10: sees x_{≤t} and z^{l+1} |
//! | q(z_t^l ∣ ·) | [`Normal::combined`](dist::Normal::combined) | Eq. 11: estimate and prior by their precisions |
//! | f^(o) | `output`, `head` | Eq. 9: from z^1, or from all z^l when dense |
//! | KL_l | node `kl.l` (B, T) | Eq. 15, per step and level |
//! | ln p(x_t ∣ z_t) | node `log_px` (B, T) | Eqs. 16, 17, per step |
//! | x̄ | `gx`, and `gy` for the one that comes in | the gradient of the loss at x |
//!
//! What users see counts from 1 as the paper does, except nodes of the tape; code counts from 0.
#![warn(missing_docs)]
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))] // what the commands alone use

pub mod book;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod dist;
pub mod inspect;
pub mod models;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod tape;
pub mod train;

mod check;
mod choice;
mod error;
mod file;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod kernel;
mod noise;
mod parallel;
mod tensor;

pub mod math {
    //! Elementary functions for ops of your own, with the same bits on every machine.
    //!
    //! std's come from the C library and differ by machine. Under the feature `f64`, which promises no bits, these are
    //! std's.
    pub use crate::kernel::math::{exp, ln, ln_1p, sigmoid, softplus, tanh};
    pub use crate::kernel::simd::madd_fuses;
}

pub use check::{Check, gradcheck};
pub use error::{Error, ErrorKind, Result};
pub use noise::{Noise, StandardNormal};
pub use parallel::with_threads;
pub use tensor::{Real, Tensor, zip};

// What a user types most, also found in their own modules.
#[doc(inline)]
pub use data::{Batch, DataSet};
#[doc(inline)]
pub use models::{ModelConfig, ModelKind, Preset, Registry, SequenceModel};
#[doc(inline)]
pub use nn::{Init, Module};
#[doc(inline)]
pub use tape::{Deferred, Grads, Keep, Param, Rule, Slot, Tape, Var};
#[doc(inline)]
pub use train::{Config, Trainer};
