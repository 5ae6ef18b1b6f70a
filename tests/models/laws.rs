//! The laws of stcn.md §13 that every model keeps with every head.

use super::{
    batch, every, has, loss, masked_sums, model, name, noise, rearranged, row, switched, wide,
};
use stcn::models::{DMM, Kl};
use stcn::models::{ModelConfig, Task};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

/// Both kinds of draws where there are any.
fn every_with_draws() -> impl Iterator<Item = ModelConfig> {
    every().flat_map(|config| switched(&config, "draws"))
}

/// x with channel `c` of step `t` of sequence `b` moved to where neither a density nor a key stays the same.
fn moved(x: &Tensor, b: usize, t: usize, c: usize) -> Tensor {
    let (_, steps, channels) = x.btc("moved");
    let mut x = x.clone();
    let value = &mut x.data_mut()[(b * steps + t) * channels + c];
    *value = 1. - *value;
    x
}

#[test]
fn nothing_of_an_earlier_step_changes_with_the_present() {
    let (steps, j) = (12, 6);
    // Where the posterior sees the future: given what was drawn, in the tests of each such model.
    for config in every_with_draws().filter(|config| !config.kind.looks_ahead()) {
        let model = model(&config);
        let batch = batch(&config, &[steps, steps]);
        let mut other = batch.clone();
        other.x = moved(&batch.x, 1, j, 0);
        let tapes = [Tape::new(), Tape::new()];
        let [before, after] = [(&tapes[0], &batch), (&tapes[1], &other)]
            .map(|(tape, batch)| model.elbo(tape, batch, &noise(), Kl::Analytic));
        // Every node of the pass: rows of T steps are those of x; rows of T + 1 begin with the zero row.
        let mut values = vec![];
        tapes[0].each(|node| values.push(node.value.clone()));
        let mut seen = 0;
        tapes[1].each(|node| {
            let value = &values[node.id.index()];
            let rows = match *value.shape() {
                [2, t] | [2, t, _] if t == steps => j,
                [2, t, _] if t == steps + 1 => j + 1,
                _ => return, // a parameter
            };
            for t in 0..rows {
                let what = (node.rule.name, &node.label, t, name(&config));
                assert_eq!(row(value, 1, t), row(&node.value, 1, t), "{what:?}");
            }
            assert_eq!(
                row(value, 0, steps - 1),
                row(&node.value, 0, steps - 1),
                "the other sequence"
            );
            seen += 1;
        });
        assert!(seen > 10, "{seen} nodes"); // the fewest, of an RNN on music, are 13
        // And the present does look: at its own step and at the next.
        for t in [j, j + 1] {
            let [a, b] = [&before, &after].map(|elbo| row(&elbo.log_px.value(), 1, t)[0]);
            assert_ne!(a, b, "{} step {t}", name(&config));
        }
        for (a, b) in before.kl.iter().zip(&after.kl) {
            assert_ne!(row(&a.value(), 1, j), row(&b.value(), 1, j), "{}", name(&config));
        }
    }
}

#[test]
fn what_a_step_is_drawn_from_does_not_see_that_step() {
    // Priors and heads of step j see x_{<j}: every x drawn up to j is the same, the next one is not.
    let (steps, j) = (12, 6);
    for config in every_with_draws() {
        let model = model(&config);
        let batch = batch(&config, &[steps, steps]);
        let draw = |x: &Tensor| model.redraw(x, 0, &noise(), &batch.samples);
        let before = draw(&batch.x);
        let after = draw(&moved(&batch.x, 1, j, 0));
        (0..=j)
            .for_each(|t| assert_eq!(row(&before, 1, t), row(&after, 1, t), "{}", name(&config)));
        // Keys may stay as they are while their θ moves; real numbers may not, but of a DMM, which never reads x.
        let looks_back = (j + 1..steps).any(|t| row(&before, 1, t) != row(&after, 1, t));
        let should = config.kind != DMM;
        let may_not = config.obs.task == Task::Music && !looks_back;
        assert!(looks_back == should || may_not, "{}", name(&config));
    }
}

#[test]
fn neither_padding_nor_the_order_of_a_batch_changes_a_bit_of_any_sequence() {
    // Stronger than the law (10⁻⁵): every row of every product is one sum, in one order, wherever it stands.
    for config in every_with_draws() {
        let model = model(&config);
        let original = batch(&config, &[9, 4, 12]);
        let terms = |batch: &stcn::data::Batch| -> Vec<Vec<f64>> {
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, batch, &noise(), Kl::Analytic);
            let sums = |x: stcn::Var| masked_sums(&x.value(), &batch.lengths);
            [elbo.log_px].into_iter().chain(elbo.kl).map(sums).collect()
        };
        let want = terms(&original);
        for (order, padding, junk) in [
            (&[0, 1, 2][..], 7, 0.),
            (&[0, 1, 2], 150, 1.), // more than one tile of time
            (&[2, 0, 1], 0, 0.),
            (&[0], 0, 0.),
            (&[1], 3, 1e3),
            (&[2], 0, 0.),
        ] {
            let found = terms(&rearranged(&original, order, padding, junk));
            for (found, want) in found.iter().zip(&want) {
                let want: Vec<f64> = order.iter().map(|&b| want[b]).collect();
                assert_eq!(found, &want, "{} {order:?} + {padding}", name(&config));
            }
        }
    }
}

#[test]
fn no_gradient_reaches_a_masked_row() {
    // x is a constant of the pass, so this asks every node that is computed from it.
    let lengths = [9, 4];
    for config in every_with_draws() {
        let model = model(&config);
        let batch = rearranged(&batch(&config, &lengths), &[0, 1], 2, 0.5);
        let steps = batch.x.shape()[1];
        let tape = Tape::new();
        let grads = tape.backward(loss(&*model, &tape, &batch, &noise()), Keep::All);
        let mut reached = 0;
        tape.each(|node| {
            let Some(grad) = grads.at(node.id) else { return };
            let start = match *grad.shape() {
                [2, t] | [2, t, _] if t == steps => 0,
                [2, t, _] if t == steps + 1 => 1,
                _ => return,
            };
            for (b, &n) in lengths.iter().enumerate() {
                for t in n..steps {
                    let zero = row(grad, b, t + start).iter().all(|&g| g == 0.);
                    assert!(zero, "{} {} row {t}: {}", node.rule.name, node.label, name(&config));
                }
                reached += usize::from(row(grad, b, n - 1 + start).iter().any(|&g| g != 0.));
            }
        });
        assert!(reached >= 10, "{reached}: nothing to see");
    }
}

#[test]
fn padding_does_not_change_what_is_learnt() {
    // Rows of zeros join sums of gradients: at most the order of 10⁴ terms changes, each rounded to 2⁻²⁴.
    for config in every() {
        let model = model(&config);
        let original = batch(&config, &[9, 4]);
        let padded = rearranged(&original, &[0, 1], 30, 1.);
        let tapes = [Tape::new(), Tape::new()];
        let [a, b] = [(&tapes[0], &original), (&tapes[1], &padded)]
            .map(|(tape, batch)| tape.backward(loss(&*model, tape, batch, &noise()), Keep::Leaves));
        model.visit(&mut |p| {
            let (a, b) = (a.param(p), b.param(p));
            let off = stcn::zip([a, b], |[a, b]| a - b).squared_norm().sqrt();
            let size = a.squared_norm().sqrt();
            assert!(off <= 1e-5 * size.max(1e-3), "{}: {off} of {size}", p.path());
        });
    }
}

#[test]
fn one_step_learns_the_same_bits_on_any_number_of_threads() {
    // 2 × 150 steps are four tiles of time, 20 channels two rectangles of every weight.
    for config in every_with_draws() {
        let config = wide(&config, 20);
        let model = model(&config);
        let batch = batch(&config, &[150, 140]);
        let learn = || -> Vec<Vec<Real>> {
            let tape = Tape::new();
            let loss = loss(&*model, &tape, &batch, &noise());
            let grads = tape.backward(loss, Keep::Leaves);
            let mut found = vec![vec![loss.value().item()]];
            model.visit(&mut |p| found.push(grads.param(p).data().to_vec()));
            found
        };
        let [one, rest @ ..] =
            [1, 2, 3, 8].map(|threads| stcn::with_threads(threads, learn).unwrap());
        assert!(one.iter().flatten().all(|g| g.is_finite()));
        for other in rest {
            assert!(one == other, "{}", name(&config));
        }
    }
}

#[test]
fn a_divergence_is_never_negative_even_where_the_estimate_says_nothing() {
    for config in every_with_draws().filter(|config| config.kind.has_latents()) {
        let (mut model, batch) = (model(&config), batch(&config, &[40, 40]));
        for vague in [false, true] {
            if vague {
                // Every estimate is N(0, 25), the widest there is: KLs of 10⁻³ and less.
                model.visit_mut(&mut |p| {
                    if p.path().starts_with("infer") {
                        let last =
                            p.path().ends_with("std.3.bias") || p.path().ends_with("std.bias");
                        p.value.data_mut().fill(if last { 40. } else { 0. });
                    }
                });
            }
            let tape = Tape::inference();
            let elbo = model.elbo(&tape, &batch, &noise(), Kl::Analytic);
            assert_eq!(elbo.kl.len(), if has(&config, "latents") { 2 } else { 1 });
            for kl in elbo.kl {
                // Each channel is a difference of numbers of about 1, rounded to 2⁻²⁴: the slack of the spec.
                assert!(kl.value().data().iter().all(|&kl| kl >= -1e-6), "{}", name(&config));
            }
        }
    }
}
