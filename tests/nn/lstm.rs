use super::{lively, normals, step, values};
use stcn::Tape;
use stcn::nn::{Lstm, Module};

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit() {
    for (inputs, units) in [(3, 6), (5, 40), (20, 1)] {
        let layer = lively(|init| Lstm::new(init, inputs, units, 1.));
        let x = normals(&[3, 11, inputs]);
        let whole = layer.forward(Tape::inference().constant(x.clone())).value();
        let mut state = layer.start(3);
        for t in 0..11 {
            let tape = Tape::inference();
            let state_now = state.clone().map(|x| tape.constant(x));
            state = layer.step(tape.constant(step(&x, t)), state_now).map(|x| x.value());
            assert_eq!(state[0], step(&whole, t), "{inputs}→{units} step {t}");
        }
    }
}

#[test]
fn it_has_four_gates_and_one_bias_and_forgets_as_told() {
    let layer = Lstm::new(&mut stcn::nn::Init::new(5), 3, 7, 1.);
    assert_eq!(layer.parameter_count(), 4 * 7 * (3 + 7 + 1)); // rivals.md §1.2
    let bias = values(&layer, "input.bias");
    assert!((0..28).all(|i| bias[i] == if (7..14).contains(&i) { 1. } else { 0. }));
}
