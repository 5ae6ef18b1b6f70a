use super::{lively, normals, step};
use stcn::Tape;
use stcn::nn::{Gru, Module};

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
fn it_has_three_gates_and_one_bias() {
    let layer = Gru::new(&mut stcn::nn::Init::new(5), 3, 7);
    assert_eq!(layer.parameter_count(), 3 * 7 * (3 + 7 + 1)); // rivals.md §1.2
}
