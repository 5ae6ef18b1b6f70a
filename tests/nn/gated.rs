use super::{lively, normals, step};
use stcn::nn::{GatedBlock, Module, ProjectedBlock};
use stcn::ops::*;
use stcn::tape::{Tape, Var};

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit() {
    for (inputs, outputs) in [(3, 6), (6, 6), (20, 33)] {
        let block = lively(|init| GatedBlock::new(init, inputs, outputs, 2, 3));
        let x = normals(&[3, 11, inputs]);
        let tape = Tape::inference();
        let (u, y) = block.forward_skip(tape.constant(x.clone()));
        let mut past = block.past(3);
        for t in 0..11 {
            let stepped = block.step(&step(&x, t), &mut past);
            assert_eq!(
                stepped,
                (step(&u.value(), t), step(&y.value(), t)),
                "{inputs}→{outputs} step {t}"
            );
        }
    }
}

#[test]
fn the_residual_is_added_after_the_skip_is_taken() {
    let tape = Tape::inference();
    let x = tape.constant(normals(&[2, 7, 5]));
    let same = lively(|init| GatedBlock::new(init, 5, 5, 2, 1));
    let (u, y) = same.forward_skip(x);
    assert_eq!(y.value(), (u + x).value());
    assert_eq!(same.forward(x).value(), y.value());
    let mut paths = vec![];
    same.visit(&mut |p| paths.push(p.path().to_string()));
    assert!(!paths.iter().any(|path| path.starts_with("project")), "{paths:?}");
}

#[test]
fn a_block_has_two_convolutions_a_mix_and_a_projection_where_widths_differ() {
    let count = |i, o| lively(|init| GatedBlock::new(init, i, o, 2, 1)).parameter_count();
    let conv = |i: usize, o: usize| 2 * i * o + o;
    let lin = |i: usize, o: usize| i * o + o;
    assert_eq!(count(3, 7), 2 * conv(3, 7) + lin(7, 7) + lin(3, 7));
    assert_eq!(count(7, 7), 2 * conv(7, 7) + lin(7, 7));
}

#[test]
fn the_unit_is_tanh_of_the_filter_times_sigmoid_of_the_gate() {
    let (x, block) = (normals(&[2, 6, 4]), lively(|init| GatedBlock::new(init, 4, 3, 2, 2)));
    let tape = Tape::new();
    let (u, _) = block.forward_skip(tape.constant(x.clone()));
    let part = |name: &str| {
        let [w, b] = ["weight", "bias"].map(|p| tape.find(&format!("{name}.{p}")).unwrap());
        (w, b)
    };
    let conv = |name| {
        let (w, b) = part(name);
        causal_conv1d(tape.constant(x.clone()), w, b, 2)
    };
    let (w, b) = part("mix");
    let composed = linear(tanh(conv("filter")) * sigmoid(conv("gate")), w, b).value();
    // Three products of numbers below 1, in the same arithmetic: a few roundings of 2⁻²⁴.
    let off = stcn::zip([&composed, &u.value()], |[a, b]| (a - b).abs());
    assert!(off.data().iter().all(|&off| off < 1e-6), "{off:?}");
}

/// Row t of `x`, zeros before the first.
fn row_of<'t>(tape: &'t Tape, x: &stcn::Tensor, t: Option<usize>) -> stcn::Var<'t> {
    let zeros = step(x, 0).map(|_| 0.);
    tape.constant(t.map_or(zeros, |t| step(x, t)))
}

#[test]
fn a_step_of_a_projected_block_is_a_row_of_the_whole_to_the_bit() {
    for (dilation, linear) in [(1, false), (4, false), (4, true)] {
        let block = lively(|init| ProjectedBlock::new(init, 6, dilation).with_linear_gate(linear));
        assert_eq!(block.parameter_count(), 2 * (2 * 36 + 6) + 36 + 6); // rivals.md §1.2
        let (x, tape) = (normals(&[3, 14, 6]), Tape::inference());
        let whole = block.forward(tape.constant(x.clone())).value();
        for t in 0..14_usize {
            let before = row_of(&tape, &x, t.checked_sub(block.dilation()));
            let y = block.step(before, row_of(&tape, &x, Some(t))).value();
            assert_eq!(y, step(&whole, t), "dilation {dilation} step {t}");
        }
    }
}

#[test]
fn a_projected_block_is_a_gated_unit_beside_a_projection() {
    for linear in [false, true] {
        let block = lively(|init| ProjectedBlock::new(init, 5, 3).with_linear_gate(linear));
        let conv = |name: &str| {
            let mut conv = stcn::nn::CausalConv1d::new(&mut stcn::nn::Init::new(1), 5, 5, 2, 3);
            conv.visit_mut(&mut |p| {
                let path = format!("{name}.{}", p.path());
                p.value.data_mut().copy_from_slice(&super::values(&block, &path));
            });
            conv
        };
        let mut project = stcn::nn::Linear::new(&mut stcn::nn::Init::new(1), 5, 5);
        project.visit_mut(&mut |p| {
            let path = format!("project.{}", p.path());
            p.value.data_mut().copy_from_slice(&super::values(&block, &path));
        });
        // A tape takes the parameters of one model.
        let of = |layer: &dyn for<'t> Fn(Var<'t>) -> Var<'t>| {
            let tape = Tape::inference();
            layer(tape.constant(normals(&[2, 9, 5]))).value()
        };
        let gate = of(&|x| {
            if linear { conv("gate").forward(x) } else { sigmoid(conv("gate").forward(x)) }
        });
        let parts =
            [&of(&|x| tanh(conv("filter").forward(x))), &gate, &of(&|x| project.forward(x))];
        let want = stcn::zip(parts, |[filter, gate, residual]| filter * gate + residual);
        let off = stcn::zip([&want, &of(&|x| block.forward(x))], |[a, b]| a - b);
        // Sums of 20 products of about 1, in another order at most.
        assert!(off.data().iter().all(|&off| off.abs() < 1e-5), "{off:?}");
    }
}
