//! A density whose channels depend on each other: it sums to one, in its order, and draws follow it.

use stcn::nn::{Head, Init, Module};
use stcn::tape::Tape;
use stcn::{Noise, Real, Tensor};

/// For channels under the same features at every row; weights and biases are random, spreads ½ to 4.
fn head(channels: (usize, usize)) -> Head {
    let components = 3;
    let mut head = Head::autoregressive(&mut Init::new(3), 4, channels, components);
    let wide = channels.0 * components;
    head.visit_mut(&mut |p| {
        let path = p.path().to_string();
        let data = p.value.data_mut();
        match path.as_str() {
            "output.bias" => {
                Noise::new(3, "bias").normals(&path, 0, 0, data);
                data[2 * wide..3 * wide].iter_mut().for_each(|std| *std = 1.5 + 0.3 * *std);
            }
            "hidden.bias" => Noise::new(3, "bias").normals(&path, 0, 0, data),
            "output.weight" => data.iter_mut().for_each(|w| *w *= 0.1),
            _ => (),
        }
    });
    head
}

/// (1, rows, 4), equal rows.
fn features(rows: usize) -> Tensor {
    Tensor::new(&[1, rows, 4], [0.3, -0.7, 1.1, 0.2].repeat(rows))
}

/// p(x) of every row.
fn densities(head: &Head, rows: &[Vec<Real>]) -> Vec<f64> {
    let tape = Tape::inference();
    let px = head.forward(tape.constant(features(rows.len())));
    let x = tape.constant(Tensor::new(&[1, rows.len(), rows[0].len()], rows.concat()));
    px.log_prob(x).value().data().iter().map(|&p| f64::from(p).exp()).collect()
}

fn patterns(bits: usize) -> Vec<Vec<Real>> {
    (0..1 << bits).map(|i| (0..bits).map(|bit| (i >> bit & 1) as Real).collect()).collect()
}

#[test]
fn the_probabilities_of_all_patterns_of_bits_sum_to_one() {
    for bits in [1, 2, 5] {
        let total: f64 = densities(&head((0, bits)), &patterns(bits)).iter().sum();
        assert!((total - 1.).abs() < 1e-5, "{bits} bits: {total}");
    }
}

#[test]
fn the_density_of_ink_integrates_to_one_over_plane_and_pen() {
    // As in tests/nn/head.rs: spreads from ½ leave nothing to the rule or outside.
    let (points, step) = (301, 44. / 300.);
    let at = |i: usize| (-22. + i as f64 * step) as Real;
    let row = |i: usize| vec![at(i / 2 / points), at(i / 2 % points), (i % 2) as Real];
    let rows: Vec<Vec<Real>> = (0..2 * points * points).map(row).collect();
    let total = densities(&head((2, 1)), &rows).iter().sum::<f64>() * step * step;
    assert!((total - 1.).abs() < 1e-5, "{total}");
}

/// Parameters of (dx, dy, pen) at one step, channel by channel, from the labels of the nodes.
fn parameters(x: [Real; 3]) -> [Vec<Real>; 3] {
    let (head, tape) = (head((2, 1)), Tape::new());
    let px = head.forward(tape.constant(features(1))).named("head");
    px.log_prob(tape.constant(Tensor::new(&[1, 1, 3], x.to_vec())));
    let node = |name: &str| {
        let found = tape.vars().find(|var| var.label() == name);
        found.unwrap_or_else(|| panic!("no node {name}")).value()
    };
    let [logits, mean, std] = ["head.logits", "head.mean", "head.std"].map(node);
    let real = |channel: usize| {
        let of = |t: &Tensor| t.data()[3 * channel..][..3].to_vec();
        [of(&logits), of(&mean), of(&std)].concat()
    };
    [real(0), real(1), node("head.bits").data().to_vec()]
}

#[test]
fn the_pen_comes_first_then_dx_then_dy_and_each_sees_those_before_it() {
    let [dx, dy, pen] = parameters([0.5, -1., 0.]);
    let after = |x: [Real; 3]| {
        let [dx_after, dy_after, pen_after] = parameters(x);
        [dx_after != dx, dy_after != dy, pen_after != pen]
    };
    assert_eq!(after([0.5, 9., 0.]), [false, false, false], "dy");
    assert_eq!(after([9., -1., 0.]), [false, true, false], "dx");
    assert_eq!(after([0.5, -1., 1.]), [true, true, false], "the pen");
}

#[test]
fn draws_of_bits_are_as_frequent_as_the_density_says() {
    let (n, head) = (20_000, head((0, 3)));
    let tape = Tape::inference();
    let px = head.forward(tape.constant(features(n)));
    let drawn = px.sample(&Noise::new(1, "sample"), &[7], 0, 1.);
    for (pattern, p) in patterns(3).iter().zip(densities(&head, &patterns(3))) {
        let count = drawn.data().chunks(3).filter(|x| x == pattern).count() as f64;
        let error = 5. * (n as f64 * p * (1. - p)).sqrt();
        assert!(
            (count - n as f64 * p).abs() < error,
            "{pattern:?}: {count}, want {}",
            n as f64 * p
        );
    }
}

#[test]
fn draws_of_real_numbers_have_the_moments_of_the_density() {
    let (n, head) = (20_000, head((2, 0)));
    let tape = Tape::inference();
    let px = head.forward(tape.constant(features(n)));
    let drawn = px.sample(&Noise::new(1, "sample"), &[7], 0, 1.);
    let (points, step) = (301, 44. / 300.);
    let at = |i: usize| -22. + i as f64 * step;
    let rows: Vec<Vec<Real>> = (0..points * points)
        .map(|i| vec![at(i / points) as Real, at(i % points) as Real])
        .collect();
    let p = densities(&head, &rows);
    type Moment = fn(f64, f64) -> f64;
    let moments: [(&str, Moment); 4] =
        [("x", |x, _| x), ("y", |_, y| y), ("xy", |x, y| x * y), ("yy", |_, y| y * y)];
    for (name, f) in moments {
        let of = |x: &[Real]| f(f64::from(x[0]), f64::from(x[1]));
        let exact = |g: &dyn Fn(f64) -> f64| {
            rows.iter().zip(&p).map(|(x, p)| g(of(x)) * p).sum::<f64>() * step * step
        };
        let (mean, square) = (exact(&|x| x), exact(&|x| x * x));
        let error = 5. * ((square - mean * mean) / n as f64).sqrt();
        let found = drawn.data().chunks(2).map(of).sum::<f64>() / n as f64;
        assert!((found - mean).abs() < error, "{name}: {found}, want {mean} ± {error}");
    }
}

#[test]
fn a_step_is_drawn_alike_whichever_steps_are_drawn_with_it() {
    let (head, noise) = (head((2, 1)), Noise::new(1, "sample"));
    let tape = Tape::inference();
    let draw = |rows: usize, first: usize| {
        let px = head.forward(tape.constant(features(rows)));
        px.sample(&noise, &[7], first, 0.8).data().to_vec()
    };
    let together = draw(4, 3);
    let alone: Vec<Real> = (3..7).flat_map(|first| draw(1, first)).collect();
    assert_eq!(together, alone);
}
