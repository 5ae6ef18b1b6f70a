use super::config;
use stcn::internals::diagnostics::Rectifiers;
use stcn::internals::step::{Watch, pass, update_watched};
use stcn::models::{build, parameters};
use stcn::nn::{Init, Linear, Module};
use stcn::ops::relu;
use stcn::optim::Adam;
use stcn::train::{Diagnostics, Trainer};
use stcn::{Tape, Tensor, zip};
use std::collections::BTreeMap;

#[test]
fn diagnosing_changes_no_bit() {
    let after = |diagnose| {
        let mut trainer = Trainer::new(config(&[])).unwrap();
        for step in 1..=4 {
            let report = trainer.step_watched(diagnose && step % 2 == 0).unwrap();
            assert_eq!(report.diagnostics.is_some(), diagnose && step % 2 == 0);
        }
        trainer.checkpoint().to_bytes()
    };
    assert!(after(true) == after(false));
}

#[test]
fn the_update_is_as_large_as_what_it_changed() {
    let mut trainer = Trainer::new(config(&[])).unwrap();
    for _ in 0..3 {
        let values = |trainer: &Trainer| -> Vec<(String, Tensor)> {
            let all = parameters(trainer.model()).into_iter();
            all.map(|(path, value)| (path.to_string(), value.clone())).collect()
        };
        let before = values(&trainer);
        let Diagnostics { groups, .. } = trainer.step_watched(true).unwrap().diagnostics.unwrap();
        let mut sums: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        for ((path, old), (_, new)) in before.iter().zip(values(&trainer)) {
            let sums = sums.entry(path.split('.').next().unwrap().into()).or_default();
            sums[0] += zip([old, &new], |[old, new]| new - old).squared_norm();
            sums[1] += new.squared_norm();
        }
        assert_eq!(groups.len(), sums.len());
        for group in groups {
            let [moved, weights] = sums[&group.name];
            let wanted = (moved / weights).sqrt();
            // Each weight was rounded once when it moved, and its update in a few operations.
            let eps = f64::from(f32::EPSILON);
            let most = eps * (1. + 8. * wanted);
            assert!((group.update_ratio - wanted).abs() < most, "{group:?}, not {wanted}");
        }
    }
}

#[test]
fn a_rectifier_is_dead_if_it_gives_0_everywhere() {
    let mut init = Init::new(1);
    let (mut layer, plain) = (Linear::new(&mut init, 1, 2), Linear::new(&mut init, 1, 4));
    layer.visit_mut(&mut |p| {
        let values = if p.path() == "weight" { vec![1., -1.] } else { vec![0., 0.] };
        p.value = Tensor::new(p.value.shape(), values);
    });
    let tape = Tape::new();
    assert_eq!(Rectifiers::of(&tape).dead(), None);
    let steps = [-1., -2., 3.].map(|x| tape.constant(Tensor::new(&[1, 1, 1], vec![x])));
    // Once for every step: one layer, of which one channel is positive at the last step, the other at the first two.
    for x in &steps {
        layer.forward_relu(*x);
    }
    assert_eq!(Rectifiers::of(&tape).dead(), Some(0.));
    let tape = Tape::new();
    let steps = [-1., -2., 0.].map(|x| tape.constant(Tensor::new(&[1, 1, 1], vec![x])));
    for x in &steps {
        layer.forward_relu(*x);
    }
    assert_eq!(Rectifiers::of(&tape).dead(), Some(1. / 2.));
    // The same in two ops.
    for x in &steps {
        relu(layer.forward(*x));
    }
    assert_eq!(Rectifiers::of(&tape).dead(), Some(1. / 2.));
    // Behind no layer, each counts: two channels, of which one is dead; and what is not rectified counts nowhere.
    relu(tape.constant(Tensor::new(&[1, 2, 2], vec![-1., 0., 0., 5.])));
    plain.forward(steps[0]);
    assert_eq!(Rectifiers::of(&tape).dead(), Some(2. / 4.));
    let other = Tape::new();
    layer.forward_relu(other.constant(Tensor::new(&[1, 1, 1], vec![4.])));
    let mut both = Rectifiers::of(&tape);
    both.add(Rectifiers::of(&other));
    assert_eq!(both.dead(), Some(1. / 4.));
}

#[test]
fn a_layer_that_is_switched_off_is_dead_in_the_report_of_a_batch_in_two_parts() {
    let mut trainer = Trainer::new(config(&[])).unwrap();
    let (batch, config) = (trainer.batch().unwrap(), trainer.config().clone());
    let mut model = build(&config.model, Init::new(1)).unwrap();
    model.visit_mut(&mut |p| {
        if p.path() == "output.1.bias" {
            p.value = p.value.map(|_| -1e6);
        }
    });
    let tape = Tape::new();
    pass(&*model, &tape, &batch, &batch.lengths, &config.train, config.seed, 1);
    let wanted = Rectifiers::of(&tape).dead().unwrap();
    let mut widths = BTreeMap::new();
    tape.each(|node| {
        if node.rule.name == "linear_relu" {
            widths.insert(node.inputs[1].index(), node.value.cols());
        }
    });
    let all: usize = widths.values().sum();
    assert!(wanted >= 4. / all as f64, "{wanted} of {all}");
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let watch = Watch { diagnose: true, ..Watch::NOTHING };
    let report =
        update_watched(&mut *model, &mut adam, &batch, &config.train, config.seed, 1, watch);
    assert_eq!(report.unwrap().diagnostics.unwrap().dead_rectifiers, Some(wanted));
}
