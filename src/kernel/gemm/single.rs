//! The loops of f32 products: strips of C in registers, on AVX-512, AVX2, NEON and without any of them.
//!
//! One of the five files that may use `unsafe`: the loops read and write through pointers, after `gemm`
//! has checked that every index lies inside its slice. What will be needed next is fetched into cache while
//! a strip is computed, one line with each term (decision 0013): a core waits longer for memory than for arithmetic.
#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // several registers share an index

use super::{CHAIN, Mat, Onto, Packed, Right, SKINNY_ROWS};
use crate::kernel::simd::{Four, Isa, Simd, isa};
use crate::tensor::Tensor;
use std::hint::black_box;

/// Most rows of C in registers at once, each two vectors wide: 24 accumulators of 32 registers, or 12 of 16,
/// leave room for a row of B and one broadcast.
#[cfg(target_arch = "x86_64")]
const ROWS_32: usize = 12;
const ROWS_16: usize = 6;
/// NEON has 32 registers of four, a browser 16 at least; without FMA every multiply-add is a call.
const ROWS_FOUR: usize = match () {
    _ if cfg!(target_arch = "aarch64") => 12,
    _ if cfg!(target_feature = "relaxed-simd") => 6,
    _ => 2,
};

/// Most vectors in registers at once of the row of C, if it has a single one and B is read in place: 4, 8 or 16, so that
/// several cache lines of one row of B are read together, and then those of the next.
#[cfg(target_arch = "x86_64")]
const WIDE_32: usize = 16;
#[cfg(target_arch = "x86_64")]
const WIDE_16: usize = 8;
const WIDE_FOUR: usize = if cfg!(target_arch = "aarch64") { 16 } else { 4 };

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
        let whole = if b.row_stride == 1 && count == 16 { b.cols / 4 * 4 } else { 0 };
        for j in (0..whole).step_by(4) {
            // Four columns at a time: a store for four numbers.
            let columns = [0, 1, 2, 3].map(|c| {
                let from = &b.data[(j + c) * b.col_stride + first..];
                from.first_chunk::<16>().expect("sixteen rows")
            });
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                row[j..j + 4].copy_from_slice(&columns.map(|column| column[i]));
            }
        }
        for j in whole..width {
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

/// One term of a product as plain numbers and pointers: everything the loops need.
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
    ahead: Ahead,
}

impl Product {
    fn new(a: Mat<'_>, b: Right<'_>, onto: Onto<'_>, c: *mut f32) -> Self {
        let ((k, n), width) = (b.shape(), width());
        let (b, b_panel, b_row, padded) = match b {
            Right::Packed(b) => (b.panels.data().as_ptr(), k * width, width, true),
            Right::Rows(b) => (b.data.as_ptr(), width, b.row_stride, false),
        };
        let (row, add) = match onto {
            Onto::C => (std::ptr::null(), true),
            Onto::Zero => (std::ptr::null(), false),
            Onto::Row(row) => (row.as_ptr(), false),
        };
        let (m, a_row, a_col, a) = (a.rows, a.row_stride, a.col_stride, a.data.as_ptr());
        let ahead = Ahead::nothing(b);
        Product { m, k, n, a, a_row, a_col, b, b_panel, b_row, padded, row, add, c, ahead }
    }
}

impl Product {
    /// Its terms from `start` on that make one chain; the chains after the first are added to C.
    #[inline(always)]
    unsafe fn chain(&self, start: usize) -> Product {
        // SAFETY: the caller's: `start` is below k.
        unsafe {
            Product {
                k: CHAIN.min(self.k - start),
                a: self.a.add(start * self.a_col),
                b: self.b.add(start * self.b_row),
                add: self.add || start > 0,
                ..*self
            }
        }
    }
}

pub(super) fn product<'a>(
    terms: impl Iterator<Item = (Mat<'a>, Right<'a>)>,
    then: Option<(Mat<'a>, Right<'a>)>,
    onto: Onto<'_>,
    c: &mut [f32],
) {
    let c = c.as_mut_ptr();
    let product = |(a, b)| Product::new(a, b, onto, c);
    let (mut terms, then) = (terms.map(product).peekable(), then.map(product));
    let mut add = matches!(onto, Onto::C);
    while let Some(term) = terms.next() {
        let (term, next) = (Product { add, ..term }, terms.peek().or(then.as_ref()));
        // SAFETY: `isa` names only detected sets; `gemm::check` has seen that A, B, C and the row hold every
        // element that the loops touch.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512(term, next),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2(term, next),
                _ => four(term, next),
            }
        }
        add = true;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
unsafe fn avx512(p: Product, next: Option<&Product>) {
    // SAFETY: the caller's.
    unsafe { run::<std::arch::x86_64::__m512, ROWS_32, WIDE_32>(p, next) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(p: Product, next: Option<&Product>) {
    // SAFETY: the caller's.
    unsafe { run::<std::arch::x86_64::__m256, ROWS_16, WIDE_16>(p, next) }
}

unsafe fn four(p: Product, next: Option<&Product>) {
    // SAFETY: the caller's.
    unsafe { run::<Four, ROWS_FOUR, WIDE_FOUR>(p, next) }
}

/// Chains of k outermost (they are the definition), then panels of B, which stay in the first
/// cache while strips of rows pass by.
#[inline(always)]
unsafe fn run<V: Simd, const MOST: usize, const WIDE: usize>(
    mut p: Product,
    next: Option<&Product>,
) {
    if p.m == 1 && !p.padded {
        // As wide as the registers allow; the panels below are for what is left.
        // SAFETY: as below.
        unsafe {
            if WIDE == 16 {
                one_row::<V, 16>(&mut p);
            }
            if WIDE >= 8 {
                one_row::<V, 8>(&mut p);
            }
            one_row::<V, 4>(&mut p);
        }
    }
    let strips = p.m.div_ceil(MOST);
    for start in (0..p.k).step_by(CHAIN) {
        // SAFETY: inside the matrices, by the loops' bounds.
        let part = unsafe { p.chain(start) };
        // SAFETY: as above.
        let next_chain = (start + CHAIN < p.k).then(|| unsafe { p.chain(start + CHAIN) });
        let next = next_chain.as_ref().or(next);
        for (panel, column) in (0..p.n).step_by(2 * V::LANES).enumerate() {
            let columns = (2 * V::LANES).min(p.n - column);
            for strip in 0..strips {
                let (row, end) = (strip * p.m / strips, (strip + 1) * p.m / strips);
                let place = Place { panel, panels: p.n.div_ceil(2 * V::LANES), strip, strips, end };
                // SAFETY: as above.
                unsafe {
                    let tile = Product {
                        m: end - row,
                        a: part.a.add(row * p.a_row),
                        b: part.b.add(panel * p.b_panel),
                        row: if p.row.is_null() { p.row } else { p.row.add(column) },
                        c: p.c.add(row * p.n + column),
                        ahead: part.ahead(&place, next),
                        ..part
                    };
                    strip_of_rows::<V, MOST>(tile, columns);
                }
            }
        }
    }
}

/// Multiplies one row as long as `VECTORS` more columns are whole, and leaves the rest in `p`.
#[inline(always)]
unsafe fn one_row<V: Simd, const VECTORS: usize>(p: &mut Product) {
    let width = VECTORS * V::LANES;
    while p.n >= width {
        // SAFETY: inside the matrices, by the loops' bounds.
        unsafe {
            for start in (0..p.k).step_by(CHAIN) {
                let part = p.chain(start);
                // Sixteen rows on: by then memory has answered.
                let from = part.b.wrapping_add(16 * p.b_row);
                let ahead = Ahead { from, step: p.b_row, other: width / 2 };
                micro::<V, 1, VECTORS, false>(Product { ahead, ..part }, V::LANES);
            }
            let row = if p.row.is_null() { p.row } else { p.row.add(width) };
            *p = Product { n: p.n - width, b: p.b.add(width), c: p.c.add(width), row, ..*p };
        }
    }
}

/// What is prefetched while a strip is computed: with term i the cache lines at `from + i·step` and `other`
/// elements after it. A hint: the address need not be valid.
#[derive(Clone, Copy)]
struct Ahead {
    from: *const f32,
    step: usize,
    other: usize,
}

impl Ahead {
    /// Nothing new: a line that is in cache already.
    fn nothing(b: *const f32) -> Self {
        Self { from: b, step: 0, other: 0 }
    }
}

/// Which strip of how many, and the row where it ends.
struct Place {
    panel: usize,
    panels: usize,
    strip: usize,
    strips: usize,
    end: usize,
}

/// Elements of a cache line.
const LINE: usize = 16;

impl Product {
    /// What a later strip will read and is not in cache yet: for a gradient of weights, which reads everything
    /// once, A and B of the next term; for few rows, the next panel of B, then the first of the next chain or term; else the
    /// next rows of A.
    #[inline(always)]
    fn ahead(&self, at: &Place, next: Option<&Product>) -> Ahead {
        let nothing = Ahead::nothing(self.b);
        // Line `slot` of every row of a matrix; two at a time if the slots are too few.
        let line = |(from, step): (*const f32, usize), slot: usize, two: bool| {
            let (each, other) = if two { (2, LINE) } else { (1, 0) };
            Ahead { from: from.wrapping_add(slot * each * LINE), step, other }
        };
        if self.a_col != 1 {
            let Some(next) = next else { return nothing };
            let (slot, slots) = (at.panel * at.strips + at.strip, at.panels * at.strips);
            let of = |columns: usize, two| columns.div_ceil(if two { 2 * LINE } else { LINE });
            let two = of(self.m, false) + of(self.n, false) > slots;
            let (of_a, of_b) = (of(self.m, two), of(self.n, two));
            if slot < of_a {
                line((next.a, next.a_col), slot, two)
            } else if slot < of_a + of_b {
                line((next.b, next.b_row), slot - of_a, two)
            } else {
                nothing
            }
        } else if self.m <= SKINNY_ROWS {
            let after = self.b.wrapping_add((at.panel + 1) * self.b_panel);
            match next {
                _ if at.strip > 1 => nothing,
                _ if at.panel + 1 < at.panels => {
                    line((after, self.b_row), at.strip, at.strips == 1)
                }
                Some(next) => line((next.b, next.b_row), at.strip, at.strips == 1),
                None => nothing,
            }
        } else if at.panel == 0 && at.strip + 1 < at.strips {
            let rows = self.m.div_ceil(at.strips);
            let from = self.a.wrapping_add(at.end * self.a_row);
            Ahead { from, step: rows * self.a_row / self.k, other: 0 }
        } else {
            nothing
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

/// `C[rows × vectors] += A·B` over one chain of k, C in registers; the last vector has `tail` columns.
#[inline(always)]
unsafe fn micro<V: Simd, const ROWS: usize, const VECTORS: usize, const PART: bool>(
    p: Product,
    tail: usize,
) {
    // SAFETY: `p` describes elements inside the matrices, and a partial vector touches `tail` lanes.
    unsafe {
        for r in 0..ROWS {
            for v in 0..VECTORS {
                V::prefetch(p.c.add(r * p.n + v * V::LANES)); // wanted at the end
            }
        }
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let mut a = [p.a; ROWS];
        for (r, a) in a.iter_mut().enumerate() {
            *a = a.wrapping_add(r * p.a_row);
            if cfg!(target_arch = "x86_64") && ROWS <= ROWS_16 {
                // A register for the pointer to each row: the compiler does not see that they are a stride apart, and so does not
                // go from one to the next by additions, which with AVX2 are a quarter of the loop. For more rows there are too few.
                *a = black_box(*a);
            }
        }
        let (mut at, mut ahead) = (p.b, p.ahead.from);
        for _ in 0..p.k {
            V::prefetch(ahead);
            V::prefetch(ahead.wrapping_add(p.ahead.other));
            ahead = ahead.wrapping_add(p.ahead.step);
            let mut b = [V::zero(); VECTORS];
            for v in 0..VECTORS {
                b[v] = if PART && v == VECTORS - 1 && !p.padded {
                    V::load_front(at.add(v * V::LANES), tail)
                } else {
                    V::load(at.add(v * V::LANES))
                };
            }
            at = at.wrapping_add(p.b_row);
            for r in 0..ROWS {
                let a = V::splat(a[r]);
                for v in 0..VECTORS {
                    sums[r][v] = a.fma(b[v], sums[r][v]);
                }
            }
            a = a.map(|a| a.wrapping_add(p.a_col));
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
