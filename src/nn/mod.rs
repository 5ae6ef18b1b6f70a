//! Layers: plain structs of parameters.
//!
//! Each file: the equation, the struct with shapes, `module!`, `new`, `forward`, and `step` where a layer
//! keeps state between time steps. Recurrent layers step on the tape (`Var`), convolutions on tensors, for sampling alone. Not here: gradients (`ops`), whole models (`models`).

mod conv;
mod gate;
mod gated;
mod gru;
mod head;
mod linear;
mod log_var;
mod lstm;
mod made;
mod module;
mod output;
mod stack;
mod tcn;

pub use conv::{CausalConv1d, Past};
pub use gate::{Gate, NormalGate};
pub use gated::{GatedBlock, ProjectedBlock};
pub use gru::Gru;
pub use head::Head;
pub use linear::{Linear, Mlp, NormalLayers, NormalNet};
pub use log_var::{LogVarLayers, clipped_leaky_relu};
pub use lstm::Lstm;
pub use module::{Init, Module, module};
pub use output::OutputNet;
pub use stack::{Stack, StackPast};
pub use tcn::{Tcn, TcnPast};
