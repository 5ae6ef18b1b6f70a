use super::{lively, normals};
use stcn::nn::{LogVarLayers, Module, clipped_leaky_relu};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

#[test]
fn a_third_is_left_below_zero_and_nothing_goes_beyond_three() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[6], vec![-12., -6., -1.5, 0.5, 2., 4.]), "x");
    let y = clipped_leaky_relu(x);
    let third = 1. / 3. as Real;
    assert_eq!(y.value().data(), [-3., -6. * third, -1.5 * third, 0.5, 2., 3.]);
    let grads = tape.backward(stcn::ops::sum(y), Keep::Leaves);
    assert_eq!(grads.wrt(x).unwrap().data(), [0., third, third, 1., 1., 0.]);
}

#[test]
fn a_spread_is_the_root_of_a_variance_whose_logarithm_is_clipped() {
    let net = lively(|init| LogVarLayers::new(init, 3, 4, 2));
    let lin = |i: usize, o: usize| i * o + o;
    assert_eq!(net.parameter_count(), lin(3, 4) + 2 * lin(4, 2));
    let mut paths = vec![];
    net.visit(&mut |p| paths.push(p.path().to_string()));
    assert_eq!(
        paths,
        ["1", "mean", "log_var"].map(|l| [".weight", ".bias"].map(|p| l.to_string() + p)).concat()
    );

    let std_with = |bias: Real| {
        let mut net = lively(|init| LogVarLayers::new(init, 3, 4, 2));
        net.visit_mut(&mut |p| match p.path() {
            "log_var.weight" => p.value.data_mut().fill(0.),
            "log_var.bias" => p.value.data_mut().fill(bias),
            _ => (),
        });
        let tape = Tape::new();
        let normal = net.forward(tape.constant(normals(&[2, 5, 3])));
        let grads = tape.backward(stcn::ops::sum(normal.std), Keep::Leaves);
        let mut moved = 0.;
        net.visit(&mut |p| {
            if p.path() == "log_var.bias" {
                moved = grads.param(p).squared_norm();
            }
        });
        (f64::from(normal.std.value().data()[0]), moved > 0.)
    };
    for (bias, want, moves) in [
        (0., 1., true),
        (2., 1f64.exp(), true),
        (9., 4f64.exp(), false),
        (-9., (-4f64).exp(), false),
    ] {
        let (std, moved) = std_with(bias);
        assert!((std / want - 1.).abs() < 1e-6, "{bias}: {std} against {want}");
        assert_eq!(moved, moves, "{bias}");
    }
}
