use super::{lively, normals, values};
use stcn::nn::{Gate, Module, NormalGate};
use stcn::{Real, Tape};

#[test]
fn a_gate_has_a_hidden_layer_or_a_rectifier_alone() {
    let lin = |i: usize, o: usize| i * o + o;
    let deep = lively(|init| Gate::new(init, 3, Some(5), 4));
    let flat = lively(|init| Gate::new(init, 3, None, 4));
    assert_eq!(deep.parameter_count(), lin(3, 5) + lin(5, 4)); // rivals.md §7
    assert_eq!(flat.parameter_count(), lin(3, 4));
    let x = normals(&[2, 6, 3]);
    let run = |gate: &Gate, x| gate.forward(Tape::inference().constant(x)).value();
    assert_eq!(run(&deep, x.clone()).shape(), [2, 6, 4]);
    // Only the flat one is blind to what is below zero.
    let rectified = x.map(|x| if x > 0. { x } else { 0. });
    assert_eq!(run(&flat, x.clone()), run(&flat, rectified.clone()));
    assert_ne!(run(&deep, x.clone()), run(&deep, rectified));
    // And its output is W max(x, 0) + b, not rectified again.
    let y = run(&flat, x.map(|_| -1.));
    let bias = values(&flat, "output.bias");
    y.data().chunks_exact(4).for_each(|row| assert_eq!(row, bias));
    assert!(bias.iter().any(|&b| b < 0.));
}

#[test]
fn the_spread_is_of_a_clipped_log_variance_and_the_mean_is_free() {
    let net = lively(|init| NormalGate::new(init, 3, Some(4), 2));
    assert_eq!(values(&net, "output.bias").len(), 4);
    let tape = Tape::inference();
    let far = net.forward(tape.constant(normals(&[4, 50, 3]).map(|x| 1e3 * x)));
    let (mean, std) = (far.mean.value(), far.std.value());
    let off = |s: &Real, log: f64| (f64::from(*s) / log.exp() - 1.).abs() < 1e-6;
    assert!(std.data().iter().any(|s| off(s, 4.)) && std.data().iter().any(|s| off(s, -4.)));
    assert!(std.data().iter().all(|&s| (0.0183..54.6).contains(&s)));
    assert!(mean.data().iter().any(|&m| m.abs() > 50.));
    // Where x says nothing: μ the first half of the biases, σ = exp(½ s) of the second, 0 gives 1.
    let mut plain = NormalGate::new(&mut stcn::nn::Init::new(5), 3, None, 2);
    plain.visit_mut(&mut |p| {
        if p.path() == "output.bias" {
            p.value.data_mut().copy_from_slice(&[0.5, -3., 0., 2.]);
        }
    });
    let tape = Tape::inference();
    let at = plain.forward(tape.constant(normals(&[1, 1, 3]).map(|_| 0.)));
    assert_eq!(at.mean.value().data(), [0.5, -3.]);
    let std = at.std.value();
    assert!(std.data()[0] == 1. && off(&std.data()[1], 1.), "{std:?}");
}
