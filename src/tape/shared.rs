//! What ops make of a weight and share, from one step of a recurrent model to the next.

use crate::kernel::few_rows::Blocks;
use crate::kernel::gemm::Mat;
use crate::tensor::Tensor;
use std::cell::{Cell, OnceCell};

/// A weight packed for products of few rows: the copies stay with its node, until the tape is reset.
#[derive(Default)]
pub struct Shared {
    used: Cell<bool>,
    plain: OnceCell<Blocks>,
    transposed: OnceCell<Blocks>,
}

impl Shared {
    /// `w` for `x W`, from the second time on: to pack weights that are used once, as in generation, takes
    /// longer than to read them where they lie.   w: (I, O)
    pub fn again(&self, w: &Tensor) -> Option<&Blocks> {
        self.used.replace(true).then(|| self.plain.get_or_init(|| Blocks::new(matrix(w))))
    }

    /// `wᵀ` for `ȳ Wᵀ`.   w: (I, O)
    pub fn transposed(&self, w: &Tensor) -> &Blocks {
        self.transposed.get_or_init(|| Blocks::new(matrix(w).transposed()))
    }
}

fn matrix(w: &Tensor) -> Mat<'_> {
    Mat::new(w.data(), w.rows(), w.cols())
}
