//! [`Tensor`]: contiguous row-major numbers of rank ≤ 4, shared on clone, copied on write.
//!
//! One layout means one code path, and no sum whose bits depend on how a tensor was made (decision 0002). A buffer
//! goes back to a pool when the last tensor that shares it is dropped, so that a training step asks the system
//! for no memory. Not here: arithmetic with a gradient (`ops`), products (`kernel`).

use crate::kernel::{pointwise, simd::vectorise};
use crate::parallel;
use ndarray::{ArcArray, Array, ArrayViewD, IxDyn};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number everything is computed in: f32, or f64 under the feature `f64` for gradient checks.
#[cfg(not(feature = "f64"))]
pub type Real = f32;
/// The number everything is computed in: f32, or f64 under the feature `f64` for gradient checks.
#[cfg(feature = "f64")]
pub type Real = f64;

/// An n-dimensional array over shared storage: O(1) to clone, copied when written while shared.
#[derive(Clone)]
pub struct Tensor {
    /// `None` only while being dropped.
    array: Option<ArcArray<Real, IxDyn>>,
    /// The number of the pool that the buffer goes back to.
    pool: usize,
}

impl Tensor {
    /// `data` in row-major order. Panics if the numbers do not fill `shape`.
    #[track_caller]
    pub fn new(shape: &[usize], data: Vec<Real>) -> Self {
        let (size, len) = (shape.iter().product::<usize>(), data.len());
        assert_eq!(size, len, "Tensor::new: shape {shape:?} takes {size} numbers, got {len}");
        let pool = Pool::own();
        Pool::count(pool, data.len(), data.capacity());
        let array = Array::from_shape_vec(shape, data).expect("the size was just checked");
        Self { array: Some(array.into_shared()), pool }
    }

    /// All zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        let mut zeros = Self::scratch(shape);
        zeros.data_mut().fill(0.);
        zeros
    }

    /// A tensor with unspecified contents (NaN in debug builds): for outputs whose every element will be written.
    pub fn scratch(shape: &[usize]) -> Self {
        Self::new(shape, Pool::take(shape.iter().product()))
    }

    /// One number, shape (1).
    pub fn scalar(value: Real) -> Self {
        Self::new(&[1], vec![value])
    }

    /// Filled in index order.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut() -> Real) -> Self {
        Self::new(shape, (0..shape.iter().product()).map(|_| f()).collect())
    }

    fn array(&self) -> &ArcArray<Real, IxDyn> {
        self.array.as_ref().expect("present until dropped")
    }

    /// The length of every axis.
    pub fn shape(&self) -> &[usize] {
        self.array().shape()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.array().len()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers, row-major.
    pub fn data(&self) -> &[Real] {
        self.array().as_slice().expect("always contiguous")
    }

    /// The numbers, for writing; copies them first if they are shared.
    pub fn data_mut(&mut self) -> &mut [Real] {
        if !self.array().is_unique() {
            // ndarray would copy too, but not into one of our buffers.
            let mut copy = Self::scratch(self.shape());
            copy.data_mut().copy_from_slice(self.data());
            *self = copy;
        }
        let array = self.array.as_mut().expect("present until dropped");
        array.as_slice_mut().expect("always contiguous")
    }

    /// A view for ndarray.
    pub fn view(&self) -> ArrayViewD<'_, Real> {
        self.array().view()
    }

    /// The number of a tensor that holds just one.
    #[track_caller]
    pub fn item(&self) -> Real {
        assert_eq!(self.len(), 1, "item: shape {:?} is not one number", self.shape());
        self.data()[0]
    }

    /// The number of rows: the product of all axes but the last.
    pub fn rows(&self) -> usize {
        self.len() / self.cols().max(1)
    }

    /// The length of a row, which is the last axis.
    pub fn cols(&self) -> usize {
        *self.shape().last().expect("rank ≥ 1")
    }

    /// `(B, T, C)`. Panics, naming `op` and the shape, if there are not three axes.
    #[track_caller]
    pub fn btc(&self, op: &str) -> (usize, usize, usize) {
        match *self.shape() {
            [b, t, c] => (b, t, c),
            _ => panic!("{op}: want (B, T, C), got {:?}", self.shape()),
        }
    }

    /// The same numbers under another shape. Panics if the sizes differ.
    #[track_caller]
    pub fn reshape(mut self, shape: &[usize]) -> Self {
        let (size, len) = (shape.iter().product::<usize>(), self.len());
        assert_eq!(
            size,
            len,
            "reshape: {:?} has {len} numbers, {shape:?} takes {size}",
            self.shape()
        );
        let array = self.array.take().expect("present until dropped");
        let array =
            array.into_shape_with_order(shape).expect("contiguous, and the size was checked");
        Self { array: Some(array), pool: self.pool }
    }

    /// `y = f(x)`, elementwise.
    pub fn map(&self, f: impl Fn(Real) -> Real + Sync + Copy) -> Self {
        zip(
            [self],
            #[inline(always)]
            move |[x]| f(x),
        )
    }

    /// `self += other`, elementwise; shapes must agree.
    #[track_caller]
    pub fn add_assign(&mut self, other: &Tensor) {
        assert_eq!(self.shape(), other.shape(), "add: shapes differ");
        let other = other.data();
        parallel::chunks([self.data_mut()], |range, [sum]| {
            pointwise::add(sum, &other[range]);
        });
    }

    /// `Σ x` in f64, in index order within fixed chunks, the chunks in order.
    pub fn sum(&self) -> f64 {
        self.sum_of(f64::from)
    }

    /// `Σ f(x)` in f64, in the order of [`sum`](Self::sum).
    pub fn sum_of(&self, f: impl Fn(Real) -> f64 + Sync) -> f64 {
        let x = self.data();
        parallel::sum(x.len(), parallel::CHUNK, |range| {
            x[range].iter().fold(0., |sum, &x| sum + f(x))
        })
    }

    /// Σ x² in f64.
    pub fn squared_norm(&self) -> f64 {
        self.sum_of(|x| f64::from(x) * f64::from(x))
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        self.data().iter().all(|x| x.is_finite())
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.array().fmt(f)
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.array() == other.array()
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        let Some(array) = self.array.take() else { return };
        if let Ok(array) = array.try_into_owned_nocopy() {
            Pool::give(self.pool, array.into_raw_vec_and_offset().0);
        }
    }
}

/// `y = f(inputs)`, elementwise over tensors of one shape.
#[track_caller]
pub fn zip<const N: usize>(
    inputs: [&Tensor; N],
    f: impl Fn([Real; N]) -> Real + Sync + Copy,
) -> Tensor {
    for t in inputs {
        assert_eq!(t.shape(), inputs[0].shape(), "zip: shapes differ");
    }
    let data = inputs.map(Tensor::data);
    let mut out = Tensor::scratch(inputs[0].shape());
    parallel::chunks([out.data_mut()], |range, [out]| {
        let data = data.map(|x| &x[range.clone()]);
        vectorise(
            #[inline(always)]
            || {
                #[allow(clippy::redundant_locals)]
                let f = f; // a local: its captures cannot lie in `out`, so they stay in registers
                let n = out.len();
                let data = data.map(|x| &x[..n]); // equal lengths, so that no index needs a check
                for i in 0..n {
                    let mut x = [0.; N];
                    for (x, data) in x.iter_mut().zip(&data) {
                        *x = data[i];
                    }
                    out[i] = f(x);
                }
            },
        );
    });
    out
}

/// Free buffers, by capacity.
struct Pool {
    free: BTreeMap<usize, Vec<Vec<Real>>>,
    /// Numbers in `free`, numbers in tensors, and the most ever in tensors at once. The pool is cut so that the
    /// first two together stay within 5/4 of the third: without the quarter, buffers of different sizes push each other
    /// out at every step, and a VRNN asks the system for 10 MB a step.
    pooled: usize,
    live: usize,
    most_live: usize,
    /// The most ever of the first two together.
    most_held: usize,
}

/// Threads that each have a tape would wait for one pool, so each part of a batch has its own.
static POOLS: [Mutex<Pool>; 32] = [const { Mutex::new(Pool::EMPTY) }; 32];

static MEASURED: Mutex<Measured> = Mutex::new(Measured { now: 0, most: 0, but: vec![] });

fn lock<T>(of: &'static Mutex<T>) -> MutexGuard<'static, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether [`peak`] is measuring: tensors of any size are counted then.
static MEASURING: AtomicBool = AtomicBool::new(false);

/// Bytes in tensors since [`peak`] began, and the most at once: their numbers, without spare capacity.
#[derive(Default)]
struct Measured {
    now: isize,
    most: isize,
    but: Vec<usize>,
}

impl Measured {
    /// Bytes of a tensor beside its numbers.
    const HEAD: usize = 40;

    fn add(len: usize, sign: isize) {
        if !MEASURING.load(Ordering::Relaxed) {
            return;
        }
        let mut measured = lock(&MEASURED);
        if measured.but.binary_search(&len).is_err() {
            measured.now += sign * (len * size_of::<Real>() + Self::HEAD) as isize;
            measured.most = measured.most.max(measured.now);
        }
    }
}

/// Runs `job`; gives the most bytes that tensors held at once meanwhile, beyond those held before, and how many times as
/// much the pools held: between 1 and 5/4. Counts the numbers and headers of tensors, not spare capacity, and leaves
/// out tensors whose length is in `but`.
///
/// Counts tensors of the whole process, so nothing else should compute at the same time.
pub fn peak(mut but: Vec<usize>, job: impl FnOnce()) -> (usize, f64) {
    but.sort();
    release_buffers();
    let before = POOLS.each_ref().map(|pool| lock(pool).live);
    *lock(&MEASURED) = Measured { but, ..Measured::default() };
    MEASURING.store(true, Ordering::Relaxed);
    job();
    MEASURING.store(false, Ordering::Relaxed);
    let (mut live, mut held) = (0, 0);
    for (pool, before) in POOLS.iter().zip(before) {
        let pool = lock(pool);
        (live, held) = (live + pool.most_live - before, held + pool.most_held - before);
    }
    release_buffers();
    (lock(&MEASURED).most as usize, held.max(1) as f64 / live.max(1) as f64)
}

/// Frees all buffers that no tensor uses.
pub fn release_buffers() {
    for pool in &POOLS {
        let mut pool = lock(pool);
        let live = pool.live;
        *pool = Pool { live, most_live: live, most_held: live, ..Pool::EMPTY };
    }
}

impl Pool {
    const EMPTY: Self =
        Self { free: BTreeMap::new(), pooled: 0, live: 0, most_live: 0, most_held: 0 };

    /// Buffers below this many numbers are not pooled.
    const SMALLEST: usize = 1024;

    /// The number of this team's pool.
    fn own() -> usize {
        parallel::lane() % POOLS.len()
    }

    /// A buffer of `len` numbers with stale contents.
    fn take(len: usize) -> Vec<Real> {
        if len < Self::SMALLEST {
            return vec![0.; len];
        }
        let recycled = lock(&POOLS[Self::own()]).reuse(len);
        let mut buffer = recycled.unwrap_or_else(|| vec![0.; Self::size_class(len)]);
        buffer.resize(len, 0.);
        if cfg!(debug_assertions) {
            buffer.fill(Real::NAN);
        }
        buffer
    }

    /// The smallest free buffer that fits and wastes less than a quarter, preferably one of this very length, which
    /// needs no filling. If there is none, frees others to make room for a new one.
    fn reuse(&mut self, len: usize) -> Option<Vec<Real>> {
        let class = Self::size_class(len);
        let fits =
            self.free.range_mut(class..=class + class / 4).find(|(_, list)| !list.is_empty());
        let found = fits.map(|(_, list)| {
            let same = list.iter().rposition(|buffer| buffer.len() == len);
            list.swap_remove(same.unwrap_or(list.len() - 1))
        });
        match &found {
            Some(buffer) => self.pooled -= buffer.capacity(),
            None => {
                self.shrink((self.most_live + self.most_live / 4).max(self.live + class) - class)
            }
        }
        found
    }

    /// Frees buffers, largest first, until at most `most` numbers are held.
    fn shrink(&mut self, most: usize) {
        while self.live + self.pooled > most {
            let Some(mut largest) = self.free.last_entry() else { return };
            match largest.get_mut().pop() {
                Some(buffer) => self.pooled -= buffer.capacity(),
                None => drop(largest.remove()),
            }
        }
    }

    /// Counts the buffer of a new tensor.
    fn count(pool: usize, len: usize, capacity: usize) {
        Measured::add(len, 1);
        if capacity >= Self::SMALLEST {
            let mut pool = lock(&POOLS[pool]);
            pool.live += capacity;
            pool.most_live = pool.most_live.max(pool.live);
            pool.most_held = pool.most_held.max(pool.live + pool.pooled);
        }
    }

    /// Takes the buffer of a dropped tensor.
    fn give(pool: usize, buffer: Vec<Real>) {
        Measured::add(buffer.len(), -1);
        if buffer.capacity() < Self::SMALLEST {
            return;
        }
        let mut pool = lock(&POOLS[pool]);
        pool.live -= buffer.capacity();
        pool.pooled += buffer.capacity();
        pool.free.entry(buffer.capacity()).or_default().push(buffer);
    }

    /// `len` rounded up to an eighth of its power of two.
    fn size_class(len: usize) -> usize {
        let step = (len.next_power_of_two() / 16).max(1);
        len.next_multiple_of(step)
    }
}
