//! An op, a layer and a model of one's own, trained by stcn's trainer and commands.

pub mod drift;
pub mod layer;
pub mod op;

use stcn::models::{ModelKind, Registry};

/// The model of this crate.
pub const DRIFT: ModelKind = ModelKind::new(&drift::Paper);

/// Every model of stcn, and ours.
pub fn registry() -> Registry {
    Registry::default().with(DRIFT)
}
