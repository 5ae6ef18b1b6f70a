//! A finished pass as text: every node in order.

use crate::tape::{Grads, Tape};
use crate::tensor::Tensor;

/// One line a node: number, op, label, shape, inputs, root mean square of value and gradient.
pub fn table(tape: &Tape, grads: &Grads) -> String {
    let head = ["node", "op", "label", "shape", "inputs", "rms value", "rms gradient"];
    let mut rows = vec![head.map(String::from)];
    tape.each(|node| {
        let inputs: Vec<_> = node.inputs.iter().map(|x| x.index().to_string()).collect();
        rows.push([
            node.id.index().to_string(),
            node.rule.name.to_string(),
            node.label.to_string(),
            shape(node.value.shape()),
            inputs.join(" "),
            rms(&node.value),
            grads.at(node.id).map_or("-".into(), rms),
        ]);
    });
    align(&rows)
}

/// √(Σx²/n), with three digits.
pub(super) fn rms(x: &Tensor) -> String {
    format!("{:.3e}", (x.squared_norm() / x.len().max(1) as f64).sqrt())
}

pub(super) fn shape(x: &[usize]) -> String {
    let axes: Vec<_> = x.iter().map(usize::to_string).collect();
    format!("({})", axes.join(", "))
}

/// Columns as wide as their widest cell.
pub(super) fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}
