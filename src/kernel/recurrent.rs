//! Recurrence over time: each step is one product of the last state, then the gates while its sums are in cache.
//!
//! `sums_{t,g} = h_{t−1} U_g` for every gate g, from `h_0 = 0`; the rest of a cell is elementwise and comes as
//! a closure. Threads share the units, so that each keeps its columns of U in its own cache. Not here: the products
//! of the inputs, which ops do for all steps at once, and which gates a cell has (`lstm`, `gru`).

use super::causal_conv::CausalConv;
use super::gemm::{Mat, Onto, PANEL_COLUMNS, Packed, Right, mul_add_each, mul_add_onto};
use crate::parallel;
use crate::tensor::{Real, Tensor};
use std::ops::Range;

/// The sizes of one recurrence.   x, a cell's inputs: (batch, time, gates · units), h: (batch, time, units)
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Recurrence {
    pub batch: usize,
    pub time: usize,
    pub units: usize,
    pub gates: usize,
    /// Quantities of a unit that are saved for the backward pass, at least as many as gates.
    pub saved: usize,
}

/// One step of a block of units. Every slice holds one quantity after another, each (batch, width of the block).
pub struct ForwardStep<'a> {
    /// `h_{t−1} U_g` of every gate.
    pub sums: &'a [Real],
    /// What the step before saved; none before the first.
    pub before: Option<&'a [Real]>,
    /// What this step saves. It begins with the gates' inputs; all of it is to be overwritten.
    pub saved: &'a mut [Real],
    /// h_{t−1}, 0 before the first step; to be overwritten with h_t.
    pub h: &'a mut [Real],
}

/// One step of a block of units in the backward pass.
pub struct BackwardStep<'a> {
    /// What the step before saved; none before the first.
    pub before: Option<&'a [Real]>,
    /// What this step saved.
    pub saved: &'a [Real],
    /// h_{t−1}; zeros before the first.
    pub h_before: &'a [Real],
    /// h̄_t without the part in `carry`.
    pub gh: &'a [Real],
    /// A gradient that the cell passes from each step to the one before, such as c̄. On entry it is that of step
    /// t + 1, to be overwritten.
    pub carry: &'a mut [Real],
    /// The gradients of the gates' inputs, to be overwritten.
    pub gx: &'a mut [Real],
    /// The gradients of `sums`, to be overwritten; empty where they equal those of the inputs.
    pub gsums: &'a mut [Real],
}

/// What the forward pass saves for the backward pass.
pub struct Saved {
    /// The blocks of units.
    blocks: Vec<Range<usize>>,
    /// By step, then by block.
    steps: Vec<Vec<Tensor>>,
}

impl Recurrence {
    /// From the shapes of x, (batch, time, gates · units), and u, (units, gates · units). Panics, naming `op`, if they
    /// do not fit.
    #[track_caller]
    pub fn new(
        op: &str,
        (batch, time, inputs): (usize, usize, usize),
        u: &[usize],
        gates: usize,
        saved: usize,
    ) -> Self {
        let units = inputs / gates;
        let fits = inputs > 0 && u == [units, gates * units] && units * gates == inputs;
        assert!(fits, "{op}: x has {inputs} channels, want {gates} times the rows of u, {u:?}");
        Self { batch, time, units, gates, saved }
    }

    /// The units of each thread. No bit depends on the cut.
    fn blocks(&self) -> Vec<Range<usize>> {
        let width = self.units.div_ceil(parallel::threads()).next_multiple_of(PANEL_COLUMNS);
        (0..self.units).step_by(width).map(|i| i..self.units.min(i + width)).collect()
    }

    /// Row-major rows of step `t` of a tensor (batch, time, cols).
    fn step<'a>(&self, x: &'a [Real], cols: usize, t: usize) -> Mat<'a> {
        Mat::new(&x[t * cols..], 1, cols).repeated(self.batch, self.time * cols)
    }

    /// The index of the first unit of `block`, gate `g`, in row (b, t) of the gates' inputs.
    fn at(&self, b: usize, t: usize, g: usize, block: &Range<usize>) -> usize {
        ((b * self.time + t) * self.gates + g) * self.units + block.start
    }

    /// Every step in turn: fills `h`. Without a backward pass to come (`keep` is false) what was saved is dropped on the way.
    ///
    /// x: (B, T, G·H), u: (H, G·H), h: (B, T, H)
    pub fn forward(
        &self,
        (x, u): (&[Real], &[Real]),
        h: &mut [Real],
        keep: bool,
        cell: impl Fn(ForwardStep) + Sync,
    ) -> Saved {
        let Self { batch, time, units, gates, saved } = *self;
        let cut = self.blocks();
        let mut blocks = parallel::map_each(cut.clone(), |of| {
            let gate = |g: usize| {
                let columns = g * units + of.start..g * units + of.end;
                Packed::new(Mat::new(u, units, gates * units).columns(columns))
            };
            let u: Vec<Packed> = (0..gates).map(gate).collect();
            let size = batch * of.len();
            Front { of, u, sums: Tensor::zeros(&[gates * size]), h: Tensor::zeros(&[size]) }
        });
        let mut steps: Vec<Vec<Tensor>> = Vec::with_capacity(time);
        for t in 0..time {
            let last = (t > 0).then(|| self.step(h, units, t - 1));
            let before = steps.last();
            let tasks = blocks.iter_mut().enumerate().collect();
            let new = parallel::map_each(tasks, |(n, block)| {
                let Front { of, u, sums, h } = block;
                let size = h.len();
                let mut now = Tensor::scratch(&[saved * size]);
                for (i, row) in
                    now.data_mut()[..gates * size].chunks_exact_mut(of.len()).enumerate()
                {
                    let at = self.at(i % batch, t, i / batch, of);
                    row.copy_from_slice(&x[at..at + of.len()]);
                }
                if let Some(last) = last {
                    for (g, sums) in sums.data_mut().chunks_exact_mut(size).enumerate() {
                        let term = |g: usize| (last, Right::Packed(&u[g % gates]));
                        let then = Some(term(g + 1)); // after the last gate the first, at the next step
                        mul_add_each(std::iter::once(term(g)), then, Onto::Zero, sums);
                    }
                }
                let before = before.map(|before| before[n].data());
                let (sums, saved) = (sums.data(), now.data_mut());
                cell(ForwardStep { sums, before, saved, h: h.data_mut() });
                now
            });
            for Front { of, h: new, .. } in &blocks {
                for (b, new) in new.data().chunks_exact(of.len()).enumerate() {
                    let at = (b * time + t) * units + of.start;
                    h[at..at + of.len()].copy_from_slice(new);
                }
            }
            if !keep {
                steps.clear();
            }
            steps.push(new);
        }
        Saved { blocks: cut, steps }
    }

    /// Every step in turn, from the last to the first: fills `gx`, and `gsums` where they differ from `gx`.
    ///
    /// u: (H, G·H), h, gh: (B, T, H), gx, gsums: (B, T, G·H)
    pub fn backward(
        &self,
        (u, h, gh): (&[Real], &[Real], &[Real]),
        saved: &Saved,
        gx: &mut [Real],
        mut gsums: Option<&mut [Real]>,
        cell: impl Fn(BackwardStep) + Sync,
    ) {
        let Self { batch, time, units, gates, .. } = *self;
        let (differ, cut) = (gsums.is_some(), &saved.blocks);
        let mut blocks = parallel::map_each(cut.clone(), |of| {
            // Rows of U are columns of its transpose.
            let u = Mat::new(u, units, gates * units).transposed();
            let zeros = |gates: usize| Tensor::zeros(&[gates * batch * of.len()]);
            Back {
                u: Packed::new(u.columns(of.clone())),
                gh: zeros(1),
                h_before: zeros(1),
                carry: zeros(1),
                gx: zeros(gates),
                gsums: zeros(if differ { gates } else { 0 }),
                of,
            }
        });
        // The gradients of `sums` at steps t + 1 and t: every block reads the one and writes its part of the other.   (B, G·H)
        let [mut later, mut now] = [(); 2].map(|()| Tensor::zeros(&[batch * gates * units]));
        for t in (0..time).rev() {
            let to_gsums = match gsums.as_deref_mut() {
                Some(gsums) => self.places(gsums, time, t, cut),
                None => blocks.iter().map(|_| vec![]).collect(),
            };
            let to = self.places(gx, time, t, cut).into_iter();
            let to = to.zip(self.places(now.data_mut(), 1, 0, cut));
            let to = to.zip(to_gsums).map(|((gx, now), gsums)| [gx, now, gsums]);
            let tasks = blocks.iter_mut().zip(to).enumerate().collect();
            parallel::each(tasks, |(n, (block, [to_gx, to_now, to_gsums]))| {
                let Back { of, u, .. } = block;
                let of_step = [&mut block.gh, &mut block.h_before, &mut block.carry];
                let [of_h, h_before, carry] = of_step.map(Tensor::data_mut);
                let [gx, gsums] = [&mut block.gx, &mut block.gsums].map(Tensor::data_mut);
                self.gather(gh, t, of, of_h);
                if t + 1 < time {
                    let later = Mat::new(later.data(), batch, gates * units);
                    mul_add_onto(later, Right::Packed(u), Onto::C, of_h);
                }
                match t {
                    0 => h_before.fill(0.),
                    _ => self.gather(h, t - 1, of, h_before),
                }
                let before = (t > 0).then(|| saved.steps[t - 1][n].data());
                let saved = saved.steps[t][n].data();
                cell(BackwardStep { before, saved, h_before, gh: of_h, carry, gx, gsums });
                self.put(gx, to_gx);
                self.put(if differ { gsums } else { gx }, to_now);
                self.put(gsums, to_gsums);
            });
            std::mem::swap(&mut now, &mut later);
        }
    }

    /// The sizes of `v_t = h_{t−1} U` as a layer over (B, T, H) whose rows belong to so many `sequences`.
    pub fn layer(&self, sequences: usize) -> CausalConv {
        let Self { batch, time, units, gates, .. } = *self;
        let (inputs, outputs) = (units, gates * units);
        CausalConv { batch, time, inputs, outputs, taps: 1, dilation: 1, sequences }
    }

    /// h_{t−1} where h has h_t, and zeros at t = 0.   (B, T, H)
    pub fn delayed(&self, h: &Tensor) -> Tensor {
        let row = self.time * self.units;
        let mut y = Tensor::scratch(h.shape());
        parallel::rows([y.data_mut()], [row], 1, |b, [y]| {
            let h = &h.data()[b.start * row..][..row];
            y[..self.units].fill(0.);
            y[self.units..].copy_from_slice(&h[..row - self.units]);
        });
        y
    }

    /// Copies the units of `block` at step `t` of a tensor (B, T, H) to (B, width of the block).
    fn gather(&self, x: &[Real], t: usize, block: &Range<usize>, to: &mut [Real]) {
        let rows = x.chunks_exact(self.time * self.units);
        for (to, x) in to.chunks_exact_mut(block.len()).zip(rows) {
            to.copy_from_slice(&x[t * self.units..][block.clone()]);
        }
    }

    /// For each block its places at step `t` of a tensor (B, time, G·H): row by row, and there gate by gate.
    fn places<'a>(
        &self,
        x: &'a mut [Real],
        time: usize,
        t: usize,
        blocks: &[Range<usize>],
    ) -> Vec<Vec<&'a mut [Real]>> {
        let row = self.gates * self.units;
        let empty = |_: &_| Vec::with_capacity(self.batch * self.gates);
        let mut places: Vec<_> = blocks.iter().map(empty).collect();
        for x in x.chunks_exact_mut(time * row) {
            for gate in x[t * row..][..row].chunks_exact_mut(self.units) {
                let pieces = gate.chunks_mut(blocks[0].len());
                places.iter_mut().zip(pieces).for_each(|(places, piece)| places.push(piece));
            }
        }
        places
    }

    /// Copies a block's gates, one after another, to their [`places`](Self::places).
    fn put(&self, new: &[Real], places: Vec<&mut [Real]>) {
        for (i, place) in places.into_iter().enumerate() {
            let at = i % self.gates * self.batch + i / self.gates;
            place.copy_from_slice(&new[at * place.len()..][..place.len()]);
        }
    }
}

/// A block of units on the way forward: its columns of U, one matrix for each gate, and slices of a [`ForwardStep`].
struct Front {
    of: Range<usize>,
    u: Vec<Packed>,
    sums: Tensor,
    h: Tensor,
}

/// A block of units on the way back: its columns of Uᵀ, and the slices of a [`BackwardStep`].
struct Back {
    of: Range<usize>,
    u: Packed,
    gh: Tensor,
    h_before: Tensor,
    carry: Tensor,
    gx: Tensor,
    gsums: Tensor,
}
