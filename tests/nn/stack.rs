use super::{lively, normals, step};
use stcn::Tape;
use stcn::nn::{Module, Stack, Tcn};

fn stacks() -> [Stack; 3] {
    [
        lively(|init| Stack::Blocks(Tcn::new(init, "tcn", (3, 6), (2, 2), 2))),
        lively(|init| Stack::cells(init, "lstm", (3, 6), 4, false)),
        lively(|init| Stack::cells(init, "lstm", (3, 6), 4, true)),
    ]
}

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit() {
    for stack in stacks() {
        let x = normals(&[3, 14, 3]);
        let tape = Tape::inference();
        let whole = stack.forward(tape.constant(x.clone())).into_iter();
        let whole: Vec<_> = whole.map(|h| h.value()).collect();
        let mut past = stack.past(3);
        for t in 0..14 {
            let layers = stack.step(&step(&x, t), &mut past);
            assert_eq!(layers.len(), 4);
            for (layer, whole) in layers.iter().zip(&whole) {
                assert_eq!(*layer, step(whole, t), "step {t}");
            }
        }
    }
}

#[test]
fn a_cell_reads_the_one_below_it_without_a_residual() {
    let mut stack = lively(|init| Stack::cells(init, "lstm", (3, 6), 3, false));
    let lstm = |i: usize| 4 * ((i + 6) * 6 + 6);
    assert_eq!(stack.parameter_count(), lstm(3) + 2 * lstm(6)); // stcn.md §9
    let run = |stack: &Stack| -> Vec<_> {
        let tape = Tape::inference();
        stack.forward(tape.constant(normals(&[1, 5, 3]))).into_iter().map(|h| h.value()).collect()
    };
    let before = run(&stack);
    // Cell 2 deaf to what is below it, and with its biases as they are: cell 1 changes nothing above.
    stack.visit_mut(&mut |p| {
        if p.path() == "lstm.2.input.weight" {
            p.value.data_mut().fill(0.);
        }
    });
    let deaf = run(&stack);
    assert_eq!(before[0], deaf[0]);
    assert!(before[1] != deaf[1] && before[2] != deaf[2]);
    stack.visit_mut(&mut |p| {
        if p.path() == "lstm.1.input.weight" {
            p.value.data_mut().fill(0.5);
        }
    });
    let after = run(&stack);
    assert_ne!(after[0], deaf[0]);
    assert_eq!(after[1..], deaf[1..]);
}

#[test]
fn with_residuals_a_cell_adds_its_input_to_its_output_but_for_the_lowest() {
    let stack = lively(|init| Stack::cells(init, "lstm", (6, 6), 3, true));
    let Stack::Cells { cells, .. } = &stack else { unreachable!() };
    let tape = Tape::inference();
    let x = tape.constant(normals(&[2, 5, 6]));
    let first = cells[0].forward(x);
    let second = cells[1].forward(first) + first;
    let third = cells[2].forward(second) + second;
    let found: Vec<_> = stack.forward(x).into_iter().map(|y| y.value()).collect();
    assert_eq!(found, [first, second, third].map(|y| y.value()));
}

#[test]
#[should_panic(expected = "Stack::step: the past is of the other kind of stack")]
fn a_past_of_another_stack_is_refused() {
    let [blocks, cells, _] = stacks();
    cells.step(&normals(&[1, 1, 3]), &mut blocks.past(1));
}
