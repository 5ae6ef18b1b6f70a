use super::{lively, normals, step};
use stcn::Tensor;
use stcn::nn::Tcn;
use stcn::tape::{Keep, Tape};

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit_beyond_the_receptive_field() {
    let tcn = lively(|init| Tcn::new(init, "tcn", (3, 6), (2, 3), 2)); // sees 1 + 2·7 = 15 rows
    let x = normals(&[3, 40, 3]);
    let tape = Tape::inference();
    let whole = tcn.forward_skip(tape.constant(x.clone()));
    let mut past = tcn.past(3);
    for t in 0..40 {
        let blocks = tcn.step(&step(&x, t), &mut past);
        assert_eq!(blocks.len(), 6);
        for (b, ((u, y), whole)) in blocks.iter().zip(&whole).enumerate() {
            assert_eq!(*u, step(&whole.0.value(), t), "u of block {} step {t}", b + 1);
            assert_eq!(*y, step(&whole.1.value(), t), "y of block {} step {t}", b + 1);
        }
    }
}

#[test]
fn dilations_double_and_start_again_at_every_level() {
    let steps = 40;
    for (taps, want) in [(2, [2, 4, 8, 9, 11, 15]), (3, [3, 7, 15, 17, 21, 29])] {
        let tcn = lively(|init| Tcn::new(init, "tcn", (3, 6), (2, 3), taps));
        for (block, field) in want.into_iter().enumerate() {
            let tape = Tape::new();
            let x = tape.input(normals(&[1, steps, 3]), "x");
            let y = tcn.forward(x)[block];
            let mut last = Tensor::zeros(&[1, steps, 6]);
            last.data_mut()[(steps - 1) * 6..].fill(1.);
            let grads = tape.pull_back(y, last, Keep::Leaves);
            let grad = grads.wrt(x).unwrap();
            let seen = |&t: &usize| step(grad, t).data().iter().any(|&g| g != 0.);
            assert_eq!(steps - (0..steps).find(seen).unwrap(), field, "block {}", block + 1);
        }
    }
}
