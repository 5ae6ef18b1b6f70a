//! What ops make of a weight and share, as from one step of a recurrent model to the next.

use crate::kernel::few_rows::Blocks;
use crate::kernel::gemm::Mat;
use crate::tensor::Tensor;
use std::cell::{Cell, OnceCell};

/// A weight packed for products of few rows: the copies stay with its node, until the tape is reset.
pub struct Shared {
    w: Tensor,
    used: Cell<bool>,
    plain: OnceCell<Blocks>,
    transposed: OnceCell<Blocks>,
}

impl Shared {
    /// Nothing yet.   w: (I, O)
    pub(super) fn of(w: Tensor) -> Self {
        let (plain, transposed) = (OnceCell::new(), OnceCell::new());
        Self { w, used: Cell::new(false), plain, transposed }
    }

    /// W for `x W`, from the second time on: to pack weights that are used once, as in generation, takes longer
    /// than to read them where they lie.
    pub fn again(&self) -> Option<&Blocks> {
        let again = self.used.replace(true);
        again.then(|| self.plain.get_or_init(|| Blocks::new(self.matrix())))
    }

    /// Wᵀ for `ȳ Wᵀ`.
    pub fn transposed(&self) -> &Blocks {
        self.transposed.get_or_init(|| Blocks::new(self.matrix().transposed()))
    }

    fn matrix(&self) -> Mat<'_> {
        Mat::new(self.w.data(), self.w.rows(), self.w.cols())
    }
}
