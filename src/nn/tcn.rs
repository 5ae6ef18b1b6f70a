//! A stack of gated blocks whose dilation doubles from block to block and starts again at every level.

use super::{GatedBlock, Init, Past, module};
use crate::tape::Var;
use crate::tensor::Tensor;

/// L levels of K blocks each; block b = 1 … L·K has dilation 2^((b−1) mod K).
///
/// s: (B, T, in) → (B, T, channels) from every block
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, Tcn}};
/// let tcn = Tcn::new(&mut Init::new(1), "tcn", (1, 4), (2, 2), 2); // dilations 1, 2, 1, 2
/// let top = |first| {
///     let mut s = Tensor::zeros(&[1, 9, 1]);
///     s.data_mut()[0] = first;
///     tcn.forward(Tape::inference().constant(s))[3].value()
/// };
/// let (a, b) = (top(0.), top(1.));
/// let differ = |t: usize| a.data()[4 * t..][..4] != b.data()[4 * t..][..4];
/// assert!(differ(6) && !differ(7)); // step 0 is seen for 1 + 2 + 1 + 2 more steps
/// ```
pub struct Tcn {
    blocks: Vec<GatedBlock>,
}
module!(Tcn: blocks);

impl Tcn {
    /// `levels · per_level` blocks, with paths `<name>.1`, `<name>.2`, …
    pub fn new(
        init: &mut Init,
        name: &str,
        (in_channels, channels): (usize, usize),
        (levels, per_level): (usize, usize),
        kernel_size: usize,
    ) -> Self {
        let blocks = init.list(name, levels * per_level, |init, b| {
            let inputs = if b == 0 { in_channels } else { channels };
            GatedBlock::new(init, inputs, channels, kernel_size, 1 << (b % per_level))
        });
        Self { blocks }
    }

    /// The output y of every block.
    #[track_caller]
    pub fn forward<'t>(&self, s: Var<'t>) -> Vec<Var<'t>> {
        self.each(s, |block, x| block.forward(x), |y| *y)
    }

    /// (u, y) of every block: its skip output and its output.
    #[track_caller]
    pub fn forward_skip<'t>(&self, s: Var<'t>) -> Vec<(Var<'t>, Var<'t>)> {
        self.each(s, |block, x| block.forward_skip(x), |(_, y)| *y)
    }

    /// Runs each block on the output of the one before.
    #[track_caller]
    fn each<'t, R>(
        &self,
        s: Var<'t>,
        run: impl Fn(&GatedBlock, Var<'t>) -> R,
        output: impl Fn(&R) -> Var<'t>,
    ) -> Vec<R> {
        let mut x = s;
        let block = |block| {
            let result = run(block, x);
            x = output(&result);
            result
        };
        self.blocks.iter().map(block).collect()
    }

    /// The past before the first step: zeros.
    pub fn past(&self, batch: usize) -> TcnPast {
        TcnPast(self.blocks.iter().map(|block| block.past(batch)).collect())
    }

    /// (u_t, y_t) of every block, from s_t: (B, 1, in). The cost does not grow with the length of the past.
    pub fn step(&self, s: &Tensor, past: &mut TcnPast) -> Vec<(Tensor, Tensor)> {
        let mut x = s.clone();
        let run = |(block, past): (&GatedBlock, &mut Past)| {
            let (u, y) = block.step(&x, past);
            x = y.clone();
            (u, y)
        };
        self.blocks.iter().zip(&mut past.0).map(run).collect()
    }
}

/// The last inputs of every block.
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, Tcn}};
/// let tcn = Tcn::new(&mut Init::new(1), "tcn", (1, 4), (1, 2), 2);
/// let mut past = tcn.past(1);
/// let [_, (_, y)] = [3., 5.].map(|s| tcn.step(&Tensor::new(&[1, 1, 1], vec![s]), &mut past).remove(1));
/// let all = tcn.forward(Tape::inference().constant(Tensor::new(&[1, 2, 1], vec![3., 5.])))[1].value();
/// assert_eq!(y.data(), &all.data()[4..]); // the second step of the upper block
/// ```
pub struct TcnPast(Vec<Past>);
