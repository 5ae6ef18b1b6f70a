//! A finished pass as text: every node in order, or the chain rule at one of them.

use crate::tape::{Grads, NodeId, Tape};
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
            shape(&node.value),
            inputs.join(" "),
            rms(&node.value),
            grads.at(node.id).map_or("-".into(), rms),
        ]);
    });
    align(&rows)
}

/// Where the gradient at `label` comes from: its formula, and one line for each consumer's term.
/// `None` if no node has the label. Needs gradients of every node ([`Keep::All`](crate::tape::Keep::All)).
pub fn explain(tape: &Tape, grads: &Grads, label: &str) -> Option<String> {
    let var = tape.find(label)?;
    let mut about = vec![String::new(); tape.len()];
    let mut formula = String::new();
    tape.each(|node| {
        let name = if node.label.is_empty() { node.rule.name } else { &node.label };
        about[node.id.index()] = format!("{} {name}", node.id.index());
        if node.id == var.id() {
            let inputs: Vec<_> = node.inputs.iter().map(|x| about[x.index()].clone()).collect();
            formula = format!(
                "{label}: node {}, {}, shape {}\n",
                node.id.index(),
                node.rule.name,
                shape(&node.value)
            );
            formula += &format!(
                "  {}   of  {}\n  {}\n",
                node.rule.forward,
                inputs.join(", "),
                node.rule.vjp
            );
        }
    });
    formula += &format!("value:    rms {}\n", rms(&var.value()));
    let total = grads.wrt(var);
    formula += &format!("gradient: rms {}, the sum of\n", total.map_or("-".into(), rms));
    let name = |id: NodeId| about[id.index()].clone();
    let mut rows = vec![["consumer", "op", "its rule", "rms of the term"].map(String::from)];
    for term in tape.explain(grads, var) {
        let rule = term.rule;
        rows.push([name(term.consumer.id()), rule.name.into(), rule.vjp.into(), rms(&term.grad)]);
    }
    Some(formula + &align(&rows))
}

/// √(Σx²/n), with three digits.
pub(super) fn rms(x: &Tensor) -> String {
    format!("{:.3e}", (x.squared_norm() / x.len().max(1) as f64).sqrt())
}

fn shape(x: &Tensor) -> String {
    let axes: Vec<_> = x.shape().iter().map(usize::to_string).collect();
    format!("({})", axes.join(", "))
}

/// Columns as wide as their widest cell.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
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
