use stcn::inspect::table;
use stcn::ops::{sum, tanh};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

#[test]
fn the_table_has_a_line_for_every_node_in_order() {
    // x = (3, 4), y = x·x, loss = Σ y + Σ tanh x
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[1, 2], vec![3. as Real, 4.]), "x");
    let y = (x * x).named("y");
    let grads = tape.backward(sum(y) + sum(tanh(x)), Keep::All);
    let text = table(&tape, &grads);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + tape.len());
    let cells = |i: usize| lines[i].split_whitespace().collect::<Vec<_>>();
    // rms of (3, 4) is √12.5; of its gradient 2x + (1 − tanh² x), a little above 2√12.5.
    assert_eq!(cells(1)[..6], ["0", "leaf", "x", "(1,", "2)", "3.536e0"]);
    assert_eq!(cells(2)[..7], ["1", "mul", "y", "(1,", "2)", "0", "0"]);
    assert!(lines.iter().all(|line| line.trim_end() == *line));
}
