use super::{lively, normals, values};
use stcn::Tape;
use stcn::nn::{Init, Linear, Mlp, Module, NormalLayers, NormalNet};

#[test]
fn a_linear_layer_is_weight_times_input_plus_bias() {
    let layer = lively(|init| Linear::new(init, 3, 2));
    let (w, b) = (values(&layer, "weight"), values(&layer, "bias"));
    let x = normals(&[2, 4, 3]);
    let tape = Tape::inference();
    let y = layer.forward(tape.constant(x.clone())).value();
    assert_eq!(y.shape(), [2, 4, 2]);
    let rectified = layer.forward_relu(tape.constant(x.clone())).value();
    for (i, &found) in y.data().iter().enumerate() {
        let (row, o) = (i / 2, i % 2);
        let want: f64 =
            (0..3).map(|i| f64::from(x.data()[row * 3 + i]) * f64::from(w[i * 2 + o])).sum();
        let off = f64::from(found) - want - f64::from(b[o]);
        assert!(off.abs() < 16. * 2f64.powi(-24), "{off}"); // 4 roundings of sums below 4
        assert_eq!(rectified.data()[i], if found > 0. { found } else { 0. });
    }
}

#[test]
fn hidden_layers_are_numbered_from_one_and_rectified() {
    let net = lively(|init| Mlp::new(init, 3, 5, 2));
    let mut paths = vec![];
    net.visit(&mut |p| paths.push((p.path().to_string(), p.value.shape().to_vec())));
    let want = [
        ("1.weight", vec![3, 5]),
        ("1.bias", vec![5]),
        ("2.weight", vec![5, 5]),
        ("2.bias", vec![5]),
    ];
    assert_eq!(paths, want.map(|(path, shape)| (path.to_string(), shape)));
    let y = net.forward(Tape::inference().constant(normals(&[1, 50, 3]))).value();
    assert!(y.data().iter().all(|&y| y >= 0.) && y.data().contains(&0.));
}

#[test]
fn a_latents_spread_is_clipped_and_its_mean_is_not() {
    let net = lively(|init| NormalNet::new(init, 3, 4, 2, 2));
    let x = normals(&[4, 50, 3]).map(|x| 1e3 * x);
    let tape = Tape::inference();
    let normal = net.forward(tape.constant(x));
    let (mean, std) = (normal.mean.value(), normal.std.value());
    assert!(std.data().iter().all(|&s| (1e-3..=5.).contains(&s)));
    assert!(std.data().contains(&5.) && std.data().contains(&1e-3));
    assert!(mean.data().iter().any(|&m| m.abs() > 50.));
}

#[test]
fn the_nets_of_mean_and_spread_share_nothing() {
    let net = lively(|init| NormalNet::new(init, 3, 4, 2, 2));
    let lin = |i: usize, o: usize| i * o + o;
    assert_eq!(net.parameter_count(), 2 * (lin(3, 4) + lin(4, 4) + lin(4, 2)));
    assert_ne!(values(&net, "mean.1.weight"), values(&net, "std.1.weight"));
    assert_eq!(values(&net, "std.3.bias").len(), 2);
}

#[test]
fn mean_and_spread_that_share_their_layers_begin_near_a_standard_normal() {
    let net = NormalLayers::new(&mut Init::new(5), 3, 4, 2, 2);
    let lin = |i: usize, o: usize| i * o + o;
    assert_eq!(net.parameter_count(), lin(3, 4) + lin(4, 4) + 2 * lin(4, 2));
    let tape = Tape::inference();
    let at = |x: f32| net.forward(tape.constant(normals(&[1, 5, 3]).map(|n| n * x as stcn::Real)));
    let (mean, std) = (at(0.).mean.value(), at(0.).std.value());
    assert!(mean.data().iter().all(|&m| m == 0.));
    // softplus(0.6) + 10⁻⁴ = 1.03759, to a few roundings.
    assert!(std.data().iter().all(|&s| (f64::from(s) - 1.0375879).abs() < 1e-5), "{std:?}");
    assert!(at(1e4).std.value().data().iter().all(|&s| s >= 1e-4));
}
