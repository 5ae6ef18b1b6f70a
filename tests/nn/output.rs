use super::{lively, normals, step};
use stcn::Tape;
use stcn::nn::OutputNet;

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit() {
    for (net, inputs) in [
        (lively(|init| OutputNet::pointwise(init, 5, 7, 3)), 5),
        (lively(|init| OutputNet::gated(init, 5, 7, 3)), 5),
        (lively(|init| OutputNet::gated(init, 7, 7, 5)), 7), // no projection
    ] {
        let y = normals(&[3, 14, inputs]);
        let whole = net.forward(Tape::inference().constant(y.clone())).value();
        let mut past = net.past(3);
        for t in 0..14 {
            assert_eq!(net.step(&step(&y, t), &mut past), step(&whole, t), "step {t}");
        }
    }
}

#[test]
fn gated_layers_look_back_one_row_each_and_pointwise_ones_not_at_all() {
    for (net, back) in [
        (lively(|init| OutputNet::pointwise(init, 2, 6, 5)), 0),
        (lively(|init| OutputNet::gated(init, 2, 6, 5)), 5),
    ] {
        assert_eq!(net.looks_back(), back > 0);
        let y = normals(&[1, 20, 2]);
        let mut other = y.clone();
        other.data_mut()[7 * 2] += 3.;
        let tape = Tape::inference();
        let [a, b] = [y, other].map(|y| net.forward(tape.constant(y)).value());
        let changed: Vec<usize> = (0..20).filter(|&t| step(&a, t) != step(&b, t)).collect();
        assert_eq!(changed, (7..=7 + back).collect::<Vec<_>>());
    }
}
