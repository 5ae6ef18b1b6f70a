//! Dilated causal convolution as shifted products: no im2col, no copy of the input.
//!
//! `y_t += Σⱼ x_{t−rⱼ} wⱼ` with the reach `rⱼ = (K−1−j)·dilation`, zeros before t = 0: for each tap j,
//! in order, one product of shifted rows of each sequence with `wⱼ`, over tiles of (batch, time). A linear layer is the
//! case K = 1, all rows one sequence. Source: arithmetic as decision 0005 has it. Not here: the gradient of w
//! (`weight_grad`).

use super::gemm::{Mat, Onto, PANEL_COLUMNS, Packed, Right, fill, mul_add_each, mul_add_onto};
use crate::parallel::{self, Tile, Work};
use crate::tensor::Real;

/// Elements of one tile of x or y: a tile stays in the second-level cache of a core.
const TILE: usize = 1 << 15;

/// Weights of a tap below this are packed by one thread: waking another takes longer.
const SMALL: usize = 1 << 14;

/// The sizes of one convolution.   x: (batch, time, inputs), w: (taps, inputs, outputs), y: (batch, time, outputs)
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct CausalConv {
    pub batch: usize,
    pub time: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub taps: usize,
    pub dilation: usize,
    /// Row r of the batch belongs to sequence r mod this: gradients of weights are summed sequence by sequence.
    pub sequences: usize,
}

/// The weights as the gradient of x needs them: every tap transposed and packed.
pub struct PackedTaps(Vec<Packed>);

impl CausalConv {
    /// A linear layer over `rows` rows of one sequence.
    pub fn linear(rows: usize, inputs: usize, outputs: usize) -> Self {
        Self { batch: 1, time: rows, inputs, outputs, taps: 1, dilation: 1, sequences: 1 }
    }

    /// Steps of one tile. No bit depends on the cut, so it may follow the number of threads.
    fn rows_per_tile(&self) -> usize {
        let most = TILE / self.inputs.max(self.outputs).max(1);
        let share = (self.batch * self.time).div_ceil(4 * parallel::threads());
        share.max(64).min(most.max(64))
    }

    /// How far back tap `j` looks, in steps.
    pub fn reach(&self, j: usize) -> usize {
        (self.taps - 1 - j) * self.dilation
    }

    /// One tile of y: `y_t = b + Σⱼ x_{t−rⱼ} wⱼ` for the steps of `tile`. What y held is not read.
    ///
    /// x, w, bias: whole; y: only the tile's rows.
    pub fn forward(&self, x: &[Real], w: &[Real], bias: &[Real], tile: &Tile, y: &mut [Real]) {
        let (i, o) = (self.inputs, self.outputs);
        let x = &x[tile.batch * self.time * i..][..self.time * i];
        let mut onto = Onto::Row(bias);
        for (j, w) in w.chunks_exact(i * o).enumerate() {
            let first = tile.time.start.max(self.reach(j)); // before t = 0 there are zeros
            if first >= tile.time.end {
                continue;
            }
            let rows = tile.time.end - first;
            let x = Mat::new(&x[(first - self.reach(j)) * i..], rows, i);
            let (before, y) = y.split_at_mut((first - tile.time.start) * o);
            if matches!(onto, Onto::Row(_)) {
                fill(onto, before); // later taps begin earlier
            }
            mul_add_onto(x, Right::Rows(Mat::new(w, i, o)), onto, y);
            onto = Onto::C;
        }
    }

    /// One step of every sequence at once, for several (w, bias) over the same rows: `y = b + Σⱼ rowsⱼ wⱼ`,
    /// the same sums as [`forward`](Self::forward) makes for that step, hence the same bits. Threads share
    /// the columns.
    ///
    /// rows: for each tap the (batch, inputs) of the step it looks at; y: (batch, outputs) each
    pub fn step<const N: usize>(
        &self,
        rows: &[&[Real]],
        layers: [(&[Real], &[Real]); N],
        y: [&mut [Real]; N],
    ) {
        let (i, o) = (self.inputs, self.outputs);
        let batch = rows[0].len() / i;
        // For one row the threads' parts are as wide as they can be: the wider, the more of a row of w is read at once.
        let block = match batch {
            1 => o.div_ceil(parallel::threads().div_ceil(N)).next_multiple_of(PANEL_COLUMNS).min(o),
            _ => 64.min(o),
        };
        if batch == 0 {
            return;
        }
        let blocks = o.div_ceil(block);
        let columns = |n: usize| n % blocks * block..o.min((n % blocks + 1) * block);
        let sums = parallel::map(N * blocks, |n| {
            let (w, bias) = layers[n / blocks];
            let mut y = bias[columns(n)].repeat(batch);
            let terms = rows.iter().zip(w.chunks_exact(i * o)).map(|(rows, w)| {
                let w = Mat::new(w, i, o).columns(columns(n));
                (Mat::new(rows, batch, i), Right::Rows(w))
            });
            mul_add_each(terms, None, Onto::C, &mut y);
            y
        });
        for (n, sums) in sums.iter().enumerate() {
            let rows = y[n / blocks].chunks_exact_mut(o);
            for (y, sums) in rows.zip(sums.chunks_exact(sums.len() / batch)) {
                y[columns(n)].copy_from_slice(sums);
            }
        }
    }

    /// Packs w for [`queue_grad_x`](Self::queue_grad_x).
    pub fn pack(&self, w: &[Real]) -> PackedTaps {
        let (i, o) = (self.inputs, self.outputs);
        let tap = |j| Packed::new(Mat::new(&w[j * i * o..], i, o).transposed());
        PackedTaps(if i * o < SMALL {
            (0..self.taps).map(tap).collect()
        } else {
            parallel::map(self.taps, tap)
        })
    }

    /// Queues the gradient of x from several (ȳ, w), in order: `x̄_s += Σⱼ ȳ_{s+rⱼ} wⱼᵀ`; stores instead of
    /// adding if this is the `first` term of x̄.
    pub fn queue_grad_x<'a, const N: usize>(
        &self,
        work: &mut Work<'a>,
        from: [(&'a [Real], &'a PackedTaps); N],
        gx: &'a mut [Real],
        first: bool,
    ) {
        let conv = *self;
        for (tile, [gx]) in
            parallel::cut([gx], [self.inputs], (self.batch, self.time), self.rows_per_tile())
        {
            work.add(move || {
                let mut written = if first { 0 } else { tile.time.len() };
                from.iter().for_each(|(gy, w)| conv.grad_x(gy, w, &tile, gx, &mut written));
            });
        }
    }

    /// Adds to one tile of x̄: `x̄_s += Σⱼ ȳ_{s+rⱼ} wⱼᵀ` for the steps of `tile`. Only the first `written` rows
    /// hold a sum so far; the others are stored.
    fn grad_x(
        &self,
        gy: &[Real],
        w: &PackedTaps,
        tile: &Tile,
        gx: &mut [Real],
        written: &mut usize,
    ) {
        let (i, o) = (self.inputs, self.outputs);
        let gy = &gy[tile.batch * self.time * o..][..self.time * o];
        for (j, w) in w.0.iter().enumerate() {
            let from = tile.time.start + self.reach(j);
            let rows = tile.time.len().min(self.time.saturating_sub(from)); // grows as the reach shrinks
            for (rows, onto) in [(0..rows.min(*written), Onto::C), (*written..rows, Onto::Zero)] {
                if !rows.is_empty() {
                    let gy = Mat::new(&gy[(from + rows.start) * o..], rows.len(), o);
                    let gx = &mut gx[rows.start * i..rows.end * i];
                    mul_add_onto(gy, Right::Packed(w), onto, gx);
                }
            }
            *written = rows.max(*written);
        }
    }

    /// Runs `job` over the tiles of tensors shaped like y.
    pub fn tiles<const N: usize>(
        &self,
        outputs: [&mut [Real]; N],
        width: usize,
        job: impl Fn(&Tile, [&mut [Real]; N]) + Sync,
    ) {
        let shape = (self.batch, self.time);
        let rows = self.rows_per_tile();
        parallel::tiles(outputs, [width; N], shape, rows, |tile, pieces| job(&tile, pieces));
    }
}
