//! The deterministic stack: gated blocks whose dilation doubles, and starts again at every level.

use super::{GatedBlock, Init, Past, module};
use crate::tape::Var;
use crate::tensor::Tensor;

/// Blocks 1 … L·K; block b has dilation 2^((b−1) mod K).   s: (B, T, in) → each output (B, T, channels)
pub struct Tcn {
    blocks: Vec<GatedBlock>,
}
module!(Tcn: blocks);

impl Tcn {
    /// `levels · per_level` blocks; paths `<name>.1`, `<name>.2`, …
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

    /// The skip output u of every block too: (u, y).
    #[track_caller]
    pub fn forward_skip<'t>(&self, s: Var<'t>) -> Vec<(Var<'t>, Var<'t>)> {
        self.each(s, |block, x| block.forward_skip(x), |(_, y)| *y)
    }

    /// Every block in turn on the output of the one before.
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

    /// Zeros before the first row.
    pub fn past(&self, batch: usize) -> TcnPast {
        TcnPast(self.blocks.iter().map(|block| block.past(batch)).collect())
    }

    /// (u_t, y_t) of every block, from s_t: (B, 1, in). Costs the same however long the past is.
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

/// The remembered rows of every block.
pub struct TcnPast(Vec<Past>);
