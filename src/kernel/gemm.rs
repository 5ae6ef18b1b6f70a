//! Matrix products, `C += A·B`, with one definition of every element on every machine.
//!
//! Each element is `c += Σ` over groups of 256 terms, each group one chain of fused multiply-adds from
//! zero, in order. The crate matrixmultiply computes the same chain. Our own kernel is faster, as it
//! packs weights once per step and reads the other side in place (decision 0010); matrixmultiply computes the
//! products of the f64 build, and is the oracle of the tests.
//!
//! Here: the operands of a product, and their checks. The loops are in `single`.

use crate::tensor::{Real, Tensor};

/// Terms of one chain of fused multiply-adds.
pub const CHAIN: usize = 256;

/// Columns of the widest packed panel of any instruction set: cuts at its multiples leave no register half empty.
pub const PANEL_COLUMNS: usize = 32;

/// Most rows of a skinny product, as of one step of a recurrence or of generation: its weights come from main
/// memory, and threads share its columns rather than its rows.
pub const SKINNY_ROWS: usize = 64;

/// A matrix in a slice, with any strides.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [Real],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// Row-major, rows × cols.
    #[track_caller]
    pub fn new(data: &'a [Real], rows: usize, cols: usize) -> Self {
        let fits = rows.checked_mul(cols).is_some_and(|size| size <= data.len());
        assert!(fits, "Mat: {rows} × {cols} in {} numbers", data.len());
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, over the same numbers.
    pub fn transposed(self) -> Self {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        Self { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Only the columns of `range`.
    #[track_caller]
    pub fn columns(self, range: std::ops::Range<usize>) -> Self {
        assert!(range.end <= self.cols, "Mat: columns {range:?} of {}", self.cols);
        let data = &self.data[(range.start * self.col_stride).min(self.data.len())..];
        Self { data, cols: range.len(), ..self }
    }

    /// `rows` rows as wide as this one, each `stride` elements after the one before.
    #[track_caller]
    pub fn repeated(self, rows: usize, stride: usize) -> Self {
        assert_eq!(self.rows, 1, "Mat: want one row to repeat, got {}", self.rows);
        Self { rows, row_stride: stride, ..self }
    }

    #[inline]
    fn at(&self, row: usize, col: usize) -> Real {
        self.data[row * self.row_stride + col * self.col_stride]
    }
}

/// The right-hand side of products, laid out for the kernel: column panels as wide as its registers.
///
/// Weights are packed once and multiplied by many row tiles.
pub struct Packed {
    rows: usize,
    cols: usize,
    /// f32: (panels, rows, width), zeros beyond the last column. f64: row-major.
    panels: Tensor,
}

/// The right-hand side of a product.
#[derive(Clone, Copy)]
pub enum Right<'a> {
    /// Packed before: weights.
    Packed(&'a Packed),
    /// Row-major, read in place: used once or by few rows.
    Rows(Mat<'a>),
}

impl Right<'_> {
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Packed(b) => (b.rows, b.cols),
            Self::Rows(b) => (b.rows, b.cols),
        }
    }
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Onto<'a> {
    /// What C holds.
    C,
    /// The same row for every row of C, such as a bias; what C held is not read.
    Row(&'a [Real]),
    /// Zeros; what C held is not read.
    Zero,
}

/// `C += A·B`, on the calling thread.   A: (m, k), B: (k, n), c: m × n, row-major
///
/// Any rows or columns of C may be computed by themselves: no bit depends on the cut.
#[track_caller]
pub fn mul_add(a: Mat<'_>, b: Right<'_>, c: &mut [Real]) {
    mul_add_onto(a, b, Onto::C, c);
}

/// `C = onto + A·B`: the bits of [`mul_add`] after [`fill`], without a pass over C.
#[track_caller]
pub fn mul_add_onto(a: Mat<'_>, b: Right<'_>, onto: Onto<'_>, c: &mut [Real]) {
    check(a, b, onto, c.len());
    if b.shape().0 == 0 {
        fill(onto, c);
    } else if !c.is_empty() {
        product(std::iter::once((a, b)), None, onto, c);
    }
}

/// `C = onto + A₀·B₀ + A₁·B₁ + …`: the bits of [`mul_add`] with each in turn. While one product is computed, the
/// factors of the next are fetched from memory: for factors that are used once. While the last is computed, those of
/// `then` are: the first factors of the caller's next sum, if it has one.
#[track_caller]
pub fn mul_add_each<'a>(
    terms: impl Iterator<Item = (Mat<'a>, Right<'a>)>,
    then: Option<(Mat<'a>, Right<'a>)>,
    onto: Onto<'_>,
    c: &mut [Real],
) {
    let (size, mut rows) = (c.len(), None);
    let terms = terms.inspect(move |(a, b)| {
        check(*a, *b, onto, size);
        assert_eq!(*rows.get_or_insert(a.rows), a.rows, "product: terms of different shapes");
    });
    let mut terms = terms.filter(|(_, b)| b.shape().0 > 0).peekable();
    if terms.peek().is_none() {
        fill(onto, c);
    } else if size > 0 {
        product(terms, then, onto, c);
    }
}

/// Panics unless A, B, C and a row to add to hold every element of the product: the loops rely on it.
#[track_caller]
fn check(a: Mat<'_>, b: Right<'_>, onto: Onto<'_>, size: usize) {
    let (k, n) = b.shape();
    if let Onto::Row(row) = onto {
        assert_eq!(row.len(), n, "product: a row of {} under {n} columns", row.len());
    }
    assert_eq!(a.cols, k, "product: A is {} × {}, B is {k} × {n}", a.rows, a.cols);
    let fits = a.rows.checked_mul(n) == Some(size);
    assert!(fits, "product: C holds {size}, want {} × {n}", a.rows);
    if size == 0 || k == 0 {
        return;
    }
    let last = (a.rows - 1) * a.row_stride + (k - 1) * a.col_stride;
    assert!(last < a.data.len(), "product: A reaches beyond its slice");
    if let Right::Rows(b) = b {
        assert_eq!(b.col_stride, 1, "product: a right-hand side read in place is row-major");
        assert!((k - 1) * b.row_stride + n <= b.data.len(), "product: B reaches beyond its slice");
    }
}

/// Fills C with what a product is added to.
pub fn fill(onto: Onto<'_>, c: &mut [Real]) {
    match onto {
        Onto::C => (),
        Onto::Zero => c.fill(0.),
        Onto::Row(row) => {
            c.chunks_exact_mut(row.len().max(1)).for_each(|c| c.copy_from_slice(row));
        }
    }
}

/// `C += A·B`, row-major, by our kernel or by matrixmultiply's: `bench` measures the machine's peak speed with it.
pub fn roof(a: &[Real], b: &[Real], c: &mut [Real], (m, k, n): (usize, usize, usize), ours: bool) {
    use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};
    let (left, right) = (Mat::new(a, m, k), Mat::new(b, k, n));
    if ours {
        return mul_add(left, Right::Rows(right), c);
    }
    let left = ArrayView2::from_shape((m, k), a).expect("a is m × k");
    let right = ArrayView2::from_shape((k, n), b).expect("b is k × n");
    let mut c = ArrayViewMut2::from_shape((m, n), c).expect("c is m × n");
    general_mat_mul(1., &left, &right, 1., &mut c);
}

#[cfg(feature = "f64")]
mod double {
    use super::*;
    use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, linalg::general_mat_mul};

    impl Packed {
        /// A copy of `b`, row-major.
        pub fn new(b: Mat<'_>) -> Self {
            let mut panels = Tensor::scratch(&[b.rows * b.cols]);
            let rows = panels.data_mut().chunks_mut(b.cols.max(1)).enumerate();
            rows.for_each(|(i, row)| row.iter_mut().enumerate().for_each(|(j, x)| *x = b.at(i, j)));
            Self { rows: b.rows, cols: b.cols, panels }
        }
    }

    pub(super) fn product<'a>(
        terms: impl Iterator<Item = (Mat<'a>, Right<'a>)>,
        _then: Option<(Mat<'a>, Right<'a>)>,
        onto: Onto<'_>,
        c: &mut [Real],
    ) {
        fill(onto, c);
        terms.for_each(|(a, b)| add(a, b, c));
    }

    fn add(a: Mat<'_>, b: Right<'_>, c: &mut [Real]) {
        let (k, n) = b.shape();
        let left =
            ArrayView2::from_shape((a.rows, k).strides((a.row_stride, a.col_stride)), a.data);
        let b = match b {
            Right::Packed(b) => Mat::new(b.panels.data(), k, n),
            Right::Rows(b) => b,
        };
        let right = ArrayView2::from_shape((k, n).strides((b.row_stride, b.col_stride)), b.data);
        let mut c = ArrayViewMut2::from_shape((a.rows, n), c).expect("checked by mul_add");
        let [left, right] = [left, right].map(|m| m.expect("checked by mul_add"));
        general_mat_mul(1., &left, &right, 1., &mut c);
    }
}
#[cfg(feature = "f64")]
use double::product;

#[cfg(not(feature = "f64"))]
mod single;
#[cfg(not(feature = "f64"))]
use single::product;
