//! Trained tensors.

use crate::tensor::Tensor;

/// A trained tensor, owned by a layer; a tape only borrows its value for one pass.
#[derive(Debug)]
pub struct Param {
    number: usize,
    path: String,
    /// What is trained.
    pub value: Tensor,
}

impl Param {
    /// Parameter `number` of its model, under `path`, as `tcn.3.filter.weight`.
    pub fn new(number: usize, path: impl Into<String>, value: Tensor) -> Self {
        Self { number, path: path.into(), value }
    }

    /// Its place in the model, counted from 0 in order of construction.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its one spelling in checkpoints, tables, dumps and errors.
    pub fn path(&self) -> &str {
        &self.path
    }
}
