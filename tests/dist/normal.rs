//! Diagonal normals.

use crate::ops::{ROUNDING, difference, numbers, positive};
use stcn::dist::Normal;
use stcn::ops::*;
use stcn::tape::{Keep, Tape};
use stcn::{Noise, Real, Tensor};

#[test]
fn a_normal_has_no_divergence_from_itself() {
    let tape = Tape::new();
    let (mean, std) =
        (tape.input(numbers(&[2, 3, 4], 1), ""), tape.input(positive(&[2, 3, 4], 2), ""));
    let p = Normal { mean, std };
    let kl = p.kl(p).value();
    assert!(kl.data().iter().all(|kl| kl.abs() < 1e-6), "{kl:?}"); // four channels of some ulp of ½
}

#[test]
fn a_name_goes_to_mean_and_spread() {
    let tape = Tape::new();
    let [mean, std] = [1, 2].map(|seed| tape.constant(positive(&[2, 3, 4], seed)));
    let p = Normal { mean, std }.named("p.2");
    assert_eq!(tape.find("p.2.mean").unwrap().id(), mean.id());
    assert_eq!(tape.find("p.2.std").unwrap().id(), std.id());
    assert!(p.mean.id() == mean.id() && p.std.id() == std.id());
}

#[test]
fn the_combined_forms_are_the_ops() {
    let tape = Tape::new();
    let [a, b] = [1, 3].map(|seed| Normal {
        mean: tape.input(numbers(&[2, 3, 4], seed), ""),
        std: tape.input(positive(&[2, 3, 4], seed + 1), ""),
    });
    for how in [Combine::Product, Combine::AsReleased] {
        let q = a.combined(b, how);
        assert_eq!(q.mean.value(), combined_mean((a.mean, a.std), (b.mean, b.std)).value());
        assert_eq!(q.std.value(), combined_std(a.std, b.std, how).value());
        assert!(difference(&a.combined_kl(b, how).value(), &q.kl(b).value()) <= ROUNDING);
    }
}

#[test]
fn a_draw_is_addressed_by_name_and_sample_and_labelled() {
    let noise = Noise::new(7, "train");
    let draw = |samples: &[u64], time: usize, name: &str| {
        let tape = Tape::new();
        let shape = [samples.len(), time, 2];
        let normal = Normal {
            mean: tape.input(numbers(&shape, 1).map(|_| 1.), ""),
            std: tape.input(numbers(&shape, 1).map(|_| 2.), ""),
        };
        let z = normal.rsample(&noise, name, samples);
        assert_eq!(tape.find(name).unwrap().id(), z.id());
        let epsilon = tape.find(&format!("noise.{name}")).unwrap().value();
        assert_eq!(z.value(), epsilon.map(|e| 1. + 2. * e));
        let grads = tape.backward(sum(z), Keep::Leaves);
        assert_eq!(*grads.wrt(normal.std).unwrap(), epsilon);
        z.value().data().chunks(time * 2).map(<[Real]>::to_vec).collect::<Vec<_>>()
    };
    let all = draw(&[3, 4], 6, "z.1");
    assert_eq!(draw(&[4, 3], 6, "z.1"), [all[1].clone(), all[0].clone()]);
    assert_eq!(draw(&[3], 4, "z.1")[0], all[0][..8], "a longer sequence begins alike");
    assert_ne!(draw(&[3], 6, "z.2")[0], all[0]);
    assert_ne!(all[0], all[1]);
}

#[test]
fn draws_have_the_mean_and_the_spread() {
    let n = 40_000;
    let tape = Tape::inference();
    let shape = [1, n, 1];
    let [mean, std] = [0.7, 1.5].map(|x: Real| tape.constant(Tensor::new(&shape, vec![x; n])));
    let normal = Normal { mean, std };
    let z = normal.rsample(&Noise::new(1, "test"), "z", &[0]);
    let average = z.value().sum() / n as f64;
    let variance = z.value().sum_of(|z| (f64::from(z) - 0.7).powi(2)) / n as f64;
    let count = n as f64; // five standard errors: σ/√n and σ²√(2/n)
    assert!((average - 0.7).abs() < 5. * 1.5 / count.sqrt(), "{average}");
    assert!((variance - 2.25).abs() < 5. * 2.25 * (2. / count).sqrt(), "{variance}");
    // The mean of −ln p is the entropy ½ ln 2πe σ², its own standard error 1/√(2n).
    let entropy = -normal.log_prob(z).value().sum() / count;
    let want = 0.5 * (std::f64::consts::TAU * std::f64::consts::E * 2.25).ln();
    assert!((entropy - want).abs() < 5. / (2. * count).sqrt(), "{entropy}");
}
