use super::{lively, normals, step};
use stcn::Tape;
use stcn::nn::{Gru, Module};
use stcn::ops::slice_time;

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit() {
    for (inputs, units) in [(3, 6), (5, 40), (20, 1)] {
        let layer = lively(|init| Gru::new(init, inputs, units));
        let x = normals(&[3, 11, inputs]);
        let whole = layer.forward(Tape::inference().constant(x.clone())).value();
        let mut h = layer.start(3);
        for t in 0..11 {
            let tape = Tape::inference();
            h = layer.step(tape.constant(step(&x, t)), tape.constant(h.clone())).value();
            assert_eq!(h, step(&whole, t), "{inputs}→{units} step {t}");
        }
    }
}

#[test]
fn a_pass_from_a_state_is_the_rest_of_the_whole_to_the_bit() {
    let layer = lively(|init| Gru::new(init, 3, 6));
    let tape = Tape::inference();
    let x = tape.constant(normals(&[2, 9, 3]));
    let whole = layer.forward(x);
    assert_eq!(layer.forward_from(x, None).value(), whole.value());
    let zeros = tape.constant(layer.start(2));
    assert_eq!(layer.forward_from(x, Some(zeros)).value(), whole.value());
    let rest = layer.forward_from(slice_time(x, 4, 5), Some(slice_time(whole, 3, 1)));
    assert_eq!(rest.value(), slice_time(whole, 4, 5).value());
}

#[test]
fn it_has_three_gates_and_one_bias() {
    let layer = Gru::new(&mut stcn::nn::Init::new(5), 3, 7);
    assert_eq!(layer.parameter_count(), 3 * 7 * (3 + 7 + 1)); // rivals.md §1.2
}
