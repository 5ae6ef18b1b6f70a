//! The deterministic stack of STCN: gated blocks, or LSTM layers as in LadderRNN.
//!
//! Not here: which outputs are the contexts of a level (`models`).

use super::{Init, Lstm, Module, Tcn, TcnPast};
use crate::tape::{Param, Tape, Var};
use crate::tensor::Tensor;

/// A stack of layers, each on the output of the one before; it gives the output of every layer.
///
/// s: (B, T, in) → (B, T, channels) each
///
/// ```
/// # use stcn::{Tape, Tensor, nn::{Init, Stack, Tcn}};
/// let blocks = Stack::Blocks(Tcn::new(&mut Init::new(1), "tcn", (3, 8), (2, 1), 2));
/// let cells = Stack::cells(&mut Init::new(1), "lstm", (3, 8), 2, false);
/// for stack in [blocks, cells] {
///     let tape = Tape::inference();
///     let outputs = stack.forward(tape.constant(Tensor::zeros(&[1, 5, 3])));
///     assert_eq!(outputs[1].value().shape(), [1, 5, 8]); // of the second layer
/// }
/// ```
pub enum Stack {
    /// Gated blocks: the output y of each.
    Blocks(Tcn),
    /// LSTM layers: the h of each, to which its input is added from the second on if `residual`.
    Cells {
        /// The layers, the lowest first.
        cells: Vec<Lstm>,
        /// y^l = h^l + y^{l−1} for l > 1, where it is y^l = h^l otherwise.
        residual: bool,
    },
}

impl Module for Stack {
    fn visit<'m>(&'m self, f: &mut dyn FnMut(&'m Param)) {
        match self {
            Self::Blocks(tcn) => tcn.visit(f),
            Self::Cells { cells, .. } => cells.visit(f),
        }
    }
    fn visit_mut<'m>(&'m mut self, f: &mut dyn FnMut(&'m mut Param)) {
        match self {
            Self::Blocks(tcn) => tcn.visit_mut(f),
            Self::Cells { cells, .. } => cells.visit_mut(f),
        }
    }
}

impl Stack {
    /// `cells` LSTM layers with forget bias 1 and paths `<name>.1`, `<name>.2`, …
    pub fn cells(
        init: &mut Init,
        name: &str,
        (in_channels, channels): (usize, usize),
        cells: usize,
        residual: bool,
    ) -> Self {
        let cells = init.list(name, cells, |init, i| {
            Lstm::new(init, if i == 0 { in_channels } else { channels }, channels, 1.)
        });
        Self::Cells { cells, residual }
    }

    /// The output of every layer, the lowest first.
    #[track_caller]
    pub fn forward<'t>(&self, s: Var<'t>) -> Vec<Var<'t>> {
        match self {
            Self::Blocks(tcn) => tcn.forward(s),
            Self::Cells { cells, residual } => {
                let mut y = s;
                let run = |(l, cell): (usize, &Lstm)| {
                    let h = cell.forward(y);
                    y = if *residual && l > 0 { h + y } else { h };
                    y
                };
                cells.iter().enumerate().map(run).collect()
            }
        }
    }

    /// The past before the first step: zeros.
    pub fn past(&self, batch: usize) -> StackPast {
        match self {
            Self::Blocks(tcn) => StackPast::Blocks(tcn.past(batch)),
            Self::Cells { cells, .. } => {
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
            (Self::Cells { cells, residual }, StackPast::Cells(states)) => {
                let (tape, mut y) = (Tape::inference(), s.clone());
                let run = |(l, (cell, state)): (usize, (&Lstm, &mut [Tensor; 2]))| {
                    let before = state.clone().map(|x| tape.constant(x));
                    let x = tape.constant(y.clone());
                    let [h, c] = cell.step(x, before);
                    *state = [h, c].map(Var::value);
                    y = if *residual && l > 0 { h + x } else { h }.value();
                    y.clone()
                };
                cells.iter().zip(states).enumerate().map(run).collect()
            }
            _ => panic!("Stack::step: the past is of the other kind of stack"),
        }
    }
}

/// The memory of a stack: the last inputs of every block, or h and c of every cell.
///
/// ```
/// # use stcn::{Tensor, nn::{Init, Stack}};
/// let stack = Stack::cells(&mut Init::new(1), "lstm", (3, 8), 2, false);
/// let (mut past, s) = (stack.past(1), Tensor::new(&[1, 1, 3], vec![1.; 3]));
/// let [first, second] = [0, 1].map(|_| stack.step(&s, &mut past));
/// assert_ne!(first[1], second[1]); // the same input, another past
/// ```
pub enum StackPast {
    /// Of [`Stack::Blocks`].
    Blocks(TcnPast),
    /// Of [`Stack::Cells`].
    Cells(Vec<[Tensor; 2]>),
}
