//! Matrix products, `C += A·B`, with one definition of every element on every machine.
//!
//! Each element is `c += Σ` over panels of 256 terms, each panel one chain of fused multiply-adds from
//! zero, in order: [`element`]. matrixmultiply makes the same chain, and gave our f32 products until a
//! kernel of our own, which packs weights once a step and reads the other side where it lies, made it
//! faster (decision 0010). It still gives the products of the f64 build and the oracle of the tests.
//!
//! One of the two files that may use `unsafe` (the other is `simd`): the inner loop reads and writes
//! through pointers, after the safe functions have checked that every index lies inside its slice.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // several registers share an index

use crate::tensor::{Real, Tensor};

/// Terms of one chain of fused multiply-adds.
pub const PANEL: usize = 256;

/// One element of `C += A·B`: the definition that every kernel has to meet, to the bit.
#[cfg(not(feature = "f64"))]
pub fn element(c: f32, k: usize, a: impl Fn(usize) -> f32, b: impl Fn(usize) -> f32) -> f32 {
    let chain = |panel: std::ops::Range<usize>| {
        panel.fold(0., |sum, i| super::math::soft_fma(a(i), b(i), sum))
    };
    (0..k).step_by(PANEL).fold(c, |c, start| c + chain(start..k.min(start + PANEL)))
}

/// A matrix that lies in a slice with any strides.
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
        assert!(data.len() >= rows * cols, "Mat: {rows} × {cols} in {} numbers", data.len());
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same numbers, rows and columns exchanged.
    pub fn transposed(self) -> Self {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        Self { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
    }

    /// Only the columns of `range`.
    #[track_caller]
    pub fn columns(self, range: std::ops::Range<usize>) -> Self {
        assert!(range.end <= self.cols, "Mat: columns {range:?} of {}", self.cols);
        let data = &self.data[(range.start * self.col_stride).min(self.data.len())..];
        Self { data, cols: range.len(), ..self }
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

/// What stands on the right of a product.
#[derive(Clone, Copy)]
pub enum Right<'a> {
    /// Packed before: weights.
    Packed(&'a Packed),
    /// Row-major where it lies: used once or by few rows.
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
    /// Zeros, likewise.
    Zero,
}

/// `C += A·B`, on the calling thread.   A: (m, k), B: (k, n), c: m × n, row-major
///
/// Any rows or columns of C may be computed by themselves: no bit depends on the cut.
#[track_caller]
pub fn mul_add(a: Mat<'_>, b: Right<'_>, c: &mut [Real]) {
    mul_add_onto(a, b, Onto::C, c);
}

/// `C = onto + A·B`: the bits of [`mul_add`] on a C that was filled before, without the filling.
#[track_caller]
pub fn mul_add_onto(a: Mat<'_>, b: Right<'_>, onto: Onto<'_>, c: &mut [Real]) {
    let (k, n) = b.shape();
    assert_eq!(a.cols, k, "product: A is {} × {}, B is {k} × {n}", a.rows, a.cols);
    assert_eq!(c.len(), a.rows * n, "product: C holds {}, want {} × {n}", c.len(), a.rows);
    if let Onto::Row(row) = onto {
        assert_eq!(row.len(), n, "product: a row of {} under {n} columns", row.len());
    }
    if c.is_empty() {
        return;
    }
    if k == 0 {
        return fill(onto, n, c);
    }
    let last = (a.rows - 1) * a.row_stride + (k - 1) * a.col_stride;
    assert!(last < a.data.len(), "product: A reaches beyond its slice");
    product(a, b, onto, c);
}

/// Puts what a product is to be added to into C, of n columns.
pub fn fill(onto: Onto<'_>, n: usize, c: &mut [Real]) {
    match onto {
        Onto::C => (),
        Onto::Zero => c.fill(0.),
        Onto::Row(row) => c.chunks_exact_mut(n).for_each(|c| c.copy_from_slice(row)),
    }
}

/// `C += A·B`, row-major, by our kernel or by matrixmultiply's: for `bench` to find the machine's roof.
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

    pub(super) fn product(a: Mat<'_>, b: Right<'_>, onto: Onto<'_>, c: &mut [Real]) {
        let (k, n) = b.shape();
        fill(onto, n, c);
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
mod single {
    use super::*;
    use crate::kernel::simd::{Four, Isa, Simd, isa};

    /// Most rows of C in registers at once, and vectors a row is wide: 24 accumulators of 32
    /// registers, or 12 of 16, leave room for a row of B and one broadcast.
    #[cfg(target_arch = "x86_64")]
    const ROWS_32: usize = 12;
    #[cfg(target_arch = "x86_64")]
    const ROWS_16: usize = 6;
    /// NEON has 32 registers of four; without FMA every multiply-add is a call.
    const ROWS_FOUR: usize = if cfg!(target_arch = "aarch64") { 12 } else { 2 };

    /// Columns of one packed panel.
    fn width() -> usize {
        match isa() {
            Isa::Avx512 => 32,
            Isa::Avx2 => 16,
            Isa::Neon | Isa::Portable => 8,
        }
    }

    impl Packed {
        /// Lays `b` out in panels.
        pub fn new(b: Mat<'_>) -> Self {
            let width = width();
            let count = b.cols.div_ceil(width);
            let mut panels = Tensor::scratch(&[count * b.rows * width]);
            for (p, panel) in panels.data_mut().chunks_mut((b.rows * width).max(1)).enumerate() {
                let columns = width.min(b.cols - p * width);
                let b = b.columns(p * width..p * width + columns);
                if b.col_stride == 1 {
                    for (k, row) in panel.chunks_mut(width).enumerate() {
                        let from = &b.data[k * b.row_stride..][..columns];
                        row[..columns].copy_from_slice(from);
                        row[columns..].fill(0.);
                    }
                } else {
                    pack_across(b, width, panel);
                }
            }
            Self { rows: b.rows, cols: b.cols, panels }
        }
    }

    /// Packs a matrix whose columns are contiguous: sixteen rows at a time stay in cache.
    fn pack_across(b: Mat<'_>, width: usize, panel: &mut [f32]) {
        for (block, rows) in panel.chunks_mut(16 * width).enumerate() {
            let (first, count) = (block * 16, rows.len() / width);
            for j in 0..width {
                if j >= b.cols {
                    (0..count).for_each(|i| rows[i * width + j] = 0.);
                } else if b.row_stride == 1 {
                    let from = &b.data[j * b.col_stride + first..][..count];
                    from.iter().enumerate().for_each(|(i, &x)| rows[i * width + j] = x);
                } else {
                    (0..count).for_each(|i| rows[i * width + j] = b.at(first + i, j));
                }
            }
        }
    }

    /// Everything the loops need, as plain numbers and pointers.
    #[derive(Clone, Copy)]
    struct Product {
        m: usize,
        k: usize,
        n: usize,
        a: *const f32,
        a_row: usize,
        a_col: usize,
        b: *const f32,
        /// From one panel of B to the next, and from one row of a panel to the next.
        b_panel: usize,
        b_row: usize,
        /// Whether B is padded, so that whole panels may be read.
        padded: bool,
        /// [`Onto::Row`]; null for the others.
        row: *const f32,
        /// Whether C is read.
        add: bool,
        c: *mut f32,
    }

    pub(super) fn product(a: Mat<'_>, b: Right<'_>, onto: Onto<'_>, c: &mut [f32]) {
        let ((k, n), width) = (b.shape(), width());
        let (data, b_panel, b_row, padded) = match b {
            Right::Packed(b) => (b.panels.data(), k * width, width, true),
            Right::Rows(b) => {
                assert_eq!(
                    b.col_stride, 1,
                    "product: a right-hand side read in place is row-major"
                );
                assert!((k - 1) * b.row_stride + n <= b.data.len(), "product: B beyond its slice");
                (b.data, width, b.row_stride, false)
            }
        };
        let (a_row, a_col) = (a.row_stride, a.col_stride);
        let (a, b, c, m) = (a.data.as_ptr(), data.as_ptr(), c.as_mut_ptr(), a.rows);
        let (row, add) = match onto {
            Onto::C => (std::ptr::null(), true),
            Onto::Zero => (std::ptr::null(), false),
            Onto::Row(row) => (row.as_ptr(), false),
        };
        let p = Product { m, k, n, a, a_row, a_col, b, b_panel, b_row, padded, row, add, c };
        // SAFETY: `isa` names only detected sets; `mul_add_onto` and the lines above have checked that A,
        // B, C and the row hold every element that the loops touch.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512(p),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2(p),
                _ => four(p),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    unsafe fn avx512(p: Product) {
        // SAFETY: the caller's.
        unsafe { run::<std::arch::x86_64::__m512, ROWS_32>(p) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(p: Product) {
        // SAFETY: the caller's.
        unsafe { run::<std::arch::x86_64::__m256, ROWS_16>(p) }
    }

    unsafe fn four(p: Product) {
        // SAFETY: the caller's.
        unsafe { run::<Four, ROWS_FOUR>(p) }
    }

    /// Panels of k outermost (they are the definition), then panels of B, which stay in the first
    /// cache while strips of rows pass by.
    #[inline(always)]
    unsafe fn run<V: Simd, const MOST: usize>(p: Product) {
        let strips = p.m.div_ceil(MOST);
        for start in (0..p.k).step_by(PANEL) {
            let k = PANEL.min(p.k - start);
            for (panel, column) in (0..p.n).step_by(2 * V::LANES).enumerate() {
                let columns = (2 * V::LANES).min(p.n - column);
                for strip in 0..strips {
                    let (row, end) = (strip * p.m / strips, (strip + 1) * p.m / strips);
                    // SAFETY: inside the matrices, by the loops' bounds.
                    unsafe {
                        let tile = Product {
                            m: end - row,
                            k,
                            a: p.a.add(row * p.a_row + start * p.a_col),
                            b: p.b.add(panel * p.b_panel + start * p.b_row),
                            row: if p.row.is_null() { p.row } else { p.row.add(column) },
                            add: p.add || start > 0,
                            c: p.c.add(row * p.n + column),
                            ..p
                        };
                        strip_of_rows::<V, MOST>(tile, columns);
                    }
                }
            }
        }
    }

    /// One strip of C, `p.m` rows of at most two vectors.
    #[inline(always)]
    unsafe fn strip_of_rows<V: Simd, const MOST: usize>(p: Product, columns: usize) {
        macro_rules! rows {
            ($($rows:literal)*) => {
                // SAFETY: the caller's.
                unsafe {
                    match p.m {
                        $($rows if $rows <= MOST => if columns == 2 * V::LANES {
                            micro::<V, $rows, 2, false>(p, V::LANES)
                        } else if columns > V::LANES {
                            micro::<V, $rows, 2, true>(p, columns - V::LANES)
                        } else {
                            micro::<V, $rows, 1, true>(p, columns)
                        },)*
                        _ => unreachable!("strips are cut to fit"),
                    }
                }
            };
        }
        rows!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    /// `C[rows × vectors] += A·B` over one panel of k, C in registers; the last vector has `tail` columns.
    #[inline(always)]
    unsafe fn micro<V: Simd, const ROWS: usize, const VECTORS: usize, const PART: bool>(
        p: Product,
        tail: usize,
    ) {
        // SAFETY: `p` describes elements inside the matrices, and a partial vector touches `tail` lanes.
        unsafe {
            let mut sums = [[V::zero(); VECTORS]; ROWS];
            for k in 0..p.k {
                let row = p.b.add(k * p.b_row);
                let mut b = [V::zero(); VECTORS];
                for v in 0..VECTORS {
                    b[v] = if PART && v == VECTORS - 1 && !p.padded {
                        V::load_front(row.add(v * V::LANES), tail)
                    } else {
                        V::load(row.add(v * V::LANES))
                    };
                }
                for r in 0..ROWS {
                    let a = V::splat(p.a.add(r * p.a_row + k * p.a_col));
                    for v in 0..VECTORS {
                        sums[r][v] = a.fma(b[v], sums[r][v]);
                    }
                }
            }
            // In its own loop each: C is either read or it is not.
            if p.add {
                for r in 0..ROWS {
                    for v in 0..VECTORS {
                        let c = p.c.add(r * p.n + v * V::LANES);
                        if PART && v == VECTORS - 1 {
                            V::load_front(c, tail).add(sums[r][v]).store_front(c, tail);
                        } else {
                            V::load(c).add(sums[r][v]).store(c);
                        }
                    }
                }
                return;
            }
            let mut row = [V::zero(); VECTORS];
            if !p.row.is_null() {
                for v in 0..VECTORS {
                    row[v] = if PART && v == VECTORS - 1 {
                        V::load_front(p.row.add(v * V::LANES), tail)
                    } else {
                        V::load(p.row.add(v * V::LANES))
                    };
                }
            }
            for r in 0..ROWS {
                for v in 0..VECTORS {
                    let c = p.c.add(r * p.n + v * V::LANES);
                    if PART && v == VECTORS - 1 {
                        row[v].add(sums[r][v]).store_front(c, tail);
                    } else {
                        row[v].add(sums[r][v]).store(c);
                    }
                }
            }
        }
    }
}
#[cfg(not(feature = "f64"))]
use single::product;
