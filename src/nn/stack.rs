//! The deterministic stack of STCN: gated blocks, or the LSTM cells that LadderRNN has in their place.
//!
//! Not here: which outputs are the contexts of a level (`models`).

use super::{Init, Lstm, Module, Tcn, TcnPast};
use crate::tape::{Param, Tape, Var};
use crate::tensor::Tensor;

/// Layers on layers; every output is to be had.   s: (B, T, in) → each (B, T, channels)
pub enum Stack {
    /// Gated blocks: the output y of each.
    Blocks(Tcn),
    /// LSTM cells, from zero states, no residuals: the h of each.
    Cells(Vec<Lstm>),
}

impl Module for Stack {
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param)) {
        match self {
            Self::Blocks(tcn) => tcn.visit(f),
            Self::Cells(cells) => cells.visit(f),
        }
    }
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param)) {
        match self {
            Self::Blocks(tcn) => tcn.visit_mut(f),
            Self::Cells(cells) => cells.visit_mut(f),
        }
    }
}

impl Stack {
    /// `cells` LSTM cells whose forget gates begin open; paths `<name>.1`, `<name>.2`, …
    pub fn cells(
        init: &mut Init,
        name: &str,
        (in_channels, channels): (usize, usize),
        cells: usize,
    ) -> Self {
        Self::Cells(init.list(name, cells, |init, i| {
            Lstm::new(init, if i == 0 { in_channels } else { channels }, channels, 1.)
        }))
    }

    /// The output of every layer, the lowest first.
    #[track_caller]
    pub fn forward<'t>(&self, s: Var<'t>) -> Vec<Var<'t>> {
        match self {
            Self::Blocks(tcn) => tcn.forward(s),
            Self::Cells(cells) => {
                let mut h = s;
                let mut run = |cell: &Lstm| {
                    h = cell.forward(h);
                    h
                };
                cells.iter().map(&mut run).collect()
            }
        }
    }

    /// Zeros before the first row.
    pub fn past(&self, batch: usize) -> StackPast {
        match self {
            Self::Blocks(tcn) => StackPast::Blocks(tcn.past(batch)),
            Self::Cells(cells) => {
                StackPast::Cells(cells.iter().map(|cell| cell.start(batch)).collect())
            }
        }
    }

    /// The output of every layer, (B, 1, channels), from s_t: (B, 1, in); the same bits as row t of
    /// [`forward`](Self::forward).
    #[track_caller]
    pub fn step(&self, s: &Tensor, past: &mut StackPast) -> Vec<Tensor> {
        match (self, past) {
            (Self::Blocks(tcn), StackPast::Blocks(past)) => {
                tcn.step(s, past).into_iter().map(|(_, y)| y).collect()
            }
            (Self::Cells(cells), StackPast::Cells(states)) => {
                let (tape, mut h) = (Tape::inference(), s.clone());
                let run = |(cell, state): (&Lstm, &mut [Tensor; 2])| {
                    let before = state.clone().map(|x| tape.constant(x));
                    *state = cell.step(tape.constant(h.clone()), before).map(Var::value);
                    h = state[0].clone();
                    h.clone()
                };
                cells.iter().zip(states).map(run).collect()
            }
            _ => panic!("a stack of cells and the past of blocks, or the other way round"),
        }
    }
}

/// What a stack remembers: rows of every block, or h and c of every cell.
pub enum StackPast {
    /// Of [`Stack::Blocks`].
    Blocks(TcnPast),
    /// Of [`Stack::Cells`].
    Cells(Vec<[Tensor; 2]>),
}
